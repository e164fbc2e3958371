#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The user ESP plane as people steer it: SAs and policies by natmuxctl and by reload, changed under
# traffic; what is refused changes nothing; and where keys are seen, which is nowhere.
set -euo pipefail
# shellcheck source=tests/netns/common.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/common.sh"

memory_has=$tests/tools/memory_has.py

works() {
	esp_pings host-a 192.168.2.10
}

# add SIDE DIRECTION WAY NAME SPI [WORD...]: an SA of tunnel NAME by natmuxctl.
add() {
	local side=$1 direction=$2 key=$LAB_DIR/keys/$4-$3 spi=$5
	shift 5
	natmux_ctl "gw-$side" sa add dir "$direction" spi "$spi" suite aes128gcm16 key-file "$key" \
		reqid 1 "$@"
}

# rekey NAME SPI: new SAs beside the old ones, inbound first; the last step moves the traffic.
rekey() {
	esp_keys "$1"
	add a in ba "$1" $(($2 + 1))
	add b in ab "$1" "$2"
	add a out ab "$1" "$2" remote 203.0.113.2
	add b out ba "$1" $(($2 + 1)) remote 203.0.113.1
}

# sa_is SIDE FILTER: what jq's FILTER says about the list of SAs.
sa_is() {
	natmux_is "gw-$1" "$2" sa list
}

# follows: whether who follows events is told that an SA has become a second old.
follows() {
	natmux_ctl gw-a sa flush spi 0x2f01
	add a in ba limited 0x2f01 limit time-soft 1
	lab_wait 1 grep -q '"type":"sa-soft"' "$(lab_log follow)"
}

# key_of NAME: the AES key of a tunnel's one way, without its salt.
key_of() {
	cut -c1-32 "$LAB_DIR/keys/$1"
}

# nowhere KEY: no log, command line or answer has it.
nowhere() {
	local key=$1 answer command
	! grep -rqiF -- "$key" "$LAB_DIR/log" /proc/[0-9]*/cmdline 2>/dev/null || return 1
	for command in "sa list -v" "--json sa list" status metrics events "policy list" "drops --all"; do
		# shellcheck disable=SC2086 # words
		answer=$(natmux_ctl gw-a $command 2>&1) || return 1
		[[ -n $key && ${answer,,} != *"${key,,}"* ]] || return 1
	done
}

tap_begin "$@"
lab_topology
esp_keys site
esp_plane='export-keys = yes' esp_configure b 203.0.113.1:4500
esp_configure a 203.0.113.2:4500
sed -i 's/priority = 0/priority = 10/' "$LAB_DIR/ns/gw-a/natmux.conf"
esp_start a
a=$LAB_PID
esp_start b
tap_within 5 "a tunnel with the SAs of the file" works
tap "they are listed by their names" sa_is a '[.sas[].name] | sort == ["site-in", "site-out"]'
tap "and count" sa_is a 'all(.sas[]; .counters.packets > 0)'
tap "metrics count as well" natmux_ctl gw-a metrics
natmux_ctl gw-a metrics >"$(lab_log metrics)"
tap_has "by name" "$(lab_log metrics)" 'natmux_sa_packets_total{direction="in",spi="0x00001001",name="site-in"'

# Make before break: pings all the while, every one of them answered.
newest_is_used='[.sas[] | select(.direction == "out")] | last | .counters.packets > 10'
new_keys() {
	local round
	for round in 1 2 3; do
		sleep 0.5
		rekey "round$round" $((0x2000 + 0x100 * round))
	done
	lab_wait 2 esp_is_complete b a 0x1001
	natmux_ctl gw-a sa flush spi 0x1001 >/dev/null
	natmux_ctl gw-a sa del dir out spi 0x1000 remote 203.0.113.2
	lab_wait 5 sa_is a "$newest_is_used"
}
tap "three new keys under traffic, and nothing is lost" pings_during host-a 192.168.2.10 0.02 new_keys
tap "the newest SA has the traffic" sa_is a "$newest_is_used"

# What is refused changes nothing; nor does what has been under way.
tap "the tunnel works" works
lab_wait 5 esp_is_complete a b 0x2300
lab_wait 5 esp_is_complete b a 0x2301
before=$(natmux_json gw-a '[.sas[] | {spi, direction, sequence}]' sa list)
esp_keys wrong aes128-sha256
tap_refused "a key of another length" "is none of that suite, allowed are the 20 octets" add a out ab wrong 0x2300 remote 203.0.113.2
chmod 644 "$LAB_DIR/keys/round1-ab"
tap_refused "a key that others may read" "its mode is 0644" add a out ab round1 0x2300 remote 203.0.113.2
sed -i "s,/keys/site-ab,/keys/round1-ab," "$LAB_DIR/ns/gw-a/natmux.conf"
tap_refused "and in the file" "its mode is 0644" natmux_ctl gw-a reload
tap "nothing has changed" test "$before" = "$(natmux_json gw-a '[.sas[] | {spi, direction, sequence}]' sa list)"
tap "the tunnel works" works

