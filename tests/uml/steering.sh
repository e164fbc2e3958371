#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# The port of esp = kernel: states and policies of `ip xfrm` at both ends of a cable, natmuxd on each.
# ESP stays in the kernel, STUN comes to natmuxd, and the one ESP packet that looks like STUN goes
# back. Under User-Mode Linux where the machine's kernel has no ESP.
#
#	tests/uml/steering.sh BUILDDIR
set -euo pipefail
# shellcheck source=tests/uml/kernel.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/kernel.sh"
key=0x0123456789012345678901234567890123456789
spi=100

# tunnel NAME OURS THEIRS INSIDE PEER SPI-OUT SPI-IN SEQUENCE: states and policies of one end.
tunnel() {
	local ns=$1 ours=$2 theirs=$3 inside=$4 peer=$5 out=$6 in=$7 sequence=$8
	local aead=(aead 'rfc4106(gcm(aes))' "$key" 128 replay-window 32)
	lab_ip "$ns" xfrm state add src "$ours" dst "$theirs" proto esp spi "$out" reqid 1 mode tunnel \
		"${aead[@]}" replay-oseq "$sequence" encap espinudp 4500 4500 0.0.0.0
	lab_ip "$ns" xfrm state add src "$theirs" dst "$ours" proto esp spi "$in" reqid 1 mode tunnel \
		"${aead[@]}" encap espinudp 4500 4500 0.0.0.0
	lab_ip "$ns" xfrm policy add src "$inside" dst "$peer" dir out tmpl src "$ours" dst "$theirs" \
		proto esp reqid 1 mode tunnel
	lab_ip "$ns" xfrm policy add src "$peer" dst "$inside" dir in tmpl src "$theirs" dst "$ours" \
		proto esp reqid 1 mode tunnel
}

# both A-ADDRESS B-ADDRESS A-INSIDE B-INSIDE: the tunnel between two addresses, six packets short of
# the cookie in both directions.
both() {
	local a=$((spi++)) b=$((spi++)) sequence=$((0x2112a442 - 7))
	tunnel a "$1" "$2" "$3" "$4" "$a" "$b" $sequence
	tunnel b "$2" "$1" "$4" "$3" "$b" "$a" $sequence
}

pings() {
	pings_all "$1" a "$3" -I "$2"
}

packets_in() {
	lab_ip b -s xfrm state | awk '/dst 10.9.0.2|dst fd09::2/ {ours = 1} /^src/ && !/dst 10.9.0.2|dst fd09::2/ {ours = 0}
		ours && /\(packets\)/ && !/limit/ {sub(/.*, /, ""); n += $1} END {print n + 0}'
}

uml_begin "$1" 600
uml_wire a b
lab_addr a lo 10.1.0.1/32 fd01::1/128
lab_addr b lo 10.2.0.1/32 fd02::1/128
lab_ip a route add 10.2.0.0/16 via 10.9.0.2
lab_ip b route add 10.1.0.0/16 via 10.9.0.1
lab_ip a route add fd02::/16 via fd09::2
lab_ip b route add fd01::/16 via fd09::1
for ns in a b; do
	lab_run $ns sysctl -qw net.ipv4.conf.all.rp_filter=1
	natmux_configure $ns <<-END
		esp = kernel
		handoff = none
		stun { responder = open }
	END
	natmux_start $ns
done
both 10.9.0.1 10.9.0.2 10.1.0.0/16 10.2.0.0/16
both fd09::1 fd09::2 fd01::/16 fd02::/16

tap "six pings" pings 6 10.1.0.1 10.2.0.1
tap "and over IPv6" pings 6 fd01::1 fd02::1
tap_is "the kernel has decrypted them" "$(packets_in)" -eq 12
tap_is "natmuxd has seen no ESP" "$(natmux_rx b esp)" -eq 0
tap "STUN is answered" lab_run a "$datagrams" ask stun 10.9.0.2 4500
tap "and over IPv6" lab_run a "$datagrams" ask stun fd09::2 4500
tap "pings across the sequence number that is STUN's cookie" pings 6 10.1.0.1 10.2.0.1
tap "and over IPv6" pings 6 fd01::1 fd02::1
tap_is "these came to natmuxd, once each" "$(natmux_rx b esp)" -eq 2
tap_is "and at the other end" "$(natmux_rx a esp)" -eq 2
tap_is "and all were decrypted" "$(packets_in)" -eq 24
tap "many more" pings 100 10.1.0.1 10.2.0.1
tap_is "of which natmuxd has seen none" "$(natmux_rx b esp)" -eq 2

# What covers the addresses on the wire covers STUN, IKE and ESP in UDP, too.
for direction in in out; do
	lab_ip b xfrm policy add src 10.9.0.0/24 dst 10.9.0.0/24 dir $direction tmpl src 10.9.0.2 \
		dst 10.9.0.1 proto esp reqid 99 mode tunnel
done
tap_fails "a policy over the wire's addresses: a ping between them" \
	lab_run a ping -q -c 1 -W 1 10.9.0.2
tap "STUN is answered all the same" lab_run a "$datagrams" ask stun 10.9.0.2 4500
tap "and the tunnel works" pings 3 10.1.0.1 10.2.0.1
tap_end
