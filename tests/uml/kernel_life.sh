#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# A tunnel between esp = kernel and `ip xfrm`, and what happens to it in its life: a peer that moves,
# limits, an SA that is wanted, other people's hands, a natmuxd that is stopped, killed, and comes
# back. Under User-Mode Linux where the machine's kernel has no ESP.
#
#	tests/uml/kernel_life.sh BUILDDIR
set -euo pipefail
# shellcheck source=tests/uml/kernel.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/kernel.sh"
kernel_cases=$tests/uml/kernel_cases.py
peer=10.9.0.2 port=4500 # where the plain end is

# number WORD: of the plain end's states, what stands behind a word: seq or oseq, as a number.
number() {
	local value
	value=$(lab_ip plain xfrm state | sed -n "s/.* $1 \(0x[0-9a-f]*\).*/\1/p" | sort | tail -n 1)
	echo $((value))
}

# plain_at ADDRESS PORT: the plain end is there now; its numbers go on.
plain_at() {
	local sent received
	sent=$(number oseq) received=$(number seq)
	lab_ip plain xfrm state flush
	peer=$1 port=$2
	uml_state plain ba 0x1001 "$peer" 10.9.0.1 "$port" 4500 replay-oseq "$sent"
	uml_state plain ab 0x1000 10.9.0.1 "$peer" 4500 "$port" replay-seq "$received"
	lab_ip plain xfrm policy update src 10.2.0.0/16 dst 10.1.0.0/16 dir out \
		tmpl src "$peer" dst 10.9.0.1 proto esp reqid 1 mode tunnel
}

start_plain() {
	lab_addr plain wan 10.9.0.3/24
	lab_addr plain lo 10.2.0.1/32
	lab_ip plain route add 10.1.0.0/16 via 10.9.0.1
	uml_tunnel plain
	lab_spawn plain hold-plain "$kernel_cases" hold 10.9.0.2 10.9.0.2/4501 10.9.0.3 10.9.0.3/4501
	lab_wait 5 grep -q ready "$(lab_log hold-plain)"
}

# configure [LINE...]: of natmux.conf, with the tunnel; lines of the inbound SA in $of_in. No long
# interval instead of none: Linux 6.12 does not look at a shorter one before that is over.
configure() {
	{
		printf '%s\n' "esp = kernel" "handoff = none" 'listen = { "10.9.0.1" }' \
			"keepalive { ${keepalive:-mode = off} }" "$@"
		esp_sa site out ab 0x1000 1 'remote = "10.9.0.2:4500"' 'local = "10.9.0.1"'
		esp_sa site in ba 0x1001 1 'local = "10.9.0.1"' "${of_in:-}" \
			'selectors = { "src 10.2.0.0/16 dst 10.1.0.0/16" }'
		esp_policy site 1 "src 10.1.0.0/16 dst 10.2.0.0/16"
	} | natmux_configure nm
}

start_natmux() {
	natmux_start nm
	natmuxd=$LAB_PID
}

works() {
	lab_run nm ping -q -n -c 1 -W "$LAB_ANSWER" -I 10.1.0.1 10.2.0.1
}

comes() {
	lab_run plain ping -q -n -c 1 -W "$LAB_ANSWER" -I 10.2.0.1 10.1.0.1
}

sa_is() {
	natmux_is nm "$1" sa list
}

# sa NAME FIELD: of the list of SAs.
sa() {
	natmux_json nm ".sas[] | select(.name == \"$1\") | .$2" sa list
}

# hold: gives natmuxd's port to XFRM while there is no natmuxd.
hold() {
	lab_spawn nm hold-nm "$kernel_cases" hold 10.9.0.1
	holder=$LAB_PID
	lab_wait 5 grep -q ready "$(lab_log hold-nm)"
}

# log_has TEXT: natmuxd has said so.
log_has() {
	grep -qF -- "$1" "$(lab_log natmuxd-nm)"
}

# add DIRECTION WAY SPI [WORD...]: an SA by natmuxctl.
add() {
	local direction=$1 way=$2 spi=$3
	shift 3
	natmux_ctl nm sa add dir "$direction" spi "$spi" suite aes128gcm16 \
		key-file "$LAB_DIR/keys/site-$way" local 10.9.0.1 reqid 1 "$@"
}

