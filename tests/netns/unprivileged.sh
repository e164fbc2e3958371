#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Rights: the Unix handoff needs none at all, and natmuxd that starts as root gives its own up.
set -euo pipefail
# shellcheck source=tests/netns/common.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/common.sh"

handoff=$tests/tools/handoff.py

# status_of PID KEY: a line of /proc/PID/status.
status_of() {
	awk -v key="$2:" '$1 == key { print $2 }' "/proc/$1/status"
}

# check PID NAME: what must hold for a natmuxd without rights.
check() {
	tap_is "$2: its user" "$(status_of "$1" Uid)" -eq "$nobody"
	tap "$2: no capability is left" test "$(status_of "$1" CapEff)" = 0000000000000000
	tap "$2: nor can it get one" test "$(status_of "$1" CapBnd)" = 0000000000000000 \
		-o "$(status_of "$1" NoNewPrivs)" = 1
	lab_spawn gw-b "client-$2" "$handoff" daemon /run/natmux/handoff.sock
	lab_wait 5 grep -q ready "$(lab_log "client-$2")"
	tap "$2: IKE and ESP" lab_run client "$datagrams" talk 203.0.113.2 4500
	tap "$2: STUN" lab_run client "$datagrams" ask stun 203.0.113.2 4500
	tap "$2: reload" natmux_ctl gw-b reload
}

tap_begin "$@"
nobody=$(id -u nobody)
lab_topology
run=$LAB_DIR/ns/gw-b/run/natmux
chmod 755 "$LAB_DIR/ns/gw-b" "$LAB_DIR/ns" 2>/dev/null || true

natmux_configure gw-b <<<'handoff = unix'
chown nobody "$run"
lab_spawn gw-b natmuxd-gw-b setpriv --reuid nobody --regid nogroup --clear-groups --bounding-set -all \
	"$NATMUX_BUILD/daemon/natmuxd" -c "$LAB_DIR/ns/gw-b/natmux.conf"
pid=$LAB_PID
tap_within 5 "started as nobody" natmux_ctl gw-b version
check "$pid" started-as-nobody
lab_stop "$pid"

chown root "$run"
natmux_configure gw-b <<-END
	handoff = unix
	user = "nobody"
END
natmux_start gw-b
pid=$LAB_PID
check "$pid" started-as-root
lab_stop "$pid"

# The relay needs the right to make a TUN device; when it has it, not even that.
natmux_configure gw-b <<-END
	handoff = relay
	user = "nobody"
END
natmux_start gw-b
tap_is "relay: its user" "$(status_of "$LAB_PID" Uid)" -eq "$nobody"
lab_spawn gw-b toy "$datagrams" daemon 100.64.0.1 14500
lab_wait 5 grep -q ready "$(lab_log toy)"
tap "relay: IKE and ESP" lab_run client "$datagrams" talk 203.0.113.2 4500
tap_has "relay: the log names what is kept" "$(lab_log natmuxd-gw-b)" 'capabilities kept:'
tap_end
