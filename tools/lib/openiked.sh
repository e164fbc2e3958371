# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
#
# OpenIKED on a gateway of tools/lib/netns.sh. Installing Debian's package would start it and add a
# user to the machine: it is unpacked into a cache of the user's and run from there, with an /etc of
# its own in which there is that user.

OPENIKED_DIR=${XDG_CACHE_HOME:-$HOME/.cache}/natmux/openiked

# openiked_fetch: fills the cache, once. Needs apt-get and its lists; fails without a network.
openiked_fetch() {
	local work packages
	[[ ! -x $OPENIKED_DIR/usr/sbin/iked ]] || return 0
	mkdir -p "${OPENIKED_DIR%/*}"
	work=$(mktemp -d "${OPENIKED_DIR%/*}/fetch.XXXXXX")
	# What apt would install for it are the libraries that the machine has not got.
	packages=$(apt-get install -s --no-install-recommends openiked 2>/dev/null |
		sed -n 's/^Inst \(openiked\|lib[^ ]*\) .*/\1/p')
	(
		cd "$work" || exit
		# shellcheck disable=SC2086 # one word each
		apt-get download -q ${packages:-openiked} >/dev/null 2>&1 || exit
		for package in ./*.deb; do
			dpkg -x "$package" root || exit
		done
	) && mv -T "$work/root" "$OPENIKED_DIR"
	rm -rf -- "$work"
	[[ -x $OPENIKED_DIR/usr/sbin/iked ]]
}

# openiked_kernel GATEWAY: whether the kernel has PF_KEY there, by which iked talks to it.
openiked_kernel() {
	lab_run "$1" python3 -c 'import socket; socket.socket(15, socket.SOCK_RAW, 2)' 2>/dev/null
}

# openiked_configure GATEWAY IKED_CONF: an /etc with the file, and with what installing the package
# makes: the user, the directory that he is locked into, and a key, which iked wants to have even
# where nobody is asked for one.
openiked_configure() {
	local root=$LAB_DIR/ns/$1 etc=$LAB_DIR/ns/$1/etc-iked
	mkdir -p "$root/run" "$root/var/lib/openiked/empty" "$etc"
	cp -r "$OPENIKED_DIR/etc/iked" "$etc"
	install -m 600 "$2" "$etc/iked.conf"
	printf '%s\n' 'root:x:0:0::/root:/bin/sh' \
		'_iked:x:999:999::/var/lib/openiked/empty:/usr/sbin/nologin' >"$etc/passwd"
	printf '%s\n' 'root:x:0:' '_iked:x:999:' >"$etc/group"
	openssl ecparam -genkey -name prime256v1 -noout -out "$etc/iked/private/local.key"
	openssl ec -in "$etc/iked/private/local.key" -pubout -out "$etc/iked/local.pub" 2>/dev/null
}

# openiked_words GATEWAY PROGRAM ARGUMENT...: sets words, which run a program there with that /etc.
# Each run has mounts of its own (netns.sh: enter), nobody else sees it.
openiked_words() {
	local gw=$1 program=$2
	shift 2
	# shellcheck disable=SC2016 # the inner shell's
	words=(
		env LD_LIBRARY_PATH="$OPENIKED_DIR/usr/lib/$(uname -m)-linux-gnu"
		sh -c 'mount --bind "$0" /etc && exec "$@"' "$LAB_DIR/ns/$gw/etc-iked"
		"$OPENIKED_DIR/usr/sbin/$program" "$@"
	)
}

# openiked_ctl GATEWAY ARGUMENT...: ikectl there.
openiked_ctl() {
	local words
	openiked_words "$1" ikectl "${@:2}"
	timeout --foreground 20 "$LAB_DIR/enter" "$1" "${words[@]}"
}

# openiked_pid GATEWAY: the number of the process that has the sockets.
openiked_pid() {
	lab_run "$1" ss -Hulnp 'sport = :4500' | sed -n 's/.*"iked",pid=\([0-9]*\).*/\1/p' | sort -u
}

openiked_has_sockets() {
	[[ -n $(openiked_pid "$1") ]]
}

# openiked_stop GATEWAY PID [SIGNAL]: ends iked by its first process, and waits for the others to follow: one
# of them still answers ikectl.
openiked_stop() {
	lab_stop "$2" "${3:-TERM}"
	lab_wait 5 openiked_is_gone "$1"
}

openiked_is_gone() {
	[[ $(ip netns pids "nm-$LAB_ID-$1" | xargs -r ps -o comm= -p) != *iked* ]]
}

# openiked_start GATEWAY: starts iked; the number of its first process in LAB_PID, its log in
# log/iked-GATEWAY.log. That one binds the port, and for some seconds the sockets are nobody's: on
# their way to the process that will have them, which is busy with PF_KEY.
openiked_start() {
	local words
	openiked_words "$1" iked -d -v
	lab_spawn "$1" "iked-$1" "${words[@]}"
	lab_wait 10 openiked_has_sockets "$1" && lab_wait 5 openiked_ctl "$1" show sa
}
