#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The configurations of docs/esp-user.md, as they stand there.
set -euo pipefail
# shellcheck source=tests/netns/common.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/common.sh"

configure() {
	sed "s,/etc/natmux/keys,$LAB_DIR/keys," "$conf/esp/$1/natmux.conf" | natmux_configure "gw-$1"
}

tap_begin "$@"
lab_topology
mkdir "$LAB_DIR/keys"
for way in ab ba; do
	(umask 077 && head -c 20 /dev/urandom >"$LAB_DIR/keys/$way")
done
configure a
configure b
natmux_start gw-a
natmux_start gw-b
lab_ip gw-a route replace 192.168.2.0/24 dev natmux1
lab_ip gw-b route replace 192.168.1.0/24 dev natmux1
tap_within 5 "the tunnel of the document" esp_pings host-a 192.168.2.10
tap "and back" esp_pings host-b 192.168.1.10
tap_fails "nothing else goes through" lab_run gw-a ping -q -n -c 1 -W 1 -I 10.1.0.2 192.168.2.10
tap_end
