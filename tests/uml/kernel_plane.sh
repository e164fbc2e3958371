#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# esp = kernel against `ip xfrm`, one to each end of a cable: every suite, both modes, every pair of
# families, with and without extended sequence numbers; then limits, peers that move, other people's
# hands, a natmuxd that ends, is killed, and comes back. Under User-Mode Linux where the machine's
# kernel has no ESP.
#
#	tests/uml/kernel_plane.sh BUILDDIR
set -euo pipefail
# shellcheck source=tests/uml/kernel.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/kernel.sh"
kernel_cases=$tests/uml/kernel_cases.py

start_plain() {
	"$kernel_cases" plain >"$LAB_DIR/plain.batch"
	lab_ip plain -batch "$LAB_DIR/plain.batch"
	uml_hold plain
}

configure() {
	{
		printf '%s\n' "esp = kernel" "handoff = none" 'listen = { "127.0.0.1", "::1" }' \
			"keepalive { interval = 3600 }" "$@"
		cat "$LAB_DIR/sections"
	} | natmux_configure nm
}

start_natmux() {
	natmux_start nm
	natmuxd=$LAB_PID
}

# works FAMILY...: a ping through a tunnel of each.
works() {
	lab_run plain ping -q -n -c 1 -W 2 -I 10.2.0.1 10.1.0.1
}

# states, policies: how many the kernel of natmuxd's end has; its sockets have some of their own.
states() {
	lab_ip nm -o xfrm state | grep -c proto || true
}

policies() {
	lab_ip nm -o xfrm policy | grep -vc 'socket' || true
}

sa_is() {
	natmux_is nm "$1" sa list
}

# plain_sa WORD...: the one SA of `ip xfrm`'s end that sends to case 0 of natmuxd's, with those words.
plain_sa() {
	lab_ip plain xfrm state delete src "${source:-10.9.0.2}" dst 10.9.0.1 proto esp spi 0x20000
	lab_ip plain xfrm state add src "$1" dst 10.9.0.1 proto esp spi 0x20000 reqid 1 mode tunnel \
		replay-window 32 flag af-unspec replay-oseq "$2" aead 'rfc4106(gcm(aes))' \
		"0x$(cat "$LAB_DIR/keys/00020000")" 128 encap espinudp "$3" 4500 0.0.0.0
	source=$1
}

uml_begin "$1" 280
uml_wire nm plain
mkdir -p "$LAB_DIR/keys"
"$kernel_cases" conf "$LAB_DIR/keys" >"$LAB_DIR/sections"
"$kernel_cases" net >"$LAB_DIR/net.batch"
lab_ip nm -batch "$LAB_DIR/net.batch"
start_plain
lab_spawn nm hold-nm "$kernel_cases" hold 10.9.0.1 fd09::1
lab_wait 5 grep -q ready "$(lab_log hold-nm)"
lab_spawn nm echo "$cases" echo
lab_wait 5 grep -q ready "$(lab_log echo)"
configure
tap "natmuxd --check" lab_run nm "$NATMUX_BUILD/daemon/natmuxd" --check -c "$LAB_DIR/ns/nm/natmux.conf"
start_natmux
tap_is "states in the kernel" "$(states)" -eq $((2 * $("$kernel_cases" count)))
lab_run plain "$cases" ask
natmux_ctl nm --json sa list >"$LAB_DIR/list"
"$kernel_cases" judge "$LAB_DIR/list"
tap_is "XFRM has dropped" "$(jq '[.xfrm_stat[].count] | add // 0' "$LAB_DIR/list")" -le 2
tap_end
