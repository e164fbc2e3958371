#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Somebody removes the relay's TUN device: natmuxd says so and ends with status 3, so that a
# service manager starts it again, instead of going on deaf.
set -euo pipefail
# shellcheck source=tests/netns/common.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/common.sh"

tap_begin "$@"
lab_topology
natmux_configure gw-a <<-END
	handoff = relay
END
natmux_start gw-a
pid=$LAB_PID
lab_run gw-a ip link delete natmux0
status=0
wait "$pid" || status=$?
tap_is "natmuxd ends with an error" "$status" -eq 3
tap_has "and says why" "$(lab_log natmuxd-gw-a)" 'TUN natmux0: the device was deleted'
tap_end
