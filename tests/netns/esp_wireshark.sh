#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# What natmuxctl captures and the keys that it exports, read by tshark: every packet that went through
# the tunnel is in there, authentic, with right checksums; with another key none is. Then the same of
# every suite that tshark has, with 32-bit numbers and with extended ones.
set -euo pipefail
# shellcheck source=tests/netns/common.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/common.sh"

# stream: 300 000 octets of TCP, each of which has arrived in the end.
stream() {
	local listener status=0
	lab_log_new listener
	lab_spawn host-b listener "$tests/tools/numbered.py" listen 192.168.2.10 7000
	listener=$LAB_PID
	lab_wait 5 grep ready "$(lab_log listener)" && lab_run host-a timeout 90 "$tests/tools/numbered.py" \
		stream 192.168.2.10 7000 --rate 300000 --count 300000 || status=1
	lab_stop "$listener"
	return "$status"
}

# traffic: pings of both families and both ways, and TCP.
traffic() {
	esp_pings host-a 192.168.2.10 -c 5 -i 0.02 && esp_pings host-b 2001:db8:a1::10 -c 5 -i 0.02 && stream
}

# read_with KEYS FILTER FIELD...: what tshark finds in the capture with these keys. The stream is nothing
# else: who puts its own messages together from it gives up where a segment was sent again, and with that
# tshark forgets what it was about to say of the packet.
read_with() {
	local keys=$1 filter=$2 field line
	local -a options=(-o esp.enable_encryption_decode:TRUE
		-o "esp.enable_authentication_check:${checks_icv:-TRUE}"
		-o tcp.check_checksum:TRUE -o udp.try_heuristic_first:TRUE -d "tcp.port==7000,data")
	shift 2
	while IFS= read -r line; do
		options+=(-o "uat:esp_sa:$line")
	done <"$keys"
	for field; do
		options+=(-e "$field")
	done
	tshark -n -r "$LAB_DIR/esp.pcap" "${options[@]}" -Y "$filter" -T fields 2>>"$(lab_log tshark)"
}

count() {
	local frames
	frames=$(read_with "$@" frame.number) || { echo "tshark does not take $2"; return; }
	grep -c . <<<"$frames" || true
}

# judge SUITE: one tunnel with that suite.
judge() {
	local a b capture keys=$LAB_DIR/esp_sa
	esp_suite=$1
	esp_keys site "$1"
	esp_configure a 203.0.113.2:4500
	esp_configure b 203.0.113.1:4500
	esp_start b
	b=$LAB_PID
	esp_start a
	a=$LAB_PID
	lab_wait 5 esp_pings host-a 192.168.2.10
	rm -f "$LAB_DIR/esp.pcap"
	lab_spawn gw-b capture "$NATMUX_BUILD/ctl/natmuxctl" capture --class esp -w "$LAB_DIR/esp.pcap"
	capture=$LAB_PID
	lab_wait 5 test -e "$LAB_DIR/esp.pcap" # made when natmuxd has agreed
	tap "$1: traffic" traffic
	natmux_settle gw-b
	lab_stop "$capture"
	(umask 077 && natmux_ctl gw-b sa export --wireshark --yes >"$keys")
	tap_is "$1: pings of IPv4, there and back" "$(count "$keys" 'icmp.type == 8 || icmp.type == 0')" -eq 10
	tap_is "$1: of IPv6" "$(count "$keys" 'icmpv6.type == 128 || icmpv6.type == 129')" -eq 10
	tap_is "$1: octets of TCP that arrived" "$(read_with "$keys" 'tcp.dstport == 7000' tcp.len |
		awk '{ n += $1 } END { print n + 0 }')" -ge 300000
	tap_is "$1: packets with wrong inner checksums" \
		"$(count "$keys" 'tcp.checksum.status == Bad || icmp.checksum.status == Bad')" -eq 0
	tap_is "$1: that are not authentic" "$(count "$keys" 'esp && !(esp.icv_good == 1)')" -eq 0
	tap_is "$1: of which none could be opened" \
		"$(count "$keys" 'esp && !icmp && !icmpv6 && !tcp')" -eq 0
	sed 's/0x......../0x00000000/2' "$keys" >"$keys.other"
	tap_is "$1: of ours, with another key" "$(count "$keys.other" 'ip.addr == 192.168.2.10')" -eq 0
	rm -f "$keys" "$keys.other"
	lab_stop "$a"
	lab_stop "$b"
}

