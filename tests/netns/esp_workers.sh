#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Gateways with two and with four workers: each has inbound SAs of its own, all send by the same outbound
# ones. What holds with one worker holds here, and the figures of all add up.
set -euo pipefail
# shellcheck source=tests/netns/common.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/common.sh"
tunnels=4

# to N: an address of host B, which has a tunnel of its own; spi N: of A's packets for it.
to() {
	echo "192.168.2.1$1"
}

spi() {
	echo $((0x1000 + 5 * $1))
}

# gateway SIDE WORKERS REMOTE: a tunnel for each address, with SPIs on every worker, and an SA without
# cipher for packets that a script makes.
gateway() {
	local side=$1 workers=$2 remote=$3 n
	{
		printf 'esp = user\nhandoff = none\nuser-plane {\n'
		printf '\tworkers = %s\n\tbare-esp = yes\n}\n' "$workers"
		for ((n = 0; n < tunnels; n++)); do
			esp_pair "t$n" "$side" "$(spi $n)" $((n + 1)) "$remote"
			if [[ $side == a ]]; then
				esp_policy "t$n" $((n + 1)) "src 192.168.1.0/24 dst $(to $n)/32"
			else
				esp_policy "t$n" $((n + 1)) "src $(to $n)/32 dst 192.168.1.0/24"
			fi
		done
		[[ $side == a ]] || esp_suite=null-sha256 esp_sa made in ab 0x5001 9 "roam = no"
	} | natmux_configure "gw-$side"
}

start() {
	gateway a "$1" 203.0.113.2:4500
	gateway b "$1" 203.0.113.1:4500
	lab_log_new natmuxd-gw-b
	esp_start a
	a=$LAB_PID
	esp_start b
	b=$LAB_PID
	lab_wait 5 pings
}

pings() {
	local n
	for ((n = 0; n < tunnels; n++)); do
		esp_pings host-a "$(to "$n")" "$@" || return 1
	done
}

# streams ARGUMENT...: eight TCP streams through the first tunnel: the slowest, in bytes. Again, with more,
# where it had no time in which to begin.
streams() {
	local octets slowest=0
	for octets in 20000000 80000000 320000000; do
		esp_iperf host-a host-b "$(to 0)" "$octets" -P 8 "$@" >/dev/null
		slowest=$(jq '[.end.streams[] | .receiver.bytes] | min' "$(lab_log iperf)")
		((slowest < 100000)) || break
	done
	echo "$slowest"
}

# spray: datagrams of many flows from host B that nothing answers in kind: the device spreads them over
# its queues, where what answers a flow goes to the worker that the flow comes by. By chance: of 400 flows
# no queue of four misses its hundred datagrams, of 32 one in fifty does.
spray() {
	lab_run host-b python3 -c '
import socket, time
out = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
for n in range(1600):
    out.sendto(bytes(100), ("192.168.1.10", 9000 + n % 400))
    if n % 32 == 0: time.sleep(0.002)
'
}

