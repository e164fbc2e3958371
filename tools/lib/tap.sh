# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
#
# Results of the namespace and interop tests, one line each: "ok - …", "not ok - …".

TAP_PASSED=0
TAP_FAILED=0
TAP_LAST=nothing

tap_ok() {
	TAP_PASSED=$((TAP_PASSED + 1))
	TAP_LAST=$*
	echo "ok - $*"
}

tap_not_ok() {
	TAP_FAILED=$((TAP_FAILED + 1))
	TAP_LAST=$*
	echo "not ok - $*"
}

# tap WHAT COMMAND...: one check.
tap() {
	local what=$1
	shift
	if "$@" >/dev/null 2>&1; then
		tap_ok "$what"
	else
		tap_not_ok "$what"
	fi
}

# tap_within SECONDS WHAT COMMAND...: one check that may take its time.
tap_within() {
	local seconds=$1 what=$2
	shift 2
	tap "$what" lab_wait "$seconds" "$@"
}

# tap_fails WHAT COMMAND...: one check that something does not work.
tap_fails() {
	local what=$1
	local -x LAB_ANSWER=1 # nobody is expected to answer
	shift
	if "$@" >/dev/null 2>&1; then
		tap_not_ok "$what"
	else
		tap_ok "$what"
	fi
}

# tap_refused WHAT REASON COMMAND...: one check that something does not work, and says why.
tap_refused() {
	local what=$1 reason=$2 said
	shift 2
	if said=$("$@" 2>&1); then
		tap_not_ok "$what: it is not refused"
	elif [[ $said != *"$reason"* ]]; then
		tap_not_ok "$what: no \"$reason\" in \"$said\""
	else
		tap_ok "$what"
	fi
}

# tap_is WHAT GOT OPERATOR WANTED: one number held against another with an operator of test (-ge);
# both are shown when it is wrong.
tap_is() {
	if [[ $2 =~ ^-?[0-9]+$ ]] && test "$2" "$3" "$4"; then
		tap_ok "$1 ($2)"
	else
		tap_not_ok "$1: $2 is not $3 $4"
	fi
}

# tap_gets WHAT OPERATOR WANTED COMMAND...: the same of a number that a command prints, and of which
# somebody else makes what it shall be: that may take its time.
tap_gets() {
	local what=$1 operator=$2 wanted=$3
	shift 3
	lab_wait 5 lab_is "$operator" "$wanted" "$@" || true # what it was instead is told here
	tap_is "$what" "$("$@" || true)" "$operator" "$wanted"
}

# tap_has WHAT FILE TEXT: whether a file holds a text, now or soon: another program writes it.
tap_has() {
	if lab_wait 5 grep -F -- "$3" "$2"; then
		tap_ok "$1"
	else
		tap_not_ok "$1: no \"$3\" in ${2##*/}"
	fi
}

# tap_lacks WHAT FILE PATTERN: whether no line of a file, which has to be there, is so: an extended
# regular expression.
tap_lacks() {
	local status=0
	grep -qE -- "$3" "$2" || status=$?
	if ((status == 1)); then
		tap_ok "$1"
	else
		tap_not_ok "$1: \"$3\" in ${2##*/}, or no such file"
	fi
}

# tap_skip REASON: nothing can be tested here.
tap_skip() {
	echo "skipped: $*"
	exit 77
}

# tap_end: the result of the script; the logs' last lines when something went wrong.
tap_end() {
	TAP_ENDED=yes
	((TAP_FAILED == 0 && TAP_PASSED > 0)) || exit 1
	exit 0
}

# However the script ends: one that ends before tap_end has failed.
tap_finish() {
	local status=$? log
	if [[ -z ${TAP_ENDED:-} && $status -ne 77 ]]; then
		echo "not ok - ended before its end, status $status, after: $TAP_LAST"
		status=1
	fi
	if ((status != 0 && status != 77)); then
		for log in "$LAB_DIR"/log/*.log; do
			[[ ! -s $log ]] || { echo "--- ${log##*/}"; tail -n 15 -- "$log"; }
		done
	fi
	lab_down
	exit "$status"
}

# tap_begin BUILDDIR: what every namespace test does first.
tap_begin() {
	[[ $EUID -eq 0 ]] || tap_skip "network namespaces need root"
	NATMUX_BUILD=$(realpath -- "${1:?usage: $0 BUILDDIR}")
	[[ -x $NATMUX_BUILD/daemon/natmuxd && -x $NATMUX_BUILD/ctl/natmuxctl ]] || {
		echo "not ok - no natmuxd and natmuxctl in $NATMUX_BUILD"
		exit 1
	}
	export PATH=$PATH:/usr/sbin:/sbin
	lab_init
	trap tap_finish EXIT
}
