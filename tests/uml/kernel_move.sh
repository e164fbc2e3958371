#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# natmuxctl sa move: a tunnel between natmuxd and `ip xfrm`, whose SAs go from natmuxd's user plane to
# the kernel's and back while packets flow. Beside it SAs whose packets come out of order, are held
# back across the moves, and come again. Under User-Mode Linux where the machine's kernel has no ESP.
#
#	tests/uml/kernel_move.sh BUILDDIR
set -euo pipefail
# shellcheck source=tests/uml/kernel.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/kernel.sh"
window=$tests/uml/window_cases.py

start_plain() {
	lab_addr plain lo 10.2.0.1/32
	lab_ip plain route add 10.1.0.0/16 via 10.9.0.1
	uml_tunnel plain
	uml_hold plain
}

# windows: SAs that something else than `ip xfrm` sends to. They go nowhere else, whatever comes.
windows() {
	local spi=$((0x2000)) line
	for line in 'replay-window = 64' 'esn = yes' 'replay-window = 4096'; do
		esp_sa "window-$spi" in ba "$spi" 2 'local = "10.9.0.1"' 'remote = "10.9.0.2:5500"' 'roam = no' \
			'selectors = { "src 10.2.0.9 dst 10.1.0.1" }' "$line"
		spi=$((spi + 1))
	done
}