# flood_of_states COUNT: so many states that come and go, in the words of ip -batch.
flood_of_states() {
	local i state='src 192.0.2.1 dst 192.0.2.2 proto esp spi 0x7777'
	for ((i = 0; i < $1; i++)); do
		echo "xfrm state add $state mode tunnel auth hmac(sha1) 0x00 enc ecb(cipher_null) ''"
		echo "xfrm state delete $state"
	done
}

uml_begin "$1" 900
uml_wire nm plain
esp_keys site
lab_addr nm lo 10.1.0.1/32
lab_ip nm route add 10.2.0.0/16 via 10.9.0.2
start_plain
configure
start_natmux
tap "an inbound SA that waits for anybody learns where its peer is" comes
tap_within 3 "and the list says so" sa_is 'any(.sas[]; .name == "site-in" and .remote == "10.9.0.2:4500")'
tap "the tunnel works the other way" works
tap "natmuxd keeps CAP_NET_ADMIN and nothing else" natmux_is nm '.capabilities == "net_admin"' status
tap "the list says who does the work" sa_is 'all(.sas[]; .plane == "kernel" and .engine == "kernel")'

# Another port, another address: as a NAT would have it.
before=$(sa site-in counters.packets)
plain_at 10.9.0.2 4501
sleep 1.2 # an SA moves once a second at most
tap "a packet from another port arrives" comes
tap_within 3 "and the SA is there now" sa_is 'all(.sas[]; .remote == "10.9.0.2:4501")'
tap "the way back goes there too" works
tap_is "the state was changed in place: packets counted" "$(sa site-in counters.packets)" -gt "$before"
sleep 1.2
before=$(sa site-out sequence)
plain_at 10.9.0.3 4500
tap_within 3 "packets from another address arrive, and all answers but the first" comes
tap_within 3 "and the SA is there now" sa_is 'all(.sas[]; .remote == "10.9.0.3:4500")'
tap "the way back goes there too" works
tap_is "no number is used again" "$(sa site-out sequence)" -gt "$((before + 1000))"
tap_within 3 "an event tells" log_has 'its peer moved from 10.9.0.2:4501 to 10.9.0.3:4500'
tap_is "states in the kernel" "$(uml_states nm)" -eq 2

# A reload that changes an SA and not its key.
before=$(sa site-out sequence)
sed -i 's/^sa "site-out" {/&\n\tsoft-packets = 1000000/' "$LAB_DIR/ns/nm/natmux.conf"
tap "a reload changes a limit" natmux_ctl nm reload
tap_is "the SA goes on counting" "$(sa site-out sequence)" -ge "$before"
tap "and knows where its peer is" sa_is 'any(.sas[]; .name == "site-out" and .remote == "10.9.0.3:4500")'
tap "the tunnel works" works
sed -i 's/suite = aes128gcm16/suite = aes256gcm16/' "$LAB_DIR/ns/nm/natmux.conf"
tap_fails "a reload with a key of another length" natmux_ctl nm reload
tap "the tunnel works" works
sed -i 's/suite = aes256gcm16/suite = aes128gcm16/' "$LAB_DIR/ns/nm/natmux.conf"

# Limits.
add out ab 0x1000 remote 10.9.0.2:4500 limit packet-soft "$(($(sa site-out counters.packets) + 2))" \
	limit packet-hard "$(($(sa site-out counters.packets) + 5))" >/dev/null
for _ in 1 2 3 4 5 6 7; do
	LAB_ANSWER=1 works >/dev/null || true
done
tap_within 3 "a soft limit" log_has 'a soft limit is reached, it wants a successor'
tap_within 3 "a hard limit" log_has 'a hard limit is reached, it is dead'
tap "is in the list" sa_is 'any(.sas[]; .name == "site-out" and .dead)'
tap_fails "nothing goes out" works
tap_within 3 "an SA is wanted" log_has 'a policy wants an SA with reqid 1, and there is none'
tap_within 3 "which the kernel counts" sa_is 'any(.xfrm_stat[]; .counter == "XfrmOutNoStates" and .count > 0)'
tap "a new one" natmux_ctl nm sa del dir out spi 0x1000 remote 10.9.0.2
plain_at 10.9.0.2 4500
tap "takes its place" add out ab 0x1000 remote 10.9.0.2:4500
lab_ip plain xfrm state delete src 10.9.0.1 dst 10.9.0.2 proto esp spi 0x1000
uml_state plain ab 0x1000 10.9.0.1 10.9.0.2
tap_within 5 "the tunnel works" works

