#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# What esp = kernel makes of kernels newer than Debian's own: keepalives that the kernel sends (Linux
# 6.11), SAs that know their direction (6.10); beside them interfaces and marks, which User-Mode Linux
# has no devices for. Under the kernel of tests/qemu/run.sh.
#
#	tests/qemu/newer.sh BUILDDIR
set -euo pipefail
# shellcheck source=tests/uml/kernel.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/../uml/kernel.sh"
NATMUX_GUEST=${NATMUX_GUEST:-qemu}
interval=3 # seconds, which the kernel counts in whole ones: the last of them may be a short one

start_plain() {
	lab_addr plain lo 10.2.0.1/32
	lab_ip plain route add 10.1.0.0/16 via 10.9.0.1
	uml_tunnel plain
	uml_hold plain
	uml_capture plain
}

# configure [LINE-OF-BOTH-SAS...]: of natmux.conf, with the tunnel; $policy is the policy's own.
configure() {
	{
		printf '%s\n' "esp = kernel" "handoff = none" 'listen = { "10.9.0.1", "fd09::1" }' \
			"keepalive { interval = $interval }"
		esp_sa site out ab 0x1000 1 'remote = "10.9.0.2:4500"' "$@"
		esp_sa site in ba 0x1001 1 'local = "10.9.0.1"' 'remote = "10.9.0.2:4500"' "$@"
		printf 'policy "site" {\n\treqid = 1\n\tselector = "%s"\n%s}\n' \
			"src 10.1.0.0/16 dst 10.2.0.0/16" "${policy:-}"
	} | natmux_configure nm
}

# start_natmux: and states of the plain end, whose numbers begin anew as natmuxd's do.
start_natmux() {
	lab_ip plain xfrm state flush
	uml_state plain ab 0x1000 10.9.0.1 10.9.0.2
	uml_state plain ba 0x1001 10.9.0.2 10.9.0.1
	natmux_start nm
	natmuxd=$LAB_PID
}

works() {
	lab_run nm ping -q -n -c 1 -W "$LAB_ANSWER" -I 10.1.0.1 10.2.0.1
}

keepalives() {
	uml_keepalives "$@" | wc -l
}

# too_soon: how many keepalives came less than a second and a half after ESP of the same SA.
too_soon() {
	tcpdump -r "$LAB_DIR/wire.pcap" -tt -n 'dst host 10.9.0.2 and udp src port 4500 and udp dst port 4500' \
		2>/dev/null | awk '{ keepalive = /length 1$/ || /isakmp-nat-keep-alive/ }
			keepalive && $1 - last < 1.5 { n++ }
			!keepalive { last = $1 } END { print n + 0 }'
}

# closest: seconds between two keepalives that came soonest after each other, in tenths.
closest() {
	uml_keepalives "$1" | awk 'NR > 1 && (NR == 2 || $1 - last < least) { least = $1 - last } { last = $1 }
		END { printf "%d\n", 10 * least }'
}

# state SPI: what the kernel has of it and ip-xfrm does not show.
state() {
	lab_run nm "$NATMUX_BUILD/tests/xfrm_states" | grep "^spi $1 "
}

state_is() {
	[[ "$(state "$1") " == *" $2 "* ]]
}

# add SPI [WORD...]: another outbound SA, with whose key does not matter.
add() {
	local spi=$1
	shift
	natmux_ctl nm sa add dir out spi "$spi" suite aes128gcm16 key-file "$LAB_DIR/keys/site-ab" \
		reqid 9 "$@"
}

# xfrm_counts COUNTER: at natmuxd's end.
xfrm_counts() {
	lab_run nm sed -n "s/^$1[[:space:]]*//p" /proc/net/xfrm_stat
}

counts() {
	[[ $(xfrm_counts "$1") -gt 0 ]]
}

uml_begin "$1" 600
uml_wire nm plain
esp_keys site
esp_keys chacha chacha20poly1305
lab_addr nm lo 10.1.0.1/32
lab_ip nm route add 10.2.0.0/16 via 10.9.0.2
start_plain
configure
start_natmux
tap "natmuxd has found out what this kernel can" natmux_is nm \
	'.kernel_plane.features | index("direction") and index("keepalive") and index("if-id")' status
tap_within 5 "the tunnel works" works
tap "the outbound SA says its direction" state_is 0x1000 "dir out"
tap "the inbound one, too" state_is 0x1001 "dir in"

