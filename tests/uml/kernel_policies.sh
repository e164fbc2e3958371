#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# Reloads that change policies of esp = kernel while packets flow: priorities, marks, if-id, selectors,
# and what inbound SAs bring along. What is on the wire between both ends is watched by a third one:
# nothing of the tunnel is ever in the clear there, and nothing that is in the clear is let in. Under
# User-Mode Linux where the machine's kernel has no ESP.
#
#	tests/uml/kernel_policies.sh BUILDDIR
set -euo pipefail
# shellcheck source=tests/uml/kernel.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/kernel.sh"
# The packets carry a mark: a policy of that mark is for them as well as one of none.
mark=42 rounds=2
net="src 10.1.0.0/16 dst 10.2.0.0/16"

# What stands between both: a bridge, which sees what the cables carry.
wire() {
	local box
	lab_ns wire
	lab_ip wire link add br0 type bridge
	for box in nm plain; do
		lab_ns $box
		lab_link $box wan wire to-$box
		lab_ip wire link set to-$box master br0
	done
	lab_ip wire link set br0 up
	lab_addr nm wan 10.9.0.1/24
	lab_addr nm lo 10.1.0.1/32
	lab_addr plain wan 10.9.0.2/24
	lab_addr plain lo 10.2.0.1/32
	lab_ip nm route add 10.2.0.0/16 via 10.9.0.2
	lab_ip plain route add 10.1.0.0/16 via 10.9.0.1
}

# watch: has what is in the clear on the wire written to a file: what comes from nm's end of the tunnel.
watch() {
	lab_spawn wire tcpdump tcpdump -i to-nm -U -w "$LAB_DIR/clear.pcap" "ip and src net 10.1.0.0/16"
	lab_wait 5 test -s "$LAB_DIR/clear.pcap"
}

# in_clear: how many packets that is.
in_clear() {
	tcpdump -r "$LAB_DIR/clear.pcap" -n 2>/dev/null | wc -l
}

# forge: sends pings in the clear to nm, as somebody on the wire who has an address of the tunnel.
forge() {
	lab_addr wire br0 10.9.0.9/24
	lab_addr wire lo 10.2.0.9/32
	lab_ip wire route add 10.1.0.0/16 via 10.9.0.1 src 10.2.0.9
	lab_spawn wire forgery ping -q -n -i 0.005 -I 10.2.0.9 10.1.0.1
}

# echoes: pings that nm has taken for its own.
echoes() {
	# shellcheck disable=SC2016 # awk's
	lab_run nm awk '$1 == "Icmp:" && !names { split($0, name); names = 1; next }
		$1 == "Icmp:" { for (i in name) if (name[i] == "InEchos") print $i }' /proc/net/snmp
}

# policy NAME PRIORITY SELECTOR [LINE...]: protected, or as the lines say.
policy() {
	local name=$1 priority=$2 selector=$3
	shift 3
	[[ $* == *bypass* ]] || set -- "$@" "reqid = 1"
	printf 'policy "%s" {\n\tpriority = %s\n\tselector = "%s"\n' "$name" "$priority" "$selector"
	printf '\t%s\n' "$@" "}"
}

# version N: of the policies. Each protects the packets that flow here.
versions=13
version() {
	case $1 in
	0) policy site 0 "$net" ;;
	1) policy site 9 "$net" ;;
	2) policy site 9 "$net" "mark = 0x2a" ;;
	3) policy site 3 "$net" "mark = 0x2a/0xff" ;;
	4) policy other 3 "$net" ;;
	5) policy site 0 "$net" "if-id = 5" && policy other 1 "$net" ;;
	6) policy site 0 "$net" "if-id = 6" && policy other 2 "$net" ;;
	7) policy site 1 "src 10.1.0.0/16 dst 10.2.0.0/15" ;;
	8) policy site 7 "src 10.1.0.0/24 dst 10.2.0.0/24" ;;
	9) policy site 10 "$net" && policy rest 15 "src 10.0.0.0/8 dst 10.0.0.0/8" "action = bypass" ;;
	10) policy site 20 "$net" && policy rest 25 "src 10.0.0.0/8 dst 10.0.0.0/8" "action = bypass" ;;
	11) policy site 10 "$net" && policy rest 15 "src 10.0.0.0/8 dst 10.0.0.0/8" "action = bypass" ;;
	12) policy rest 15 "src 10.0.0.0/8 dst 10.0.0.0/8" "action = bypass" &&
		policy host 5 "src 10.1.0.1/32 dst 10.2.0.1/32" ;;
	esac
}

