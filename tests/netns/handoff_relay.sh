#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The relay between two stock charons, over IPv4 and over IPv6: initiation from both sides, rekeying,
# traffic, strict reverse path filters, and no setting of the kernel touched.
set -euo pipefail
# shellcheck source=tests/netns/common.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/common.sh"

# configure FAMILY: the configuration of the demo, or the same with every outer address changed.
configure() {
	local site
	for site in a b; do
		cp "$conf/$site/natmux.conf" "$LAB_DIR/natmux-$site.conf"
		cp "$conf/$site/swanctl.conf" "$LAB_DIR/swanctl-$site.conf"
	done
	if [[ $1 == 6 ]]; then
		sed -i -e 's/203.0.113.2:4500/[2001:db8:2::2]:4500/' \
			-e 's/203.0.113.100:3478/[2001:db8::100]:3478/' \
			-e 's/"100.64.0.2"/"fd6e:6174:6d75::2"/' "$LAB_DIR"/natmux-?.conf
		sed -i -e 's/100.64.0.1$/fd6e:6174:6d75::1/' -e 's/100.64.0.2$/fd6e:6174:6d75::2/' \
			-e 's,100.64.0.0/24$,fd6e:6174:6d75::/112,' "$LAB_DIR"/swanctl-?.conf
	fi
	for site in a b; do
		natmux_configure "gw-$site" "$LAB_DIR/natmux-$site.conf"
		charon_configure "gw-$site" "$conf/strongswan.conf" "$LAB_DIR/swanctl-$site.conf"
	done
}

start() {
	local site
	for site in a b; do
		natmux_start "gw-$site"
		natmuxd[$site]=$LAB_PID
		charon_start "gw-$site"
	done
}

stop() {
	local site
	lab_kill TERM
	for site in a b; do
		lab_stop "${natmuxd[$site]}"
	done
	lab_wait 5 are_gone
}

# are_gone: whether nobody is left whom those that come next could meet, or take for one of their own.
are_gone() {
	[[ -z $(lab_pids) ]]
}

# B begins once A is known to it: A's alias takes the place of the range in its configuration.
initiate_from_b() {
	local alias
	charon_ctl gw-a --terminate --ike branch
	alias=$(natmux_json gw-b '.aliases[0].alias' aliases)
	alias=${alias%:4500} alias=${alias#[} alias=${alias%]}
	sed -i "s,remote_addrs = .*,remote_addrs = $alias," \
		"$LAB_DIR/ns/gw-b/etc/swanctl/swanctl.conf"
	charon_ctl gw-b --load-conns
	charon_up gw-b net
}

# What the kernel itself says on a new interface (IPv6 neighbours and multicast) is no concern, nor is the
# STUN server's second answer where the first one took so long that natmuxd had asked again.
no_drops() {
	natmux_is "$1" 'all(.drops[]; .reason == "handoff-format" and .count < 50 or .reason == "stun-unasked")' \
		drops
}

check_family() {
	local v=IPv$1
	configure "$1"
	start
	tap "$v: A begins: IKE_SA and CHILD_SA" charon_up gw-a net
	tap "$v: ping from A's host to B's" charon_pings host-a 192.168.2.10
	tap "$v: ping from B's host to A's" charon_pings host-b 192.168.1.10
	tap "$v: packets of 1372 bytes" lab_run host-a ping -q -c 3 -i 0.2 -W "$LAB_ANSWER" -M "do" -s 1344 192.168.2.10
	tap "$v: the flow is established at A" natmux_is gw-a \
		'any(.flows[]; .peer == "branch" and .state == "established")' flows
	tap "$v: the flow is established at B" natmux_is gw-b \
		'any(.flows[]; .peer == null and .state == "established")' flows
	tap "$v: CHILD_SA rekeyed" charon_ctl gw-a --rekey --child net
	tap_within 5 "$v: by A's daemon" charon_has_settled gw-a 'net: #2, reqid 1, INSTALLED'
	tap_within 5 "$v: ping after it" charon_pings host-a 192.168.2.10
	tap "$v: IKE_SA rekeyed by B" charon_ctl gw-b --rekey --ike headquarters
	tap_within 5 "$v: at A" charon_has_settled gw-a '#2, ESTABLISHED'
	tap_within 5 "$v: ping after that" charon_pings host-b 192.168.1.10
	tap "$v: B begins" initiate_from_b
	tap "$v: ping in the tunnel of B" charon_pings host-a 192.168.2.10
	tap "$v: A has dropped nothing" no_drops gw-a
	tap "$v: B has dropped nothing" no_drops gw-b
	tap "$v: reverse path filters are strict" test "$(lab_run gw-a sysctl -n \
		net.ipv4.conf.all.rp_filter)" = 1
	stop
}

tap_begin "$@"
declare -A natmuxd
lab_topology
lab_coturn
check_family 4
lab_coturn
check_family 6
tap_end
