#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# SIGHUP and natmuxctl reload: what the file says now is applied, or nothing of it.
set -euo pipefail
# shellcheck source=tests/netns/common.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/common.sh"

# configure PEER-PORT STUN-RATE [LINE]
configure() {
	natmux_configure gw-a <<-END
		handoff = relay
		peer "branch" {
			remote = "203.0.113.2:$1"
			alias = "100.64.0.2"
		}
		limits {
			stun-rate = $2
			stun-burst = $2
		}
		stun { responder = open }
		${3:-}
	END
}

peer_is() {
	natmux_is gw-a "[.flows[] | select(.peer == \"$1\") | .remote] == [\"$2\"]" flows
}

# Fifty requests at once: how many answers?
answers() {
	{ lab_run nat-a "$datagrams" ask stun 10.1.0.2 4500 --count 50 || true; } |
		sed -n 's/^replies //p'
}

talk() {
	lab_run gw-a "$datagrams" talk 100.64.0.2 4500 --from 14500
}

tap_begin "$@"
lab_topology
# Behind the port that NAT B forwards, and on the router itself: two peers to choose from.
lab_spawn gw-b toy-4500 "$datagrams" daemon 0.0.0.0 4500
lab_spawn nat-b toy-4501 "$datagrams" daemon 203.0.113.2 4501

configure 4500 5
natmux_start gw-a
pid=$LAB_PID
tap "the peer is where the file says" talk
tap_is "STUN answers within the limit" "$(answers)" -le 6
ike=$(grep -c '^ike' "$(lab_log toy-4500)")

configure 4501 40
kill -HUP "$pid"
tap_within 5 "SIGHUP: the peer has moved" peer_is branch 203.0.113.2:4501
tap "and is spoken with there" talk
tap_is "not where it was" "$(grep -c '^ike' "$(lab_log toy-4500)")" -eq "$ike"
sleep 1
tap_is "the new limit holds" "$(answers)" -ge 30

configure 4500 5 'limits { stun-rate = many }'
tap_fails "reload refuses a bad file" natmux_ctl gw-a reload
natmux_ctl gw-a reload >"$(lab_log reload)" 2>&1 || true
tap "and names file and line" grep -qE 'natmux\.conf:11' "$(lab_log reload)"
kill -HUP "$pid"
sleep 1
tap "SIGHUP with it does not end natmuxd" kill -0 "$pid"
tap "nothing of it is applied: the peer" peer_is branch 203.0.113.2:4501
tap "nor the limit" test "$(answers)" -ge 30

configure 4500 40 'port = 4600'
tap_fails "what needs a restart is refused" natmux_ctl gw-a reload
tap "whole" peer_is branch 203.0.113.2:4501

sed -i '/^peer/,/^}/d' "$LAB_DIR/ns/gw-a/natmux.conf"
sed -i '/^port/d' "$LAB_DIR/ns/gw-a/natmux.conf"
tap "reload takes a peer away" natmux_ctl gw-a reload
tap "it is gone" natmux_is gw-a 'all(.flows[]; .peer != "branch")' flows
tap_end
