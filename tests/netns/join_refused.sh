#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Whom natmuxd does not join, and what it says then; and joining with no more rights than a service
# manager gives, as a user of its own.
set -euo pipefail
# shellcheck source=tests/netns/common.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/common.sh"

configure() {
	natmux_configure gw <<-END
		attach = join
		$1
		stun { responder = open }
	END
}

# toy NAME ADDRESS [PREFIX...]: a daemon on the port, with one more of its words in $words; its number
# in LAB_PID.
toy() {
	local name=$1 address=$2
	shift 2
	lab_log_new "$name"
	lab_spawn gw "$name" "$@" "$datagrams" daemon "$address" 4500 ${words:+"$words"}
	lab_wait 5 grep -q ready "$(lab_log "$name")"
}

says() {
	natmux_is gw ".join.why // \"\" | test(\"$1\")" status
}

is_joined() {
	natmux_is gw ".join.joined and (.sockets | length) == $1" status
}

tap_begin "$@"
lab_ns gw
lab_ns other
lab_link gw wan other wan
lab_addr gw wan 10.9.0.1/24 fd09::1/64
lab_addr other wan 10.9.0.2/24 fd09::2/64
configure ''
natmux_start gw
natmuxd=$LAB_PID

toy one 10.9.0.1
one=$LAB_PID
tap_within 5 "a daemon with one address is joined" is_joined 1
toy two 127.0.0.1
two=$LAB_PID
tap_within 8 "a second daemon on the port: neither" says \
	'datagrams.py \\(process [0-9]+\\) and datagrams.py \\(process [0-9]+\\) both have UDP port 4500'
tap_has "and the log says so" "$(lab_log natmuxd-gw)" 'cannot join: '
tap_is "once" "$(grep -c 'cannot join' "$(lab_log natmuxd-gw)")" -eq 1
lab_stop "$two"
tap_within 5 "joined again when it is gone" is_joined 1
tap "STUN is answered" lab_run other "$datagrams" ask stun 10.9.0.1 4500
lab_stop "$one"

toy stranger 0.0.0.0 setpriv --reuid=nobody --clear-groups
stranger=$LAB_PID
tap_within 8 "a daemon of another user is not joined" says \
	'0.0.0.0:4500 belongs to datagrams.py \\(process [0-9]+\\) of the user with the number 65534, not of root \\(0\\): see join.user'
tap_fails "STUN goes unanswered" lab_run other "$datagrams" ask stun 10.9.0.1 4500
lab_stop "$natmuxd"
configure 'join { user = "nobody" }'
natmux_start gw
natmuxd=$LAB_PID
tap_within 5 "unless that user is named" is_joined 1
tap "STUN is answered on the port of another user" lab_run other "$datagrams" ask stun 10.9.0.1 4500
lab_stop "$natmuxd"
lab_stop "$stranger"

configure 'listen = { "10.9.0.1" }'
natmux_start gw
natmuxd=$LAB_PID
toy outside 127.0.0.1
outside=$LAB_PID
tap_within 5 "an address that is not in listen" says \
	'UDP port 4500 is in use at 127.0.0.1:4500 and at no address in listen'
toy one 10.9.0.1
one=$LAB_PID
tap_within 5 "does not keep one that is from being joined" is_joined 1
lab_stop "$outside"
lab_stop "$natmuxd"
lab_stop "$one"

configure 'device = "wan"'
natmux_start gw
natmuxd=$LAB_PID
toy one 0.0.0.0
one=$LAB_PID
tap_within 5 "a daemon that is bound to no interface" says 'is bound to none: leave the key device out'
lab_stop "$natmuxd"
lab_stop "$one"

configure ''
words=--both toy both ::
both=$LAB_PID
natmux_start gw
natmuxd=$LAB_PID
tap_within 5 "an IPv6 socket that takes IPv4, too" says 'takes IPv4, too'
lab_stop "$both"
toy six ::
six=$LAB_PID
tap_within 5 "one that does not is joined" is_joined 1
lab_stop "$six"

lab_spawn gw hidden unshare --pid --fork --mount-proc "$datagrams" daemon 0.0.0.0 4500
tap_within 8 "a daemon in another PID namespace is seen from ours, and joined" is_joined 1
lab_stop "$natmuxd"
lab_spawn gw natmuxd-inner unshare --pid --fork --mount-proc "$NATMUX_BUILD/daemon/natmuxd" -c \
	"$LAB_DIR/ns/gw/natmux.conf"
tap_within 8 "from inside another one it cannot be seen" says \
	'belongs to no process that natmuxd can see'
for pid in $(ip netns pids "nm-$LAB_ID-gw"); do lab_stop "$pid" KILL; done

# Without the capability; then with little more than it.
status=0
lab_run gw setpriv --bounding-set=-sys_ptrace --inh-caps=-sys_ptrace \
	timeout 60 "$NATMUX_BUILD/daemon/natmuxd" -c "$LAB_DIR/ns/gw/natmux.conf" \
	>"$(lab_log refused)" 2>&1 || status=$?
tap_is "without CAP_SYS_PTRACE natmuxd does not start" "$status" -eq 3
tap_has "and says why" "$(lab_log refused)" \
	"attach = join: copying the IKE daemon's sockets needs CAP_SYS_PTRACE (pidfd_getfd): start as root, or give it to the service"
caps=+net_admin,+sys_ptrace,+dac_read_search,+chown
rm -f "$LAB_DIR"/ns/gw/run/natmux/* # root's, killed above
chown nobody "$LAB_DIR/ns/gw/run/natmux"
configure 'handoff = none' # /dev/net/tun may be root's alone
toy one 0.0.0.0
lab_spawn gw natmuxd-nobody setpriv --reuid=nobody --regid=nogroup --clear-groups \
	--inh-caps="$caps" --ambient-caps="$caps" --bounding-set="-all,$caps" \
	"$NATMUX_BUILD/daemon/natmuxd" -c "$LAB_DIR/ns/gw/natmux.conf"
tap_within 8 "nobody with four capabilities joins root's daemon" is_joined 1
tap "STUN is answered" lab_run other "$datagrams" ask stun 10.9.0.1 4500
tap "natmuxd itself keeps none" natmux_is gw '.capabilities == "none"' status
helper=$(pgrep -x natmuxd-join -P "$(natmux_json gw .pid status)")
tap_has "its helper keeps what joining takes, and no more" "/proc/$helper/status" \
	"CapPrm:	0000000000081005"
tap_has "under a filter of its own" "/proc/$helper/status" 'Seccomp:	2'
kill -KILL "$helper"
tap_within 3 "without its helper natmuxd ends" grep -q 'the process that joins' \
	"$(lab_log natmuxd-nobody)"
tap_fails "and nobody answers STUN" lab_run other "$datagrams" ask stun 10.9.0.1 4500
tap_end