configure() {
	{
		printf '%s\n' "esp = user" "both-planes = yes" "handoff = none" 'listen = { "10.9.0.1" }'
		esp_sa site out ab 0x1000 1 'remote = "10.9.0.2:4500"'
		esp_sa site in ba 0x1001 1 'local = "10.9.0.1"' 'remote = "10.9.0.2:4500"' \
			'selectors = { "src 10.2.0.0/16 dst 10.1.0.0/16" }'
		windows
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

# What the numbers of 0x2001 begin with, which are extended: they cross 2^32 amid what is sent.
wide_base=$(((1 << 32) - 25))

# send SPI ESN BASE NUMBER...: packets, in this order.
send() {
	local spi=$1 esn=$2 base=$3 number numbers=()
	shift 3
	for number; do numbers+=($((base + number))); done
	lab_run plain "$window" send "$NATMUX_BUILD/tests/esp_tool" "$LAB_DIR/keys/window-$((spi))-ba" "$spi" "$esn" \
		"$LAB_DIR" "${numbers[@]}"
}

# came SPI BASE NUMBER...: each of them has come.
came() {
	local spi=$1 base=$2 number
	for number in "${@:3}"; do
		echo "$spi $((base + number))"
	done | sort >"$LAB_DIR/wanted"
	sort -u "$(lab_log receive)" | comm -23 "$LAB_DIR/wanted" - >"$LAB_DIR/missing"
	[[ ! -s $LAB_DIR/missing ]]
}

# twice [SPI]: how many numbers have come more than once.
twice() {
	grep "^${1:-0x}" "$(lab_log receive)" | sort | uniq -d | wc -l
}

# streamed: different numbers of the streams.
streamed() {
	grep "^0x2002 " "$(lab_log receive)" | sort -u | wc -l
}

# has_refused SPI COUNT: as replays, since the SA is in this plane.
has_refused() {
	[[ $(natmux_json nm ".sas[] | select(.spi == \"0x0000${1#0x}\") | .counters.duplicate" sa list) == "$2" ]]
}

# window WHERE FRESH SEEN: sends numbers that have come before the move (SEEN), then some that have not,
# the newest last: these arrive, and each of those is refused and counted.
window() {
	local where=$1 fresh seen spi esn base
	read -ra fresh <<<"$2"
	read -ra seen <<<"$3"
	while read -r spi esn base; do
		send "$spi" "$esn" "$base" "${seen[@]}" "${fresh[@]}" </dev/null
		tap_within 10 "$where, SPI $spi: what was held back and what is new arrives" \
			came "$spi" "$base" "${fresh[@]}"
		tap_within 10 "$where, SPI $spi: ${#seen[@]} replays are refused" \
			has_refused "$spi" "${#seen[@]}"
		tap_is "$where, SPI $spi: numbers that came twice" "$(twice "$spi")" -eq 0
	done <<<"0x2000 0 1000"$'\n'"0x2001 1 $wide_base"
}

# numbers FROM TO MODULUS REST...: those that leave one of the rests.
numbers() {
	local number rest list=()
	for ((number = $1; number <= $2; number++)); do
		for rest in "${@:4}"; do
			((number % $3 != rest)) || list+=("$number")
		done
	done
	echo "${list[*]}"
}

works() {
	lab_run nm ping -q -n -c 1 -W "$LAB_ANSWER" -I 10.1.0.1 10.2.0.1
}

# move PLANE FIRST: while twenty pings a second run; says how many of them found no answer. And while a
# stream of packets comes, each of which is sent twice, with numbers from FIRST on.
move() {
	local stream
	lab_spawn plain "stream-$1" "$window" stream "$NATMUX_BUILD/tests/esp_tool" "$LAB_DIR/keys/window-8194-ba" \
		0x2002 "$2" 1500
	stream=$LAB_PID
	lab_wait 20 grep -q ready "$(lab_log "stream-$1")"
	pings_begin nm 10.2.0.1 0.05 -I 10.1.0.1
	lab_wait 5 lab_is -ge $(($(streamed) + 50)) streamed || true # it may be over already
	natmux_ctl nm sa move all "$1" >"$(lab_log move)" 2>&1 || cat "$(lab_log move)" >&2
	pings_end || true # which has told
	lab_stop "$stream"
	echo "$pings_lost"
}

uml_begin "$1" 1200
uml_wire nm plain
esp_keys site
for spi in 8192 8193 8194; do esp_keys "window-$spi"; done
lab_addr nm lo 10.1.0.1/32
start_plain
configure
natmux_start nm
natmuxd=$LAB_PID
lab_ip nm route add 10.2.0.0/16 dev natmux1 src 10.1.0.1
tap_within 5 "the tunnel works" works
tap "in the user plane" test "$(plane)" = user
lab_spawn nm receive "$window" receive
lab_wait 10 grep -q ready "$(lab_log receive)"
# Just below 2^32 are the numbers that came before the first: RFC 4303 A2.2. A little farther off they are ahead.
send 0x2001 1 "$wide_base" -1000
tap_within 10 "in the user plane, a number far ahead arrives" came 0x2001 "$wide_base" -1000
window "first, in the user plane" "$(numbers 1 40 3 1 2)" ""
before=$(sequence)
tap_is "pings lost on the way to the kernel" "$(move kernel 1)" -le 10
tap "the SAs are the kernel's" test "$(plane)" = kernel
tap_is "the counter jumped" "$(sequence)" -gt "$((before + 65536))"
tap_is "states in the kernel" "$(uml_states nm)" -eq 5
window "in the kernel" "$(numbers 1 40 6 0) 50" "$(numbers 1 40 3 1 2)"
received=$(natmux_rx nm esp)
tap "the tunnel works" works
tap_is "natmuxd sees nothing of it" "$(natmux_rx nm esp)" -eq "$received"
tap_fails "they are there already" natmux_ctl nm sa move all kernel
sed -i 's/^sa "site-out" {/&\n\tsoft-packets = 1000000/' "$LAB_DIR/ns/nm/natmux.conf"
tap "a reload finds them there" natmux_ctl nm reload
tap "they are the kernel's still" test "$(plane)" = kernel
tap "the tunnel works" works
before=$(sequence)
tap_is "pings lost on the way back" "$(move user 10001)" -le 10
tap "the SAs are the user plane's" test "$(plane)" = user
tap_is "the counter jumped again" "$(sequence)" -gt "$((before + 65536))"
tap_is "states in the kernel" "$(uml_states nm)" -eq 0
tap_is "policies in the kernel" "$(uml_policies nm)" -eq 0
tap_is "numbers that the other end has seen twice" "$(plain_counts replay)" -eq 0
tap "the tunnel works" works
window "back in the user plane" "$(numbers 1 40 6 3) $(numbers 41 49 1 0) 60" "$(numbers 1 40 3 1 2) $(numbers 1 40 6 0) 50"
tap "to the kernel again" natmux_ctl nm sa move all kernel
window "in the kernel again" "61" "$(numbers 1 50 1 0) 60"
tap "and back" natmux_ctl nm sa move all user
window "in the user plane at last" "$(numbers 51 59 1 0) 62" "$(numbers 1 50 1 0) 60 61"
# How many is a matter of how long natmuxd was held up amid a move: nobody has them then.
sent=$(cat "$(lab_log stream-kernel)" "$(lab_log stream-user)" | awk '$1 == "sent" { n += $2 } END { print n }')
tap_is "of two streams across moves, $sent different packets sent in two copies: numbers that came" \
	"$(streamed)" -gt 100
tap_is "of these, that came twice" "$(twice 0x2002)" -eq 0
natmux_ctl nm sa flush >/dev/null
tap "nothing to move but a policy" natmux_ctl nm sa move all kernel
tap_fails "and nothing that goes out" works
lab_stop "$natmuxd"
tap_is "policies after the end" "$(uml_policies nm)" -eq 0
tap_end
