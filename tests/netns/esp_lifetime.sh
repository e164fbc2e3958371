#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Lifetimes: what is reached first, packets, bytes or seconds, soft limits are told once, hard ones end
# the SA at that packet, and then nothing goes out in the clear.
set -euo pipefail
# shellcheck source=tests/netns/common.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/common.sh"
size=1000 # octets of inner packets: pings of 972

# start LIMIT...: both ends; A's outbound SA has these limits.
start() {
	esp_keys site
	esp_configure a 203.0.113.2:4500
	esp_configure b 203.0.113.1:4500
	sed -i "/^sa \"site-out\"/a $(printf '%s\\n' "$@")" "$LAB_DIR/ns/gw-a/natmux.conf"
	esp_start b
	b=$LAB_PID
	esp_start a
	a=$LAB_PID
}

stop() {
	lab_stop "$a"
	lab_stop "$b"
}

# send COUNT: each when the one before has its answer, so that none is sealed together with others: when all
# are, a hard limit is looked at.
send() {
	pings_all "$1" host-a 192.168.2.10 -s $((size - 28))
}

# send_in_vain COUNT: to which no answer is expected.
send_in_vain() {
	esp_pings host-a 192.168.2.10 -s $((size - 28)) -c "$1" -i 0.01 -W 1 >/dev/null || true
}

# told TYPE: how often an event of A's outbound SA has come.
told() {
	natmux_json gw-a "[.events[] | select(.type == \"$1\" and .direction != \"in\")] | length" events
}

was_told() {
	[[ $(told "$1") -ge 1 ]]
}

# refused COUNT: whether so many packets have found no SA.
refused() {
	natmux_is gw-a "any(.drops[]; .reason == \"out-no-sa\" and .count >= $1)" drops
}

# out FILTER: of A's outbound SA.
out() {
	natmux_json gw-a ".sas[] | select(.direction == \"out\") | $1" sa list
}

in_the_clear() {
	{ tcpdump -r "$LAB_DIR/clear.pcap" -n 2>/dev/null || true; } | wc -l # the last may be half written
}

tap_begin "$@"
lab_topology
lab_spawn gw-a clear tcpdump -i wan -n -U --immediate-mode -w "$LAB_DIR/clear.pcap" net 192.168.2.0/24
lab_wait 5 test -s "$LAB_DIR/clear.pcap"

start 'soft-packets = 10' 'hard-packets = 20'
tap "packets: 9 of 10 go" send 9
tap_is "nothing is told" "$(told sa-soft)" -eq 0
tap "the tenth goes" send 1
tap_within 1 "and the soft limit is told" was_told sa-soft
tap "and ten more" send 10
send_in_vain 20
tap_within 2 "what found no SA is counted" refused 20
tap_is "of 40 in all have gone" "$(out .counters.packets)" -eq 20
tap_within 1 "the hard limit is told" was_told sa-hard
tap_is "each once, this" "$(told sa-soft)" -eq 1
tap_is "and that" "$(told sa-hard)" -eq 1
tap "the SA is dead" test "$(out .dead)" = true
tap_within 1 "a successor is wanted" was_told sa-acquire
stop

start "soft-bytes = $((5 * size))" "hard-bytes = $((8 * size))" 'hard-packets = 1000'
tap "bytes: four packets of $size go" send 4
tap_is "nothing is told" "$(told sa-soft)" -eq 0
tap "the fifth goes" send 1
tap_within 1 "and the soft limit is told" was_told sa-soft
tap "and three more" send 3
send_in_vain 7
tap_within 2 "what found no SA is counted" refused 7
tap_is "of 15 in all have gone" "$(out .counters.packets)" -eq 8
tap_within 1 "the hard limit is told" was_told sa-hard
stop

start 'soft-seconds = 1' 'hard-seconds = 1000' 'hard-packets = 1000'
tap_within 2 "seconds: the soft limit is told" was_told sa-soft
tap "packets go on" send 3
tap_is "the hard limit is not told" "$(told sa-hard)" -eq 0
stop

start 'soft-seconds = 1' 'hard-seconds = 3' 'hard-packets = 1000'
tap_within 4 "another one's hard limit is told" was_told sa-hard
tap_is "after the soft one" "$(told sa-soft)" -eq 1
tap_fails "and nothing goes" send 1
tap_is "packets that left A in the clear" "$(in_the_clear)" -eq 0
stop
send_in_vain 1 # without natmuxd and its routes
tap_gets "which would have been seen" -ge 1 in_the_clear
tap_end