# configure VERSION [LINE-OF-THE-INBOUND-SA...]; the SA's selector is in $gate.
configure() {
	local version=$1
	shift
	{
		printf '%s\n' "esp = kernel" "handoff = none" 'listen = { "10.9.0.1" }' \
			"keepalive { mode = off }" "kernel-plane { policies = 2 }"
		esp_sa site out ab 0x1000 1 'remote = "10.9.0.2:4500"' 'local = "10.9.0.1"'
		esp_sa site in ba 0x1001 1 'local = "10.9.0.1"' 'remote = "10.9.0.2:4500"' \
			"selectors = { \"${gate:-src 10.2.0.0/16 dst 10.1.0.0/16}\" }" "$@"
		version "$version"
	} | natmux_configure nm
}

works() {
	lab_run nm ping -q -n -c 1 -W "$LAB_ANSWER" -m "$mark" -I 10.1.0.1 10.2.0.1
}

# exceeds NUMBER COMMAND...: whether what a command says is more.
exceeds() {
	(($("${@:2}") > $1))
}

# change WHAT...: a reload, as configured; counts those that fail.
failed=0 reloads=0
change() {
	configure "$@"
	natmux_ctl nm reload >>"$(lab_log reload)" 2>&1 || failed=$((failed + 1))
	reloads=$((reloads + 1))
}

# change_policies: from each version to the next, from the last to the first.
change_policies() {
	local round version
	for ((round = 0; round < rounds; round++)); do
		for ((version = 0; version < versions; version++)); do
			change $version
		done
	done
	change 0
}

change_gates() {
	local round
	for ((round = 0; round < rounds; round++)); do
		change 0 "mark = 0/0x100"
		change 0 "mark = 0/0x300"
		gate="src 10.2.0.0/15 dst 10.1.0.0/16" change 0
		gate="src 10.2.0.0/24 dst 10.1.0.0/16" change 0 "mark = 0/0x100"
		change 0
	done
}

# told DIRECTION FATE: how often the kernel has told of a change after which it is so.
told() {
	grep -cx "$1 $2" "$(lab_log policies)" || true
}

uml_begin "$1" 1200
wire
esp_keys site
uml_tunnel plain
uml_hold plain
# What the kernel tells of its policies, in the order in which it has changed them.
lab_spawn nm policies "$tests/uml/policy_watch.py"
lab_wait 5 grep -q ready "$(lab_log policies)"
configure 0
natmux_start nm
natmuxd=$LAB_PID
watch
tap_within 5 "the tunnel works" works
lab_spawn nm pings ping -n -i 0.004 -m "$mark" -I 10.1.0.1 10.2.0.1
pings=$LAB_PID
tap_within 5 "packets flow" exceeds 10 esp_answered pings
# Last in the queue for the processor: packets come between two of its requests.
renice -n 19 -p "$natmuxd" >/dev/null

change_policies
tap_is "$reloads reloads that change policies, failed" "$failed" -eq 0
tap_within 10 "packets flow" exceeds "$(esp_answered pings)" esp_answered pings
tap_is "in the clear on the wire" "$(in_clear)" -eq 0
tap_is "policies in the kernel" "$(uml_policies nm)" -eq 3
tap_within 5 "the kernel has told of each change" exceeds "$reloads" told out protected
tap_is "of these, without protection" "$(told out clear)" -eq 0

reloads=0
forge
change_gates
tap_is "$reloads reloads that change an inbound SA, failed" "$failed" -eq 0
tap_within 10 "packets flow" exceeds "$(esp_answered pings)" esp_answered pings
tap_is "in the clear on the wire" "$(in_clear)" -eq 0
tap_is "let in from the clear" "$(echoes)" -eq 0
tap_is "the kernel's words without a gate" "$(told in clear)" -eq 0
tap_is "and for what is forwarded" "$(told fwd clear)" -eq 0

# All of this can be seen: without policies all is in the clear, and comes in.
lab_stop "$natmuxd"
tap_within 5 "without natmuxd packets are in the clear" exceeds 0 in_clear
tap_within 5 "and come in" exceeds 0 echoes
tap_within 5 "the kernel has told of that" exceeds 0 told out clear
tap_within 5 "and of this" exceeds 0 told in clear
kill "$pings"
tap_end
