#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# An underlay of 1280 bytes. When natmux knows of it, senders hear what fits and go on with that. When
# it does not, sealed packets are cut on their way where they may be (df = clear), or a router says what
# fits, natmux keeps to it, and senders hear.
set -euo pipefail
# shellcheck source=tests/netns/common.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/common.sh"
b4=192.168.2.10 b6=2001:db8:a2::10
fits=1218 # 1280 - 20 - 8 - 8 - 8 - 16, a multiple of four, without the trailer

narrow() {
	lab_ip pub link set p-nat-b mtu 1280
	lab_ip nat-b link set wan mtu 1280
}

# start [LINE...]: both gateways, with these lines in the section user-plane.
start() {
	esp_plane=$(printf '%s\n' "$@")
	esp_configure a 203.0.113.2:4500
	esp_configure b 203.0.113.1:4500
	[[ -z ${sa_line:-} ]] || sed -i "/^sa \"site-out\"/a $sa_line" "$LAB_DIR"/ns/gw-{a,b}/natmux.conf
	esp_start a
	a=$LAB_PID
	esp_start b
	b=$LAB_PID
	lab_wait 5 esp_pings host-a $b4
}

stop() {
	lab_stop "$a"
	lab_stop "$b"
	lab_ip host-a route flush cache
	lab_ip host-a -6 route flush cache
}

# told ADDRESS MTU: whether A's host knows so of its way there.
told() {
	lab_ip host-a route get "$1" | grep "mtu $2 "
}

# whole ADDRESS SIZE: a packet of this size that must not be cut.
whole() {
	local header=28
	[[ $1 != *:* ]] || header=48
	esp_pings host-a "$1" -M "do" -s "$(($2 - header))"
}

# cut_outside: how many fragments of sealed packets have come in at gw-b.
cut_outside() {
	lab_run gw-b nstat -asz IpReasmReqds | awk '/IpReasmReqds/ { print $2 }'
}

tap_begin "$@"
lab_topology
narrow
esp_keys site

start 'path-mtu = 1280' 'mtu = 1500'
tap "$fits bytes fit" whole $b4 $fits
tap_fails "one more does not" whole $b4 $((fits + 1))
tap_within 2 "the sender is told what fits" told $b4 $fits
tap "a packet that may be cut arrives" esp_pings host-a $b4 -M dont -s 3000
tap "IPv6 has its 1280 bytes, which no path can deny it (RFC 8200 5)" whole $b6 1280
tap_fails "and not more" whole $b6 1281
tap_within 2 "its sender is told so" told $b6 1280
tap "and cuts what is longer, as does who answers" \
	esp_pings host-a $b6 -M dont -s 3000 -c 3 -i 0.2
tap_is "TCP over IPv4, octets" "$(esp_iperf host-a host-b $b4 2000000)" -ge 2000000
tap_is "TCP over IPv6, octets" "$(esp_iperf host-a host-b $b6 2000000)" -ge 2000000
stop

start 'path-mtu = 1280'
before=$(cut_outside)
tap_is "without an MTU of its own the device has what fits" \
	"$(lab_run gw-a cat /sys/class/net/natmux1/mtu)" -eq $fits
tap "$fits bytes fit" whole $b4 $fits
tap_fails "one more does not" whole $b4 $((fits + 1))
tap_within 2 "the sender is told what fits" told $b4 $fits
tap_is "TCP over IPv4, octets" "$(esp_iperf host-a host-b $b4 2000000)" -ge 2000000
tap_is "no sealed packet has been cut" "$(cut_outside)" -eq "$before"
stop

sa_line='df = clear' start
before=$(cut_outside)
tap "natmux does not know: packets of 1438 bytes arrive all the same" whole $b4 1438
tap "those of IPv6, too" whole $b6 1438
tap_is "cut on their way" $(($(cut_outside) - before)) -ge 4
tap_is "TCP over IPv4, octets" "$(esp_iperf host-a host-b $b4 2000000)" -ge 2000000
tap_is "TCP over IPv6, octets" "$(esp_iperf host-a host-b $b6 2000000)" -ge 2000000
stop

# path_mtu SIDE: what its outbound SA takes the path for.
path_mtu() {
	natmux_json "gw-$1" '.sas[] | select(.direction == "out") | .path_mtu' sa list
}

# hears ADDRESS SIZE TOLD: too long a packet, which gets nowhere, and whether its sender knows by now.
hears() {
	! whole "$1" "$2" && told "$1" "$3"
}

# syn_has TEXT: whether a SYN that was captured does.
syn_has() {
	tcpdump -r "$LAB_DIR/syn.pcap" -n 2>/dev/null | grep -F -- "$1"
}

# So far a switch was too narrow, which says nothing.
lab_ip nat-a link set wan mtu 1280
start
before=$(cut_outside)
tap_is "with DF, natmux believes in" "$(path_mtu a)" -eq 1500
tap_fails "a packet of 1438 bytes gets lost" whole $b4 1438
tap_within 5 "a router has said so, natmux has heard, and so does the sender" hears $b4 1438 $fits
tap_is "natmux believes in" "$(path_mtu a)" -eq 1280
tap "what fits arrives" whole $b4 $fits
tap_within 5 "the sender of IPv6 hears of its 1280" hears $b6 1438 1280
tap_within 5 "and they arrive, cut outside, once B has heard as well" whole $b6 1280
tap_is "which is all that was cut" $(($(cut_outside) - before)) -ge 2
tap_is "TCP over IPv4, octets" "$(esp_iperf host-a host-b $b4 2000000)" -ge 2000000
tap_is "TCP over IPv6, octets" "$(esp_iperf host-a host-b $b6 2000000)" -ge 2000000
stop

sa_line='too-big = cut' start 'path-mtu = 1280' 'mtu = 1500'
before=$(cut_outside)
tap "too-big = cut: what must not be cut inside is cut outside" whole $b4 1500
tap "IPv6 as well" whole $b6 1500
tap_is "and put together by the peer" $(($(cut_outside) - before)) -ge 4
stop

# The hosts would begin with what their own links take, 1500; no ICMP is needed.
start 'path-mtu = 1280' 'mtu = 1500' 'mss-clamp = yes'
lab_spawn host-b syn tcpdump -i any -U --immediate-mode -w "$LAB_DIR/syn.pcap" 'tcp[13] & 2 != 0'
lab_wait 5 test -s "$LAB_DIR/syn.pcap"
tap_is "mss-clamp: TCP, octets" "$(esp_iperf host-a host-b $b4 2000000)" -ge 2000000
tap_within 2 "A's SYN, as B sees it" syn_has "mss $((fits - 40))"
tap_is "senders that had to be told" "$(natmux_drops gw-a out-too-big)" -eq 0
stop
tap_end
