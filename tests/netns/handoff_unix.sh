#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The Unix handoff with the Python client of docs/examples: IKE and ESP, both families; natmuxd as
# nobody, without a capability; clients that want nothing, send rubbish, or do not read.
set -euo pipefail
# shellcheck source=tests/netns/common.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/common.sh"

tap_begin "$@"
lab_topology
tap_end
