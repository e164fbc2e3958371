# shellcheck shell=bash disable=SC2154 # stage, results, logs: tools/test
# SPDX-License-Identifier: Apache-2.0
#
# What each stage of tools/test does. Sourced by it, and run in a process of the stage's own whose
# output goes to a log; what came of each test goes to $results, one line each, and the end of what
# a failed one said to $results.tail.

result() {
	printf '%s\t%s\t%s\n' "$1" "$2" "${3:-}" >>"$results"
}

# run NAME COMMAND...: runs it with its output in a log of its own, $output; its status in $status.
run() {
	local name=$1

	shift
	output=$logs/$stage/${name//[^A-Za-z0-9.-]/-}.log
	mkdir -p "$logs/$stage"
	printf '=== %s: %s\n' "$name" "$*"
	"$@" >"$output" 2>&1 </dev/null
	status=$?
	cat "$output"
}

# show_end NAME REASON: the end of what was said, for the terminal.
show_end() {
	{
		printf -- '--- %s %s (%s): the end of %s\n' "$stage" "$1" "$2" "${output#"$PWD"/}"
		tail -n 40 "$output"
	} >>"$results.tail"
}

failure() {
	result failed "$stage $1" "$2"
	show_end "$@"
}

# check NAME COMMAND...: one test. Status 77 means skipped; the last line of output says why.
check() {
	local output status

	run "$@"
	case $status in
	0) result passed "$stage $1" ;;
	77) result skipped "$stage $1" "$(tail -n 1 "$output")" ;;
	*) failure "$1" "status $status" ;;
	esac
	return "$status"
}

# check_lines NAME COMMAND...: a test for each line that begins with "ok - " or "not ok - ".
check_lines() {
	local output status bad

	run "$@"
	if [ "$status" -eq 77 ]; then
		result skipped "$stage $1" "$(sed -n 's/^skipped: //p' "$output" | tail -n 1)"
		return
	fi
	sed -n "s/^ok - \(.*\)/passed\t$stage $1: \1\t/p; s/^not ok - \(.*\)/failed\t$stage $1: \1\t/p
		s/^skipped: \(.*\)/skipped\t$stage $1\t\1/p" "$output" >>"$results"
	bad=$(grep -c '^not ok - ' "$output")
	if [ "$bad" -gt 0 ]; then
		grep '^not ok - ' "$output" >>"$results.tail"
		show_end "$1" "status $status"
	elif [ "$status" -ne 0 ] || ! grep -q '^ok - ' "$output"; then
		failure "$1" "status $status"
	fi
}

# locked DIR COMMAND...: with a build directory to itself, for other stages may use it, too.
locked() {
	mkdir -p "$1" && (flock 9 && "${@:2}" 9<&-) 9<"$1"
}

# setup_build DIR OPTION...: configures once; meson itself notices what changes later.
setup_build() {
	locked "$1" setup_once "$@"
}

setup_once() {
	[ -f "$1/build.ninja" ] || meson setup "$@" -Dwerror=true -Dauto_features=enabled
}

setup_gcc() {
	CC=gcc setup_build build
}

setup_clang() {
	# A finding ends the program: a test cannot pass over it.
	CC=clang setup_build build-asan -Db_sanitize=address,undefined -Db_lundef=false \
		-Dc_args=-fno-sanitize-recover=all
}

setup_tsan() {
	CC=clang setup_build build-tsan -Db_sanitize=thread -Db_lundef=false
}

# compile DIR [TARGET...]: everything that can be, or these; the errors once more at the end, where
# they are seen.
compile() {
	local dir=$1 log

	shift
	log=$logs/$stage/ninja.log
	locked "$dir" ninja -k 0 -C "$dir" "$@" >"$log" 2>&1 && cat "$log" && return
	cat "$log"
	printf '\nin short:\n'
	grep -E ': (fatal )?(error|warning):|undefined reference|^FAILED' "$log" | sort -u
	return 1
}

failures() {
	grep -c '^failed	' "$results"
}

