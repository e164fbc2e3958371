#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# esp = kernel against `ip xfrm`, one to each end of a cable: every suite, both modes, every pair of
# families, with and without extended sequence numbers. Under User-Mode Linux where the machine's kernel
# has no ESP.
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
		printf '%s\n' "esp = kernel" "handoff = none" 'listen = { "10.9.0.1", "fd09::1" }' \
			"keepalive { interval = 3600 }"
		cat "$LAB_DIR/sections"
	} | natmux_configure nm
}

uml_begin "$1" 900
uml_wire nm plain
mkdir -p "$LAB_DIR/keys"
"$kernel_cases" conf "$LAB_DIR/keys" >"$LAB_DIR/sections"
"$kernel_cases" net >"$LAB_DIR/net.batch"
lab_ip nm -batch "$LAB_DIR/net.batch"
start_plain
lab_spawn nm echo "$cases" echo
lab_wait 5 grep -q ready "$(lab_log echo)"
configure
tap "natmuxd --check" lab_run nm "$NATMUX_BUILD/daemon/natmuxd" --check -c "$LAB_DIR/ns/nm/natmux.conf"
natmux_start nm
tap_is "states in the kernel" "$(uml_states nm)" -eq $((2 * $("$kernel_cases" count)))
lab_run plain "$cases" ask
natmux_ctl nm --json sa list >"$LAB_DIR/list"
"$kernel_cases" judge "$LAB_DIR/list"
tap_is "natmuxd has seen of all this ESP" "$(natmux_rx nm esp)" -eq 0
jq -c .xfrm_stat "$LAB_DIR/list" | sed "s/^/# /"
tap_is "XFRM has dropped" "$(jq '[.xfrm_stat[].count] | add // 0' "$LAB_DIR/list")" -eq 0
tap_end