# More events than the sockets hold, while natmuxd does not look; an SA of its own is deleted when they
# are full. What is asked for afterwards shares its socket with events: it has lost some, too.
flood_of_states 6000 >"$LAB_DIR/flood"
kill -STOP "$natmuxd"
tap "another program adds and deletes states, thousands" ip -n "nm-$LAB_ID-nm" -batch "$LAB_DIR/flood"
lab_ip nm xfrm state delete src 10.9.0.1 dst 10.9.0.2 proto esp spi 0x1000
kill -CONT "$natmuxd"
tap_within 5 "natmuxd is told that it was not told of all" log_has 'XFRM: events were lost; looking at all that there is'
tap_within 5 "and finds out what is no more there" log_has '0x00001000 (reqid 1): it is not in the kernel any more'
tap "the status counts the loss" natmux_is nm '.kernel_plane.losses > 0' status
tap "the list is true: one SA is dead" sa_is '.total == 2 and ([.sas[] | select(.dead) | .name] == ["site-out"])'
tap_fails "nothing goes out" works
tap "natmuxd still asks and understands: the dead SA goes" natmux_ctl nm sa del dir out spi 0x1000 remote 10.9.0.2
tap "a new one comes" add out ab 0x1000 remote 10.9.0.2:4500
lab_ip plain xfrm state delete src 10.9.0.1 dst 10.9.0.2 proto esp spi 0x1000
uml_state plain ab 0x1000 10.9.0.1 10.9.0.2
tap_within 5 "the tunnel works" works
tap_is "states in the kernel" "$(uml_states nm)" -eq 2

# Other people's hands.
lab_ip nm xfrm state add src 10.9.0.9 dst 10.9.0.1 proto esp spi 0x9999 mode tunnel \
	aead 'rfc4106(gcm(aes))' 0x0123456789012345678901234567890123456789 128
tap_is "what is not natmuxd's is not in its list" "$(natmux_json nm '.total' sa list)" -eq 2
lab_ip nm xfrm state flush
tap_within 3 "somebody flushes all SAs" log_has 'somebody else has flushed all SAs'
tap "they are dead" sa_is 'all(.sas[]; .dead)'
tap_fails "nothing goes out" works

# The end, and after it. The port ends with natmuxd: somebody has to hold it open for the kernel.
lab_stop "$natmuxd"
tap_is "states after the end" "$(uml_states nm)" -eq 0
tap_is "policies after the end" "$(uml_policies nm)" -eq 0
configure 'kernel-plane { keep = yes }'
plain_at 10.9.0.2 4500
lab_ip plain xfrm state flush
uml_state plain ba 0x1001 10.9.0.2 10.9.0.1
uml_state plain ab 0x1000 10.9.0.1 10.9.0.2
start_natmux
tap_within 3 "it works again" comes
tap_is "natmuxd has seen of its ESP" "$(natmux_rx nm esp)" -eq 0
lab_stop "$natmuxd"
tap_is "keep = yes: states after the end" "$(uml_states nm)" -eq 2
hold
tap "and the tunnel works without natmuxd" works
lab_stop "$holder"
before=$(number seq)
rm -f -- "$(lab_log natmuxd-nm)"
start_natmux
tap_within 3 "natmuxd takes over what is there" log_has 'was in the kernel already: it goes on counting'
tap_is "numbers go on" "$(sa site-out sequence)" -ge "$before"
tap "the tunnel works" works
tap_within 3 "and natmuxd has followed its peer" sa_is 'any(.sas[]; .name == "site-in" and .remote == "10.9.0.2:4500")'
lab_stop "$natmuxd" KILL
tap_is "killed: states in the kernel" "$(uml_states nm)" -eq 2
keepalive="interval = 1" configure
uml_capture plain
start_natmux
tap "natmuxd after it: the tunnel works" works
tap_is "states in the kernel" "$(uml_states nm)" -eq 2
tap_within 5 "keepalives go to a silent peer" uml_has_keepalives 2 10.9.0.2
tap_end
