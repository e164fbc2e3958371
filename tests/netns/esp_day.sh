#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# A day of new keys every five minutes, 288 pairs of SAs one after the other, soon over:
# a soft limit of packets asks for each, and the old pair goes when the new one is there. Both ways
# every single numbered datagram arrives once, and a stream octet for octet. The same with two workers.
set -euo pipefail
# shellcheck source=tests/netns/common.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/common.sh"
numbered=$tests/tools/numbered.py

# renew LOG COUNT [ARGUMENT...]: so many new pairs, or with --until more of them.
renew() {
	local log=$1 count=$2
	shift 2
	timeout 400 "$tests/tools/esp_renew.py" "$LAB_DIR/ns/gw-a/run/natmux/control.sock" 203.0.113.2:4500 \
		"$LAB_DIR/ns/gw-b/run/natmux/control.sock" 203.0.113.1:4500 "$count" "$@" \
		>"$(lab_log "$log")" 2>&1
	lab_is -ge "$count" of "$log" renewed
}

# listen HOST ADDRESS, send WHAT FROM TO RATE: both ends; their numbers are in $pids.
listen() {
	: >"$(lab_log "at-$1")"
	rm -f "$LAB_DIR/progress-$1"
	lab_spawn "$1" "at-$1" "$numbered" listen "$2" 7000 --progress "$LAB_DIR/progress-$1"
	listeners+=("$LAB_PID")
	lab_wait 5 grep -q ready "$(lab_log "at-$1")"
}

send() {
	: >"$(lab_log "$1-$2")"
	local to=host-a
	[[ $2 == host-b ]] || to="host-b"
	lab_spawn "$2" "$1-$2" "$numbered" "$1" "$3" 7000 --rate "$4" --progress "$LAB_DIR/progress-$to"
	senders+=("$LAB_PID")
}

# arrived: whether all datagrams have.
arrived() {
	kill -USR1 "${listeners[@]}"
	sleep 0.1
	lab_is -eq "$(of datagrams-host-a sent)" of at-host-b received &&
		lab_is -eq "$(of datagrams-host-b sent)" of at-host-a received
}

# flowed PAIRS: whether each stream has been there for its part of so many pairs.
flowed() {
	kill -USR1 "${listeners[@]}"
	lab_is -ge $((10 * $1)) of at-host-a received && lab_is -ge $((10 * $1)) of at-host-b received &&
		lab_is -ge $((7000 * $1)) of at-host-b octets
}

stop() {
	local pid
	for pid in "${senders[@]}"; do
		lab_stop "$pid"
	done
	lab_wait 1 arrived || true # what is missing then is told
	for pid in "${listeners[@]}"; do
		lab_stop "$pid"
	done
	senders=() listeners=()
	lab_wait 2 grep -q tcp "$(lab_log at-host-a)"
	lab_wait 2 grep -q tcp "$(lab_log at-host-b)"
}

# of LOG WORD: the number behind a word, in what a listener or sender said.
of() {
	sed -n "s/.*\b$2 \([0-9]*\).*/\1/p" "$(lab_log "$1")" | tail -n 1
}

dropped() {
	natmux_json "gw-$1" '[.drops[] | select(.reason != "out-policy") | .count] | add // 0' drops
}

# begin, talk, stop, end: both gateways, and all traffic between them.
begin() {
	esp_start a
	gateways=("$LAB_PID")
	esp_start b
	gateways+=("$LAB_PID")
	lab_wait 5 esp_pings host-a 192.168.2.10
	listen host-b 192.168.2.10
	listen host-a 192.168.1.10
}

talk() {
	send datagrams host-a 192.168.2.10 500
	send datagrams host-b 192.168.1.10 300
}

end() {
	lab_stop "${gateways[0]}"
	lab_stop "${gateways[1]}"
}

# configure [LINE]: both ends; the line is for the section user-plane.
configure() {
	esp_plane=${1:-}
	esp_configure a 203.0.113.2:4500
	esp_configure b 203.0.113.1:4500
	sed -i '/^sa "site-out"/a soft-packets = 50' "$LAB_DIR"/ns/gw-{a,b}/natmux.conf
}

# unharmed PAIRS: so many pairs of SAs, and what goes through them is there.
unharmed() {
	local pairs=$1 start=$SECONDS renewing way from to side
	begin
	renew "renewed-$pairs" "$pairs" --until "$LAB_DIR/flowed-$pairs" &
	renewing=$!
	lab_wait 5 grep -q ready "$(lab_log "renewed-$pairs")"
	talk
	send stream host-a 192.168.2.10 400000
	lab_wait 20 flowed "$pairs" || true # what has not is told
	touch "$LAB_DIR/flowed-$pairs"
	tap "$pairs pairs of SAs" wait "$renewing"
	echo "# in $((SECONDS - start)) seconds"
	stop
	for way in ab ba; do
		from=host-${way:0:1} to=host-${way:1:1}
		tap_is "numbered datagrams of $from" "$(of "datagrams-$from" sent)" -ge $((10 * pairs))
		tap_is "that have arrived" "$(of "at-$to" received)" -eq "$(of "datagrams-$from" sent)"
		tap_is "lost" "$(of "at-$to" lost)" -eq 0
		tap_is "twice" "$(of "at-$to" twice)" -eq 0
		tap_is "spoilt" "$(of "at-$to" 'late.*wrong')" -eq 0
	done
	tap_is "octets of a stream meanwhile" "$(of at-host-b octets)" -ge $((7000 * pairs))
	tap_is "pieces of it that are not what was sent" "$(of at-host-b 'octets.*wrong')" -eq 0
	for side in a b; do
		tap_is "${side^^} has a pair of SAs" "$(natmux_json gw-$side .total sa list)" -eq 2
		tap_is "${side^^} has dropped" "$(dropped $side)" -eq 0
		tap "no number is missing at ${side^^}, nor came twice" natmux_is gw-$side \
			'all(.sas[].counters; .lost + .late + .duplicate + .replayed + .bad_icv == 0)' sa list
	done
	end
}

tap_begin "$@"
lab_topology
esp_keys site
senders=() listeners=()
configure
unharmed 288
configure 'workers = 2'
unharmed 50

# And would it be seen? The same with pairs of which the old one goes first.
begin
talk
tap "five pairs, carelessly" renew careless 5 --careless
stop
tap_is "lost, as it must be" "$(of at-host-b lost)" -ge 1
tap_end
