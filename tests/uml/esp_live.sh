#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# A live tunnel between natmuxd with esp = user and a kernel with `ip xfrm`: pings, TCP and UDP of both
# families and both ways, over wires of several MTUs, through new keys, and with somebody who sends
# again and forges. Under User-Mode Linux where the machine's kernel has no ESP.
#
#	tests/uml/esp_live.sh BUILDDIR
set -euo pipefail
# shellcheck source=tests/uml/kernel.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/kernel.sh"
numbered=$tests/tools/numbered.py
a4=192.168.1.1 a6=fd01::1 b4=192.168.2.1 b6=fd02::1 # a: natmuxd's end, b: the kernel's
replays=3 forgeries=2

# algorithm KEY: of the tunnel's suite, with that key, in the words of ip-xfrm.
algorithm() {
	local key
	key=$(cat "$LAB_DIR/keys/$1")
	case $esp_suite in
	aes*gcm16) echo "aead rfc4106(gcm(aes)) 0x$key 128" ;;
	chacha20poly1305) echo "aead rfc7539esp(chacha20,poly1305) 0x$key 128" ;;
	aes128-sha256) echo "enc cbc(aes) 0x${key:0:32} auth-trunc hmac(sha256) 0x${key:32} 128" ;;
	esac
}

# state add|delete SOURCE TARGET SPI KEY: an SA of the kernel.
state() {
	local replay='replay-window 32 flag af-unspec'
	[[ $esn == no ]] || replay='replay-window 128 flag esn af-unspec'
	if [[ $1 == delete ]]; then
		lab_ip kernel xfrm state delete src "$2" dst "$3" proto esp spi "$4"
		return
	fi
	# shellcheck disable=SC2046,SC2086 # words
	lab_ip kernel xfrm state add src "$2" dst "$3" proto esp spi "$4" reqid 1 mode tunnel $replay \
		$(algorithm "$5") encap espinudp 4500 4500 0.0.0.0
}

policies() {
	local family a b
	for family in 4 6; do
		a=a$family b=b$family
		lab_ip kernel xfrm policy add src "${!b}" dst "${!a}" dir out \
			tmpl src 10.9.0.2 dst 10.9.0.1 proto esp reqid 1 mode tunnel
		lab_ip kernel xfrm policy add src "${!a}" dst "${!b}" dir in \
			tmpl src 10.9.0.1 dst 10.9.0.2 proto esp reqid 1 mode tunnel
	done
}

# natmux's end: SPI 0x1000 for what it sends, 0x1001 for what comes.
configure() {
	{
		printf 'esp = user\nhandoff = none\n%s\nuser-plane {\n\taddress4 = "%s/32"\n' "${more:-}" $a4
		printf '\taddress6 = "%s/128"\n\tpath-mtu = %s\n}\n' $a6 "$mtu"
		esp_pair site a 0x1000 1 10.9.0.2:4500 "esn = $esn"
		esp_policy four 1 "src $a4 dst $b4"
		esp_policy six 1 "src $a6 dst $b6"
	} | natmux_configure user
}

# tunnel: both ends, new, of $esp_suite, $esn and $mtu.
tunnel() {
	esp_keys site "$esp_suite"
	lab_ip user link set wan mtu "$mtu"
	lab_ip kernel link set wan mtu "$mtu"
	lab_ip kernel route flush cache
	lab_ip kernel -6 route flush cache
	state add 10.9.0.1 10.9.0.2 0x1000 site-ab
	state add 10.9.0.2 10.9.0.1 0x1001 site-ba
	configure
	natmux_start user
	daemon=$LAB_PID
	lab_ip user link set natmux1 txqueuelen 5000 # what natmuxd is never given it cannot send
	lab_ip user route add $b4 dev natmux1
	lab_ip user -6 route add $b6 dev natmux1
}

take_down() {
	lab_stop "$daemon"
	lab_ip kernel xfrm state flush
}

# arrived WHAT FROM TO: all that numbered.py sent is there, once and as it was.
arrived() {
	local log sent
	[[ $(<"$(lab_log "$1-$2")") =~ sent\ ([1-9][0-9]*) ]] || return 1
	sent=${BASH_REMATCH[1]} log=$(<"$(lab_log "at-$3")")
	case $1 in
	stream) [[ $log == *"octets $sent wrong 0"* ]] ;;
	datagrams) [[ $log =~ "received $sent lost 0 twice 0 late "[0-9]+" wrong 0" ]] ;;
	esac
}

