#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# How many system calls a stream of TCP costs natmuxd with esp = user, counted by strace: at most three
# for forty packets on the way of its trains and super-packets. What only its acknowledgements need,
# which come one by one whatever we do, is not counted: at the sender recvmmsg and the device's writev,
# at the receiver the device's read and sendmmsg. Waiting is counted whole.
set -euo pipefail
# shellcheck source=tests/netns/common.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/common.sh"

declare -A watching

# packets SIDE DIRECTION: sealed (out) or opened (in) so far.
packets() {
	natmux_json "gw-$1" "[.sas[] | select(.direction == \"$2\") | .counters.packets] | add" sa list
}

# watch SIDE PID: counts the system calls of all its threads until it is told to end.
watch() {
	strace -c -f -p "$2" -o "$(lab_log "calls-$1")" &
	watching[$1]=$!
	lab_wait 5 grep -q "^TracerPid:[[:space:]]*[1-9]" "/proc/$2/status"
}

# calls SIDE PATTERN: what was counted, without the calls named.
calls() {
	awk -v without="^($2|total)$" '$4 ~ /^[0-9]+$/ && $NF !~ without { n += $4 } END { print n + 0 }' \
		"$(lab_log "calls-$1")"
}

# per_4000 SIDE PACKETS PATTERN: calls for so many packets, rounded up.
per_4000() {
	echo $((($(calls "$1" "$3") * 4000 + $2 - 1) / $2))
}

tap_begin "$@"
command -v strace >/dev/null || tap_skip 'strace is not installed'
lab_topology
esp_keys site
esp_configure a 203.0.113.2:4500
esp_configure b 203.0.113.1:4500
esp_start a
a=$LAB_PID
esp_start b
b=$LAB_PID
tap_within 5 'the tunnel is up' esp_pings host-a 192.168.2.10
before_a=$(packets a out) before_b=$(packets b in)
watch a "$a"
watch b "$b"
tap_is 'octets of TCP while being watched' "$(esp_iperf host-a host-b 192.168.2.10 20000000)" -ge 20000000
kill -INT "${watching[a]}" "${watching[b]}"
wait "${watching[a]}" "${watching[b]}" || true
a_packets=$(($(packets a out) - before_a)) b_packets=$(($(packets b in) - before_b))
tap_is 'packets sealed by A' "$a_packets" -ge 2000
tap_is 'system calls of A for 4000 packets' "$(per_4000 a "$a_packets" "recvmmsg|writev")" -le 300
tap_is 'of B, which opens the full ones' "$(per_4000 b "$b_packets" "read|sendmmsg")" -le 300
sed "s/^/# /" "$(lab_log calls-a)" "$(lab_log calls-b)"
tap_end
