#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# Two charons with the kernel's ESP behind natmux, relay at both ends: ESP of XFRM states whose
# addresses are aliases. Under User-Mode Linux where the machine's kernel has no ESP.
#
#	tests/interop/strongswan_kernel.sh BUILDDIR
set -euo pipefail
# shellcheck source=tests/netns/common.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/../netns/common.sh"

states() {
	lab_ip "$1" xfrm state | grep -c "encap type espinudp sport $2 dport $3" || true
}

tap_begin "$@"
lab_topology
guest_enter 700
lab_coturn
for site in a b; do
	natmux_configure "gw-$site" "$conf/$site/natmux.conf"
	natmux_start "gw-$site"
	sed 's/kernel-libipsec //' "$conf/strongswan.conf" >"$LAB_DIR/strongswan.conf"
	charon_configure "gw-$site" "$LAB_DIR/strongswan.conf" "$conf/$site/swanctl.conf"
	charon_start "gw-$site"
done
tap "IKE_SA and CHILD_SA" charon_up gw-a net
tap_is "an XFRM state out" "$(states gw-a 14500 4500)" -eq 1
tap_is "and one in" "$(states gw-a 4500 14500)" -eq 1
tap "ping from A's host to B's" charon_pings host-a 192.168.2.10
tap "packets of 1372 bytes" lab_run host-a ping -q -c 3 -i 0.2 -W "$LAB_ANSWER" -M "do" -s 1344 192.168.2.10
tap "CHILD_SA rekeyed" charon_rekeys gw-a net gw-b
tap "ping after it" charon_pings host-b 192.168.1.10
tap "IKE_SA rekeyed" charon_ctl gw-b --rekey --ike headquarters
tap_within 20 "which is done" charon_has_settled gw-b 'headquarters: #2, ESTABLISHED'
tap "ping after that" charon_pings host-a 192.168.2.10
tap_is "ESP through natmux at A" "$(natmux_rx gw-a esp)" -ge 4
tap "STUN is answered on the port" lab_run client "$datagrams" ask stun 203.0.113.2 4500
tap_end
