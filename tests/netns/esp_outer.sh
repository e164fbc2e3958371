#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The headers that sealed packets have on the wire: DF, DSCP, ECN and TTL, for each word of the
# configuration and for packets that want DF and that do not; and dummy packets in silence.
set -euo pipefail
# shellcheck source=tests/netns/common.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/common.sh"
b4=192.168.2.10 b6=2001:db8:a2::10

# start LINE...: both gateways, with these lines in the outbound SAs.
start() {
	local line
	esp_configure a 203.0.113.2:4500
	esp_configure b 203.0.113.1:4500
	# Packets are counted: no train may pass for one.
	for line in a b; do
		echo 'gso = no' >>"$LAB_DIR/ns/gw-$line/natmux.conf"
	done
	for line; do
		sed -i "/^sa \"site-out\"/a $line" "$LAB_DIR"/ns/gw-{a,b}/natmux.conf
	done
	esp_start a
	a=$LAB_PID
	esp_start b
	b=$LAB_PID
	lab_wait 5 esp_pings host-a $b4
}

stop() {
	lab_stop "$a"
	lab_stop "$b"
}

# listen: what gw-b gets from now on. heard FILTER: how much of that was so, and no runts.
listen() {
	: >"$LAB_DIR/outer.pcap"
	lab_spawn gw-b outer tcpdump -i wan -U --immediate-mode -w "$LAB_DIR/outer.pcap" \
		'udp dst port 4500 and udp[4:2] > 60 and src host 203.0.113.1'
	listener=$LAB_PID
	lab_wait 5 test -s "$LAB_DIR/outer.pcap"
}

heard() {
	{ tcpdump -r "$LAB_DIR/outer.pcap" -n "$1" 2>/dev/null || true; } | wc -l # the last may be half written
}

# lengths: how many different ones there were.
lengths() {
	{ tcpdump -r "$LAB_DIR/outer.pcap" -n -q 2>/dev/null || true; } | sed 's/.* //' | sort -u | wc -l
}

# header NAME FROM-A-HOST... -- FILTER: five pings with these arguments, and what they look like outside.
header() {
	local name=$1
	shift
	local arguments=()
	while [[ $1 != -- ]]; do
		arguments+=("$1")
		shift
	done
	listen
	esp_pings host-a "${arguments[@]}" -c 5 -i 0.01
	tap_gets "all that is heard of $name" -eq 5 heard ''
	tap_is "$name" "$(heard "$2")" -eq 5
	lab_stop "$listener"
}

tap_begin "$@"
lab_topology
esp_keys site
df='ip[6] & 0x40 != 0' no_df='ip[6] & 0x40 == 0'

start
header "df = copy: set on what must not be cut" $b4 -M "do" -- "$df"
header "clear on what may be" $b4 -M dont -- "$no_df"
header "set on IPv6" $b6 -- "$df"
header "dscp = copy, ECN" $b4 -Q 0xb9 -M dont -- 'ip[1] = 0xb9'
header "the same of IPv6" $b6 -Q 0xba -- 'ip[1] = 0xba'
header "TTL: the system's, less the NAT of A" $b4 -- "ip[8] = $(($(lab_run gw-a sysctl -n net.ipv4.ip_default_ttl) - 2))"
stop

start 'df = set' 'dscp = 10' 'ecn = no'
header "df = set" $b4 -M dont -- "$df"
header "dscp = 10, ecn = no" $b4 -Q 0xb9 -- 'ip[1] = 0x28'
stop

start 'df = clear'
header "df = clear" $b4 -M "do" -- "$no_df"
header "of IPv6" $b6 -- "$no_df"
stop

start 'dummy = 1'
begin=${EPOCHREALTIME/[.,]/}
listen
lab_wait 12 lab_is -ge 6 heard '' || true
dummies=$(heard '')
tap_is "dummies in silence" "$dummies" -ge 6
tap_is "and not too many: two a second at most" "$dummies" -le $(((${EPOCHREALTIME/[.,]/} - begin) / 500000 + 1))
tap "A has counted them" natmux_is gw-a \
	".sas[] | select(.direction == \"out\") | .counters.dummy >= $dummies" sa list
tap_within 2 "B has seen through them" natmux_is gw-b \
	".sas[] | select(.direction == \"in\") | .counters.dummy >= $dummies" sa list
tap "and dropped nothing" natmux_is gw-b 'all(.drops[]; .reason | startswith("esp-") | not)' drops
tap_gets "lengths of all kinds" -ge 3 lengths
lab_stop "$listener"
stop
tap_end
