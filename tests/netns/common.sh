# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
# What every namespace test sources first.
# shellcheck disable=SC2034 # for the tests
tests=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." && pwd)
top=${tests%/*}
conf=$tests/interop/conf
datagrams=$tests/tools/datagrams.py
# shellcheck source=tools/lib/netns.sh
. "$top/tools/lib/netns.sh"
# shellcheck source=tools/lib/natmux.sh
. "$top/tools/lib/natmux.sh"
# shellcheck source=tools/lib/esp.sh
. "$top/tools/lib/esp.sh"
# shellcheck source=tools/lib/charon.sh
. "$top/tools/lib/charon.sh"
# shellcheck source=tools/lib/tap.sh
. "$top/tools/lib/tap.sh"
