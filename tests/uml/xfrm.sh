#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# xfrm/ before a kernel that has ESP: every request, moves, a loss of events. Under User-Mode Linux
# where the machine's kernel has no ESP.
#
#	tests/uml/xfrm.sh BUILDDIR
set -euo pipefail
# shellcheck source=tests/uml/kernel.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/kernel.sh"

uml_begin "$1" 600
lab_ns box
status=0
lab_run box "$NATMUX_BUILD/tests/xfrm_live" >"$LAB_DIR/lines" || status=$?
while IFS= read -r line; do
	case $line in
	'ok - '*) tap_ok "${line#ok - }" ;;
	'not ok - '*) tap_not_ok "${line#not ok - }" ;;
	*) printf '%s\n' "$line" ;;
	esac
done <"$LAB_DIR/lines"
tap_is "checks of xfrm_live" "$(grep -c '^ok - ' "$LAB_DIR/lines")" -ge 100
tap_is "its status" "$status" -eq 0
tap_end
