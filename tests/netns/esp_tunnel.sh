#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# esp = user at both ends with static SAs, through both NATs: IPv4 and IPv6 inside of IPv4 and of
# IPv6, pings of every size, TCP and UDP, with super-packets and without. Nothing is dropped.
set -euo pipefail
# shellcheck source=tests/netns/common.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/common.sh"
b4=192.168.2.10 b6=2001:db8:a2::10
numbered=$tests/tools/numbered.py

# sweep ADDRESS FROM TO: pings of these sizes, all answered.
sweep() {
	local size
	for ((size = $2; size <= $3; size += ${4:-1})); do
		esp_pings host-a "$1" -s "$size" -M dont || return 1
	done
}

# datagrams: how many of two thousand that are as they shall be.
datagrams() {
	local listener
	rm -f "$LAB_DIR/progress"
	lab_log_new at-b
	lab_spawn host-b at-b "$numbered" listen $b4 7000 --progress "$LAB_DIR/progress"
	listener=$LAB_PID
	lab_wait 5 grep -q ready "$(lab_log at-b)"
	lab_run host-a timeout 90 "$numbered" datagrams $b4 7000 --rate 1700 --sizes 1200-1450 --count 2000 \
		--progress "$LAB_DIR/progress" >"$(lab_log from-a)"
	lab_wait 2 arrived "$listener" || true # what is missing then is told
	lab_stop "$listener"
	lab_wait 2 grep -q '^tcp' "$(lab_log at-b)"
	sed -n 's/^udp received \([0-9]*\) lost 0 twice 0 .* wrong 0$/\1/p' "$(lab_log at-b)" | tail -n 1
}

# arrived LISTENER: whether it has them all.
arrived() {
	kill -USR1 "$1"
	sleep 0.1
	grep -q 'received 2000 ' "$(lab_log at-b)"
}

# What the device's own IPv6 says to its neighbours is for no tunnel: out-policy.
drops() {
	natmux_json "gw-$1" '[.drops[] | select(.reason != "out-policy") | .count] | add // 0' drops
}

# tunnel OUTER REMOTE-OF-A REMOTE-OF-B: starts both gateways and tries everything.
tunnel() {
	local outer=$1 a b
	esp_keys site "$esp_suite"
	esp_configure a "$2"
	esp_configure b "$3"
	esp_start a
	a=$LAB_PID
	esp_start b
	b=$LAB_PID
	tap_within 5 "$outer: IPv4 through it" esp_pings host-a $b4
	tap "$outer: IPv6 through it" esp_pings host-a $b6
	tap "$outer: from the other end, too" esp_pings host-b 192.168.1.10
	tap "$outer: every size of IPv4 packet around the blocks of ciphers" sweep $b4 0 33
	tap "$outer: of IPv6" sweep $b6 0 33
	tap "$outer: up to packets that have to be cut" sweep $b4 1300 4000 137
	tap_is "$outer: octets of TCP over IPv4" "$(esp_iperf host-a host-b $b4 20000000)" -ge 20000000
	tap_is "$outer: of TCP over IPv6" "$(esp_iperf host-a host-b $b6 20000000)" -ge 20000000
	tap_is "$outer: of 2000 datagrams arrive, once and as they were" "$(datagrams)" -eq 2000
	tap_is "$outer: octets of TCP the other way" "$(esp_iperf host-a host-b $b6 20000000 -R)" -ge 20000000
	tap_is "$outer: dropped by A" "$(drops a)" -eq 0
	tap_is "$outer: dropped by B" "$(drops b)" -eq 0
	lab_stop "$a"
	lab_stop "$b"
}

tap_begin "$@"
lab_topology
esp_suite=aes256gcm16
tunnel 'over IPv4' 203.0.113.2:4500 203.0.113.1:4500
esp_suite=aes128-sha256
tunnel 'over IPv6' '[2001:db8:2::2]:4500' '[2001:db8:1::2]:4500'
esp_suite=chacha20poly1305 esp_plane='offload = no'
tunnel 'without super-packets' 203.0.113.2:4500 203.0.113.1:4500
tap_end
