#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# esp = kernel on a kernel without ESP: natmuxctl doctor, natmuxd --check and natmuxd itself say so in
# the same words, and nothing is left behind. With ESP it is tests/uml/kernel_plane.sh's turn.
set -euo pipefail
# shellcheck source=tests/netns/common.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/common.sh"

words="this kernel has no ESP (CONFIG_INET_ESP); use esp = user"

check() {
	lab_run gw "$NATMUX_BUILD/daemon/natmuxd" --check -c "$LAB_DIR/ns/gw/natmux.conf"
}

tap_begin "$@"
lab_ns pub
if lab_kernel_has_esp; then
	echo "skipped: this kernel has ESP"
	exit 77
fi
lab_ns gw
esp_keys site
{
	printf 'esp = kernel\nhandoff = none\n'
	esp_sa site out ab 0x1000 1 'remote = "127.0.0.2:4500"'
	esp_sa site in ba 0x1001 1 'remote = "127.0.0.2:4500"'
	esp_policy site 1 "dst 192.0.2.0/24"
} | natmux_configure gw
status=0
check >"$(lab_log check)" 2>&1 || status=$?
tap_is "natmuxd --check fails" "$status" -eq 3
tap_has "says why" "$(lab_log check)" "$words"
tap_has "and what it would need" "$(lab_log check)" "needs CAP_NET_ADMIN to give SAs and policies to the kernel"
tap_has "and keep" "$(lab_log check)" "keeps CAP_NET_ADMIN once it runs"
lab_spawn gw natmuxd-gw "$NATMUX_BUILD/daemon/natmuxd" -c "$LAB_DIR/ns/gw/natmux.conf"
status=0
wait "$LAB_PID" || status=$?
tap_is "natmuxd does not start" "$status" -eq 3
lab_wait 2 test -s "$(lab_log natmuxd-gw)"
tap_has "says why" "$(lab_log natmuxd-gw)" "$words"
tap_is "states in the kernel" "$(lab_ip gw xfrm state | wc -l)" -eq 0
tap_is "policies in the kernel" "$(lab_ip gw xfrm policy | grep -c '^src' || true)" -eq 0
natmux_ctl gw doctor >"$(lab_log doctor)" 2>&1 || true
tap_has "natmuxctl doctor says why" "$(lab_log doctor)" "$words"
lab_run gw setpriv --bounding-set -net_admin --inh-caps -net_admin --ambient-caps -all \
	"$NATMUX_BUILD/daemon/natmuxd" --check -c "$LAB_DIR/ns/gw/natmux.conf" >"$(lab_log unknown)" 2>&1 ||
	true
tap_has "without the right to ask it says that, too" "$(lab_log unknown)" \
	"whether this kernel has ESP is not known"
tap_end
