# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
# What every test against the ESP of Linux sources first.
# shellcheck source=tests/netns/common.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/../netns/common.sh"
cases=$tests/uml/esp_cases.py

# uml_begin BUILDDIR SECONDS: tap_begin, and guest_enter.
uml_begin() {
	tap_begin "$1"
	lab_ns pub
	guest_enter "$2"
}

# uml_wire USER KERNEL: two namespaces and a cable between them, 10.9.0.1 and 10.9.0.2.
uml_wire() {
	lab_ns "$1"
	lab_ns "$2"
	lab_link "$1" wan "$2" wan
	lab_addr "$1" wan 10.9.0.1/24 fd09::1/64
	lab_addr "$2" wan 10.9.0.2/24 fd09::2/64
}

# uml_hold KERNEL: gives UDP 4500 there to XFRM.
uml_hold() {
	lab_spawn "$1" hold "$cases" hold
	lab_wait 5 grep -q ready "$(lab_log hold)"
}
