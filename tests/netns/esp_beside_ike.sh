#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# esp = user beside an IKE daemon: IKE goes to it through the relay as ever, ESP is opened here, and
# natmuxd runs as somebody without rights, who reads new keys when it is told to.
set -euo pipefail
# shellcheck source=tests/netns/common.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/common.sh"

tap_begin "$@"
lab_topology
chmod 755 "$LAB_DIR/ns"
esp_keys site
esp_configure a 203.0.113.2:4500
esp_configure b 203.0.113.1:4500
sed -i 's/^handoff = none/handoff = relay\nuser = "nobody"/' "$LAB_DIR/ns/gw-b/natmux.conf"
# nobody reads the keys in a reload: by its group.
chgrp -R nogroup "$LAB_DIR/keys"
chmod 750 "$LAB_DIR/keys"
chmod 640 "$LAB_DIR/keys/"*
esp_start a
esp_start b
b=$LAB_PID
lab_spawn gw-b toy "$datagrams" daemon 100.64.0.1 14500
lab_wait 5 grep -q ready "$(lab_log toy)"
tap_is "natmuxd is nobody" "$(awk '$1 == "Uid:" { print $2 }' "/proc/$b/status")" -eq "$(id -u nobody)"
tap_within 5 "ESP is opened here" esp_pings host-a 192.168.2.10
tap "IKE reaches the daemon and comes back" lab_run client "$datagrams" ask ike-init 203.0.113.2 4500
tap_lacks "no ESP went to the daemon" "$(lab_log toy)" '^esp '
tap_is "nor would have, for want of a flow" "$(natmux_drops gw-b esp-no-flow)" -eq 0
esp_keys next
chgrp nogroup "$LAB_DIR/keys/"next-*
chmod 640 "$LAB_DIR/keys/"next-*
sed -i 's,keys/site-,keys/next-,' "$LAB_DIR"/ns/gw-{a,b}/natmux.conf
tap "nobody reads new keys" natmux_ctl gw-b reload
tap "and so does A" natmux_ctl gw-a reload
tap_within 3 "the tunnel works with them" esp_pings host-a 192.168.2.10
tap "and is locked memory" test "$(awk '$1 == "VmLck:" { print $2 }' "/proc/$b/status")" -gt 0
tap_end
