#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# libreswan at one end, strongSwan at the other, natmux before both; B's pluto behind the relay, then
# sharing the port with the injector, then with the injector and ESP steered past natmuxd:
#
#	tests/interop/libreswan.sh BUILDDIR
#
# pluto needs ESP in the kernel. Where the machine's has none, the key exchange is tested on it
# and all the rest once more under User-Mode Linux.
set -euo pipefail
# shellcheck source=tests/netns/common.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/../netns/common.sh"
# shellcheck source=tools/lib/libreswan.sh
. "$top/tools/lib/libreswan.sh"

# start_a: charon, behind the relay; with the kernel's ESP where there is some.
start_a() {
	sed "$esp_edit" "$conf/strongswan.conf" >"$LAB_DIR/strongswan.conf"
	natmux_configure gw-a "$conf/a/natmux.conf"
	natmux_start gw-a
	charon_configure gw-a "$LAB_DIR/strongswan.conf" "$conf/a/swanctl.conf"
	charon_start gw-a
}

# start_b NATMUX_CONF IPSEC_CONF: pluto.
start_b() {
	natmux_configure gw-b "$1"
	natmux_start gw-b
	natmuxd=$LAB_PID
	libreswan_configure gw-b "$2" "$conf/libreswan/ipsec.secrets"
	libreswan_start gw-b
}

# stop GATEWAY: whatever runs there.
stop() {
	local pid
	for pid in $(ip netns pids "nm-$LAB_ID-$1"); do
		lab_stop "$pid"
	done
}

pluto_says() {
	grep -qF -- "$1" "$(lab_log pluto-gw-b)"
}

pluto_counts() {
	[[ $(libreswan_ctl gw-b whack --trafficstatus) =~ inBytes=[1-9].*outBytes=[1-9] ]]
}

initiate() {
	charon_up gw-a net >>"$(lab_log charon-gw-a)" 2>&1
}

check_exchange() {
	if [[ $esp == kernel ]]; then
		tap "$1: charon's IKE_SA and CHILD_SA with pluto" initiate
	else
		initiate || true
	fi
	tap "$1: charon has authenticated pluto" charon_has gw-a "remote 'b.example' @"
	tap "$1: the IKE_SA is established" charon_has gw-a 'ESTABLISHED, IKEv2'
	tap_within 2 "$1: pluto has authenticated charon" pluto_says \
		"authenticated peer using authby=secret and ID_FQDN '@a.example'"
	tap_within 2 "$1: pluto has chosen the ESP proposal" pluto_says 'ESP=AES_GCM_C_128-DISABLED'
	tap "$1: STUN is answered on the port" lab_run client "$datagrams" ask stun 203.0.113.2 4500
}

check_pings() {
	tap "$1: ping from A's host to B's" charon_pings host-a 192.168.2.10
	tap "$1: ping from B's host to A's" charon_pings host-b 192.168.1.10
	tap_within 2 "$1: pluto's counters" pluto_counts
	tap_is "$1: ESP went through natmux at A" "$(natmux_rx gw-a esp)" -ge 2
}

check_rekeys() {
	tap "$1: CHILD_SA rekeyed by charon" charon_rekeys gw-a net gw-b
	tap "$1: ping after it" charon_pings host-a 192.168.2.10
	tap "$1: pluto rekeys the IKE_SA" libreswan_ctl gw-b whack --rekey-ike --name headquarters
	tap_within 20 "$1: which is done" charon_has_settled gw-a 'branch: #2, ESTABLISHED'
	tap "$1: ping after that" charon_pings host-b 192.168.1.10
}

check_traffic() {
	check_pings "$1"
	tap_is "$1: and through natmux at B" "$(natmux_rx gw-b esp)" -ge 2
	check_rekeys "$1"
}

fifty_pings() {
	pings_all 50 host-a 192.168.2.10
}

# spi_in: of the newest SA that B has from A.
spi_in() {
	lab_ip gw-b xfrm state | awk '/^src/ {inbound = /dst 10\.2\.0\.2 *$/} inbound && /spi/ && !n++ {print $4}'
}