# A reload: one SA comes, its old self goes, those of natmuxctl stay.
sed -i "s,/keys/round1-ab,/keys/site-ab,; s,spi = 4097,spi = 5000," "$LAB_DIR/ns/gw-a/natmux.conf"
tap "a reload" natmux_ctl gw-a reload
tap "brings what is new" sa_is a 'any(.sas[]; .spi == "0x00001388" and .name == "site-in")'
tap "and leaves the others" sa_is a 'any(.sas[]; .spi == "0x00002301")'
tap "the tunnel works" works

# Policies: without one nothing goes out, and with another it may not.
policy_drops=$(natmux_drops gw-a out-policy)
tap "a policy in front of the others" natmux_ctl gw-a policy add dst 192.168.2.10 proto icmp priority 0 action discard
tap_fails "discards" works
tap_gets "counted" -ge $((policy_drops + 1)) natmux_drops gw-a out-policy
tap "and goes again" natmux_ctl gw-a policy del dst 192.168.2.10 proto icmp priority 0
tap "the tunnel works" works

# Events of SAs: a limit, and a policy without SA.
lab_spawn gw-a follow "$NATMUX_BUILD/ctl/natmuxctl" --json events --follow
follower=$LAB_PID
esp_keys limited
lab_wait 5 follows # an SA near its end is what it is woken by
natmux_ctl gw-a sa flush spi 0x2f01 >/dev/null
: >"$(lab_log follow)"
add a in ba limited 0x3001
add b in ab limited 0x3000
add b out ba limited 0x3001 remote 203.0.113.1
add a out ab limited 0x3000 remote 203.0.113.2 limit packet-soft 2 limit packet-hard 5
tap "five packets go, one by one" pings_all 5 host-a 192.168.2.10 # together they would be sealed together
tap_has "an SA near its end wants a successor" "$(lab_log follow)" '"type":"sa-soft"'
tap_has "and is dead then" "$(lab_log follow)" '"type":"sa-hard"'
tap "which the list shows" sa_is a 'any(.sas[]; .spi == "0x00003000" and .dead)'
natmux_ctl gw-a sa flush dir out >/dev/null
tap_fails "no SA, no packet" works
tap_has "somebody should make one" "$(lab_log follow)" '"type":"sa-acquire"'
lab_stop "$follower"
add a out ab round3 0x2300 remote 203.0.113.2
add a in ba round3 0x2301

# Who has the keys can read; and only where the file says so.
tap_fails "no export without export-keys" natmux_ctl gw-a sa export --wireshark --yes
if command -v tshark >/dev/null; then
	esp_keys seen aes128-sha256
	natmux_ctl gw-b sa add dir in spi 0x4000 suite aes128-sha256 key-file "$LAB_DIR/keys/seen-ab"
	natmux_ctl gw-a sa add dir out spi 0x4000 suite aes128-sha256 key-file "$LAB_DIR/keys/seen-ab" \
		reqid 1 remote 203.0.113.2
	natmux_ctl gw-b capture --class esp --direction in --count 3 -w "$LAB_DIR/esp.pcap" 2>/dev/null &
	capture=$!
	lab_wait 5 test -e "$LAB_DIR/esp.pcap"
	esp_pings host-a 192.168.2.10 -c 3 -i 0.1 -W 0.2 >/dev/null 2>&1 || true
	wait "$capture" || true
	natmux_ctl gw-b sa export --wireshark --yes >"$LAB_DIR/esp_sa" 2>/dev/null
	mapfile -t lines < <(sed 's/^/uat:esp_sa:/' "$LAB_DIR/esp_sa")
	tshark -r "$LAB_DIR/esp.pcap" -o esp.enable_encryption_decode:TRUE \
		-o esp.enable_authentication_check:TRUE "${lines[@]/#/-o}" -T fields -e icmp.type \
		-e esp.icv_good >"$(lab_log tshark)" 2>/dev/null || true
	tap_is "tshark reads the capture with the exported keys" \
		"$(grep -c $'^8\t\\(1\\|True\\)$' "$(lab_log tshark)")" -eq 3
	rm -f "$LAB_DIR/esp_sa"
	natmux_ctl gw-a sa del dir out spi 0x4000 remote 203.0.113.2
else
	echo "# no tshark: exported keys are not tried"
fi

# Keys: not in logs, command lines and answers; not in memory once their SAs are gone.
for key in site-ab site-ba round3-ab limited-ab; do
	tap "$key: in no log, command line or answer" nowhere "$(key_of "$key")"
done
tap "the search finds what is there" "$memory_has" "$a" "$(key_of round3-ab)"
tap_fails "a key of long ago is nowhere in memory" "$memory_has" "$a" "$(key_of round1-ab)"
natmux_ctl gw-a sa flush >/dev/null
for key in site-ab site-ba round3-ab round3-ba limited-ab; do
	tap_fails "after a flush: no $key in memory" "$memory_has" "$a" "$(key_of "$key")"
done
tap_end
