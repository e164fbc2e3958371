#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# A bad network between the gateways, which loses, doubles and delays packets by count: what the SAs
# count is what it did, and TCP gets through.
set -euo pipefail
# shellcheck source=tests/netns/common.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/common.sh"
relay_at=203.0.113.200

# relay LOG ARGUMENT...: starts the bad network; its number in LAB_PID.
relay() {
	local log=$1
	shift
	lab_log_new "$log"
	sent_there=$(sent a) sent_back=$(sent b)
	sleep 1.2 # each has a port of its own, and an SA moves once a second at most
	lab_spawn client "$log" "$tests/tools/esp_relay.py" $relay_at 4500 203.0.113.2 4500 --seconds 900 "$@"
	lab_wait 5 grep -q ready "$(lab_log "$log")"
}

# sent SIDE: packets of its outbound SA.
sent() {
	natmux_json "gw-$1" '.sas[] | select(.direction == "out") | .counters.packets' sa list
}

# is_quiet LOG PID: whether all that both sides have sent has gone through that bad network, and nothing
# happens any more.
is_quiet() {
	local log=$1 pid=$2 before=${state:-}
	kill -USR1 "$pid"
	state=$(natmux_json gw-a '[.sas[].counters]' sa list && natmux_json gw-b '[.sas[].counters]' sa list)
	lab_is -eq $(($(sent a) - sent_there)) done_by "$log" there datagrams &&
		lab_is -eq $(($(sent b) - sent_back)) done_by "$log" back datagrams &&
		[[ $state == "$before" ]]
}

# stop_relay LOG PID
stop_relay() {
	lab_wait 3 is_quiet "$@"
	lab_stop "$2"
	lab_wait 2 is_told "$1"
}

# is_told LOG: whether the log is all there: it was asked at least once, and said all of it at the end.
is_told() {
	[[ $(tail -n 1 "$(lab_log "$1")") == back* ]]
}

# done_by LOG WAY WHAT: what the bad network says it did.
done_by() {
	sed -n "s/^$2 .*$3 \([0-9]*\).*/\1/p" "$(lab_log "$1")" | tail -n 1
}

# counted SIDE FILTER: of the gateway's inbound SA.
counted() {
	natmux_json "gw-$1" ".sas[] | select(.direction == \"in\") | .counters | $2" sa list
}

# traffic LOG ARGUMENT...: both ways through a bad network; then a good one, until nothing is open.
traffic() {
	local log=$1 relay
	shift
	relay "$log" "$@"
	relay=$LAB_PID
	lab_run host-a ping -q -n -c 600 -i 0.002 -W 1 192.168.2.10 >"$(lab_log "ping-$log")" || true
	stop_relay "$log" "$relay"
	relay good
	relay=$LAB_PID
	lab_run host-a ping -q -n -c 200 -i 0.002 -W 1 192.168.2.10 >"$(lab_log ping-good)" || true
	stop_relay good "$relay"
}

configure() {
	esp_keys site
	esp_configure a $relay_at:4500
	esp_configure b $relay_at:4500
	sed -i '/^sa "site-in"/a replay-window = 64' "$LAB_DIR"/ns/gw-{a,b}/natmux.conf
}

tap_begin "$@"
lab_topology
configure
esp_start a
esp_start b

traffic near --lose 29 --double 17 --delay 11 --depth 5
for side in a b; do
	way=there
	[[ $side == b ]] || way=back
	tap_is "${side^^} counts the lost" "$(counted $side .lost)" -eq "$(done_by near $way lost)"
	tap_is "the doubled" "$(counted $side .duplicate)" -eq "$(done_by near $way doubled)"
	tap_is "the delayed, by 5 or less" "$(counted $side '.reorder[:3] | add')" -eq \
		"$(done_by near $way delayed)"
	tap_is "none by more" "$(counted $side '(.reorder[3:] | add) + .late')" -eq 0
	tap_is "and there were some of each" "$(counted $side '[.lost, .duplicate] | min')" -ge 10
done

lost=$(counted b .lost) near=$(counted b '.reorder | add')
traffic far --delay 13 --depth 80
late=$(counted b .late)
tap_is "B counts what was delayed beyond its window" "$late" -ge 40
tap_is "as lost" "$(counted b .lost)" -eq $((lost + late))
tap_is "and the last ones, which still were in it, as reordered" \
	$(($(counted b '.reorder | add') - near)) -eq $(($(done_by far there delayed) - late))

relay tcp --lose 200 --double 150 --delay 50 --depth 3
tap_is "TCP gets through, octets" "$(esp_ahead=2000000 esp_iperf host-a host-b 192.168.2.10 1000000 -w 256K)" -ge 1000000
tap_is "and back" "$(esp_ahead=2000000 esp_iperf host-a host-b 2001:db8:a2::10 1000000 -w 256K -R)" -ge 1000000
tap "nothing was taken for forged" natmux_is gw-b \
	'[.drops[] | select(.reason == "esp-icv" or .reason == "esp-inner")] == []' drops
tap_end
