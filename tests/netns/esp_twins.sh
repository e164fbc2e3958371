#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Two clients behind one NAT router whose inner addresses are the same (RFC 3948 5.2): each has SAs and
# a port of its own at B, gets its own answers, and cannot speak for the other.
set -euo pipefail
# shellcheck source=tests/netns/common.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/common.sh"
inner=10.77.0.1 service=10.88.0.1

# client NAME N: its one tunnel, for everything.
client() {
	esp_keys "$1"
	{
		printf 'esp = user\nhandoff = none\nuser-plane {\n\taddress4 = "%s/32"\n}\n' $inner
		esp_pair "$1" a "0x${2}000" 1 203.0.113.2:4500
		esp_policy all 1 "src $inner dst $service"
	} | natmux_configure "$1"
	natmux_start "$1"
	lab_ip "$1" route add $service dev natmux1
}

# at_b NAME N: the client's SAs at B: what may come, and what is sent back, has its port.
at_b() {
	esp_sa "$1" out ba $((0x${2}001)) "$2" 'remote = "203.0.113.1:4500"'
	esp_sa "$1" in ab $((0x${2}000)) "$2" \
		"selectors = { \"src $inner dst $service proto tcp dport 800$2\" }"
	esp_policy "$1" "$2" "src $service dst $inner proto tcp sport 800$2"
}

second_client() {
	lab_ns gw-c
	lab_link nat-a lan2 gw-c wan
	lab_addr nat-a lan2 10.3.0.1/24
	lab_addr gw-c wan 10.3.0.2/24
	lab_ip gw-c route add default via 10.3.0.1
	lab_run nat-a nft add rule inet natmux-filter forward iifname lan2 accept
	mkdir -p "$LAB_DIR/ns/gw-c/run"
}

# serve PORT: somebody there to talk with, once; its number in LAB_PID. One that takes more than one client
# does not listen for a moment in between.
serve() {
	lab_spawn gw-b "server-$1" iperf3 --server --one-off --port "$1"
	lab_wait 5 lab_listens_tcp gw-b "$1"
}

# talk NAME PORT OCTETS LOG: TCP from the client to that port; fails when they do not arrive. What the
# sockets hold at the end iperf3 does not count.
talk() {
	lab_run "$1" timeout --foreground $((3 * LAB_ANSWER)) iperf3 --client $service --port "$2" --json \
		--bind $inner --cport 5000 --bytes $(($3 + 16000000)) --connect-timeout $((1000 * LAB_ANSWER)) \
		>"$(lab_log "$4")" || true
	jq -e ".end.sum_received.bytes >= $3" "$(lab_log "$4")"
}

# carries SPI: whether B has more of a client's packets than for a beginning.
carries() {
	natmux_is gw-b ".sas[] | select(.spi == \"$1\") | .counters.packets > 100" sa list
}

# places: where B's two peers are, one line each.
places() {
	sed -n 's/.*its peer moved from - to \(.*\)/\1/p' "$(lab_log natmuxd-gw-b)" | sort -u
}

places_count() {
	places | wc -l
}

tap_begin "$@"
lab_topology
second_client
client gw-a 1
client gw-c 2
{
	printf 'esp = user\nhandoff = none\nuser-plane {\n\taddress4 = "%s/32"\n}\n' $service
	at_b gw-a 1
	at_b gw-c 2
} | natmux_configure gw-b
natmux_start gw-b
lab_ip gw-b route add $inner dev natmux1
serve 8002
serve 8001
server=$LAB_PID

talk gw-a 8001 8000000 first >/dev/null &
first=$!
lab_wait 5 carries 0x00001000
tap "the second client while the first talks from the same address and port" talk gw-c 8002 4000000 second
tap "and the first" wait "$first"
tap_gets "B's peers are in two places" -eq 2 places_count
tap_is "of one address" "$(places | cut -d: -f1 | uniq | wc -l)" -eq 1
tap_is "nothing was refused" "$(natmux_drops gw-b esp-selector)" -eq 0

lab_stop "$server"
serve 8001
tap_fails "the second cannot speak as the first" talk gw-c 8001 1000 cross
tap_within 2 "what it tried is refused and counted" \
	natmux_is gw-b 'any(.drops[]; .reason == "esp-selector" and .count >= 1)' drops
tap "the first goes on" talk gw-a 8001 1000 again
tap_end
