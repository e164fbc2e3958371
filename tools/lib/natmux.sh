# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
#
# natmuxd and natmuxctl of a build directory, NATMUX_BUILD, in the namespaces of tools/lib/netns.sh.
# A daemon's configuration and sockets are where they would be on a machine of its own.

NATMUX_BUILD=${NATMUX_BUILD:-}

# natmux_configure NAME [FILE]: the configuration of a box, from a file or standard input.
natmux_configure() {
	mkdir -p "$LAB_DIR/ns/$1/etc" "$LAB_DIR/ns/$1/run/natmux"
	cat -- "${2:--}" >"$LAB_DIR/ns/$1/natmux.conf"
}

# natmux_start NAME: starts natmuxd there and waits until it answers; its number in LAB_PID. Its log
# is log/natmuxd-NAME.log.
natmux_start() {
	local pid
	lab_spawn "$1" "natmuxd-$1" "$NATMUX_BUILD/daemon/natmuxd" -c "$LAB_DIR/ns/$1/natmux.conf"
	pid=$LAB_PID
	# Alive, too: another one that still runs may be what answers.
	if ! lab_wait 5 natmux_ctl "$1" version || ! kill -0 "$pid" 2>/dev/null; then
		echo "natmuxd does not answer on $1; its last words:" >&2
		tail -n 5 -- "$(lab_log "natmuxd-$1")" >&2
		return 1
	fi
	LAB_PID=$pid
}

# natmux_ctl NAME ARGUMENT...: natmuxctl there.
natmux_ctl() {
	local name=$1
	shift
	timeout --foreground 60 "$LAB_DIR/enter" "$name" "$NATMUX_BUILD/ctl/natmuxctl" "$@"
}

# natmux_settle NAME: waits until who captures or follows has what natmuxd has taken in. It tells them in
# each turn of its loop, of which an answer may come one before, and where they do not read, later.
natmux_settle() {
	lab_wait 5 natmux_has_settled "$1"
}

natmux_has_settled() {
	local _
	for _ in 1 2; do
		natmux_ctl "$1" version && natmux_ctl "$1" version && natmux_was_read "$1" || return 1
	done
}

# natmux_was_read NAME: whether nothing lies in a connection like those for control, which have a name at
# one end only.
natmux_was_read() {
	[[ -z $(lab_run "$1" ss -xH state established | awk '$2 > 0') ]]
}

# natmux_json NAME FILTER COMMAND...: what jq's FILTER finds in the answer to a command.
natmux_json() {
	local name=$1 filter=$2
	shift 2
	natmux_ctl "$name" --json "$@" | jq -r "$filter"
}

# natmux_is NAME FILTER COMMAND...: whether jq's FILTER is true for the answer.
natmux_is() {
	local name=$1 filter=$2
	shift 2
	natmux_ctl "$name" --json "$@" 2>/dev/null | jq -e "$filter" >/dev/null
}

# natmux_drops NAME REASON: how many datagrams were dropped for it.
natmux_drops() {
	natmux_json "$1" "[.drops[] | select(.reason == \"$2\") | .count] | add // 0" drops --all
}

# natmux_rx NAME CLASS, natmux_tx NAME CLASS: datagrams received and sent.
natmux_rx() {
	natmux_json "$1" ".rx.$2.datagrams" stats
}

natmux_tx() {
	natmux_json "$1" ".tx.$2.datagrams" stats
}
