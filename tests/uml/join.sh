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
	lab_run "$1" ss -Hulnp 'sport = :4500' | sed -n 's/.*"charon",pid=\([0-9]*\).*/\1/p' | sort -u
}

asks_stun() {
	lab_run client "$datagrams" ask stun "$1" 4500
}

# spis: of B's states, a line for each.
spis() {
	lab_ip gw-b xfrm state | sed -n 's/.*proto esp spi \(0x[0-9a-f]*\).*/\1/p' | sort
}

# has_other_states SPIS: whether B has a pair of states, and none of those any more.
has_other_states() {
	local now
	now=$(spis)
	[[ $(wc -l <<<"$now") -eq 2 && -z $(comm -12 <(echo "$1") <(echo "$now")) ]]
}

# ike_sas: B's, by their SPIs.
ike_sas() {
	charon_ctl gw-b --list-sas | sed -n 's/.*, IKEv2, //p'
}

# has_other_ike_sa SPIS: whether B has one IKE_SA, and not that one.
has_other_ike_sa() {
	local now
	now=$(ike_sas)
	[[ -n $now && $now != *$'\n'* && $now != "$1" ]]
}

# packets GATEWAY: how many its states have decrypted and encrypted.
packets() {
	lab_ip "$1" -s xfrm state | awk '/\(packets\)/ && !/limit/ {sub(/.*, /, ""); n += $1} END {print n + 0}'
}

# charon follows when the kernel has told it of a packet from there.
has_port_from_50000() {
	charon_pings host-a 192.168.2.10
	grep -qE 'encap type espinudp sport (4500 dport 50[0-9]{3}|50[0-9]{3} dport 4500)' \
		<<<"$(lab_ip gw-b xfrm state)"
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
guest_enter 700
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
before=$(spis)
tap "CHILD_SA to be rekeyed" charon_ctl gw-a --rekey --child net
tap_within 10 "it is, and the old states are gone" has_other_states "$before"
tap "ping after it" charon_pings host-b 192.168.1.10
before=$(ike_sas)
tap "IKE_SA to be rekeyed" charon_ctl gw-b --rekey --ike headquarters
tap_within 10 "it is, and the old one is gone" has_other_ike_sa "$before"
tap "ping after that" charon_pings host-a 192.168.2.10
tap "killed and started again, not a ping is lost" \
	pings_during host-a 192.168.2.10 0.1 kill_and_start
tap "STUN is answered again" asks_stun 203.0.113.2
tap_is "packets of these pings in the kernel's states" "$(packets gw-b)" -ge $((2 * $(pings_count)))
tap_is "of which natmuxd has seen none" "$(natmux_rx gw-b esp)" -eq 0
tap_is "nor IKE" "$(natmux_rx gw-b ike)" -eq 0

LAB_ANSWER=1 lab_run client "$datagrams" ask esp-cookie 203.0.113.2 4500 --count 3 >/dev/null || true
tap_gets "ESP that looks like STUN came to natmuxd, once each" -eq 3 natmux_rx gw-b esp
tap_gets "and went on to the kernel, which knows no such state" -ge 3 \
	lab_run gw-b sed -n 's/^XfrmInNoStates[[:space:]]*//p' /proc/net/xfrm_stat

# A's NAT router loses its address, and with it what it has mapped; from now on it maps elsewhere.
lab_run nat-a iptables-legacy -t nat -I POSTROUTING -o wan -p udp -j MASQUERADE \
	--to-ports 50000-50999
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
