#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# natmuxd beside a charon that keeps its port: joined, left, killed and restarted under traffic;
# and whom it does not join.
set -euo pipefail
# shellcheck source=tests/netns/common.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/common.sh"

tap_begin "$@"
lab_topology
lab_spawn gw-b toy "$datagrams" daemon 0.0.0.0 4500
natmux_configure gw-b <<-END
	attach = join
	stun { responder = open }
END
natmux_start gw-b
sleep 2
natmux_ctl gw-b status
cat "$(lab_log natmuxd-gw-b)"
lab_run client "$datagrams" ask stun 203.0.113.2 4500
lab_run client "$datagrams" talk 203.0.113.2 4500 --from 31022
cat "$(lab_log toy)"
tap_end
