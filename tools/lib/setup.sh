# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
#
# Sourced by tools/demo and tools/test: installs the Debian packages they need, named by purpose in
# the tools/packages.* lists. Quiet and quick when there is nothing to do.
#
#	setup_install build demo	# 0, or 1 after saying what is missing and what to do
#
# NATMUX_SETUP=no looks, but installs nothing.

setup_lists=${setup_lists:-$(dirname "${BASH_SOURCE[0]}")/..}
setup_policy=${setup_policy:-/usr/sbin/policy-rc.d}
setup_patience_s=300

# The packages of the lists named, each once. "package [amd64]" is for that architecture only.
setup_wanted() {
	local purpose arch

	arch=$(dpkg --print-architecture 2>/dev/null || uname -m)
	for purpose; do
		sed -e 's/#.*//' -e "s/\[$arch\]//" -e '/\[/d' -e 's/[[:space:]]//g' -e '/^$/d' \
			"$setup_lists/packages.$purpose" || return 1
	done | sort -u
}

# Those of the packages named on standard input that are not installed.
setup_missing() {
	comm -23 - <(dpkg-query -W -f '${db:Status-Status} ${Package}\n' 2>/dev/null |
		sed -n 's/^installed //p' | sort -u)
}

setup_is_root() {
	[ "$(id -u)" -eq 0 ]
}

setup_as_root() {
	if setup_is_root; then
		"$@"
	else
		sudo "$@"
	fi
}

setup_apt() {
	# needrestart would restart other people's services after our packages.
	setup_as_root env DEBIAN_FRONTEND=noninteractive NEEDRESTART_SUSPEND=1 LC_ALL=C.UTF-8 \
		apt-get -o DPkg::Lock::Timeout="$setup_patience_s" -o Dpkg::Use-Pty=0 -o Acquire::Retries=5 \
		-o Dpkg::Options::=--force-confold "$@" </dev/null
}

# For dpkg's lock apt-get waits as it is told; for that of the lists, which the machine's own daily
# update may have, we have to.
setup_update() {
	local said status until=$((SECONDS + setup_patience_s))

	while :; do
		said=$(setup_apt -q update 2>&1)
		status=$?
		printf '%s\n' "$said"
		if [[ $status -eq 0 || $said != *'Could not get lock'* ]] || ((SECONDS >= until)); then
			return "$status"
		fi
		[ -z "$stopped" ] || return 1
		sleep 2
	done
}

# Shows how apt-get gets on, everything else goes to the log: what is fetched, and which of the
# packages named is ready.
setup_progress() {
	local line package

	trap '' INT TERM HUP # it ends with apt-get: a closed pipe would kill dpkg at its work
	while IFS= read -r line; do
		printf '%s\n' "$line"
		case $line in
		'Need to get '*) printf '  %s\n' "${line%.}" >&3 ;;
		'Setting up '*)
			package=${line#Setting up }
			package=${package%% *}
			case " $* " in
			*" ${package%%:*} "*) printf '  %s is ready\n' "${package%%:*}" >&3 ;;
			esac
			;;
		esac
	done
}

# strongSwan's, coturn's and iperf3's packages come with services. We want the programs: a machine
# must not become a VPN gateway because somebody ran a test. policy-rc.d is Debian's way to say so;
# one that is there already is its owner's business.
setup_forbid_services() {
	if [ -e "$setup_policy" ]; then
		return
	fi
	printf '%s\n' '#!/bin/sh' '# Made by natmux tools/lib/setup.sh for the time of one apt-get.' \
		'exit 101' | setup_as_root tee "$setup_policy" >/dev/null &&
		setup_as_root chmod 755 "$setup_policy"
}

setup_allow_services() {
	if grep -qs 'Made by natmux' "$setup_policy"; then
		setup_as_root rm -f "$setup_policy"
	fi
}

