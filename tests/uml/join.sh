#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# attach = join with the kernel's ESP: stock strongSwan at both ends, its states the kernel's, and
# natmuxd beside it. Under User-Mode Linux where the machine's kernel has no ESP.
#
#	tests/uml/join.sh BUILDDIR
set -euo pipefail
# shellcheck source=tests/netns/common.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/../netns/common.sh"

is_joined() {
	natmux_is "$1" '.join.joined and (.sockets | length) == 2' status
}

is_waiting() {
	natmux_is "$1" '.join.joined | not' status
}

start_charon() {
	sed 's/kernel-libipsec //' "$conf/join/strongswan.conf" >"$LAB_DIR/strongswan.conf"
	charon_configure "$1" "$LAB_DIR/strongswan.conf" "$conf/join/${1#gw-}/swanctl.conf"
	charon_start "$1"
}

charon_pid() {
	lab_run "$1" ss -Hulnp 'sport = :4500' | sed -n 's/.*"charon",pid=\([0-9]*\).*/\1/p' | head -n 1
}

asks_stun() {
	lab_run client "$datagrams" ask stun "$1" 4500
}

# packets GATEWAY: how many its states have decrypted and encrypted.
packets() {
	lab_ip "$1" -s xfrm state | awk '/\(packets\)/ && !/limit/ {sub(/.*, /, ""); n += $1} END {print n + 0}'
}

# charon follows when the kernel has told it of a packet from there.
has_port_from_50000() {
	charon_pings host-a 192.168.2.10
	lab_ip gw-b xfrm state | grep -qE 'encap type espinudp sport (4500 dport 50[0-9]{3}|50[0-9]{3} dport 4500)'
}

# under_traffic FUNCTION COUNT: whether no ping of COUNT is lost while the function runs.
under_traffic() {
	local ping
	lab_run host-a ping -q -i 0.1 -c "$2" -W 5 192.168.2.10 >"$(lab_log ping)" &
	ping=$!
	sleep 0.5
	"$1"
	wait "$ping" || true
	grep -q " $2 received" "$(lab_log ping)"
}

kill_and_start() {
	lab_stop "$natmuxd" KILL
	sleep 0.5
	natmux_start gw-b
	natmuxd=$LAB_PID
	lab_wait 3 is_joined gw-b
}

tap_begin "$@"
lab_topology
guest_enter 170
for gw in gw-a gw-b; do
	natmux_configure $gw "$conf/join/natmux.conf"
	natmux_start $gw
	natmuxd=$LAB_PID
	start_charon $gw
	tap_within 3 "$gw: charon is joined" is_joined $gw
done
tap "IKE_SA and CHILD_SA" charon_up gw-a net
tap "ping from A's host to B's" charon_pings host-a 192.168.2.10
tap "STUN is answered" asks_stun 203.0.113.2
tap "and over IPv6" asks_stun 2001:db8:2::2
tap "CHILD_SA rekeyed" charon_ctl gw-a --rekey --child net
tap_within 5 "ping after it" charon_pings host-b 192.168.1.10
tap "IKE_SA rekeyed" charon_ctl gw-b --rekey --ike headquarters
tap_within 5 "ping after that" charon_pings host-a 192.168.2.10
tap "killed and started again, not a ping is lost" under_traffic kill_and_start 40
tap "STUN is answered again" asks_stun 203.0.113.2
tap_is "packets in the kernel's states" "$(packets gw-b)" -ge 80
tap_is "of which natmuxd has seen none" "$(natmux_rx gw-b esp)" -eq 0
tap_is "nor IKE" "$(natmux_rx gw-b ike)" -eq 0

lab_run client "$datagrams" ask esp-cookie 203.0.113.2 4500 --count 3 >/dev/null || true
tap_is "ESP that looks like STUN came to natmuxd, once each" "$(natmux_rx gw-b esp)" -eq 3
tap_is "and went on to the kernel, which knows no such state" \
	"$(lab_run gw-b sed -n 's/^XfrmInNoStates[[:space:]]*//p' /proc/net/xfrm_stat)" -ge 3

# A's NAT router loses its address, and with it what it has mapped; from now on it maps elsewhere.
lab_run nat-a iptables-legacy -t nat -I POSTROUTING -o wan -p udp -j MASQUERADE \
	--to-ports 50000-51000
lab_ip nat-a -4 addr flush dev wan
lab_addr nat-a wan 203.0.113.1/24
tap_within 3 "A's NAT maps to another port: charon follows" charon_pings host-a 192.168.2.10
tap_within 10 "its states have the port" has_port_from_50000
tap "STUN is answered" asks_stun 203.0.113.2

tap "a policy over the wire's addresses" lab_ip gw-b xfrm policy add src 0.0.0.0/0 dst 10.2.0.0/24 \
	dir in priority 1 tmpl src 203.0.113.1 dst 10.2.0.2 proto esp reqid 99 mode tunnel
tap "does not keep STUN from being answered" asks_stun 203.0.113.2
tap "nor the tunnel from working" charon_pings host-a 192.168.2.10

kill -KILL "$(charon_pid gw-b)"
tap_within 2 "charon killed: natmuxd lets go" is_waiting gw-b
lab_run gw-b ip xfrm state flush
lab_run gw-b ip xfrm policy flush
start_charon gw-b
tap_within 3 "the next charon is joined" is_joined gw-b
charon_ctl gw-a --terminate --ike branch --force >/dev/null 2>&1 || true
tap "a new IKE_SA with it" charon_up gw-a net
tap "ping" charon_pings host-a 192.168.2.10
tap "STUN is answered" asks_stun 203.0.113.2
tap_end
