#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Gateways with several workers: each has SAs of its own, and all send by the same outbound ones. What
# holds with one worker holds here, and the figures of all add up.
set -euo pipefail
# shellcheck source=tests/netns/common.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/common.sh"
tap_begin "$@"
lab_topology
esp_keys site
esp_plane='workers = 2'
esp_configure a 203.0.113.2:4500
esp_configure b 203.0.113.1:4500
esp_start a
esp_start b
tap_within 5 "ping" esp_pings host-a 192.168.2.10
natmux_ctl gw-a status
tap_is "TCP" "$(esp_iperf host-a host-b 2 192.168.2.10 -P 4)" -ge 10
natmux_ctl gw-a --json status | jq .user_plane
natmux_ctl gw-b --json status | jq .user_plane
natmux_ctl gw-a sa list
natmux_ctl gw-b sa list
natmux_ctl gw-b drops
cat "$(lab_log natmuxd-gw-a)"
tap_end
