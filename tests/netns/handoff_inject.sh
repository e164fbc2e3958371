#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The injector, beside a daemon that shares the port: original addresses, no copy too many, answers
# that leave by themselves; and the settings under which natmuxd refuses to start.
set -euo pipefail
# shellcheck source=tests/netns/common.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/common.sh"

configure() {
	natmux_configure gw-b <<-END
		handoff = inject
		$1
		stun { responder = open }
	END
}

# refuses LOG-TEXT: natmuxd does not start, and says why.
refuses() {
	local status=0
	timeout 60 "$LAB_DIR/enter" gw-b "$NATMUX_BUILD/daemon/natmuxd" -c "$LAB_DIR/ns/gw-b/natmux.conf" \
		>"$(lab_log refused)" 2>&1 || status=$?
	[[ $status -ne 0 && $status -ne 124 ]] && grep -qF -- "$1" "$(lab_log refused)"
}

filters() {
	lab_run gw-b sysctl -qw "net.ipv4.conf.all.rp_filter=$1" "net.ipv4.conf.default.rp_filter=$1"
}

# seen LOG CLASS: how many datagrams of a class the daemon has had.
seen() {
	grep -c "^$2 " "$(lab_log "$1")" || true
}

check_family() {
	local v=IPv$1 any=$2 target=$3 client=$4 toy=toy-$1
	lab_log_new "$toy"
	lab_spawn gw-b "$toy" "$datagrams" daemon "$any" 4500
	toys[$1]=$LAB_PID
	tap_within 5 "$v: a daemon shares the port" grep -q ready "$(lab_log "$toy")"
	tap "$v: IKE, then ESP, answered by it" lab_run client "$datagrams" talk "$target" 4500 \
		--from 31022
	tap_gets "$v: each IKE message came once" -eq 2 seen "$toy" ike
	tap_gets "$v: each ESP datagram came once" -eq 1 seen "$toy" esp
	tap_has "$v: with its original address and port" "$(lab_log "$toy")" "$client 31022"
	tap "$v: STUN is answered by natmux" lab_run client "$datagrams" ask stun "$target" 4500
	tap_is "$v: the daemon saw no STUN" "$(seen "$toy" stun)" -eq 0
	tap_fails "$v: a keepalive is not answered" lab_run client "$datagrams" ask keepalive \
		"$target" 4500
	tap_is "$v: the daemon saw no keepalive" "$(seen "$toy" keepalive)" -eq 0
}

# check_both ADDRESS4 ADDRESS6: with a daemon that has bound these.
check_both() {
	natmux_start gw-b
	pid=$LAB_PID
	check_family 4 "$1" 203.0.113.2 203.0.113.200
	check_family 6 "$2" 2001:db8:2::2 2001:db8::200
	tap_is "nothing loops" "$(natmux_rx gw-b ike)" -eq 4
	tap "the offloads of sockets that are bound to a device have been proved" \
		natmux_is gw-b '.sockets | length > 0 and all(.gro and .gso)' status
	lab_stop "$pid"
	lab_stop "${toys[4]}"
	lab_stop "${toys[6]}"
}

tap_begin "$@"
declare -A toys
lab_topology
filters 0

echo "# wildcards"
configure 'device = "wan"'
check_both 0.0.0.0 ::
echo "# single addresses, as pluto binds them"
configure 'device = "wan" listen = { "10.2.0.2", "2001:db8:2::2" }'
check_both 10.2.0.2 2001:db8:2::2
tap_fails "natmuxd is gone" kill -0 "$pid"

echo "# loose reverse path filters"
filters 2
configure 'device = "wan"'
check_both 0.0.0.0 ::

configure ''
tap "refused without a device" refuses 'device'
configure 'device = "wan"'
filters 1
tap "refused under a strict reverse path filter" refuses rp_filter
filters 0
tap "starts again when it is off" natmux_start gw-b
tap_end
