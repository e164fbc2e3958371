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

# answers LEAST: to fifty requests at once, in $answered; for what is allowed, how many seconds that took in
# $took. So many are waited for.
answers() {
	local begin=${EPOCHREALTIME/[.,]/} asked before
	asked=$(natmux_rx gw-a stun) before=$(natmux_tx gw-a stun)
	lab_run nat-a "$datagrams" ask stun 10.1.0.2 4500 --count 50 --enough "$1" >"$(lab_log ask)" || true
	lab_wait 2 lab_is -eq $((asked + 50)) natmux_rx gw-a stun
	answered=$(($(natmux_tx gw-a stun) - before))
	took=$(((${EPOCHREALTIME/[.,]/} - begin) / 1000000 + 1))
}

talk() {
	lab_run gw-a "$datagrams" talk 100.64.0.2 4500 --from 14500
}

tap_begin "$@"
lab_topology
# Behind the port that NAT B forwards, and on the router itself: two peers to choose from.
lab_spawn gw-b toy-4500 "$datagrams" daemon 0.0.0.0 4500
lab_spawn nat-b toy-4501 "$datagrams" daemon 203.0.113.2 4501
for port in 4500 4501; do
	lab_wait 5 grep -q ready "$(lab_log toy-$port)"
done

configure 4500 5
natmux_start gw-a
pid=$LAB_PID
tap "the peer is where the file says" talk
answers 5
tap_is "STUN answers within the limit" "$answered" -le $((5 + 5 * took))
tap_is "which arrive" "$(grep -c ^stun "$(lab_log ask)" || true)" -ge 1
lab_wait 2 lab_is -ge 2 grep -c '^ike' "$(lab_log toy-4500)"
ike=$(grep -c '^ike' "$(lab_log toy-4500)")

configure 4501 40
kill -HUP "$pid"
tap_within 5 "SIGHUP: the peer has moved" peer_is branch 203.0.113.2:4501
tap "and is spoken with there" talk
tap_is "not where it was" "$(grep -c '^ike' "$(lab_log toy-4500)")" -eq "$ike"
sleep 1
answers 30
tap_is "the new limit holds" "$answered" -ge 30

configure 4500 5 'limits { stun-rate = many }'
tap_fails "reload refuses a bad file" natmux_ctl gw-a reload
natmux_ctl gw-a reload >"$(lab_log reload)" 2>&1 || true
tap "and names file and line" grep -qE 'natmux\.conf:11' "$(lab_log reload)"
kill -HUP "$pid"
sleep 1
tap "SIGHUP with it does not end natmuxd" kill -0 "$pid"
tap "nothing of it is applied: the peer" peer_is branch 203.0.113.2:4501
answers 30
tap_is "nor the limit" "$answered" -ge 30

configure 4500 40 'port = 4600'
tap_fails "what needs a restart is refused" natmux_ctl gw-a reload
tap "whole" peer_is branch 203.0.113.2:4501

# A peer without an alias in the file takes one when it is first heard; it stays the peer's.
configure 4501 40 'peer "office" { remote = "10.1.0.1:5555" }'
tap "reload adds a peer" natmux_ctl gw-a reload
LAB_ANSWER=1 lab_run nat-a "$datagrams" ask ike-init 10.1.0.2 4500 --from 5555 || true
tap_within 5 "which gets an alias" natmux_is gw-a '[.aliases[].peer] | sort == ["branch", "office"]' aliases
alias=$(natmux_json gw-a '.aliases[] | select(.peer == "office") | .alias' aliases)
configure 4501 40 "peer \"office\" { remote = \"10.1.0.1:5555\" }
	peer \"lab\" { remote = \"10.1.0.1:5556\" alias = \"${alias%:*}\" }"
tap_fails "no other peer can have it" natmux_ctl gw-a reload
tap "and nothing is applied" natmux_is gw-a 'all(.flows[]; .peer != "lab")' flows

sed -i '/peer.*}$/d' "$LAB_DIR/ns/gw-a/natmux.conf"
sed -i '/^peer/,/^}/d' "$LAB_DIR/ns/gw-a/natmux.conf"
sed -i '/^port/d' "$LAB_DIR/ns/gw-a/natmux.conf"
tap "reload takes a peer away" natmux_ctl gw-a reload
tap "it is gone" natmux_is gw-a 'all(.flows[]; .peer != "branch")' flows
tap_end
