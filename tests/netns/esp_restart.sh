#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# natmuxd of a gateway with static SAs ends and comes back, orderly and killed. Its numbers begin
# again: with a replay window the other end refuses them, as it must, until there are new keys;
# without one the traffic goes on.
set -euo pipefail
# shellcheck source=tests/netns/common.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/common.sh"

# configure [LINE]: both ends; the line is for inbound SAs.
configure() {
	esp_configure a 203.0.113.2:4500
	esp_configure b 203.0.113.1:4500
	sed -i "/^sa \"site-in\"/a ${1:-roam = yes}" "$LAB_DIR"/ns/gw-{a,b}/natmux.conf
}

works() {
	esp_pings host-a 192.168.2.10
}

replayed() {
	natmux_drops "gw-$1" esp-replay
}

tap_begin "$@"
lab_topology
esp_keys site
configure 'replay-window = 0'
esp_start a
a=$LAB_PID
esp_start b
b=$LAB_PID
tap_within 5 "without anti-replay: a tunnel" works
for signal in TERM KILL; do
	lab_stop "$a" "$signal"
	tap_fails "SIG$signal: A is gone" works
	tap_fails "and has left no device" lab_ip gw-a link show natmux1
	tap "it starts again" esp_start a
	a=$LAB_PID
	tap_within 2 "and the traffic goes on" works
	lab_stop "$b" "$signal"
	tap "B ends and starts, too" esp_start b
	b=$LAB_PID
	tap_within 2 "and the traffic goes on" works
done
lab_stop "$a"
lab_stop "$b"

configure
esp_start a
a=$LAB_PID
esp_start b
b=$LAB_PID
tap_within 5 "with anti-replay: a tunnel" esp_pings host-a 192.168.2.10 -c 10 -i 0.05
lab_stop "$a" KILL
esp_start a
a=$LAB_PID
tap_fails "A starts again, and its numbers have been seen" works
tap_gets "B has counted that" -ge 1 replayed b
# One way at a time: A refuses what a B with a new key sends.
esp_keys site
tap "B reads new keys" natmux_ctl gw-b reload
tap_fails "A, with the old ones, is not understood" works
tap "A reads them" natmux_ctl gw-a reload
tap_within 2 "and the traffic goes on" works
tap_end
