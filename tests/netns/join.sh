#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# natmuxd beside charons that keep their port: waits for them, joins, lets go, is killed and started
# again under traffic; STUN is its own, IKE and ESP never leave the daemon.
set -euo pipefail
# shellcheck source=tests/netns/common.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/common.sh"

is_joined() {
	natmux_is "$1" '.join.joined and (.sockets | length) == 2' status
}

waits() {
	natmux_is "$1" '(.join.joined | not) and (.join.why | contains("nobody has UDP port 4500"))' \
		status
}

# start_charon GATEWAY LETTER: its number in charon[GATEWAY].
start_charon() {
	# It says what becomes of each ESP packet.
	sed 's/default = 1/&\n\t\t\tesp = 2/' "$conf/join/strongswan.conf" >"$LAB_DIR/strongswan.conf"
	charon_configure "$1" "$LAB_DIR/strongswan.conf" "$conf/join/$2/swanctl.conf"
	charon_start "$1"
	charon[$1]=$(lab_run "$1" ss -Hulnp 'sport = :4500' | sed -n 's/.*"charon",pid=\([0-9]*\).*/\1/p' |
		sort -u)
}

asks_stun() {
	lab_run client "$datagrams" ask stun "$1" 4500
}

# is_shared: whether root may bind a socket beside charon's, which it has not asked for.
is_shared() {
	lab_run gw-b python3 -c '
import socket
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
s.bind(("0.0.0.0", 4500))'
}

is_private() {
	! is_shared 2>/dev/null
}

check_traffic() {
	tap "$1: ping from A's host to B's" charon_pings host-a 192.168.2.10
	tap "$1: ping from B's host to A's" charon_pings host-b 192.168.1.10
	tap "$1: STUN is answered on charon's port" asks_stun 203.0.113.2
	tap "$1: and over IPv6" asks_stun 2001:db8:2::2
}

kill_and_start() {
	lab_stop "${natmuxd[gw-b]}" KILL
	sleep 0.7
	natmux_start gw-b
	natmuxd[gw-b]=$LAB_PID
	lab_wait 5 is_joined gw-b
}

tap_begin "$@"
declare -A natmuxd charon
lab_topology
lab_coturn
for site in a b; do
	natmux_configure "gw-$site" "$conf/join/natmux.conf"
	natmux_start "gw-$site"
	natmuxd[gw-$site]=$LAB_PID
done
tap_within 3 "without a daemon natmuxd waits" waits gw-b
tap_fails "and has no socket on the port" lab_listens gw-b 4500
start_charon gw-a a
start_charon gw-b b
tap_within 5 "A: charon started late is joined, IPv4 and IPv6" is_joined gw-a
tap_within 5 "B: likewise" is_joined gw-b
tap "status names the daemon" natmux_is gw-b ".join.pid == ${charon[gw-b]}" status
tap "IKE_SA and CHILD_SA" charon_up gw-a net
check_traffic "joined"
tap_within 10 "the STUN server sees A's port at the NAT" natmux_is gw-a \
	'[.servers[].mapped // ""] | any(startswith("203.0.113.1:"))' servers
tap "CHILD_SA rekeyed" charon_ctl gw-a --rekey --child net
tap_within 10 "by both" charon_has_settled gw-a 'net: #2, reqid 1, INSTALLED'
tap_within 10 "ping after it" charon_pings host-b 192.168.1.10
tap "IKE_SA rekeyed" charon_ctl gw-b --rekey --ike headquarters
tap_within 10 "by both" charon_has_settled gw-b 'headquarters: #2, ESTABLISHED'
tap_within 10 "ping after that" charon_pings host-a 192.168.2.10
tap_is "no IKE at natmux" "$(natmux_rx gw-b ike)" -eq 0
tap_is "and no ESP" "$(natmux_rx gw-b esp)" -eq 0

LAB_ANSWER=1 lab_run client "$datagrams" ask esp-cookie 203.0.113.2 4500 --count 3 >/dev/null || true
tap_gets "ESP that looks like STUN came to natmux, once each" -eq 3 natmux_rx gw-b esp
tap_gets "and was given back to charon" -eq 3 \
	grep -c 'parsed ESP header with SPI 00010054' "$(lab_log charon-gw-b)"
tap_is "nothing of it was dropped" "$(natmux_drops gw-b tun-write)" -eq 0

tap "killed and started again, not a ping is lost" \
	pings_during host-a 192.168.2.10 0.02 kill_and_start
check_traffic "after SIGKILL"

lab_stop "${charon[gw-b]}" KILL
tap_within 2 "charon killed: natmuxd lets go of the port" waits gw-b
tap_fails "nobody has it then" lab_listens gw-b 4500
start_charon gw-b b
tap_within 5 "the next charon is joined" is_joined gw-b
tap_within 5 "which has its port" lab_run gw-b sh -c "ss -Hulnp 'sport = :4500' | grep '\"charon\"'"
charon_ctl gw-a --terminate --ike branch --force >/dev/null 2>&1 || true
tap "a new IKE_SA with it" charon_up gw-a net
check_traffic "after charon's restart"

tap "while joined, root's sockets can share the port" is_shared
lab_stop "${natmuxd[gw-b]}"
tap_within 2 "after natmuxd has left they cannot, as before" is_private
tap "and the tunnel stands" charon_pings host-a 192.168.2.10
natmux_start gw-b
tap_within 5 "joined once more" is_joined gw-b
lab_stop "$LAB_PID" KILL
tap_within 2 "killed it leaves no more behind" is_private
tap "and the tunnel stands then, too" charon_pings host-a 192.168.2.10
tap_end
