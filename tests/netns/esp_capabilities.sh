#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# esp = user with exactly the capabilities that the unit file gives, and with one of them missing: what
# natmuxd(8) says of each. Bounded, root has these and no others.
set -euo pipefail
# shellcheck source=tests/netns/common.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/common.sh"

# natmuxd with these capabilities, as in a unit file; the rest of its configuration on stdin.
spawn() {
	local name=$1 set=-all capability
	shift
	for capability; do
		set+=,+${capability#cap_}
	done
	natmux_configure gw
	lab_spawn gw "$name" setpriv --bounding-set "$set" --inh-caps=-all \
		"$NATMUX_BUILD/daemon/natmuxd" -c "$LAB_DIR/ns/gw/natmux.conf"
}

# starts NAME CAPABILITY...: whether it becomes ready, and holds nothing then; ends it.
starts() {
	local name=$1 pid
	spawn "$@"
	pid=$LAB_PID
	tap_within 5 "$name: it starts" natmux_ctl gw version
	tap "$name: no capability is left" grep -q '^CapPrm:[[:space:]]*0*$' "/proc/$pid/status"
	lab_stop "$pid"
}

# refuses NAME TEXT CAPABILITY...: whether it ends with status 3 and says what is missing.
refuses() {
	local name=$1 text=$2 status=0
	shift 2
	spawn "$name" "$@"
	wait "$LAB_PID" || status=$?
	tap_is "$name: exit status" "$status" -eq 3
	tap_has "$name: it says what is missing" "$(lab_log "$name")" "$text"
}

tap_begin "$@"
lab_ns gw
mapfile -t given < <(sed -n 's/^AmbientCapabilities=//p' "$top/daemon/natmuxd.service.in" | tr 'A-Z ' 'a-z\n')
tap_is "capabilities of the unit" "${#given[@]}" -ge 3
user=$'esp = user\nhandoff = none\n'

starts as-the-unit "${given[@]}" <<<"$user user-plane { bare-esp = yes }"
tap_lacks "as-the-unit: every offload is tried" "$(lab_log as-the-unit)" CAP_
starts port-1000 "${given[@]}" <<<"$user port = 1000"
refuses port-1000-without-bind-service "need CAP_NET_BIND_SERVICE" cap_net_admin cap_net_raw <<<"$user port = 1000"

starts without-raw cap_net_admin <<<"$user"
for offload in TSO USO; do
	tap_within 2 "without-raw: $offload is off, and why" \
		grep -q "$offload is off: .*needs CAP_NET_RAW" "$(lab_log without-raw)"
done
refuses bare-without-raw 'needs CAP_NET_RAW; bare-esp = no goes without' cap_net_admin \
	<<<"$user user-plane { bare-esp = yes }"
refuses without-admin 'needs CAP_NET_ADMIN' cap_net_raw <<<"$user"
tap_end
