#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# Runs namespace tests, all of them or those named, one after the other:
#
#	tests/netns/run.sh BUILDDIR [NAME...]
set -uo pipefail

build=${1:?usage: tests/netns/run.sh BUILDDIR [NAME...]}
build=$(realpath -- "$build") || exit 1
shift
cd -- "$(dirname -- "${BASH_SOURCE[0]}")" || exit 1
if [[ $# -eq 0 ]]; then
	for script in [a-z]*.sh; do
		[[ $script == common.sh || $script == run.sh ]] || set -- "$@" "${script%.sh}"
	done
fi

passed=0 failed=0 skipped=0
for name; do
	echo "# $name"
	start=$SECONDS status=0
	timeout -k 10 900 bash "./$name.sh" "$build" || status=$?
	case $status in
	0) passed=$((passed + 1)) ;;
	77) skipped=$((skipped + 1)) ;;
	*) failed=$((failed + 1)) ;;
	esac
	echo "# $name: status $status, $((SECONDS - start)) s"
done
echo "$passed passed, $failed failed, $skipped skipped"
[[ $failed -eq 0 ]]
