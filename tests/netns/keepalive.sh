#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# NAT keepalives: one octet 0xff after so much silence, only to peers that are established, and the
# router's mapping lives as long as they come.
set -euo pipefail
# shellcheck source=tests/netns/common.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/common.sh"

late=14 # seconds of silence; the routers forget a mapping after ten

configure() {
	natmux_configure gw-a <<-END
		handoff = relay
		peer "branch" {
			remote = "203.0.113.2:4500"
			alias = "100.64.0.2"
		}
		keepalive {
			mode = $1
			interval = 2
		}
	END
}

short_memory() {
	lab_run nat-a sysctl -qw net.netfilter.nf_conntrack_udp_timeout=10 \
		net.netfilter.nf_conntrack_udp_timeout_stream=10
}

keepalives_sent() {
	natmux_json gw-a '[.flows[] | .keepalives_tx] | add // 0' flows
}

# Keepalives of gw-a as they arrive at gw-b, told by length and octet.
captured() {
	tcpdump -r "$LAB_DIR/keepalive.pcap" -n 'udp port 4500 and udp[4:2] = 9 and udp[8] = 0xff' \
		2>/dev/null | wc -l
}

# too_soon: how many of them came less than a second and a half after anything from the same peer. Who
# was held up sends late, never too soon.
too_soon() {
	tcpdump -r "$LAB_DIR/keepalive.pcap" -tt -n 'src host 203.0.113.1 and udp dst port 4500' 2>/dev/null |
		awk '{ keepalive = /length 1$/ || /isakmp-nat-keep-alive/ } keepalive && $1 - last < 1.5 { n++ }
			{ last = $1 } END { print n + 0 }'
}

# From the daemon's side of the relay at A to a toy daemon at B, which answers late.
talk_late() {
	lab_run gw-a "$datagrams" talk 100.64.0.2 4500 --from 14500 --late "$late"
}

tap_begin "$@"
lab_topology
short_memory
lab_spawn gw-b toy "$datagrams" daemon 0.0.0.0 4500
lab_wait 5 grep -q ready "$(lab_log toy)"
lab_spawn gw-b tcpdump tcpdump -i wan -U -w "$LAB_DIR/keepalive.pcap" udp
lab_wait 5 test -s "$LAB_DIR/keepalive.pcap"

configure all
natmux_start gw-a
pid=$LAB_PID
sleep 3
tap_is "nothing is sent to a peer nobody spoke with" "$(keepalives_sent)" -eq 0
tap "the mapping lives through $late seconds of silence" talk_late
tap_gets "because of keepalives" -ge 4 keepalives_sent
tap_gets "on the wire they are one octet 0xff" -ge 4 captured
tap_is "none of which came sooner than it should" "$(too_soon)" -eq 0
tap_gets "the daemon behind B's port saw them, and answered none" -ge 4 \
	grep -c '^keepalive 1 ' "$(lab_log toy)"
lab_stop "$pid"

configure off
natmux_start gw-a
tap_fails "without keepalives the mapping dies" talk_late
tap_is "none was sent" "$(keepalives_sent)" -eq 0
tap_end
