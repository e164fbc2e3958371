#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# esp = kernel where steering cannot be proved, for the loopback interface is down: natmuxd gives all
# ESP back to the kernel packet by packet, and says so, bound to a device or not. Under User-Mode Linux where the machine's kernel has no ESP.
#
#	tests/uml/fallback.sh BUILDDIR
set -euo pipefail
# shellcheck source=tests/uml/kernel.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/kernel.sh"
unsteered='this kernel does not steer datagrams as it is told'

bind='import socket
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
s.bind(("0.0.0.0", 4500))'

start_plain() {
	lab_addr plain wan 10.2.0.1/32
	lab_ip plain route add 10.1.0.0/16 via 10.9.0.1 src 10.2.0.1
	uml_hold plain
}

# Both ends begin to count anew.
restart_tunnel() {
	lab_ip plain xfrm state flush
	lab_ip plain xfrm policy flush
	uml_tunnel plain
}

# configure [LINE...]: of natmux.conf, with the tunnel.
configure() {
	{
		printf '%s\n' "esp = kernel" "handoff = none" "stun { responder = open }" \
			"keepalive { interval = 3600 }" "$@"
		esp_sa site out ab 0x1000 1 'remote = "10.9.0.2:4500"'
		esp_sa site in ba 0x1001 1 'local = "10.9.0.1"' \
			'selectors = { "src 10.2.0.0/16 dst 10.1.0.0/16" }'
		esp_policy site 1 "src 10.1.0.0/16 dst 10.2.0.0/16"
	} | natmux_configure nm
}

# pings FROM SOURCE TO COUNT: whether each has its answer.
pings() {
	pings_all "$4" "$1" "$3" -I "$2"
}

log_has() {
	grep -qF -- "$1" "$(lab_log natmuxd-nm)"
}

# decrypted: packets that the kernel counts for natmuxd's inbound SA.
decrypted() {
	natmux_json nm '.sas[] | select(.name == "site-in") | .counters.packets' sa list
}

# falls_back NAME: natmuxd as it was configured.
falls_back() {
	local natmuxd

	restart_tunnel
	rm -f -- "$(lab_log natmuxd-nm)" # what the one before has said
	natmux_start nm
	natmuxd=$LAB_PID
	tap_within 2 "$1: it starts, and warns" log_has "$unsteered"
	tap_within 2 "$1: it says what that means" log_has "all ESP goes through natmuxd back into the kernel"
	tap "$1: the status says that, and why" natmux_is nm \
		'.steering | (.steered | not) and (.why | length > 0) and (.tun | length > 0)' status
	natmux_ctl nm status >"$LAB_DIR/status"
	tap "$1: people can read it, too" \
		grep -q "^ *steering .*$(natmux_json nm .steering.why status)" "$LAB_DIR/status"
	tap "$1: six pings through the tunnel" pings nm 10.1.0.1 10.2.0.1 6
	tap "$1: and from its other end" pings plain 10.2.0.1 10.1.0.1 6
	tap_is "$1: ESP came to natmuxd" "$(natmux_rx nm esp)" -eq 12
	tap_is "$1: which gave it back: the kernel has decrypted all" "$(decrypted)" -eq 12
	tap "$1: STUN is answered" lab_run plain "$datagrams" ask stun 10.9.0.1 4500
	tap "$1: and over IPv6" lab_run plain "$datagrams" ask stun fd09::1 4500
	tap "$1: two hundred pings" pings nm 10.1.0.1 10.2.0.1 200
	tap_is "$1: each came to natmuxd once" "$(natmux_rx nm esp)" -eq 212
	tap_is "$1: and was decrypted once" "$(decrypted)" -eq 212
	tap_refused "$1: nobody can bind the port beside natmuxd" 'Address already in use' \
		lab_run nm /usr/bin/python3 -c "$bind"
	lab_stop "$natmuxd"
}

uml_begin "$1" 600
uml_wire nm plain
esp_keys site
lab_addr nm wan 10.1.0.1/32 # not on lo, which is down
lab_ip nm route add 10.2.0.0/16 via 10.9.0.2
lab_run nm sysctl -qw net.ipv4.conf.all.rp_filter=1
start_plain
lab_ip nm link set lo down

configure
falls_back 'no device'
configure 'device = "wan"'
falls_back 'device'

lab_ip nm link set lo up
natmux_start nm
tap "with the loopback interface up, ESP is steered" natmux_is nm .steering.steered status
tap_end