# all_arrived LISTENER...: whether everything has.
all_arrived() {
	kill -USR1 "$@"
	sleep 0.2
	arrived stream user kernel && arrived stream kernel user && arrived datagrams user kernel &&
		arrived datagrams kernel user
}

# send FROM WHAT ADDRESS SIZES: for a second.
send() {
	local rate=200
	[[ $2 == datagrams ]] || rate=1000000
	lab_spawn "$1" "$2-$1" timeout 120 "$numbered" "$2" "$3" 7000 --seconds 1 --rate $rate --sizes "$4"
}

# traffic NAME A B SIZES: TCP and UDP, both ways at once, for a second.
traffic() {
	local end log listeners='' senders=''
	for log in {at,stream,datagrams}-{user,kernel}; do
		rm -f -- "$(lab_log "$log")"
	done
	lab_spawn user at-user "$numbered" listen "$2" 7000
	listeners=$LAB_PID
	lab_spawn kernel at-kernel "$numbered" listen "$3" 7000
	listeners+=" $LAB_PID"
	for end in user kernel; do
		lab_wait 5 grep -q ready "$(lab_log at-$end)"
	done
	for log in stream datagrams; do
		send user $log "$3" "$4"
		senders+=" $LAB_PID"
		send kernel $log "$2" "$4"
		senders+=" $LAB_PID"
	done
	# shellcheck disable=SC2086 # words
	wait $senders || true
	# shellcheck disable=SC2086 # words
	lab_wait 1 all_arrived $listeners || true # what is missing is told
	for log in $listeners; do
		lab_stop "$log"
	done
	for end in user kernel; do
		lab_wait 2 grep -q tcp "$(lab_log at-$end)" || true
		echo "# at $end: $(tail -n 2 "$(lab_log at-$end)" | tr '\n' ' ')"
	done
	tap "$1: TCP to the kernel" arrived stream user kernel
	tap "$1: TCP to natmux" arrived stream kernel user
	tap "$1: UDP of many sizes to the kernel" arrived datagrams user kernel
	tap "$1: UDP of many sizes to natmux" arrived datagrams kernel user
}

# everything NAME [FAMILY]: what people do with a tunnel; traffic of one family or both.
everything() {
	tap_within 5 "$1: ping from natmux" esp_pings user $b4
	tap "$1: IPv6" esp_pings user $b6
	tap "$1: ping from the kernel" esp_pings kernel $a4 -I $b4
	tap "$1: IPv6" esp_pings kernel $a6 -I $b6
	[[ ${2:-4} == 6 ]] || traffic "$1, IPv4" $a4 $b4 8-3000
	[[ ${2:-6} == 4 ]] || traffic "$1, IPv6" $a6 $b6 8-3000
}

# whole FROM TO SIZE [ARGUMENT...]: a packet of this size that must not be cut.
whole() {
	local from=$1 to=$2 size=$3
	shift 3
	esp_pings "$from" "$to" -M "do" -s $((size - 28)) "$@"
}

# edges NAME: natmux and the kernel agree on what fits, to the octet.
edges() {
	local fits
	fits=$(lab_run user cat /sys/class/net/natmux1/mtu)
	# With an IPv6 address the device has 1280 octets, whether they fit or not.
	((mtu > 1280)) || fits=1218
	tap "$1: $fits octets fit, from natmux" whole user $b4 "$fits"
	tap "$1: from the kernel" whole kernel $a4 "$fits" -I $b4
	tap_fails "$1: one more does not, from natmux" whole user $b4 $((fits + 1))
	tap_fails "$1: from the kernel" whole kernel $a4 $((fits + 1)) -I $b4
}

# user_packets DIRECTION SPI, kernel_packets SOURCE TARGET SPI: of one SA.
user_packets() {
	natmux_json user ".sas[] | select(.direction == \"$1\" and .spi == \"$(printf '0x%08x' "$2")\") |
		.counters.packets" sa list
}

kernel_packets() {
	lab_ip kernel -s xfrm state get src "$1" dst "$2" proto esp spi "$3" |
		sed -n 's/.* \([0-9]*\)(packets)$/\1/p' | sed -n '$p'
}

# old_arrived SPI: whether all that was sent with the old SAs is there.
old_arrived() {
	lab_is -ge "$sent_by_user" kernel_packets 10.9.0.1 10.9.0.2 "$1" &&
		lab_is -ge "$sent_by_kernel" user_packets in $(($1 + 1))
}

