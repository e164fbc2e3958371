#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# How many system calls a stream of TCP costs natmuxd with esp = user, counted by strace: at most three
# for forty packets on the way of its trains and super-packets. What only its acknowledgements need,
# which come one by one whatever we do, is not counted: at the sender recvmmsg and the device's writev,
# at the receiver the device's read and sendmmsg. Waiting is counted whole. One of both is watched at a time:
# that makes it the slower one, for which packets wait.
set -euo pipefail
# shellcheck source=tests/netns/common.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/common.sh"

# packets SIDE DIRECTION: sealed (out) or opened (in) so far.
packets() {
	natmux_json "gw-$1" "[.sas[] | select(.direction == \"$2\") | .counters.packets] | add" sa list
}

# watch SIDE PID DIRECTION: counts the system calls of all its threads, and its packets, while TCP goes on.
watch() {
	local before strace
	before=$(packets "$1" "$3")
	strace -c -f -p "$2" -o "$(lab_log "calls-$1")" &
	strace=$!
	lab_wait 5 grep -q "^TracerPid:[[:space:]]*[1-9]" "/proc/$2/status"
	tap_is "octets of TCP while ${1^^} is watched" "$(esp_iperf host-a host-b 192.168.2.10 20000000)" -ge 20000000
	kill -INT "$strace"
	wait "$strace" || true
	watched=$(($(packets "$1" "$3") - before))
	tap_is "packets of ${1^^}" "$watched" -ge 2000
}

# calls SIDE PATTERN: what was counted, without the calls named.
calls() {
	awk -v without="^($2|total)$" '$4 ~ /^[0-9]+$/ && $NF !~ without { n += $4 } END { print n + 0 }' \
		"$(lab_log "calls-$1")"
}

# per_4000 SIDE PATTERN: calls for so many of the packets that were watched, rounded up.
per_4000() {
	echo $((($(calls "$1" "$2") * 4000 + watched - 1) / watched))
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
watch a "$a" out
tap_is 'system calls of A, which seals, for 4000' "$(per_4000 a 'recvmmsg|writev')" -le 300
watch b "$b" in
tap_is 'of B, which opens' "$(per_4000 b 'read|sendmmsg')" -le 300
sed "s/^/# /" "$(lab_log calls-a)" "$(lab_log calls-b)"
tap_end