# suites: all of tshark's table; each gets a tunnel of its own, side by side.
suites() {
	local bits name
	for bits in 128 192 256; do
		for name in gcm16 gcm12 gcm8 -sha1 -sha256 -sha384 -sha512; do
			echo "aes$bits$name"
		done
	done
	printf 'null-%s\n' sha1 sha256 sha384 sha512
}

# side_by_side SIDE ESN: the file of one gateway.
side_by_side() {
	local there=2 here=1 n=0 remote=203.0.113.2:4500
	[[ $1 == a ]] || { there=1 here=2 remote=203.0.113.1:4500; }
	printf 'esp = user\nhandoff = none\nuser-plane {\nexport-keys = yes\n}\n'
	for esp_suite in $(suites); do
		n=$((n + 1))
		esp_pair "$esp_suite" "$1" $((0x1000 + 16 * n)) $n $remote "esn = $2"
		esp_policy "p$n" $n "src 192.168.$here.$((100 + n)) dst 192.168.$there.$((100 + n))"
	done
}

addresses() {
	local n=0 suite
	for suite in $(suites); do
		n=$((n + 1))
		lab_addr host-a wan 192.168.1.$((100 + n))/24
		lab_addr host-b wan 192.168.2.$((100 + n))/24
		esp_keys "$suite" "$suite"
	done
}

# pings_of_all: three pings through each tunnel, with sizes of all paddings.
pings_of_all() {
	local n=0 suite size
	for suite in $(suites); do
		n=$((n + 1))
		for size in 60 $((61 + n)) 1000; do
			esp_pings host-a 192.168.2.$((100 + n)) -I 192.168.1.$((100 + n)) -s "$size" || return 1
		done
	done
}

# all_read ESN: starts both gateways, and counts the SAs whose three packets tshark has read.
all_read() {
	local keys=$LAB_DIR/esp_sa pids=() side
	for side in a b; do
		side_by_side $side "$1" | natmux_configure gw-$side
		esp_start $side
		pids+=("$LAB_PID")
	done
	rm -f "$LAB_DIR/esp.pcap"
	lab_spawn gw-b capture "$NATMUX_BUILD/ctl/natmuxctl" capture --class esp -w "$LAB_DIR/esp.pcap"
	pids=("$LAB_PID" "${pids[@]}")
	lab_wait 5 test -e "$LAB_DIR/esp.pcap" # made when natmuxd has agreed
	tap "pings through all $(suites | wc -l) suites, ESN: $1" pings_of_all
	natmux_settle gw-b
	(umask 077 && natmux_ctl gw-b sa export --wireshark --yes >"$keys")
	for pid in "${pids[@]}"; do
		lab_stop "$pid"
	done
	# Extended numbers are part of what the ICV is of, and this tshark does not know the high half.
	checks_icv=TRUE
	[[ $1 == no ]] || checks_icv=FALSE
	tap_is "tshark reads the packets of all SAs" "$(read_with "$keys" 'icmp.checksum.status == Good' \
		esp.spi esp.icv_good icmp.type | tee "$(lab_log "read-$1")" | awk -v esn="$1" \
		'esn == "yes" || $2 == 1 || $2 == "True" { n[$1]++ } END { for (i in n) all += n[i] == 3; print all + 0 }')" \
		-eq $((2 * $(suites | wc -l)))
	rm -f "$keys"
}

tap_begin "$@"
command -v tshark >/dev/null || tap_skip "no tshark"
lab_topology
esp_plane='export-keys = yes'
judge aes128gcm16
judge aes128-sha256
addresses
all_read no
all_read yes
tap_end
