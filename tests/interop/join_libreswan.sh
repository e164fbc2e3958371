#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# natmuxd beside a pluto that keeps its port (attach = join), a joined charon at the other end:
#
#	tests/interop/join_libreswan.sh BUILDDIR
#
# pluto needs ESP in the kernel. Where the machine's has none, joining and the key exchange are tested
# on it and all the rest once more under User-Mode Linux.
set -euo pipefail
# shellcheck source=tests/netns/common.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/../netns/common.sh"
# shellcheck source=tools/lib/libreswan.sh
. "$top/tools/lib/libreswan.sh"

start_natmuxd() {
	natmux_configure "$1" "$conf/join/natmux.conf"
	natmux_start "$1"
	natmuxd=$LAB_PID
}

start_pluto() {
	libreswan_configure gw-b "$conf/join/b/ipsec.conf" "$conf/libreswan/ipsec.secrets"
	libreswan_start gw-b
	pluto=$LAB_PID
}

# is_joined SOCKETS: whether so many of pluto's are.
is_joined() {
	natmux_is gw-b ".join.joined and .join.daemon == \"pluto\" and (.sockets | length) == $1" status
}

is_waiting() {
	natmux_is gw-b '.join.joined | not' status
}

sockets() {
	lab_run gw-b ss -Hulnp 'sport = :4500' | grep -c '"pluto"' || true
}

asks_stun() {
	lab_run client "$datagrams" ask stun "$1" 4500
}

initiate() {
	charon_up gw-a net >>"$(lab_log charon-gw-a)" 2>&1
}

kill_and_start() {
	lab_stop "$natmuxd" KILL
	sleep 0.5
	start_natmuxd gw-b
	lab_wait 3 is_joined "$1"
}

tap_begin "$@"
libreswan_fetch || tap_skip "libreswan's packages cannot be had from apt"
lab_topology
esp_edit=''
! lab_kernel_has_esp || esp_edit='s/kernel-libipsec //'
sed "$esp_edit" "$conf/join/strongswan.conf" >"$LAB_DIR/strongswan.conf"
charon_configure gw-a "$LAB_DIR/strongswan.conf" "$conf/join/a/swanctl.conf"
charon_start gw-a
start_natmuxd gw-a
start_natmuxd gw-b
start_pluto
n=$(sockets)
tap_is "pluto has a socket for each address" "$n" -ge 4
tap_within 3 "all of them are joined" is_joined "$n"
tap "STUN is answered on pluto's port" asks_stun 203.0.113.2
if [[ -n $esp_edit ]]; then
	tap "charon's IKE_SA and CHILD_SA with pluto" initiate
else
	initiate || true
fi
tap "the IKE_SA is established" charon_has gw-a 'ESTABLISHED, IKEv2'
tap_is "natmuxd has seen no IKE" "$(natmux_rx gw-b ike)" -eq 0
lab_addr gw-b lan 192.168.2.77/24
libreswan_ctl gw-b whack --listen >/dev/null
tap_gets "pluto listens on one more address" -eq $((n + 1)) sockets
tap_within 5 "it is joined, too" is_joined $((n + 1))
if [[ -n $esp_edit ]]; then
	tap "ping from A's host to B's" charon_pings host-a 192.168.2.10
	tap "ping from B's host to A's" charon_pings host-b 192.168.1.10
	tap "CHILD_SA rekeyed by charon" charon_rekeys gw-a net gw-b
	tap "ping after it" charon_pings host-a 192.168.2.10
	tap "natmuxd killed and started again, not a ping is lost" \
		pings_during host-a 192.168.2.10 0.1 kill_and_start $((n + 1))
	tap "STUN is answered" asks_stun 203.0.113.2
	tap_is "natmuxd has seen no ESP" "$(natmux_rx gw-b esp)" -eq 0
fi
libreswan_ctl gw-b whack --shutdown >/dev/null
tap_within 2 "pluto ends: natmuxd lets go of the port" is_waiting
lab_stop "$pluto" # it has closed its sockets, and its lock may still be there
start_pluto
tap_within 3 "the next pluto is joined" is_joined $((n + 1))
tap "STUN is answered again" asks_stun 203.0.113.2
[[ -z $esp_edit ]] || tap_end
status=0
echo "# no ESP in this kernel: under User-Mode Linux"
"$tests/uml/run.sh" 700 bash "$tests/interop/join_libreswan.sh" "$NATMUX_BUILD" || status=$?
case $status in
0) tap_ok "the same with the kernel's ESP" ;;
77) echo "skipped: traffic: neither ESP in the kernel nor User-Mode Linux" ;;
*) tap_not_ok "the same with the kernel's ESP: status $status" ;;
esac
tap_end
