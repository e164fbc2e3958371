#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# natmux-bench tunnel and compare bring tunnels up, measure them and leave nothing behind: neither a
# namespace, nor a process, nor a folder. What the figures are is no question here, except that the
# tunnel carries something.
set -euo pipefail
# shellcheck source=tests/netns/common.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/common.sh"

bench() {
	TMPDIR=$work timeout 300 "$build/bench/natmux-bench" "$@" --repeat 1 --seconds 1 \
		--natmuxd "$build/daemon/natmuxd"
}

# rows FILE FILTER: how many rows of the results are so.
rows() {
	jq -s "[.[] | select(.record == \"result\") | select($2)] | length" "$1"
}

# measured FILE ARGUMENT...: the same, with the JSON lines to a file; again when the machine had no time
# for a tunnel in the second that was measured, or iperf3 no figures.
measured() {
	local file=$1 try
	shift
	for try in 1 2 3; do
		bench "$@" --json >"$file" || return 1
		[[ $(rows "$file" '(.rate.median // 0) == 0') -gt 0 ]] || return 0
		echo "# try $try: nothing came through"
	done
}

tap_begin "$@"
build=$NATMUX_BUILD
work=$(mktemp -d)
before=$(readlink /proc/self/ns/net)

tap "one stream, with offloads and without" measured "$work/tcp" tunnel --traffic 'TCP 1'
tap_is "two rows of plain veth" "$(rows "$work/tcp" '.tunnel == "plain veth"')" -eq 2
tap_is "and two of natmux that carry something" \
	"$(rows "$work/tcp" '.tunnel == "natmux" and .rate.median > 0')" -eq 2
tap "datagrams" measured "$work/udp" tunnel --traffic 'UDP 64' --offloads on
tap_is "some of them arrive" \
	"$(rows "$work/udp" '.tunnel == "natmux" and .rate.median > 0')" -eq 1
tap_is "only what was asked for" "$(rows "$work/udp" '.offloads == "on"')" -eq 2
tap "with workers" measured "$work/workers" tunnel --workers 2 --traffic 'TCP 8' --offloads on
tap_is "a row for one and a row for two" \
	"$(rows "$work/workers" '(.tunnel | startswith("natmux")) and .of_one.n == 1')" -eq 2
lab_ns pub
if ! lab_kernel_has_esp; then
	status=0
	bench tunnel --plane kernel >"$work/kernel" 2>&1 || status=$?
	tap_is "this kernel has no ESP" $status -eq 1
	tap "and that is all it says" test "$(cat "$work/kernel")" = \
		"natmux-bench: this kernel has no ESP (CONFIG_INET_ESP); use esp = user"
fi
tap_is "its folders are gone" "$(find "$work" -mindepth 1 -type d | wc -l)" -eq 0
tap_is "no natmuxd of this build runs on" \
	"$(pgrep -c -f "^$build/daemon/natmuxd -c $work" || true)" -eq 0
tap "we are where we were" test "$before" = "$(readlink /proc/self/ns/net)"
rm -rf -- "$work"
tap_end
