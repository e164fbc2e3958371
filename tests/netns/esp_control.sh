#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# esp = user with configured SAs and without an IKE daemon: a tunnel through two NATs, changed while
# it runs by reload and by natmuxctl; and where keys are seen, which is nowhere.
set -euo pipefail
# shellcheck source=tests/netns/common.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/common.sh"

# keys NAME SUFFIX: key files of both directions, the same at both ends.
new_keys() {
	local way
	for way in ab ba; do
		(umask 077 && od -An -v -tx1 -N20 /dev/urandom | tr -d ' \n' >"$LAB_DIR/$1-$way.key")
	done
}

# sas NAME KEYS SPI OUT IN REMOTE: both SAs of one end.
sas() {
	cat <<-END
		sa "$1-out" {
			direction = out
			spi = $(($3 + ($4 == 1)))
			suite = aes128gcm16
			key-file = "$LAB_DIR/$2-$([[ $4 == 1 ]] && echo ab || echo ba).key"
			remote = "$5"
			reqid = 7
		}
		sa "$1-in" {
			direction = in
			spi = $(($3 + ($4 != 1)))
			suite = aes128gcm16
			key-file = "$LAB_DIR/$2-$([[ $4 == 1 ]] && echo ba || echo ab).key"
			reqid = 7
			selectors = { "src 192.168.0.0/16 dst 192.168.0.0/16" }
		}
	END
}

# configure NAME SIDE REMOTE [MORE]: a gateway; more SAs come first, so that the last is the newest.
configure() {
	natmux_configure "$1" <<-END
		esp = user
		handoff = none
		user-plane {
			export-keys = ${export:-no}
		}
		$(sas first one 4096 "$2" "$3")
		${4:-}
		policy "sites" {
			reqid = 7
			selector = "src 192.168.0.0/16 dst 192.168.0.0/16"
		}
	END
}

pings() {
	lab_run host-a ping -q -n -c "${1:-3}" -i 0.05 -W 1 -s "${2:-56}" 192.168.2.10
}

tap_begin "$@"
lab_topology
new_keys one
new_keys two
configure gw-a 1 203.0.113.2:4500
configure gw-b 2 203.0.113.1:4500
natmux_start gw-a
pid_a=$LAB_PID
natmux_start gw-b
pid_b=$LAB_PID
lab_run gw-a ip route replace 192.168.2.0/24 dev natmux1
lab_run gw-b ip route replace 192.168.1.0/24 dev natmux1

tap_within 5 "a tunnel with configured SAs" pings 1
tap "it carries packets as long as the device's MTU" pings 3 1410
tap_end
