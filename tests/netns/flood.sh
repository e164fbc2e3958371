#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# 300 000 datagrams of all kinds from 10 000 made-up sources, as fast as natmuxd takes them: memory stays
# where it was, an established tunnel goes on, and STUN answers no more than its buckets allow.
set -euo pipefail
# shellcheck source=tests/netns/common.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/common.sh"

count=300000
per_s=30000
grows_kib=16384 # flows_max times a few hundred bytes, and the allocator's reserve
# B's STUN answers and new flows: few enough for the flood, a fifth of which is STUN and one is IKE, to be
# beyond on any machine.
stun_per_s=100 stun_burst=2000 ike_per_s=100

memory_kib() {
	awk -v key="$2:" '$1 == key { print $2 }' "/proc/$1/status"
}

field() {
	jq -r ".\"$1\"" "$LAB_DIR/flood.json"
}

received() {
	natmux_json gw-b '[.rx[].datagrams] | add' stats
}

# has_taken_in: whether natmuxd's sockets hold no more.
has_taken_in() {
	lab_run gw-b ss -Huln 'sport = :4500' | awk '{ n += $2 } END { exit n > 0 }'
}

# flood: it waits after each part, for what no socket can hold says nothing about natmuxd.
flood() {
	local line in out
	coproc FLOOD { lab_run flood "$NATMUX_BUILD/tests/flood" 203.0.113.2 4500 "$count" "$per_s"; }
	# Descriptors of our own: bash closes those of the array as soon as the flood has ended.
	exec {in}<&"${FLOOD[0]}" {out}>&"${FLOOD[1]}"
	while read -r line <&"$in"; do
		if [[ $line == sent ]]; then
			lab_wait 5 has_taken_in
			echo >&"$out"
		else
			echo "$line" >"$LAB_DIR/flood.json"
		fi
	done
	exec {in}<&- {out}>&-
}

# lost: per cent of the pings that went on during the flood.
lost() {
	echo $((100 * pings_lost / $(pings_newest)))
}

tap_begin "$@"
lab_topology
# The made-up sources lie behind one box, which is them all: answers to them come to an end there.
lab_public flood 66
lab_ip nat-b route add 198.18.0.0/15 via 203.0.113.66
lab_ip flood route add local 198.18.0.0/15 dev lo

for site in a b; do
	{
		cat "$conf/$site/natmux.conf"
		echo "limits { stun-rate-all = $stun_per_s stun-burst-all = $stun_burst ike-rate-all = $ike_per_s }"
	} | natmux_configure "gw-$site"
	natmux_start "gw-$site"
	pid=$LAB_PID # of gw-b in the end
	charon_configure "gw-$site" "$conf/strongswan.conf" "$conf/$site/swanctl.conf"
	charon_start "gw-$site"
done
tap "a tunnel" charon_up gw-a net
tap "with traffic" charon_pings host-a 192.168.2.10

before=$(memory_kib "$pid" VmRSS)
pings_begin host-a 192.168.2.10 0.1
flood
pings_end || true # which has told

seconds=$(jq '.seconds | ceil' "$LAB_DIR/flood.json")
tap_is "datagrams sent, and answers heard, in $seconds s" "$(field sent)" -eq "$count"
tap_is "natmux received" "$(received)" -ge "$((count / 2))"
tap "natmuxd lives" kill -0 "$pid"
tap_is "memory: KiB now, $before before" "$(memory_kib "$pid" VmRSS)" -le "$((before + grows_kib))"
tap_is "memory: KiB at its highest" "$(memory_kib "$pid" VmHWM)" -le "$((before + grows_kib))"
tap_is "per cent of the tunnel's pings lost" "$(lost)" -le 10
tap "the tunnel goes on" charon_pings host-a 192.168.2.10
tap_is "STUN answers that came back" "$(field stun-replies)" -ge 1000
tap_is "within the bucket of $stun_per_s a second and $stun_burst at once" "$(field stun-replies)" -le \
	"$((stun_burst + stun_per_s * seconds))"
tap_is "as many as natmux says it sent, or fewer" "$(field stun-replies)" -le \
	"$(natmux_tx gw-b stun)"
tap_is "none larger than its request" "$(field larger-replies)" -eq 0
tap_is "flows are bounded" "$(natmux_json gw-b '.total' flows)" -le 4096
tap_is "IKE beyond the bucket dropped" "$(natmux_drops gw-b ike-rate-all)" -ge 1000
tap_is "STUN beyond the bucket dropped" "$(natmux_drops gw-b stun-rate-all)" -ge 1000
tap_is "noise with the marker dropped" "$(natmux_drops gw-b ike-header)" -ge 1000
tap_is "ESP of strangers dropped" "$(natmux_drops gw-b esp-no-flow)" -ge 1000
tap_is "lines in natmuxd's log" "$(wc -l <"$(lab_log natmuxd-gw-b)")" -le 1000
tap "the first peer's flow is established" natmux_is gw-b \
	'any(.flows[]; .state == "established")' flows
tap_within 3 "STUN is answered afterwards" lab_run client "$datagrams" ask stun 203.0.113.2 4500
tap_end