# renew N: new keys, in the order in which nothing is lost.
renew() {
	local spi old
	spi=$(printf '0x%x' $((0x1000 + 16 * $1))) old=$(printf '0x%x' $((0x1000 + 16 * ($1 - 1))))
	esp_keys "renew-$1" "$esp_suite"
	state add 10.9.0.1 10.9.0.2 "$spi" "renew-$1-ab"
	add in ba "$1" $((spi + 1))
	add out ab "$1" "$spi" remote 10.9.0.2
	state add 10.9.0.2 10.9.0.1 $((spi + 1)) "renew-$1-ba"
	sleep 1.5 # the kernel prefers the newer one of two, in seconds
	sent_by_user=$(user_packets out "$old")
	sent_by_kernel=$(kernel_packets 10.9.0.2 10.9.0.1 $((old + 1)))
	natmux_ctl user sa del dir out spi "$old" remote 10.9.0.2
	state delete 10.9.0.2 10.9.0.1 $((old + 1))
	lab_wait 2 old_arrived "$old" || true # unless it is lost
	natmux_ctl user sa del dir in spi $((old + 1))
	state delete 10.9.0.1 10.9.0.2 "$old"
}

# add DIRECTION WAY N SPI [WORD...]
add() {
	local direction=$1 way=$2 n=$3 spi=$4
	shift 4
	natmux_ctl user sa add dir "$direction" spi "$((spi))" suite "$esp_suite" \
		key-file "$LAB_DIR/keys/renew-$n-$way" reqid 1 esn "$esn" "$@"
}

renewals() {
	local pings
	for way in "user $b4" "kernel -I $b4 $a4"; do
		# shellcheck disable=SC2086 # words
		set -- $way
		lab_spawn "$1" "pings-$1" "$pings_program" -i 0.02 "${@:2}"
		pings+=" $LAB_PID"
	done
	for n in 1 2; do
		tap "new keys, round $n" renew $n
	done
	for end in user kernel; do
		n=$(esp_answered "pings-$end")
		lab_wait 5 lab_is -ge $((n + 50)) esp_answered "pings-$end" || true # nothing comes any more
	done
	for pid in $pings; do
		lab_stop "$pid"
	done
	for end in user kernel; do
		tap_is "pings of $end meanwhile" "$(esp_answered "pings-$end")" -ge 50
		tap_is "lost" "$(esp_unanswered "pings-$end")" -eq 0
	done
}

# kernel_counted WORD: of the kernel's inbound SA.
kernel_counted() {
	lab_ip kernel -s xfrm state list src 10.9.0.1 |
		sed -n "s/.*replay-window \([0-9]*\) replay \([0-9]*\) failed \([0-9]*\).*/\1 \2 \3/p" |
		awk -v what="$1" '{ print what == "forged" ? $3 : $1 + $2 }'
}

attacks() {
	local side
	for side in user kernel; do
		lab_spawn $side "attack-$side" "$tests/tools/esp_attack.py" wan --replay $replays --forge $forgeries
		lab_wait 5 grep -q ready "$(lab_log "attack-$side")"
	done
	tap "pings while somebody sends again and forges" esp_pings user $b4 -c 5 -i 0.2
	for side in user kernel; do
		lab_wait 5 grep -q forged "$(lab_log "attack-$side")"
	done
	tap_within 2 "natmux has counted what was sent again, and forged" natmux_is user \
		".sas[] | select(.direction == \"in\") | .counters |
			.late + .duplicate + .replayed == $replays and .bad_icv == $forgeries" sa list
	tap_gets "the kernel has counted sent again" -eq $replays kernel_counted repeated
	tap_gets "and forged" -eq $forgeries kernel_counted forged
}

uml_begin "$1" 1200
uml_wire user kernel
lab_addr kernel lo $b4/32 $b6/128
lab_ip kernel route add $a4 via 10.9.0.1 src $b4
lab_ip kernel -6 route add $a6 via fd09::1 src $b6
policies
uml_hold kernel

esp_suite=aes128gcm16 esn=yes mtu=1500
tunnel
everything "$esp_suite with ESN"
renewals
take_down
for mtu in 1280 1400 9000; do
	tunnel
	tap_within 5 "a wire of $mtu octets: ping" esp_pings user $b4
	edges "$mtu"
	traffic "$mtu, IPv4" $a4 $b4 8-9900
	((mtu == 1400)) || traffic "$mtu, IPv6" $a6 $b6 8-9900
	take_down
done
mtu=1500 esn=no
esp_suite=chacha20poly1305
tunnel
everything "$esp_suite" 4
take_down
esp_suite=aes128-sha256
tunnel
everything "$esp_suite" 6
take_down
esp_suite=aes256gcm16
more='gso = no' tunnel # packets are counted: no train may pass for one
attacks
tap_end
