#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# kernel-plane.gro: trains of ESP with a STUN message at their end, cut by the sender's device and put
# together again by the receiver's GRO, which asks no steering program. Under User-Mode Linux, whose
# kernel is too old for it, where the machine's kernel has no ESP; with NATMUX_GUEST=qemu under one
# that is not.
#
#	tests/uml/esp_gro.sh BUILDDIR
set -euo pipefail
# shellcheck source=tests/uml/kernel.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/kernel.sh"
mixed=$tests/tools/mixed_trains.py
esp_suite=null-sha256 flows=16 packets=7 all=$((16 * 7))
sequence=1 answered=0 before_echoed=0 before_read=0

# modules: what opens ESP in GRO; the kernel does not load it by itself.
modules() {
	local modprobe=/run/kmod/modprobe
	[[ -x $modprobe ]] || modprobe=modprobe
	"$modprobe" -a esp4_offload esp6_offload 2>/dev/null || echo "# no modules esp4_offload, esp6_offload"
}

# configure yes|no: natmux.conf with kernel-plane.gro.
configure() {
	{
		printf '%s\n' "esp = kernel" "handoff = none" "stun { responder = open }" \
			"kernel-plane { gro = $1 }" "keepalive { interval = 3600 }"
		esp_sa four in ba 0x1001 1 'local = "10.9.0.1"' 'remote = "10.9.0.2:4500"' "roam = no" \
			'selectors = { "src 10.2.0.0/16 dst 10.1.0.0/16" }'
		esp_sa six in ba 0x1002 2 'local = "fd09::1"' 'remote = "[fd09::2]:4500"' "roam = no" \
			'selectors = { "src 10.3.0.0/16 dst 10.1.0.0/16" }'
	} | natmux_configure nm
}

# start yes|no: natmuxd with kernel-plane.gro; the numbers of its SAs begin again.
start() {
	configure "$1"
	natmux_start nm
	natmuxd=$LAB_PID sequence=1
}

# counter PROTOCOL NAME: of /proc/net/snmp.
counter() {
	# shellcheck disable=SC2016 # awk's own
	lab_run nm awk -v protocol="$1:" -v name="$2" '$1 != protocol { next }
		!n { n = split($0, head); next }
		{ for (i = 1; i <= n; i++) if (head[i] == name) print $i }' /proc/net/snmp
}

# send 4|6 [OPTION...]: sixteen trains; how many STUN messages were answered.
send() {
	local way=$1
	shift
	before_echoed=$(counter Icmp InEchos) before_read=$(counter Ip InReceives)
	if [[ $way == 4 ]]; then
		answered=$(lab_run plain "$mixed" 10.9.0.1 0x1001 "$sequence" "$LAB_DIR/keys/four-ba" \
			10.2.0.1 10.1.0.1 --flows "$flows" --esp "$packets" "$@")
	else
		answered=$(lab_run plain "$mixed" fd09::1 0x1002 "$sequence" "$LAB_DIR/keys/six-ba" \
			10.3.0.1 10.1.0.1 --flows "$flows" --esp "$packets" "$@")
	fi
	sequence=$((sequence + all))
}

# echoed, read_by_ip: echo requests delivered since, and IPv4 packets that the IP layer has read.
echoed() {
	echo $(($(counter Icmp InEchos) - before_echoed))
}

read_by_ip() {
	echo $(($(counter Ip InReceives) - before_read))
}

# all_arrive WHAT 4|6
all_arrive() {
	send "$2"
	tap_gets "$1: each packet of ESP is opened" -eq "$all" echoed
	tap_is "and each STUN message answered" "$answered" -eq "$flows"
}

# device NAME FEATURE on|off ...
device() {
	lab_run "$1" ethtool -K wan "${@:2}"
}

uml_begin "$1" 900
uml_wire nm plain
lab_addr nm lo 10.1.0.1/32
lab_ip nm route add 10.2.0.0/15 via 10.9.0.2
esp_keys four null-sha256
esp_keys six null-sha256
modules
device plain tso off tx-udp-segmentation off
device nm gro on
start no
tap "not asked for: off" natmux_is nm \
	'.steering.esp_gro == false and (.steering.esp_gro_why | test("kernel-plane.gro"))' status
all_arrive "without it" 4
all_arrive "and over IPv6" 6
device nm rx-gro-list on
tap "the doctor sees that a device makes lists" natmux_is nm \
	'.checks[] | select(.name == "rx-gro-list") | .verdict == "warn" and .finding == "wan"' doctor
device nm rx-gro-list off
tap "no socket has UDP_GRO, for a reason" natmux_is nm \
	'[.sockets[] | .gro == false and (.gro_why | test("STUN"))] | all' status
lab_stop "$natmuxd"

start yes
if [[ $(uname -r) =~ ^([1-5]\.|6\.[0-6]\.) ]]; then
	tap "a kernel that is too old" natmux_is nm \
		'.steering.esp_gro == false and (.steering.esp_gro_why | test("6.12.41"))' status
	tap_has "which the log says" "$(lab_log natmuxd-nm)" "kernel-plane.gro: off, needs Linux"
	all_arrive "nothing has changed" 4
	lab_stop "$natmuxd"
	tap_end
	exit
fi

tap "asked for: on" natmux_is nm .steering.esp_gro status
all_arrive "with it" 4
# Else the IP layer would have read each packet twice: as it came, and as it was inside.
tap_is "the packets were opened before the IP layer saw them" "$(read_by_ip)" -le $((all + flows + 8))
all_arrive "and over IPv6" 6
tap "no socket has UDP_GRO" natmux_is nm '[.sockets[] | .gro == false] | all' status
send 4 --ike
tap_gets "IKE between ESP and STUN: it comes to natmuxd, one by one" -eq "$flows" natmux_rx nm ike
tap_gets "ESP is opened" -eq "$all" echoed
tap_is "and STUN is answered" "$answered" -eq "$flows"
tap_is "natmuxd has seen no ESP" "$(natmux_rx nm esp)" -eq 0

sequence=$((0x2112a442 - 20))
all_arrive "across the sequence number that is STUN's cookie" 4
tap_is "which natmuxd does not see either" "$(natmux_rx nm esp)" -eq 0

device nm rx-gro-list on
all_arrive "where the device makes lists of all datagrams" 4
all_arrive "and over IPv6" 6
device nm rx-gro-list off
configure no
tap_fails "a reload cannot change it" natmux_ctl nm reload
lab_stop "$natmuxd"

# Both are in docs/esp-kernel.md; no natmuxd can help it.
start no
device nm rx-gro-list on
LAB_ANSWER=2
send 4
echo "# without it, where the device makes lists: $(echoed) of $all ESP, $answered of $flows STUN"
lab_stop "$natmuxd"
start yes
device nm rx-gro-list off
device plain tx-udp-segmentation on
send 4
echo "# with it, trains that come in one piece: $(echoed) of $all ESP, $answered of $flows STUN;" \
	"$(lab_run nm awk '/InStateProtoError/' /proc/net/xfrm_stat)"
lab_stop "$natmuxd"
tap_end
