#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# The recipe of tests/vectors/xfrm/recorded.txt: what `ip xfrm` sends and Linux answers, under
# User-Mode Linux:
#
#	tests/uml/record_xfrm.sh >tests/vectors/xfrm/recorded.txt
set -euo pipefail
here=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd)

if [[ ${1:-} != inside ]]; then
	cat <<-'END'
		# SPDX-License-Identifier: Apache-2.0
		#
		# Netlink messages between `ip xfrm` (">") and the kernel ("<"), recorded by
		# tests/uml/record_xfrm.sh: little-endian, 64-bit. Port ids read 0x1234, sequence numbers 0x5678;
		# " 00*24 " stands for an octet so many times.
		#
	END
	exec "$here/run.sh" 300 bash "$here/record_xfrm.sh" inside
fi
modprobe -d /run/kmod nlmon
modprobe -d /run/kmod sha512_generic
exec "$here/record_xfrm.py"
