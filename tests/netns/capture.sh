#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# natmuxctl capture writes what tshark reads: the right packets of each class, with their addresses.
set -euo pipefail
# shellcheck source=tests/netns/common.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/common.sh"

# capture FILE CLASSES: starts a capture in the background.
capture() {
	lab_spawn gw-b capture "$NATMUX_BUILD/ctl/natmuxctl" capture --class "$2" -w "$1"
	lab_wait 5 test -e "$1" # made when natmuxd has agreed
}

# count FILE FILTER: packets that tshark, which wrote none of this, finds. By itself it takes all of
# port 4500 for IKE and ESP: the very mistake that natmux is there to prevent. Of those that guess before it
# does, only STUN may: RTCP and others find their own in one in two hundred SPIs of chance.
count() {
	tshark -n -o udp.try_heuristic_first:TRUE "${no_guesses[@]}" -r "$1" -Y "$2" 2>>"$(lab_log tshark)" | wc -l
}

traffic() {
	lab_run client "$datagrams" talk 203.0.113.2 4500 --from 31022
	lab_run client "$datagrams" ask stun 203.0.113.2 4500 --from 31023
	lab_run client "$datagrams" ask esp 203.0.113.2 4500 --from 31022 --count 4
}

tap_begin "$@"
command -v tshark >/dev/null || tap_skip "no tshark"
mapfile -t no_guesses < <(tshark -G heuristic-decodes 2>/dev/null |
	awk '$1 == "udp" && $2 != "stun" { print "--disable-protocol=" $2 }')
lab_topology
lab_run gw-b sysctl -qw net.ipv4.conf.all.rp_filter=0 net.ipv4.conf.default.rp_filter=0
natmux_configure gw-b <<-END
	stun { responder = open }
END
natmux_start gw-b
lab_spawn gw-b toy "$datagrams" daemon 100.64.0.1 14500
lab_wait 5 grep -q ready "$(lab_log toy)"

pcaps=$LAB_DIR/ns/gw-b
capture "$pcaps/all.pcap" ike,stun,esp
all=$LAB_PID
tap "IKE, ESP and STUN pass" traffic
natmux_settle gw-b
lab_stop "$all"
tap_is "IKE, both ways" "$(count "$pcaps/all.pcap" isakmp)" -eq 4
tap_is "of which two to the port" \
	"$(count "$pcaps/all.pcap" 'isakmp && udp.dstport == 4500 && ip.src == 203.0.113.200')" -eq 2
tap_is "STUN, request and answer" "$(count "$pcaps/all.pcap" stun)" -eq 2
tap_is "with a right fingerprint" \
	"$(count "$pcaps/all.pcap" 'stun.att.crc32.status == "Good" || stun.att.crc32')" -ge 1
tap_is "ESP, both ways" "$(count "$pcaps/all.pcap" 'udpencap && esp')" -eq 10
tap_is "no malformed STUN" "$(count "$pcaps/all.pcap" 'stun && _ws.malformed')" -eq 0
tap_is "no wrong checksum" "$(tshark -n -o ip.check_checksum:TRUE -o udp.check_checksum:TRUE \
	-r "$pcaps/all.pcap" -Y 'ip.checksum.status == Bad || udp.checksum.status == Bad' \
	2>>"$(lab_log tshark)" | wc -l)" -eq 0

capture "$pcaps/stun.pcap" stun
one=$LAB_PID
traffic >/dev/null
natmux_settle gw-b
lab_stop "$one"
tap_is "a class asked for" "$(count "$pcaps/stun.pcap" stun)" -eq 2
tap_is "comes alone" "$(count "$pcaps/stun.pcap" 'not stun')" -eq 0
tap_end
