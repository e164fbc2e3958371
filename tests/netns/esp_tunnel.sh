#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# esp = user at both ends with static SAs, through both NATs: IPv4 and IPv6 inside of IPv4 and of
# IPv6, pings of every size, TCP and UDP, with super-packets and without. Nothing is dropped.
set -euo pipefail
# shellcheck source=tests/netns/common.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/common.sh"
b4=192.168.2.10 b6=2001:db8:a2::10

# sweep ADDRESS FROM TO: pings of these sizes, all answered.
sweep() {
	local size
	for ((size = $2; size <= $3; size += ${4:-1})); do
		esp_pings host-a "$1" -s "$size" -M dont || return 1
	done
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
	tap_is "$outer: Mbit/s of TCP over IPv4" "$(esp_iperf host-a host-b 1 $b4)" -ge 10
	tap_is "$outer: of TCP over IPv6" "$(esp_iperf host-a host-b 1 $b6)" -ge 10
	tap_is "$outer: of UDP at 20 Mbit/s" "$(esp_iperf host-a host-b 1 $b4 -u -b 20M)" -ge 19
	tap_is "$outer: and the other way" "$(esp_iperf host-a host-b 1 $b6 -R)" -ge 10
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