# add_up SIDE: when nothing is on its way, what the workers say and what the SAs say is the same.
add_up() {
	natmux_ctl "gw-$1" --json stats >"$LAB_DIR/stats"
	natmux_ctl "gw-$1" --json sa list >"$LAB_DIR/sas"
	natmux_ctl "gw-$1" --json drops >"$LAB_DIR/drops"
	natmux_ctl "gw-$1" --json status >"$LAB_DIR/status"
	jq -e -s '
		(.[0].rx.esp.datagrams) as $rx | (.[0].tx.esp.datagrams) as $tx |
		([.[1].sas[] | select(.direction == "in") | .counters.packets] | add) as $in |
		([.[1].sas[] | select(.direction == "out") | .counters.packets] | add) as $out |
		([.[2].drops[] | select(.reason | startswith("esp-")) | .count] | add // 0) as $lost |
		.[3].user_plane as $plane |
		([$plane.workers[].rx.datagrams] | add) == $rx and
		([$plane.workers[].tx.datagrams] | add) == $tx and
		$in + $lost == $rx + $plane.bare_packets and $out == $tx and
		([$plane.workers[].written.packets] | add) == $plane.written.packets
	' "$LAB_DIR/stats" "$LAB_DIR/sas" "$LAB_DIR/drops" "$LAB_DIR/status"
}

# made SEQUENCE [PORT]: a packet of the SA without cipher, from the router next to B.
made() {
	lab_run nat-b "$tests/tools/bare_esp.py" 10.2.0.2 0x5001 "$1" "$LAB_DIR/keys/made-ab" \
		192.168.1.10 "$(to 0)" ${2:+"$2"}
}

made_is() {
	natmux_is gw-b ".sas[] | select(.spi == \"0x00005001\") | $1" sa list
}

# renew: new pairs of SAs for the first tunnel, on one worker after the other, while it is in use.
renew() {
	local old n new
	old=$(spi 0)
	for n in 1 2 3 4; do
		new=$((0x2000 + 5 * n))
		esp_renew "r$n" "$new" "$old" || return 1
		old=$new
	done
}

moves() {
	grep -c 'moved from [0-9]' "$(lab_log natmuxd-gw-b)" || true
}

# confined PID THREADS: as many threads, none with capabilities, all of them with the filter.
confined() {
	local task n=0
	for task in /proc/"$1"/task/*/status; do
		grep -q '^CapEff:[[:space:]]*0*$' "$task" && grep -q '^NoNewPrivs:[[:space:]]*1$' "$task" &&
			{ [[ -n ${NATMUX_NO_SECCOMP:-} ]] || grep -q '^Seccomp:[[:space:]]*2$' "$task"; } ||
			return 1
		n=$((n + 1))
	done
	[[ -n ${NATMUX_NO_SECCOMP:-} ]] || ((n == $2))
}

# end PID SIDE: told to stop while it has most to do, it ends and leaves nothing.
ends() {
	local i
	kill -TERM "$1"
	for ((i = 0; i < 300; i++)); do
		kill -0 "$1" 2>/dev/null || break
		sleep 0.1
	done
	wait "$1" && ! lab_listens "gw-$2" 4500 && ! lab_ip "gw-$2" link show natmux1
}

with() {
	local workers=$1 n load=()
	start "$workers"
	tap "$workers workers: each tunnel answers" pings -c 5 -i 0.02
	tap "there are so many" natmux_is gw-b ".user_plane.workers | length == $workers" status
	tap "with sockets of their own" natmux_is gw-b \
		"[.sockets[].worker] | unique | length == $workers" status
	tap "each SA is listed once" natmux_is gw-b ".total == 2 * $tunnels + 1" sa list
	tap "each worker receives" natmux_is gw-b \
		'all(.user_plane.workers[]; .rx.datagrams > 0)' status
	tap_is "TCP there: the slowest of 8 streams, bytes" "$(streams)" -ge 100000
	tap_is "TCP back: the slowest of 8 streams, bytes" "$(streams --reverse)" -ge 100000
	tap "datagrams of many flows" spray
	tap_within 2 "all workers of B send" natmux_is gw-b \
		'all(.user_plane.workers[]; .tx.datagrams > 100)' status
	tap_within 3 "A's figures add up" add_up a
	tap_within 3 "B's figures add up" add_up b
	tap_is "packets for a full mailbox" "$(natmux_drops gw-b worker-full)" -eq 0
	tap "threads are confined as the first one is" confined \
		"$(natmux_json gw-b .pid status)" "$workers"

	made 1 4500
	tap_within 2 "a packet of a worker's SA" made_is '.counters.packets == 1'
	made 0x2112a442 4500
	tap_within 2 "one whose number looks like STUN" made_is '.counters.packets == 2'
	tap "comes by the first worker" natmux_is gw-b '.stun_lookalikes == 1' stats
	made 0x2112a443
	tap_within 2 "one of bare ESP, too" made_is '.counters.packets == 3'
	made 0x2112a442 4500
	tap_within 2 "again, and it is a replay" made_is '.counters.duplicate == 1'

	rm -f "$LAB_DIR/esp.pcap"
	lab_spawn gw-b capture "$NATMUX_BUILD/ctl/natmuxctl" capture --class esp -c 1000 -w "$LAB_DIR/esp.pcap"
	n=$LAB_PID
	lab_wait 5 test -e "$LAB_DIR/esp.pcap" # made when natmuxd has agreed
	tap "a capture while all work" spray
	tap "and a reload" natmux_ctl gw-b reload
	tap "sees them all" wait "$n"

	pings_begin host-a "$(to 0)" 0.01
	tap "new keys, four times" renew
	lab_wait 5 lab_is -ge 100 pings_count || true # what is missing is told
	tap "while pings go on" pings_end
	tap_is "pings meanwhile" "$(pings_count)" -ge 100
	tap_is "pings lost meanwhile" "$pings_lost" -eq 0
	tap_is "B has dropped nobody's" "$(natmux_drops gw-b esp-no-sa)" -eq 0

	n=$(moves)
	lab_rebind nat-a 203.0.113.1 $((42000 + 1000 * workers))-$((42999 + 1000 * workers))
	sleep 1
	tap_within 9 "A's port changes" pings
	tap_gets "B has followed" -gt "$n" moves
	n=$(natmux_rx gw-a esp)
	tap "datagrams of many flows, by all workers" spray
	tap_gets "have arrived at its new port" -ge $((n + 1590)) natmux_rx gw-a esp

	lab_spawn host-b iperf-end iperf3 --server --one-off
	load+=("$LAB_PID")
	lab_wait 5 lab_listens_tcp host-b 5201
	lab_spawn host-a iperf-load iperf3 --client "$(to 0)" --time 60 -P 8
	load+=("$LAB_PID")
	lab_spawn host-a flood ping -q -n -f -w 60 "$(to 1)"
	load+=("$LAB_PID")
	sleep 1
	tap "B ends while it has most to do" ends "$b" b
	tap "and A" ends "$a" a
	for n in a b; do
		tap_lacks "no complaint of ${n^^}" "$(lab_log natmuxd-gw-$n)" ' error: |WARNING: ThreadSanitizer'
	done
	for n in "${load[@]}"; do
		lab_stop "$n" KILL
	done
}

tap_begin "$@"
lab_topology
for ((n = 1; n < tunnels; n++)); do
	lab_addr host-b wan "$(to $n)/24"
done
for ((n = 0; n < tunnels; n++)); do
	esp_keys "t$n"
done
(umask 077 && od -An -v -tx1 -N32 /dev/urandom | tr -d ' \n' >"$LAB_DIR/keys/made-ab")
for workers in ${NATMUX_WORKERS:-2 4}; do
	with "$workers"
done

start 3
tap_fails "a second natmuxd with workers does not get a share of the port" \
	lab_run gw-b timeout 60 "$NATMUX_BUILD/daemon/natmuxd" -c "$LAB_DIR/ns/gw-b/natmux.conf"
tap "and the first goes on" pings
lab_stop "$a"
lab_stop "$b"
lab_ip gw-b link set lo down
esp_start a
esp_start b
tap_has "where no trial is possible there is one worker" "$(lab_log natmuxd-gw-b)" 'going on with 1 worker'
tap "and status says why" natmux_is gw-b \
	'.user_plane | .workers_why != null and (.workers | length) == 1' status
tap_within 5 "which does the work" pings
tap_end
