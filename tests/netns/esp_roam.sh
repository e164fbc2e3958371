#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# A's NAT router forgets its mapping in mid-flow and makes another, on another port or address: B
# follows, as far as the SA's `roam` lets it. Packets that somebody sends again, or forges, move nobody.
set -euo pipefail
# shellcheck source=tests/netns/common.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/common.sh"

start() {
	lab_rebind nat-a 203.0.113.1 40000-40999
	# Packets are counted, and sent again: no train may pass for one.
	esp_more='gso = no' esp_configure a 203.0.113.2:4500
	esp_configure b 203.0.113.1:4500
	sed -i "/^sa \"site-in\"/a roam = $1" "$LAB_DIR/ns/gw-b/natmux.conf"
	lab_log_new natmuxd-gw-b
	esp_start a
	a=$LAB_PID
	esp_start b
	b=$LAB_PID
	lab_wait 5 works
}

stop() {
	lab_stop "$a"
	lab_stop "$b"
}

works() {
	esp_pings host-a 192.168.2.10
}

# moves: how often B has followed an SA to another place.
moves() {
	grep -c 'moved from [0-9]' "$(lab_log natmuxd-gw-b)" || true
}

# is_silent: whether nothing is under way between A and B.
is_silent() {
	esp_arrived a b 0x1000 && esp_arrived b a 0x1001
}

# flow ADDRESS PORTS: moves A while it talks, and says how many pings found no answer. The router takes its
# time for that, in which pings would be lost whatever B does: they pause.
flow() {
	sleep 1.2 # an SA moves once a second at most
	pings_begin host-a 192.168.2.10 0.03
	kill -STOP "$pings_pid"
	lab_wait 5 is_silent
	lab_rebind nat-a "$@"
	kill -CONT "$pings_pid"
	pings_end || true # which has told
	echo "$pings_lost"
}

tap_begin "$@"
lab_topology
esp_keys site

start yes
tap_is "roam = yes: pings lost while A's port changes" "$(flow 203.0.113.1 42000-42999)" -le 5
tap_gets "B has followed once" -eq 1 moves
tap_is "pings lost while A's address changes" "$(flow 203.0.113.11 43000-43999)" -le 5
tap_gets "B has followed again" -eq 2 moves
tap_has "to the new address" "$(lab_log natmuxd-gw-b)" 'to 203.0.113.11:43'

lab_spawn pub attack "$tests/tools/esp_attack.py" p-nat-b --replay 20 --forge 20 \
	--source 203.0.113.200 --after 0.1
lab_wait 5 grep -q ready "$(lab_log attack)"
tap "20 packets are sent again, and 20 forged, from elsewhere" \
	esp_pings host-a 192.168.2.10 -c 22 -i 0.05
tap_within 2 "B counts each that was sent again" \
	natmux_is gw-b 'any(.drops[]; .reason == "esp-replay" and .count == 20)' drops
tap_within 2 "and each that was forged" \
	natmux_is gw-b 'any(.drops[]; .reason == "esp-icv" and .count == 20)' drops
for reason in esp-replay esp-icv; do
	tap_within 2 "$reason is told with number, source and destination (RFC 4303 4)" grep -Eq \
		"ESP dropped, $reason: SPI 0x[0-9a-f]{8} sequence [0-9]+ from [0-9.]+:[0-9]+ to [0-9.]+:4500" \
		"$(lab_log natmuxd-gw-b)"
done
tap_is "and has not moved" "$(moves)" -eq 2
stop

start port-only
tap_is "roam = port-only: pings lost while A's port changes" "$(flow 203.0.113.1 44000-44999)" -le 5
tap_gets "B has followed" -eq 1 moves
lab_rebind nat-a 203.0.113.11 44000-44999
tap_fails "another address does not get answers" works
tap_is "B has not followed" "$(moves)" -eq 1
lab_rebind nat-a 203.0.113.1 45000-45999
tap_within 3 "the old one gets them, on another port" works
stop

# B learns at first which port A's NAT has given it, and nobody is followed from then on.
start no
lab_rebind nat-a 203.0.113.1 46000-46999
tap_fails "roam = no: another port does not get answers" works
tap_is "B has not followed" "$(moves)" -eq 0
stop
tap_end
