#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# natmux-bench tunnel --plane kernel: the kernel's ESP with natmuxd and without, brought up, measured,
# and nothing left behind. What the figures are is no question here, except that both tunnels carry
# something and that natmuxd has no work with it. Under User-Mode Linux where the machine's kernel
# has no ESP. For figures see tools/bench-report.
#
#	tests/uml/bench_kernel.sh BUILDDIR
set -euo pipefail
# shellcheck source=tests/uml/kernel.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/kernel.sh"

# measured NAME ARGUMENT...: the JSON lines to a file; again when the machine had no time for a tunnel in
# the second that was measured.
measured() {
	local name=$1 try
	shift
	for try in 1 2 3; do
		timeout $((20 * ${LAB_PATIENCE:-6})) "$NATMUX_BUILD/bench/natmux-bench" tunnel --plane kernel \
			--offloads on --repeat 2 --seconds 1 --natmuxd "$NATMUX_BUILD/daemon/natmuxd" --json "$@" \
			>"$LAB_DIR/$name" 2>"$(lab_log "$name")" || return 1
		[[ $(rows "$name" '.rate.median == 0') -gt 0 ]] || return 0
		echo "# try $try: nothing came through"
	done
}

# rows NAME FILTER: how many rows of the results are so.
rows() {
	jq -s "[.[] | select(.record == \"result\") | select($2)] | length" "$LAB_DIR/$1"
}

uml_begin "$1" 400
TMPDIR=$LAB_DIR/bench
export TMPDIR
mkdir "$TMPDIR"
before=$(readlink /proc/self/ns/net)
tap "one stream" measured tcp --traffic 'TCP 1'
tap "datagrams" measured udp --traffic 'UDP 64'
for name in tcp udp; do
	tap_is "$name: a row without natmux" "$(rows $name '.tunnel == "ip xfrm" and .rate.n == 2')" -eq 1
	tap_is "$name: one with it, round by round" \
		"$(rows $name '.tunnel == "natmux, esp = kernel" and .of_xfrm.n == 2 and .machine_of_xfrm.n == 2')" \
		-eq 1
	tap_is "$name: natmuxd has next to nothing to do" \
		"$(rows $name '.tunnel == "natmux, esp = kernel" and .cpu.median < 0.05')" -eq 1
done
tap_is "TCP comes through" "$(rows tcp '.rate.median > 0')" -eq 2
tap_is "and datagrams" "$(rows udp '.rate.median > 0')" -eq 2
tap_is "none of which came by another way" "$(rows udp '.carried.median >= .rate.median')" -eq 2
tap_is "its folders are gone" "$(find "$TMPDIR" -mindepth 1 | wc -l)" -eq 0
tap_is "no natmuxd runs on" "$(pgrep -c -f "^$NATMUX_BUILD/daemon/natmuxd -c $TMPDIR" || true)" -eq 0
tap "we are where we were" test "$before" = "$(readlink /proc/self/ns/net)"
tap_end