# meson_tests DIR OPTION...: one result for each of meson's tests. That it breaks off is a failure even
# if none of those that it came to has failed.
meson_tests() {
	local dir=$1 before status

	shift
	before=$(failures)
	rm -f "$dir/meson-logs/testlog.json"
	meson test -C "$dir" --no-rebuild "$@"
	status=$?
	tools/lib/meson-results "$dir/meson-logs/testlog.json" "$stage" >>"$results" 2>>"$results.tail" ||
		result failed "$stage tests" 'meson test left no results'
	if [ "$status" -ne 0 ] && [ "$(failures)" -eq "$before" ]; then
		result failed "$stage tests" "meson test: status $status"
	fi
}

stage_gcc() {
	check configure setup_gcc && check build compile build && meson_tests build --timeout-multiplier 3
}

stage_clang() {
	check configure setup_clang && check build compile build-asan &&
		meson_tests build-asan --suite unit --suite fuzz --timeout-multiplier 6
}

stage_lint() {
	local what

	check configure setup_clang || return
	for what in $(tools/lint --list); do
		check "$what" tools/lint "$what"
	done
}

stage_install() {
	check configure setup_gcc && check build compile build &&
		check_lines install tools/lib/check-install build "$logs/install/root"
}

stage_cross() {
	local name why
	local -a names

	check configure tools/cross/run "$stage" --setup &&
		check build compile "build-$stage" || return
	while IFS=$'\t' read -r name why; do
		[ -z "$why" ] || result skipped "$stage $name" "$why"
	done <tools/cross/not-emulated
	mapfile -t names < <(tools/cross/run "$stage" --tests)
	meson_tests "build-$stage" --timeout-multiplier 20 "${names[@]}"
}

stage_s390x() {
	stage_cross
}

stage_armhf() {
	stage_cross
}

stage_netns() {
	local script name

	check configure setup_gcc && check build compile build || return
	for script in tests/netns/*.sh; do
		name=$(basename "$script" .sh)
		case $name in
		run | common) ;;
		*) check_lines "$name" tests/netns/run.sh build "$name" ;;
		esac
	done
}

# What has threads: a program in which the sanitizer found something does not end with 0.
stage_tsan() {
	local -a tests=(esp_sequence esp_group worker_mailbox workers)

	check configure setup_tsan && check build compile build-tsan daemon/natmuxd ctl/natmuxctl \
		"${tests[@]/#/tests/test_}" || return
	meson_tests build-tsan --timeout-multiplier 6 "${tests[@]}"
	export NATMUX_WORKERS=3 NATMUX_NO_SECCOMP=yes # natmuxd has no filter with a sanitizer
	check_lines esp_workers tests/netns/run.sh build-tsan esp_workers
}

stage_interop() {
	local script

	check configure setup_gcc && check build compile build || return
	for script in tests/interop/*.sh; do
		check_lines "$(basename "$script" .sh)" "$script" build
	done
}

stage_uml() {
	local name

	check configure setup_gcc && check build compile build || return
	for name in esp_kernel esp_live xfrm kernel_plane kernel_life kernel_policies kernel_move steering \
		esp_gro fallback join bench_kernel; do
		check_lines $name tests/uml/$name.sh build
	done
}

# What depends on the kernel's version, on the newest that there is.
stage_qemu() {
	local name

	check configure setup_gcc && check build compile build || return
	export NATMUX_GUEST=qemu
	for name in uml/xfrm uml/steering uml/esp_gro uml/kernel_life qemu/newer; do
		check_lines "${name#*/}" tests/$name.sh build
	done
}

stage_demo() {
	check demo tools/demo
	check 'demo esp' tools/demo esp
}

# Named namespaces live in /run/netns: with a mount of its own there, what a stage leaves behind is
# seen by us and by nobody else.
# run_inside STAGE root|-: the whole of a stage.
run_inside() {
	local root=$2

	stage=$1 results=$logs/$1.results
	if [ "$root" = root ]; then
		mkdir -p /run/netns
		mount -t tmpfs -o mode=755 natmux-test /run/netns
	fi
	"stage_$stage"
	if [ "$root" = root ] && [ -n "$(ip netns list)" ]; then
		result failed "$stage namespaces" "left behind: $(ip netns list | tr '\n' ' ')"
	fi
}
