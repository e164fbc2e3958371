# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
#
# Pings that go on while something happens, and how many of them got lost. For `ping -c` waits no
# longer than two round trips for the last answers, which on a busy machine is too short, and may be
# through before what it is to watch. One series at a time; the log is that of "pings". Its socket holds
# a hundred and some answers: where there may be more, $pings_program takes its place.

# pings_begin BOX ADDRESS SECONDS [ARGUMENT of ping...]: one each so many seconds, under way when this
# returns.
pings_begin() {
	local box=$1 address=$2 interval=$3
	shift 3
	lab_log_new pings
	# shellcheck disable=SC2086 # words
	lab_spawn "$box" pings ${pings_program:-ping -n} -i "$interval" "$@" "$address"
	pings_pid=$LAB_PID
	lab_wait 10 pings_reach 1
}

# The numbers of those that have an answer, in their order.
pings_answered() {
	sed -n 's/.* icmp_seq=\([0-9]*\) .*time=.*/\1/p' "$(lab_log pings)" | sort -nu
}

pings_count() {
	pings_answered | wc -l
}

pings_newest() {
	pings_answered | tail -n 1 | grep . || echo 0
}

pings_reach() {
	[[ $(pings_newest) -ge $1 ]]
}

# pings_end: when some more have come through; fails when they do not. Sets pings_lost: of all before
# those, how many have no answer.
pings_end() {
	local status=0 last
	last=$(($(pings_newest) + 5))
	lab_wait 20 pings_reach $((last + 3)) || status=1 # some may overtake others
	lab_stop "$pings_pid"
	pings_lost=$(pings_answered | awk -v last=$last '$1 <= last {n++} END {print last - n}')
	[[ $status -eq 0 && $pings_lost -eq 0 ]] ||
		echo "pings: $pings_lost of $last lost, the newest answer: $(pings_newest)" >&2
	return $status
}

# pings_all COUNT BOX ADDRESS [ARGUMENT of ping...]: whether each of exactly so many has its answer; one after
# the other.
pings_all() {
	# shellcheck disable=SC2016 # the inner shell's
	lab_run "$2" bash -c 'for ((n = $1; n > 0; n--)); do "${@:2}" || exit 1; done' bash "$1" \
		ping -q -n -c 1 -W "$LAB_ANSWER" "${@:4}" "$3"
}

# pings_during BOX ADDRESS SECONDS COMMAND...: whether the command works, and no ping gets lost from before
# it until after it.
pings_during() {
	local status=0
	pings_begin "$1" "$2" "$3" || status=1
	"${@:4}" || status=1
	pings_end || status=1
	[[ $status -eq 0 && $pings_lost -eq 0 ]]
}
