#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# The user ESP plane and the kernel's, one to each end of a cable: every suite, both modes, every
# pair of families, with and without extended sequence numbers. Under User-Mode Linux where the
# machine's kernel has no ESP.
#
#	tests/uml/esp_kernel.sh BUILDDIR
set -euo pipefail
# shellcheck source=tests/uml/kernel.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/kernel.sh"
replays=3 forgeries=2 # of each SA

start_kernel() {
	"$cases" kernel >"$LAB_DIR/kernel.batch"
	lab_ip kernel -batch "$LAB_DIR/kernel.batch"
	lab_ip kernel route add 10.1.0.0/16 via 10.9.0.1
	lab_ip kernel route add fd01::/16 via fd09::1
	uml_hold kernel
}

start_user() {
	local family
	{
		echo "tun esp0 ipv4 10.1.255.1/32 ipv6 fd01::ffff/128 mtu 1380"
		"$cases" gateway
	} >"$LAB_DIR/gateway.conf"
	lab_spawn user gateway "$NATMUX_BUILD/tests/esp_gateway" "$LAB_DIR/gateway.conf"
	gateway=$LAB_PID
	lab_wait 5 grep -q ready "$(lab_log gateway)"
	"$cases" gateway-net >"$LAB_DIR/user.batch"
	lab_ip user -batch "$LAB_DIR/user.batch"
	for family in -4 -6; do
		lab_ip user $family rule add pref 10 ipproto udp sport 4500 dport 4500 lookup main
		lab_ip user $family rule add pref 20 lookup 100
	done
	lab_spawn user echo "$cases" echo
	lab_wait 5 grep -q ready "$(lab_log echo)"
}

# attacked SIDE: whether everything that leaves there has been sent again.
attacked() {
	[[ $(grep -c replayed "$(lab_log "attack-$1")") -eq $("$cases" count) ]]
}

# judge: what both ends have counted by now.
judge() {
	local told
	told=$(grep -c '^end' "$(lab_log gateway)" || true)
	lab_ip kernel -s xfrm state >"$LAB_DIR/states"
	kill -USR1 "$gateway"
	lab_wait 5 lab_is -gt "$told" grep -c '^end' "$(lab_log gateway)"
	"$cases" judge "$LAB_DIR/states" "$(lab_log gateway)" $replays $forgeries
}

# is_right: whether it is what it shall be. The last packets may be under way.
is_right() {
	! judge | grep -v '^ok'
}

uml_begin "$1" 900
uml_wire user kernel
start_kernel
start_user
for side in kernel user; do
	lab_spawn $side attack-$side "$tests/tools/esp_attack.py" wan --replay $replays --forge $forgeries
	lab_wait 5 grep -q ready "$(lab_log attack-$side)"
done
lab_run kernel "$cases" ask
for side in kernel user; do
	lab_wait 5 attacked $side || true # what is missing is told
done
lab_wait 2 is_right || true # what is wrong is told
judge
tap "ping from the kernel's end" pings_all 3 kernel 10.1.0.1 -I 10.2.0.1
tap "ping from the other" pings_all 3 user 10.2.0.1 -I 10.1.0.1
tap_end