# policy-rc.d keeps a service from starting now; this keeps it from starting at the next boot, with
# systemd and without.
setup_disable_services() {
	local path name

	for path in $(dpkg -L "$@" 2>/dev/null | grep -E '/systemd/system/[^/@]+\.service$|/init\.d/.' |
		sort -u); do
		name=$(basename "$path")
		case $path in
		*.service)
			setup_as_root systemctl --quiet disable "$name" 2>/dev/null ||
				setup_as_root env DPKG_MAINTSCRIPT_PACKAGE="$name" \
					deb-systemd-helper disable "$name" >/dev/null 2>&1 || true
			;;
		*) setup_as_root update-rc.d "$name" disable >/dev/null 2>&1 || true ;;
		esac
	done
}

# Runs in a subshell, so that its traps are its own: the policy goes whatever happens. A signal only
# leaves a note: apt-get gets it as well, and an `exit` here could break off the clearing up.
setup_apt_install() (
	stopped=
	trap setup_allow_services EXIT
	trap 'stopped=yes' INT TERM HUP
	setup_allow_services # one left behind by a run that was killed
	setup_forbid_services || exit 1
	# A source that is not ours may be broken; whether that matters shows below.
	setup_update || printf 'apt-get update failed; trying with the lists at hand\n'
	[ -z "$stopped" ] || exit 130
	# --no-remove: rather fail than take something from the machine (libreswan, say).
	setup_apt -q install -y --no-install-recommends --no-remove "$@" || exit 1
	setup_disable_services "$@"
)

setup_run_logged() {
	local log=$1 status
	shift

	{
		setup_apt_install "$@" 2>&1 | setup_progress "$@" >"$log"
		status=${PIPESTATUS[0]}
	} 3>&1
	return "$status"
}

# After a failure: which package, why, and what to do.
setup_explain() {
	local log=$1 package
	shift

	for package in $(printf '%s\n' "$@" | setup_missing); do
		if ! LC_ALL=C apt-cache policy "$package" 2>/dev/null | grep 'Candidate:' |
			grep -qv '(none)'; then
			printf 'setup: no apt source has %s: is "main" of Debian 12 in your sources?\n' "$package"
		else
			printf 'setup: %s could not be installed\n' "$package"
		fi
	done
	sed -n 's/^E: /setup: apt says: /p' "$log" | sort -u
	if grep -q 'need to be removed' "$log"; then
		printf 'setup: these would have to go, which is your decision:%s\n' \
			"$(sed -n '/will be REMOVED/,/^[^ ]/{/^ /p}' "$log" | tr '\n' ' ')"
	fi
	printf 'setup: mend it by hand (%s) and run this again; log: %s\n' \
		"sudo apt-get install --no-install-recommends $*" "$log"
}

setup_install() {
	local wanted missing log
	local -a packages

	if ! command -v dpkg-query >/dev/null || ! command -v apt-get >/dev/null; then
		printf 'setup: no dpkg and apt-get here; I trust that these are installed: %s\n' \
			"$(setup_wanted "$@" | tr '\n' ' ')"
		return 0
	fi
	wanted=$(setup_wanted "$@") || return 1
	missing=$(printf '%s\n' "$wanted" | setup_missing)
	if [ -z "$missing" ]; then
		return 0
	fi
	mapfile -t packages <<<"$missing"
	printf 'setup: to be installed with apt-get, with what they depend on: %s\n' "${packages[*]}"
	if [ "${NATMUX_SETUP:-}" = no ]; then
		printf 'setup: NATMUX_SETUP=no: nothing installed\n'
		return 1
	fi
	if ! setup_is_root && ! command -v sudo >/dev/null; then
		printf 'setup: neither root nor sudo; run as root: %s\n' \
			"apt-get install --no-install-recommends ${packages[*]}"
		return 1
	fi
	log=$(mktemp "${TMPDIR:-/tmp}/natmux-setup.XXXXXX.log") || return 1
	if setup_run_logged "$log" "${packages[@]}"; then
		rm -f "$log"
		printf 'setup: done\n'
		return 0
	fi
	setup_explain "$log" "${packages[@]}"
	return 1
}
