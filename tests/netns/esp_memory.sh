#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# natmuxd's memory does not grow: TCP and UDP both ways, new keys all the while, and somebody who sends
# packets again and forges others. Twenty seconds, or as many as NATMUX_SOAK says, and longer where in
# these not enough has gone through:
#
#	NATMUX_SOAK=600 tests/netns/esp_memory.sh BUILDDIR
#
# Samples are KiB of both gateways: all, and of that the heap, where what is lost would be. What has been
# mapped counts whole, be it resident or not: the last of 64 buffers is needed when a machine is busy.
set -euo pipefail
# shellcheck source=tests/netns/common.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/common.sh"
seconds=${NATMUX_SOAK:-20}
every=$((seconds < 60 ? 1 : 10))
all_may=256 heap_may=32 # KiB more, from a quarter of the time on

# memory PID: KiB of all, and of the heap.
memory() {
	awk '/^[0-9a-f]+-[0-9a-f]+ / { is_heap = $6 == "[heap]"; counts = $2 ~ /w/ && $6 == "" ? "Size:" : "Rss:" }
		$1 == counts { all += $2; heap += is_heap ? $2 : 0 } END { print all, heap + 0 }' \
		"/proc/$1/smaps"
}

# rush: as much as goes, so that buffers have been needed before anybody looks.
rush() {
	local arguments
	lab_spawn host-b server iperf3 --server
	lab_wait 5 lab_listens_tcp host-b 5201
	for arguments in '--time 3' '--time 3 -R' '--time 2 -u -b 0 -l 1300' '--time 2 -u -b 0 -l 1300 -R'; do
		# shellcheck disable=SC2086 # words
		lab_run host-a timeout 30 iperf3 --client 192.168.2.10 $arguments || true
	done
	lab_stop "$LAB_PID"
}

traffic() {
	local port
	for port in 5201 5202 5203; do
		lab_spawn host-b "server-$port" iperf3 --server --port $port
		lab_wait 5 lab_listens_tcp host-b $port
	done
	lab_spawn host-a tcp iperf3 --client 192.168.2.10 --port 5201 --time 86400 --bitrate 80M
	lab_spawn host-a back iperf3 --client 2001:db8:a2::10 --port 5202 --time 86400 --bitrate 40M --reverse
	lab_spawn host-a udp iperf3 --client 192.168.2.10 --port 5203 --time 86400 --udp --bitrate 10M --length 500
	lab_spawn pub attack "$tests/tools/esp_attack.py" p-nat-b --replay 100 --forge 100
	lab_spawn client renew "$tests/tools/esp_renew.py" \
		"$LAB_DIR/ns/gw-a/run/natmux/control.sock" 203.0.113.2:4500 \
		"$LAB_DIR/ns/gw-b/run/natmux/control.sock" 203.0.113.1:4500 1000000 --packets 10000 --linger 0.5
}

sample() {
	local start=$SECONDS
	until ((SECONDS - start >= seconds)) && { enough || ((SECONDS - start >= 5 * seconds)); }; do
		echo "$((SECONDS - start)) $(memory "$a") $(memory "$b")"
		sleep "$every"
	done
	echo "$((SECONDS - start)) $(memory "$a") $(memory "$b")"
}

# growth COLUMN: KiB from a quarter of the time on to its end.
growth() {
	awk -v from="$(tail -n 1 "$LAB_DIR/samples" | awk '{ print $1 / 4 }')" -v column="$1" '$1 >= from && !seen { first = $column; seen = 1 }
		{ last = $column } END { print last - first }' "$LAB_DIR/samples"
}

packets() {
	natmux_json "gw-$1" '.user_plane | .read.packets + .written.packets' status
}

# pairs: of SAs there have been; the SPI of the newest is two more each time.
pairs() {
	local spi
	spi=$(natmux_json gw-a '[.sas[] | select(.direction == "out") | .spi] | max' sa list)
	echo $(((spi - 0x1000) / 2))
}

enough() {
	lab_is -ge $((1000 * seconds)) packets a && lab_is -ge $((1000 * seconds)) packets b &&
		lab_is -ge $((seconds / 10)) pairs && lab_is -ge 100 natmux_drops gw-b esp-replay &&
		lab_is -ge 100 natmux_drops gw-b esp-icv
}

tap_begin "$@"
lab_topology
esp_keys site
esp_configure a 203.0.113.2:4500
esp_configure b 203.0.113.1:4500
sed -i '/^sa "site-out"/a soft-packets = 10000' "$LAB_DIR"/ns/gw-{a,b}/natmux.conf
esp_start a
a=$LAB_PID
esp_start b
b=$LAB_PID
tap_within 5 "a tunnel" esp_pings host-a 192.168.2.10
rush >"$(lab_log rush)"
traffic
sleep 2
enough || true # to answer takes memory as well
sample >"$LAB_DIR/samples"
echo "# seconds, KiB of A, its heap, of B, its heap"
sed 's/^/# /' "$LAB_DIR/samples"
tap_is "inner packets through A" "$(packets a)" -ge $((1000 * seconds))
tap_is "through B" "$(packets b)" -ge $((1000 * seconds))
tap_is "pairs of SAs" "$(pairs)" -ge $((seconds / 10))
tap_is "packets that were sent again" "$(natmux_drops gw-b esp-replay)" -ge 100
tap_is "packets that were forged" "$(natmux_drops gw-b esp-icv)" -ge 100
tap_is "KiB that A has grown" "$(growth 2)" -le $all_may
tap_is "of these its heap" "$(growth 3)" -le $heap_may
tap_is "KiB that B has grown" "$(growth 4)" -le $all_may
tap_is "of these its heap" "$(growth 5)" -le $heap_may
tap_end
