#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# A day of hourly new keys in half a minute: an hour is a second, and each time natmuxd says that an
# SA's soft lifetime is over, somebody makes a new pair before the old one goes. No packet is lost.
set -euo pipefail
# shellcheck source=tests/netns/common.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/common.sh"
hours=24 each=80 # pings, at least

# limits SIDE: what SAs of the file have, in the file's words.
limits() {
	sed -i '/^sa "site-out"/a soft-seconds = 1\nhard-seconds = 1000' "$LAB_DIR/ns/gw-$1/natmux.conf"
}

# wanted SPI: whether natmuxd has asked for a successor of A's outbound SA.
wanted() {
	natmux_is gw-a "any(.events[]; .type == \"sa-soft\" and .direction == \"out\" and .spi == \"$1\")" \
		events
}

# has_carried SPI: whether a megabyte has gone through A's outbound SA.
has_carried() {
	natmux_is gw-a "any(.sas[]; .spi == \"$1\" and .direction == \"out\" and .counters.bytes >= 1000000)" \
		sa list
}

# one_hour N: waits until the N-th pair has had its share and is to be replaced, and does it.
one_hour() {
	local spi answered
	spi=$(printf '0x%08x' $((0x1000 * $1)))
	answered=$(pings_count)
	lab_wait 4 wanted "$spi" || return 1
	lab_wait 4 has_carried "$spi" || return 1
	lab_wait 4 lab_is -ge $((answered + each)) pings_count || return 1
	esp_renew "key-$1" $((0x1000 * ($1 + 1))) "$spi" limit time-soft 1 limit time-hard 1000
}

# What the device's own IPv6 says to its neighbours is for no tunnel: out-policy.
dropped() {
	natmux_ctl "gw-$1" drops >"$(lab_log "drops-$1")"
	natmux_json "gw-$1" '[.drops[] | select(.reason != "out-policy") | .count] | add // 0' drops
}

day() {
	local hour
	for ((hour = 1; hour <= hours; hour++)); do
		one_hour "$hour" || return 1
	done
}

tap_begin "$@"
lab_topology
esp_keys site
esp_configure a 203.0.113.2:4500
esp_configure b 203.0.113.1:4500
limits a
limits b
esp_start a
esp_start b
lab_wait 5 esp_pings host-a 192.168.2.10

lab_spawn host-b iperf-server iperf3 --server --one-off
lab_wait 5 lab_listens_tcp host-b 5201
lab_spawn host-a iperf iperf3 --client 192.168.2.10 --time 3600 --bitrate 20M -w 256K # or what it makes up for fills queues
iperf=$LAB_PID
pings_begin host-a 192.168.2.10 0.01
tap "an hour is over $hours times, each with its megabyte, and each time there are new keys" day
tap "and pings go on" pings_end
lab_stop "$iperf"
tap_is "pings meanwhile" "$(pings_count)" -ge $((hours * each))
tap_is "pings lost" "$pings_lost" -eq 0
for side in a b; do
	tap_is "${side^^} has a pair of SAs" "$(natmux_json gw-$side .total sa list)" -eq 2
	tap "which are alive" natmux_is gw-$side 'all(.sas[]; .dead | not)' sa list
	tap_is "${side^^} has dropped" "$(dropped $side)" -eq 0
done
tap_end
