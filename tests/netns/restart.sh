#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# natmuxd ends and comes back under an established tunnel, orderly and killed: charon notices
# nothing, for the alias of a configured peer is the same as before. A peer that was a stranger to it is
# back with its next IKE message; and so is one whose NAT router has moved it to another port.
set -euo pipefail
# shellcheck source=tests/netns/common.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/common.sh"

tap_begin "$@"
lab_topology
lab_coturn
for site in a b; do
	natmux_configure "gw-$site" "$conf/$site/natmux.conf"
	natmux_start "gw-$site"
	[[ $site == b ]] && pid_b=$LAB_PID || pid=$LAB_PID
	# IKE messages bring a peer back: none that nobody here has asked for.
	sed 's/dpd_delay = .*/dpd_delay = 0s/' "$conf/$site/swanctl.conf" >"$LAB_DIR/swanctl.conf"
	charon_configure "gw-$site" "$conf/strongswan.conf" "$LAB_DIR/swanctl.conf"
	charon_start "gw-$site"
done
tap "a tunnel" charon_up gw-a net
tap "with traffic" charon_pings host-a 192.168.2.10

for signal in TERM KILL; do
	lab_stop "$pid" "$signal"
	tap_fails "SIG$signal: natmuxd is gone" kill -0 "$pid"
	tap_fails "and with it the traffic" charon_pings host-a 192.168.2.10
	tap "it starts again" natmux_start gw-a
	pid=$LAB_PID
	tap_within 10 "and the traffic goes on" charon_pings host-a 192.168.2.10
	tap "in the same IKE_SA" charon_has gw-a '#1, ESTABLISHED'
	tap_fails "not a second one" charon_has gw-a '#2,'
done
tap_within 10 "our address is learnt again" natmux_is gw-a 'any(.servers[]; .answering)' servers

lab_stop "$pid_b" KILL
tap "B, to which A is a stranger, starts again" natmux_start gw-b
tap_fails "ESP alone does not bring A back" charon_pings host-a 192.168.2.10
tap_gets "B drops it" -ge 1 natmux_drops gw-b esp-no-flow
tap "A's next IKE message does" charon_ctl gw-a --rekey --ike branch
tap_within 5 "and the traffic goes on" charon_pings host-a 192.168.2.10
tap_within 5 "after the last IKE message of that" charon_has_settled gw-a '#2, ESTABLISHED'

lab_rebind nat-a 203.0.113.1 50000-59999
tap_fails "the NAT router moves A: ESP alone is dropped" charon_pings host-a 192.168.2.10
tap "A's next IKE message opens a flow" charon_ctl gw-a --rekey --child net
tap_within 5 "and the traffic goes on" charon_pings host-a 192.168.2.10
tap_is "flows that B has" "$(natmux_json gw-b .total flows)" -eq 2
tap_end
