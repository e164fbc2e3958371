#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# natmuxctl sa move: a tunnel between natmuxd and `ip xfrm`, whose SAs go from natmuxd's user plane to
# the kernel's and back while packets flow. Under User-Mode Linux where the machine's kernel has no
# ESP.
#
#	tests/uml/kernel_move.sh BUILDDIR
set -euo pipefail
# shellcheck source=tests/uml/kernel.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/kernel.sh"

start_plain() {
	lab_addr plain lo 10.2.0.1/32
	lab_ip plain route add 10.1.0.0/16 via 10.9.0.1
	uml_tunnel plain
	uml_hold plain
}

configure() {
	{
		printf '%s\n' "esp = user" "both-planes = yes" "handoff = none" 'listen = { "10.9.0.1" }'
		esp_sa site out ab 0x1000 1 'remote = "10.9.0.2:4500"'
		esp_sa site in ba 0x1001 1 'local = "10.9.0.1"' 'remote = "10.9.0.2:4500"' \
			'selectors = { "src 10.2.0.0/16 dst 10.1.0.0/16" }'
		esp_policy site 1 "src 10.1.0.0/16 dst 10.2.0.0/16"
	} | natmux_configure nm
}

# plain_counts WORD: what the plain end's inbound state has counted.
plain_counts() {
	lab_ip plain -s xfrm state get src 10.9.0.1 dst 10.9.0.2 proto esp spi 0x1000 |
		sed -n "s/.*$1 \([0-9]*\).*/\1/p" | tail -n 1
}

plane() {
	natmux_json nm '[.sas[].plane] | unique | join(" ")' sa list
}

sequence() {
	natmux_json nm '.sas[] | select(.direction == "out") | .sequence' sa list
}

works() {
	lab_run nm ping -q -n -c 1 -W "$LAB_ANSWER" -I 10.1.0.1 10.2.0.1
}

# move PLANE: while twenty pings a second run; says how many more of them found no answer than were sent
# while it was done, in which natmuxd may have had to wait for a processor.
move() {
	local begin took
	pings_begin nm 10.2.0.1 0.05 -I 10.1.0.1
	begin=${EPOCHREALTIME/[.,]/}
	natmux_ctl nm sa move all "$1" >"$(lab_log move)" 2>&1 || cat "$(lab_log move)" >&2
	took=$((${EPOCHREALTIME/[.,]/} - begin))
	pings_end || true # which has told
	echo "# moved in $((took / 1000)) ms, pings lost: $pings_lost" >&2
	echo $((pings_lost - took * 20 / 1000000))
}

uml_begin "$1" 600
uml_wire nm plain
esp_keys site
lab_addr nm lo 10.1.0.1/32
start_plain
configure
natmux_start nm
natmuxd=$LAB_PID
lab_ip nm route add 10.2.0.0/16 dev natmux1 src 10.1.0.1
tap_within 5 "the tunnel works" works
tap "in the user plane" test "$(plane)" = user
before=$(sequence)
tap_is "pings lost on the way to the kernel, besides those of its time" "$(move kernel)" -le 10
tap "the SAs are the kernel's" test "$(plane)" = kernel
tap_is "the counter jumped" "$(sequence)" -gt "$((before + 65536))"
tap_is "states in the kernel" "$(uml_states nm)" -eq 2
received=$(natmux_rx nm esp)
tap "the tunnel works" works
tap_is "natmuxd sees nothing of it" "$(natmux_rx nm esp)" -eq "$received"
tap_fails "they are there already" natmux_ctl nm sa move all kernel
sed -i 's/^sa "site-out" {/&\n\tsoft-packets = 1000000/' "$LAB_DIR/ns/nm/natmux.conf"
tap "a reload finds them there" natmux_ctl nm reload
tap "they are the kernel's still" test "$(plane)" = kernel
tap "the tunnel works" works
before=$(sequence)
tap_is "pings lost on the way back, besides those of its time" "$(move user)" -le 10
tap "the SAs are the user plane's" test "$(plane)" = user
tap_is "the counter jumped again" "$(sequence)" -gt "$((before + 65536))"
tap_is "states in the kernel" "$(uml_states nm)" -eq 0
tap_is "policies in the kernel" "$(uml_policies nm)" -eq 0
tap_is "numbers that the other end has seen twice" "$(plain_counts replay)" -eq 0
tap "the tunnel works" works
natmux_ctl nm sa flush >/dev/null
tap "nothing to move but a policy" natmux_ctl nm sa move all kernel
tap_fails "and nothing that goes out" works
lab_stop "$natmuxd"
tap_is "policies after the end" "$(uml_policies nm)" -eq 0
tap_end
