#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The Unix handoff: IKE and ESP to a client and back, over IPv4 and IPv6; the Python client of
# docs/examples; clients that are not there, send rubbish, or do not read.
set -euo pipefail
# shellcheck source=tests/netns/common.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/common.sh"

handoff=$tests/tools/handoff.py
socket=/run/natmux/handoff.sock

# good_client: one that answers; its number in `good`.
good_client() {
	lab_log_new good
	lab_spawn gw-b good "$handoff" daemon "$socket"
	good=$LAB_PID
	lab_wait 5 grep -q ready "$(lab_log good)"
}

# had CLASS: of how many the client has told; it answers first.
had() {
	grep -c "^$1" "$(lab_log good)" || true
}

example_answers() {
	lab_run client "$datagrams" ask ike-init "$1" 4500
}

tap_begin "$@"
lab_topology
natmux_configure gw-b <<-END
	handoff = unix
	unix { queue = 16 }
END
natmux_start gw-b
pid=$LAB_PID

tap_fails "without a client nobody answers" lab_run client "$datagrams" ask ike-init 203.0.113.2 4500
tap_gets "and that is counted" -eq 1 natmux_drops gw-b handoff-no-client

lab_spawn gw-b example "$top/docs/examples/handoff_client.py" "$socket" 2
lab_wait 5 grep -q welcome "$(lab_log example)"
tap "IPv4: the example's client answers" example_answers 203.0.113.2
tap "IPv6: it does, too" example_answers 2001:db8:2::2
tap_has "with the address as it was" "$(lab_log example)" 'IKE 203.0.113.200:'
tap_has "in both families" "$(lab_log example)" 'IKE [2001:db8::200]:'

good_client
for target in 203.0.113.2 2001:db8:2::2; do
	tap "$target: IKE and ESP there and back" lab_run client "$datagrams" talk "$target" 4500
done
tap_gets "IKE messages that the client had" -eq 4 had ike
tap_gets "ESP that it had" -eq 2 had esp
tap_is "frames of it that were wrong" "$(natmux_drops gw-b handoff-frame)" -eq 0

tap "a client that sends rubbish is closed" lab_run gw-b "$handoff" rubbish "$socket"
tap "one that says no HELLO is refused" lab_run gw-b "$handoff" mute "$socket"
tap_is "wrong frames counted" "$(natmux_drops gw-b handoff-frame)" -ge 2

# A client that never reads: the socket's buffer and the queue of 16 fill, what comes then is lost to
# it, and the other client gets all of it.
lab_spawn gw-b deaf "$handoff" deaf "$socket"
deaf=$LAB_PID
lab_wait 5 grep -q ready "$(lab_log deaf)"
before=$(natmux_drops gw-b handoff-slow)
lab_run client "$datagrams" talk 203.0.113.2 4500 --more 800 >"$(lab_log talk)" 2>&1 || true
tap_is "datagrams lost to the client that does not read" "$(natmux_drops gw-b handoff-slow)" -gt "$before"
read -r _ sent _ back < <(grep '^sent' "$(lab_log talk)")
tap_is "the other one has answered all $sent" "$back" -ge "$sent"
tap "STUN is answered all the while" lab_run client "$datagrams" ask stun 203.0.113.2 4500
lab_stop "$deaf"
tap "natmuxd lives" kill -0 "$pid"

lab_stop "$good" KILL
tap_fails "when the client is gone nobody answers" lab_run client "$datagrams" ask ike-init \
	203.0.113.2 4500
good_client
tap "the next one takes over" lab_run client "$datagrams" talk 203.0.113.2 4500
tap_end
