#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# natmuxd beside an iked that keeps its port (attach = join), strongSwan at the other end:
#
#	tests/interop/join_openiked.sh BUILDDIR
#
# iked needs ESP in the kernel and PF_KEY to ask for it. Where the machine's has not both, all is run
# under User-Mode Linux.
#
# What iked 7.2 cannot do is not here: AES-GCM for ESP on Linux (it forgets a childsa with it), rekey
# when told (it does after so many bytes, below), and follow a peer that its NAT maps to another port:
# with MOBIKE or without, it answers IKE there and sends ESP to the old one.
set -euo pipefail
# shellcheck source=tests/netns/common.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/../netns/common.sh"
# shellcheck source=tools/lib/openiked.sh
. "$top/tools/lib/openiked.sh"

start_natmuxd() {
	natmux_start gw-b
	natmuxd=$LAB_PID
}

# start_iked EDIT: with the configuration edited.
start_iked() {
	sed "$1" "$conf/join/b/iked.conf" >"$LAB_DIR/iked.conf"
	openiked_configure gw-b "$LAB_DIR/iked.conf"
	openiked_start gw-b
	iked=$LAB_PID
}

# is_joined SOCKETS: whether so many of iked's are.
is_joined() {
	natmux_is gw-b ".join.joined and .join.daemon == \"iked\" and (.sockets | length) == $1" status
}

is_waiting() {
	natmux_is gw-b '.join.joined | not' status
}

doctor_says() {
	local said
	said=$(natmux_ctl gw-b doctor) && [[ $said =~ $1 ]]
}

asks_stun() {
	lab_run client "$datagrams" ask stun "$1" 4500
}

# packets: how many the kernel's states on gateway B have decrypted and encrypted.
packets() {
	lab_ip gw-b -s xfrm state | awk '/\(packets\)/ && !/limit/ {sub(/.*, /, ""); n += $1} END {print n + 0}'
}

under_traffic() {
	pings_during host-a 192.168.2.10 0.1 "$@"
}

kill_and_start() {
	lab_stop "$natmuxd" KILL
	sleep 0.5
	start_natmuxd
	lab_wait 3 is_joined 2
}

wait_for_other_states() {
	local before
	before=$(charon_spis gw-b)
	lab_wait 5 has_other_states "$before"
}

has_other_states() {
	[[ $(charon_spis gw-b) != "$1" ]]
}

tap_begin "$@"
openiked_fetch || tap_skip "OpenIKED's package cannot be had from apt"
lab_topology
[[ -n ${NATMUX_GUEST:-} ]] || openiked_kernel gw-b || NATMUX_GUEST=uml
guest_enter 900
sed 's/kernel-libipsec //' "$conf/join/strongswan.conf" >"$LAB_DIR/strongswan.conf"
sed 's/esp_proposals = .*/esp_proposals = aes256-sha512/' "$conf/join/a/swanctl.conf" \
	>"$LAB_DIR/swanctl.conf"
charon_configure gw-a "$LAB_DIR/strongswan.conf" "$LAB_DIR/swanctl.conf"
charon_start gw-a
natmux_configure gw-b "$conf/join/natmux.conf"
start_natmuxd
start_iked ''
tap_within 3 "iked's two sockets are joined" is_joined 2
tap "of four processes, that of the user _iked which has them" \
	grep -q '^Uid:	999	' "/proc/$(natmux_json gw-b .join.pid status)/status"
tap_is "they are root's, who opened them" "$(natmux_json gw-b .join.uid status)" -eq 0
tap "natmuxctl doctor recommends it" doctor_says 'recommended: iked \(process [0-9]+\) keeps its port'
tap "STUN is answered on iked's port" asks_stun 203.0.113.2
tap "and over IPv6, where iked's socket takes IPv4, too" asks_stun 2001:db8:2::2
tap "IKE_SA and CHILD_SA with charon" charon_up gw-a net
tap "ESP in UDP, for there are NATs" charon_has gw-a 'TUNNEL-in-UDP'
tap "ping from A's host to B's" charon_pings host-a 192.168.2.10
tap "ping from B's host to A's" charon_pings host-b 192.168.1.10
tap "CHILD_SA rekeyed by charon" charon_rekeys gw-a net gw-b
tap "ping after it" charon_pings host-a 192.168.2.10
tap "IKE_SA rekeyed by charon" charon_ctl gw-a --rekey --ike branch
tap_within 20 "which is done" charon_has_settled gw-a 'branch: #2, ESTABLISHED'
tap "ping after that" charon_pings host-b 192.168.1.10
tap "natmuxd killed and started again, not a ping is lost" under_traffic kill_and_start
tap "STUN is answered again while ESP flows" under_traffic asks_stun 203.0.113.2
tap_is "packets in the kernel's states" "$(packets)" -ge 20
tap_is "of which natmuxd has seen none" "$(natmux_rx gw-b esp)" -eq 0
tap_is "nor IKE" "$(natmux_rx gw-b ike)" -eq 0
LAB_ANSWER=1 lab_run client "$datagrams" ask esp-cookie 203.0.113.2 4500 --count 3 >/dev/null || true
tap_gets "ESP that looks like STUN came to natmuxd, once each" -eq 3 natmux_rx gw-b esp
tap_gets "and went on to the kernel, which knows no such state" -ge 3 \
	lab_run gw-b sed -n 's/^XfrmInNoStates[[:space:]]*//p' /proc/net/xfrm_stat

openiked_stop gw-b "$iked" KILL
tap_within 2 "iked killed: natmuxd lets go" is_waiting
lab_run gw-b ip xfrm state flush
lab_run gw-b ip xfrm policy flush
start_iked 's/psk/lifetime 3h bytes 8K psk/'
tap_within 3 "the next iked is joined" is_joined 2
charon_ctl gw-a --terminate --ike branch --force >/dev/null 2>&1 || true
tap "a new IKE_SA with it" charon_up gw-a net
tap "ping" charon_pings host-a 192.168.2.10
# It deletes the old states at the peer before it has put its own new ones into the kernel: what comes
# meanwhile is lost, however long that takes.
pings_begin host-a 192.168.2.10 0.1
tap "CHILD_SA rekeyed by iked" wait_for_other_states
tap "traffic goes on with it" pings_end
# These few packets may be too many for the SA, and the next rekey is under way.
tap_within 5 "ping after it" charon_pings host-a 192.168.2.10
tap "STUN is answered" asks_stun 203.0.113.2

lab_stop "$natmuxd"
(cat "$conf/join/natmux.conf" && echo 'listen = { "0.0.0.0" }') | natmux_configure gw-b
start_natmuxd
tap_within 3 "IPv4 alone, where listen says so" is_joined 1
tap "STUN is answered" asks_stun 203.0.113.2
tap_fails "and not over IPv6" asks_stun 2001:db8:2::2
tap_within 5 "ping" charon_pings host-a 192.168.2.10
openiked_stop gw-b "$iked"
tap_within 2 "iked ends: natmuxd lets go" is_waiting
tap_end
