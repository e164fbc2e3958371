#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Bare ESP, IP protocol 50, for an SA whose peer usually sends in UDP (RFC 7296 2.23): accepted where
# bare-esp = yes, answered in UDP to where the peer's UDP came from, and never a reason to move.
set -euo pipefail
# shellcheck source=tests/netns/common.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/common.sh"

# bare SEQUENCE TO: sent by the router of site B, which is next to the gateway.
bare() {
	lab_run nat-b "$tests/tools/bare_esp.py" "$2" 0x5000 "$1" "$LAB_DIR/keys/bare-ab" \
		192.168.1.10 192.168.2.10
}

# sa_is FILTER: what jq's FILTER says about the SA that it is for.
sa_is() {
	natmux_is gw-b ".sas[] | select(.spi == \"0x00005000\") | $1" sa list
}

configure() {
	esp_plane="bare-esp = $1" esp_configure b 203.0.113.1:4500
	esp_suite=null-sha256 esp_sa bare in ab 0x5000 1 'remote = "203.0.113.1:4500"' \
		>>"$LAB_DIR/ns/gw-b/natmux.conf"
}

tap_begin "$@"
lab_topology
esp_keys site
mkdir -p "$LAB_DIR/keys"
(umask 077 && od -An -v -tx1 -N32 /dev/urandom | tr -d ' \n' >"$LAB_DIR/keys/bare-ab")
configure yes
esp_configure a 203.0.113.2:4500
esp_start a
esp_start b
b=$LAB_PID
tap_within 5 "a tunnel in UDP" esp_pings host-a 192.168.2.10
bare 1 10.2.0.2
tap_within 2 "bare ESP is opened" sa_is '.counters.packets == 1'
tap "and counted as such" natmux_is gw-b '.user_plane.bare_packets == 1' status
tap "its peer stays where it was" sa_is '.remote == "203.0.113.1:4500"'
tap "the inner packet arrived" lab_wait 2 natmux_is gw-b \
	'[.sas[] | select(.direction == "out") | .counters.packets] | add >= 2' sa list
bare 1 10.2.0.2
tap_within 2 "a second time it is a replay" sa_is '.counters.duplicate == 1'
bare 2 2001:db8:2::2
tap_within 2 "the same over IPv6" sa_is '.counters.packets == 2'
tap "the tunnel in UDP goes on" esp_pings host-a 192.168.2.10
lab_stop "$b"

configure no
esp_start b
bare 3 10.2.0.2
bare 4 2001:db8:2::2
sleep 0.5
tap "bare-esp = no: not a packet" sa_is '.counters.packets == 0'
tap_end
