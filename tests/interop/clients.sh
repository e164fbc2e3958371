#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# Clients that nobody here wrote, against one port that carries a tunnel: coturn's STUN client, ike-scan,
# and `stun`, which speaks RFC 3489. That one sends no cookie: by the rule it is ESP, gets no
# answer, and must do no harm.
#
#	tests/interop/clients.sh BUILDDIR
set -euo pipefail
# shellcheck source=tests/netns/common.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/../netns/common.sh"

client() {
	timeout 60 "$LAB_DIR/enter" client "$@"
}

# coturn's client waits for ever for an answer to a further question, so its words are what counts.
stunclient() {
	local status=0
	lab_log_new stunclient
	lab_spawn client stunclient stdbuf -oL turnutils_stunclient -p 4500 -L "$1" "$2"
	lab_wait 5 grep -qF "UDP reflexive addr: $3" "$(lab_log stunclient)" || status=$?
	lab_stop "$LAB_PID"
	return "$status"
}

tap_begin "$@"
lab_topology
lab_coturn
for site in a b; do
	natmux_configure "gw-$site" "$conf/$site/natmux.conf"
	natmux_start "gw-$site"
	charon_configure "gw-$site" "$conf/strongswan.conf" "$conf/$site/swanctl.conf"
	charon_start "gw-$site"
done
tap "a tunnel" charon_up gw-a net
tap "with traffic" charon_pings host-a 192.168.2.10

tap "coturn's client is told its address" stunclient 203.0.113.200 203.0.113.2 203.0.113.200:
tap "over IPv6, too" stunclient 2001:db8::200 2001:db8:2::2 2001:db8::200:

client ike-scan --nat-t --sport=0 --retry=8 203.0.113.2 >"$(lab_log ike-scan)" 2>&1 || true
tap_has "ike-scan is answered by charon" "$(lab_log ike-scan)" '203.0.113.2'$'\t'
client ike-scan --ikev2 --nat-t --sport=0 --retry=8 203.0.113.2 >"$(lab_log ike-scan2)" 2>&1 || true
tap_has "in IKEv2, too" "$(lab_log ike-scan2)" '203.0.113.2'$'\t'

lookalikes=$(natmux_drops gw-b esp-no-flow)
client stun 203.0.113.2:4500 >"$(lab_log stun)" 2>&1 || true
tap_gets "stun's datagrams are ESP without a flow" -gt "$lookalikes" natmux_drops gw-b esp-no-flow
tap_has "and stay unanswered" "$(lab_log stun)" 'Blocked'
tap "natmux still answers others" stunclient 203.0.113.200 203.0.113.2 203.0.113.200:
tap "the tunnel stands" charon_pings host-b 192.168.1.10
tap "no line of natmuxd's log is an error" bash -c "! grep -qi 'error' '$(lab_log natmuxd-gw-b)'"
tap_end