# The sequence number is STUN's cookie: the program gives it to natmuxd, which gives it back.
send_look_alike() {
	"$LAB_DIR/enter" client python3 - "$1" <<-'END'
		import socket, struct, sys
		udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
		udp.sendto(struct.pack("!II", int(sys.argv[1], 0), 0x2112A442) + bytes(92), ("203.0.113.2", 4500))
	END
}

xfrm_failed() {
	lab_run gw-b cat /proc/net/xfrm_stat | awk '/XfrmInState/ {n += $2} END {print n + 0}'
}

has_failed() {
	[[ $(xfrm_failed) -gt $1 ]]
}

# states: pluto's; policies of sockets are natmuxd's as well.
states() {
	lab_ip gw-b xfrm state | grep '^src\|spi'
	lab_ip gw-b -oneline xfrm policy | grep -w dir
}

# natmuxd ends beside a pluto that stays: what is in the kernel is pluto's.
check_end() {
	local before
	before=$(states)
	lab_stop "$natmuxd"
	tap "$1: natmuxd ends, and leaves pluto's states and policies alone" test "$(states)" = "$before"
	tap "$1: the port is pluto's alone: CHILD_SA rekeyed by charon" charon_rekeys gw-a net gw-b
	tap "$1: the tunnel works on" fifty_pings
	before=$(states)
	natmux_start gw-b
	tap "$1: natmuxd starts, and leaves them alone" test "$(states)" = "$before"
	tap "$1: the tunnel works on" fifty_pings
	tap_is "$1: and natmuxd has seen no ESP" "$(natmux_rx gw-b esp)" -eq 0
}

check_steering() {
	local failed
	tap "$1: natmuxd steers" natmux_is gw-b .steering.steered status
	check_pings "$1"
	tap "$1: fifty more" fifty_pings
	check_rekeys "$1"
	tap "$1: STUN is answered" lab_run client "$datagrams" ask stun 203.0.113.2 4500
	tap "$1: and fifty pings come back" fifty_pings
	tap_is "$1: natmuxd has seen pluto's IKE" "$(natmux_rx gw-b ike)" -ge 4
	tap_is "$1: and no ESP" "$(natmux_rx gw-b esp)" -eq 0
	failed=$(xfrm_failed)
	send_look_alike "$(spi_in)"
	tap_within 3 "$1: a packet that looks like STUN comes to the kernel, which finds it forged" \
		has_failed "$failed"
	tap_is "$1: through natmuxd" "$(natmux_rx gw-b esp)" -eq 1
	check_end "$1"
}

tap_begin "$@"
libreswan_fetch || tap_skip "libreswan's packages cannot be had from apt"
lab_topology
esp=user esp_edit=''
if lab_kernel_has_esp; then
	esp=kernel esp_edit='s/kernel-libipsec //'
fi
start_a
start_b "$conf/b/natmux.conf" "$conf/libreswan/ipsec.conf"
check_exchange relay
[[ $esp == user ]] || check_traffic relay
stop gw-b
stop gw-a
if [[ $esp == kernel ]]; then
	lab_run gw-b sysctl -qw net.ipv4.conf.all.rp_filter=0 net.ipv4.conf.default.rp_filter=0
	start_a
	start_b "$conf/libreswan/natmux-inject.conf" "$conf/libreswan/ipsec-inject.conf"
	check_exchange inject
	check_traffic inject
	stop gw-b
	stop gw-a
	start_a
	start_b "$conf/libreswan/natmux-steered.conf" "$conf/libreswan/ipsec-inject.conf"
	check_exchange steered
	check_steering steered
	tap_end
fi
status=0
echo "# no ESP in this kernel: under User-Mode Linux"
"$tests/uml/run.sh" 900 bash "$tests/interop/libreswan.sh" "$NATMUX_BUILD" || status=$?
case $status in
0) tap_ok "the same with the kernel's ESP" ;;
77) echo "skipped: traffic: neither ESP in the kernel nor User-Mode Linux" ;;
*) tap_not_ok "the same with the kernel's ESP: status $status" ;;
esac
tap_end