# Keepalives.
tap "the kernel has the interval" state_is 0x1000 "keepalive $interval"
tap "of the outbound SA only" state_is 0x1001 "keepalive 0"
tap_within 9 "octets 0xff come to the silent peer" uml_has_keepalives 4 10.9.0.2
tap_is "tenths of a second between them" "$(closest 10.9.0.2)" -ge 25
tap_is "natmuxd itself has sent none" "$(natmux_tx nm keepalive)" -eq 0
lab_run nm ping -q -n -c 14 -i 0.5 -W 1 -I 10.1.0.1 10.2.0.1 >/dev/null
# One may have been due when the traffic began.
tap_is "with traffic there is none" "$(too_soon)" -le 1
add 0x2000 remote '[fd09::2]:4500'
tap_within 5 "IPv6" uml_has_keepalives 2 fd09::2
natmux_ctl nm sa del dir out spi 0x2000 remote fd09::2

interval=1
configure
tap "a reload with another interval" natmux_ctl nm reload
tap "an SA that is there keeps the one it was added with" state_is 0x1000 "keepalive 3"
add 0x2001 remote 10.9.0.2:4501
tap "the next SA has the new one" state_is 0x2001 "keepalive 1"
tap_within 5 "and keeps another port's mapping alive" uml_has_keepalives 3 10.9.0.2 4501
sed -i 's/keepalive { .* }/keepalive { mode = off }/' "$LAB_DIR/ns/nm/natmux.conf"
tap "a reload without keepalives" natmux_ctl nm reload
add 0x2002 remote 10.9.0.2:4502
tap "the next SA has none" state_is 0x2002 "keepalive 0"
tap "and its direction all the same" state_is 0x2002 "dir out"
tap_is "natmuxd has still sent none" "$(natmux_tx nm keepalive)" -eq 0


# Packets of a direction that the SA has not: this one's would go to ourselves.
add 0x3000 remote 10.9.0.1:4500
lab_run plain bash -c "printf '\0\0\x30\0\0\0\0\1%40s' '' >/dev/udp/10.9.0.1/4500"
lab_wait 3 counts XfrmInStateDirError
tap_is "a packet to an outbound SA is counted as that" "$(xfrm_counts XfrmInStateDirError)" -eq 1
tap "and explained" natmux_is nm 'any(.xfrm_stat[]; .counter == "XfrmInStateDirError" and .count == 1)' sa list

# What the kernel says when it refuses something: here nobody finds it the module it wants.
modprobe=$(cat /proc/sys/kernel/modprobe)
echo /bin/false >/proc/sys/kernel/modprobe
refused=$(natmux_ctl nm sa add dir out spi 0x4000 suite chacha20poly1305 reqid 9 remote 10.9.0.2:4500 \
	key-file "$LAB_DIR/keys/chacha-ab" 2>&1 || true)
echo "$modprobe" >/proc/sys/kernel/modprobe
echo "# $refused"
tap "the kernel's own words come to the user" grep -q 'Requested AEAD algorithm not found' <<<"$refused"
lab_stop "$natmuxd"

# An interface: its SAs and policies are for what goes through it, and for nothing else.
policy=$'\tif-id = 7\n' configure 'if-id = 7'
lab_ip nm link add ipsec0 type xfrm dev wan if_id 7
lab_ip nm link set ipsec0 up
start_natmux
tap "if-id: the SA is the interface's" state_is 0x1000 "if-id 7"
tap_fails "what does not go there is not protected" works
lab_ip nm route replace 10.2.0.0/16 dev ipsec0
tap "what goes there is" works
tap_is "and comes out of it" "$(lab_ip nm -j -s link show ipsec0 | jq '.[0].stats64.rx.packets')" -eq 1
lab_stop "$natmuxd"
lab_ip nm link delete ipsec0

# A mark of what has been sealed: routing sees it, of keepalives too.
lab_ip nm route replace 10.2.0.0/16 via 10.9.0.2
configure 'output-mark = 0x22'
start_natmux
tap "output-mark: the kernel has it" state_is 0x1000 "output-mark 0x22/0xffffffff"
tap "the tunnel works" works
lab_ip nm rule add pref 5 fwmark 0x22 blackhole
tap_fails "until what has the mark is thrown away" works
begin=$EPOCHREALTIME
sleep 3
tap_is "keepalives among it" "$(uml_keepalives 10.9.0.2 | awk -v begin="$begin" '$1 > begin' | wc -l)" -eq 0
lab_ip nm rule delete pref 5
tap "then again" works
lab_stop "$natmuxd"
tap_is "natmuxd leaves no state behind" "$(lab_run nm "$NATMUX_BUILD/tests/xfrm_states" | wc -l)" -eq 0
tap_end
