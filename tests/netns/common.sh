# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
# What every namespace test sources first.
# shellcheck disable=SC2034 # for the tests
tests=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." && pwd)
top=${tests%/*}
conf=$tests/interop/conf
datagrams=$tests/tools/datagrams.py
# shellcheck source=tools/lib/netns.sh
. "$top/tools/lib/netns.sh"
# shellcheck source=tools/lib/natmux.sh
. "$top/tools/lib/natmux.sh"
# shellcheck source=tools/lib/esp.sh
. "$top/tools/lib/esp.sh"
# shellcheck source=tools/lib/charon.sh
. "$top/tools/lib/charon.sh"
# shellcheck source=tools/lib/tap.sh
. "$top/tools/lib/tap.sh"

# guest_enter SECONDS: where the machine's kernel has no ESP the whole script is run again under User-Mode
# Linux, whatever the kernel under another one with NATMUX_GUEST=qemu, which may take twice as long. For
# after tap_begin and lab_ns pub.
guest_enter() {
	[[ ${NATMUX_GUEST:=$(lab_kernel_has_esp || echo uml)} && $NATMUX_GUEST != inside ]] || return 0
	echo "# under the kernel of tests/$NATMUX_GUEST/run.sh"
	lab_down
	trap - EXIT
	[[ $NATMUX_GUEST != qemu ]] || set -- $(($1 * 2))
	exec "$tests/$NATMUX_GUEST/run.sh" "$1" bash "$(realpath -- "$0")" "$NATMUX_BUILD"
}
