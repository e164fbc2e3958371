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

# uml_capture BOX: has everything captured that is UDP on its cable, for uml_keepalives.
uml_capture() {
	lab_spawn "$1" tcpdump tcpdump -i wan -U -w "$LAB_DIR/wire.pcap" udp
	lab_wait 5 test -s "$LAB_DIR/wire.pcap"
}

# uml_keepalives TO [PORT]: when they came to an address, natmuxd's own or the kernel's, a line for each.
uml_keepalives() {
	local ports="src port 4500 and dst port ${2:-4500}" octet='udp[4:2] = 9 and udp[8] = 0xff'
	[[ $1 != *:* ]] || octet='ip6[44:2] = 9 and ip6[48] = 0xff'
	tcpdump -r "$LAB_DIR/wire.pcap" -tt -n "dst host $1 and udp $ports and $octet" 2>/dev/null
}

# uml_has_keepalives COUNT TO [PORT]
uml_has_keepalives() {
	[[ $(uml_keepalives "${@:2}" | wc -l) -ge $1 ]]
}

# uml_state KERNEL WAY SPI SOURCE DESTINATION [SPORT DPORT [WORD...]]: a state of `ip xfrm` with the key of
# tunnel "site", one way (ab or ba).
uml_state() {
	local kernel=$1 way=$2 spi=$3 source=$4 destination=$5 sport=${6:-4500} dport=${7:-4500}
	shift $(($# < 7 ? $# : 7))
	lab_ip "$kernel" xfrm state add src "$source" dst "$destination" proto esp spi "$((spi))" reqid 1 \
		mode tunnel replay-window 32 flag af-unspec "$@" aead 'rfc4106(gcm(aes))' \
		"0x$(cat "$LAB_DIR/keys/site-$way")" 128 encap espinudp "$sport" "$dport" 0.0.0.0
}

# uml_tunnel KERNEL: its end of tunnel "site", 10.2.0.0/16 behind 10.9.0.2, and 10.1.0.0/16 behind 10.9.0.1.
uml_tunnel() {
	uml_state "$1" ba 0x1001 10.9.0.2 10.9.0.1
	uml_state "$1" ab 0x1000 10.9.0.1 10.9.0.2
	lab_ip "$1" xfrm policy add src 10.2.0.0/16 dst 10.1.0.0/16 dir out \
		tmpl src 10.9.0.2 dst 10.9.0.1 proto esp reqid 1 mode tunnel
	lab_ip "$1" xfrm policy add src 10.1.0.0/16 dst 10.2.0.0/16 dir in \
		tmpl proto esp reqid 1 mode tunnel
}

# uml_states NAME: how many there are; without those that only stand for an acquire, which have no SPI yet.
uml_states() {
	lab_ip "$1" xfrm state | grep -c 'proto esp spi 0x0*[1-9a-f]' || true
}

# uml_policies NAME: how many there are; without those of sockets.
uml_policies() {
	lab_ip "$1" -o xfrm policy | grep -vc socket || true
}
