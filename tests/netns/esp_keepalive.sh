#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# NAT keepalives of the user ESP plane: one octet 0xff to the peers of outbound SAs after so much
# silence, none while there is traffic. As long as they come, B's packets find A.
set -euo pipefail
# shellcheck source=tests/netns/common.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/common.sh"
late=14 # seconds of silence; the routers forget a mapping after ten

# start MODE: both ends, of which only A may have keepalives to send.
start() {
	esp_keys site
	esp_more="keepalive { mode = $1 interval = 2 }" esp_configure a 203.0.113.2:4500
	esp_more='keepalive { mode = off }' esp_configure b 203.0.113.1:4500
	esp_start a
	a=$LAB_PID
	esp_start b
	b=$LAB_PID
}

# captured: keepalives of gw-a as they arrive at gw-b, told by length and octet.
captured() {
	{ tcpdump -r "$LAB_DIR/keepalive.pcap" -n 'udp dst port 4500 and udp[4:2] = 9 and udp[8] = 0xff' \
		2>/dev/null || true; } | wc -l # the last packet may be half written
}

# too_soon: how many of them came less than a second and a half after anything from the same peer. Who
# was held up sends late, never too soon.
too_soon() {
	tcpdump -r "$LAB_DIR/keepalive.pcap" -tt -n 'src host 203.0.113.1 and udp dst port 4500' 2>/dev/null |
		awk '{ keepalive = /length 1$/ || /isakmp-nat-keep-alive/ } keepalive && $1 - last < 1.5 { n++ }
			{ last = $1 } END { print n + 0 }'
}

b_finds_a() {
	esp_pings host-b 192.168.1.10
}

tap_begin "$@"
lab_topology
lab_run nat-a sysctl -qw net.netfilter.nf_conntrack_udp_timeout=10 \
	net.netfilter.nf_conntrack_udp_timeout_stream=10
lab_spawn gw-b tcpdump tcpdump -i wan -U -w "$LAB_DIR/keepalive.pcap" udp
lab_wait 5 test -s "$LAB_DIR/keepalive.pcap"

start all
tap "traffic for five seconds" esp_pings host-a 192.168.2.10 -c 10 -i 0.5
sleep $late
tap "$late seconds of silence later B finds A" b_finds_a
tap_gets "because of keepalives" -ge 4 captured
tap_is "none of which came while there was traffic, or sooner than it should" "$(too_soon)" -eq 0
tap_within 5 "B has taken them for what they are" \
	natmux_is gw-b '.rx.keepalive.datagrams >= 4 and .rx.runt.datagrams == 0' stats
tap "and not for ESP" natmux_is gw-b 'all(.drops[]; .reason | startswith("esp-") | not)' drops
lab_stop "$a"
lab_stop "$b"

start off
lab_wait 5 esp_pings host-a 192.168.2.10
sleep $late
tap_fails "without keepalives the mapping dies" b_finds_a
tap_end
