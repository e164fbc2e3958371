# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
#
# Gateways of tools/lib/netns.sh whose natmuxd does ESP itself: keys, SAs and policies of natmux.conf
# for both ends of a tunnel.

# esp_octets SUITE: of key material.
esp_octets() {
	local octets=0
	case $1 in
	aes[0-9]*) octets=${1:3:3} && octets=$((octets / 8)) ;;
	chacha20poly1305) octets=32 ;;
	esac
	case $1 in
	*gcm* | *gmac | chacha*) echo $((octets + 4)) ;; # and a salt
	*-sha1) echo $((octets + 20)) ;;
	*-sha*) echo $((octets + ${1##*-sha} / 8)) ;;
	*) echo "esp_octets: $1?" >&2; return 1 ;;
	esac
}

# esp_keys NAME [SUITE]: new keys of a tunnel, one for each direction.
esp_keys() {
	local way octets
	octets=$(esp_octets "${2:-aes128gcm16}") || return 1
	mkdir -p "$LAB_DIR/keys"
	for way in ab ba; do
		(umask 077 && od -An -v -tx1 -N"$octets" /dev/urandom | tr -d ' \n' >"$LAB_DIR/keys/$1-$way")
	done
}

# esp_sa NAME DIRECTION WAY SPI REQID [LINE...]: an SA of tunnel NAME, in the file's words. WAY is ab
# or ba: whose packets it is for. Lines say the rest, `remote = "203.0.113.2:4500"` first of all.
esp_sa() {
	local name=$1 direction=$2 way=$3 spi=$4 reqid=$5
	shift 5
	echo "sa \"$name-$direction\" {"
	printf '\t%s\n' "direction = $direction" "spi = $((spi))" "suite = ${esp_suite:-aes128gcm16}" \
		"key-file = \"$LAB_DIR/keys/$name-$way\"" "reqid = $reqid" "$@"
	echo "}"
}

# esp_pair NAME SIDE SPI REQID REMOTE [LINE-OF-BOTH...]: both SAs of one end, a or b, of tunnel NAME. The
# SPI is that of a's packets; b's have the next. Whoever has proved to be the peer may move.
esp_pair() {
	local name=$1 side=$2 spi=$(($3)) reqid=$4 remote=$5
	shift 5
	if [[ $side == a ]]; then
		esp_sa "$name" out ab "$spi" "$reqid" "remote = \"$remote\"" "$@"
		esp_sa "$name" in ba "$((spi + 1))" "$reqid" "$@"
	else
		esp_sa "$name" out ba "$((spi + 1))" "$reqid" "remote = \"$remote\"" "$@"
		esp_sa "$name" in ab "$spi" "$reqid" "$@"
	fi
}

# esp_policy NAME REQID SELECTOR [PRIORITY]
esp_policy() {
	printf 'policy "%s" {\n\treqid = %s\n\tselector = "%s"\n\tpriority = %s\n}\n' \
		"$1" "$2" "$3" "${4:-0}"
}

# esp_sites SIDE: policies and routes that send what is for the other site through the tunnel: the
# policies come out here, for natmux.conf; esp_routes SIDE is for afterwards.
esp_sites() {
	local here=1 there=2
	[[ $1 == a ]] || { here=2 there=1; }
	esp_policy sites4 1 "src 192.168.$here.0/24 dst 192.168.$there.0/24"
	esp_policy sites6 1 "src 2001:db8:a$here::/64 dst 2001:db8:a$there::/64"
}

esp_routes() {
	local there=2
	[[ $1 == a ]] || there=1
	# What natmuxd is never given it cannot send: room for as long as it may be held up.
	lab_ip "gw-$1" link set natmux1 txqueuelen 5000
	lab_ip "gw-$1" route replace "192.168.$there.0/24" dev natmux1
	# A device of less than 1280 bytes has no IPv6.
	(($(lab_run "gw-$1" cat /sys/class/net/natmux1/mtu) < 1280)) ||
		lab_ip "gw-$1" route replace "2001:db8:a$there::/64" dev natmux1
}

# esp_configure SIDE REMOTE [LINE-OF-BOTH-SAS...]: the one tunnel between both sites, SPI 0x1000. What is
# for the rest of natmux.conf is in $esp_more, for the section user-plane in $esp_plane.
esp_configure() {
	local side=$1 remote=$2
	shift 2
	{
		printf 'esp = user\nhandoff = none\nuser-plane {\n%s\n}\n%s\n' \
			"${esp_plane:-}" "${esp_more:-}"
		esp_pair site "$side" 0x1000 1 "$remote" "$@"
		esp_sites "$side"
	} | natmux_configure "gw-$side"
}

# esp_add SIDE NAME DIRECTION WAY SPI [WORD...]: adds an SA of tunnel NAME to a gateway that runs, in
# natmuxctl's words.
esp_add() {
	local side=$1 name=$2 direction=$3 way=$4 spi=$5
	shift 5
	natmux_ctl "gw-$side" sa add dir "$direction" spi "$((spi))" suite "${esp_suite:-aes128gcm16}" \
		key-file "$LAB_DIR/keys/$name-$way" reqid 1 "$@" >/dev/null
}

# esp_renew NAME SPI OLD-SPI [WORD...]: a new pair of SAs at both gateways and then no more the old one,
# in an order in which nothing is lost: first those that receive, then those that send; the old go
# when what they have sent has arrived. The words are for outbound SAs.
esp_renew() {
	local name=$1 spi=$(($2)) old=$(($3)) remote_of_a remote_of_b
	shift 3
	remote_of_a=$(esp_added_remote a)
	remote_of_b=$(esp_added_remote b)
	esp_keys "$name" "${esp_suite:-aes128gcm16}"
	esp_add b "$name" in ab "$spi"
	esp_add a "$name" in ba $((spi + 1))
	esp_add a "$name" out ab "$spi" remote "$remote_of_a" "$@"
	esp_add b "$name" out ba $((spi + 1)) remote "$(esp_peer b)" "$@"
	lab_wait 1 esp_is_complete a b "$old" || true # unless something is lost
	lab_wait 1 esp_is_complete b a "$((old + 1))" || true
	natmux_ctl gw-a sa del dir out spi "$old" remote "$remote_of_a"
	natmux_ctl gw-b sa del dir out spi "$((old + 1))" remote "$remote_of_b"
	natmux_ctl gw-a sa del dir in spi "$((old + 1))"
	natmux_ctl gw-b sa del dir in spi "$old"
}

# esp_of SIDE DIRECTION SPI FILTER: what jq's FILTER finds in an SA; esp_sequence: the last number that it
# has used, or the highest that it has seen.
esp_of() {
	natmux_json "gw-$1" ".sas[] | select(.direction == \"$2\" and .spi == \"$(printf '0x%08x' "$3")\") |
		$4" sa list
}

esp_sequence() {
	esp_of "$@" .sequence
}

# esp_arrived FROM TO SPI: whether the last packet that an SA has sent has come to the other side.
esp_arrived() {
	local sent
	sent=$(esp_sequence "$1" out "$3") && lab_is -ge "$sent" esp_sequence "$2" in "$3"
}

# esp_is_complete FROM TO SPI: whether each that it has sent has: another worker's may be behind the last.
esp_is_complete() {
	local sent
	sent=$(esp_sequence "$1" out "$3") && lab_is -ge "$sent" esp_of "$2" in "$3" .counters.packets
}

# esp_peer SIDE: where the gateway's packets go now; esp_added_remote SIDE: where the newest outbound SA
# was told to send them.
esp_peer() {
	natmux_json "gw-$1" '[.sas[] | select(.direction == "out")] | max_by(-.age_ms) | .remote' sa list
}

esp_added_remote() {
	natmux_json "gw-$1" '[.sas[] | select(.direction == "out")] | max_by(-.age_ms) | .added_remote' \
		sa list
}

# esp_start SIDE: natmuxd there, with its routes; its number in LAB_PID.
esp_start() {
	natmux_start "gw-$1" && esp_routes "$1"
}

# esp_pings FROM TO [ARGUMENT...]: one ping, or as many as the arguments of ping say.
esp_pings() {
	local from=$1 to=$2
	shift 2
	lab_run "$from" ping -q -n -c 1 -W "$LAB_ANSWER" "$@" "$to"
}

# esp_unanswered LOG: of pings that were stopped, each with a line in the log: those without an answer
# before the last one that has one. What was under way at the end does not count.
esp_unanswered() {
	sed -n 's/.* icmp_seq=\([0-9]*\) .*time=.*/\1/p' "$(lab_log "$1")" | sort -nu | awk 'END { print $1 - NR }'
}

# esp_answered LOG: how many have one.
esp_answered() {
	grep -c ' icmp_seq=[0-9]* .*time=' "$(lab_log "$1")" || true
}

# esp_iperf FROM TO ADDRESS OCTETS [ARGUMENT...]: TCP by iperf3 until so many octets have arrived; how many
# did. That they do does not depend on how fast. iperf3 counts what it gives to the socket, and does
# not wait for what is there at the end: $esp_ahead, or what sockets hold.
esp_iperf() {
	local from=$1 to=$2 address=$3 octets=$4 server
	shift 4
	lab_spawn "$to" iperf-server iperf3 --server --one-off
	server=$LAB_PID
	lab_wait 5 lab_listens_tcp "$to" 5201 || return 1
	lab_run "$from" timeout --foreground 90 iperf3 --client "$address" \
		--bytes $((octets + ${esp_ahead:-16000000})) --json "$@" >"$(lab_log iperf)" 2>&1 || true
	lab_stop "$server"
	jq '.end.sum_received.bytes // 0' "$(lab_log iperf)"
}
