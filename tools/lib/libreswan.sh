# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
#
# libreswan on a gateway of tools/lib/netns.sh. Debian does not install it beside strongSwan, so
# its packages are unpacked into a cache of the user's and run from there; nothing is installed.

LIBRESWAN_DIR=${XDG_CACHE_HOME:-$HOME/.cache}/natmux/libreswan

# Its own libraries, and its own "ipsec": strongSwan has one, too.
LIBRESWAN_ENV=(
	LD_LIBRARY_PATH="$LIBRESWAN_DIR/usr/lib/$(uname -m)-linux-gnu"
	PATH="$LIBRESWAN_DIR/usr/sbin:/usr/sbin:/usr/bin:/sbin:/bin"
)

# libreswan_fetch: fills the cache, once. Needs apt-get and its lists; fails without a network.
libreswan_fetch() {
	local work packages
	[[ ! -x $LIBRESWAN_DIR/usr/libexec/ipsec/pluto ]] || return 0
	mkdir -p "${LIBRESWAN_DIR%/*}"
	work=$(mktemp -d "${LIBRESWAN_DIR%/*}/fetch.XXXXXX")
	# What apt would install for it are the libraries that the machine has not got.
	packages=$(apt-get install -s --no-install-recommends libreswan 2>/dev/null |
		sed -n 's/^Inst \(libreswan\|lib[^ ]*\) .*/\1/p')
	(
		cd "$work" || exit
		# shellcheck disable=SC2086 # one word each
		apt-get download -q ${packages:-libreswan} >/dev/null 2>&1 || exit
		for package in ./*.deb; do
			dpkg -x "$package" root || exit
		done
	) && mv -T "$work/root" "$LIBRESWAN_DIR"
	rm -rf -- "$work"
	[[ -x $LIBRESWAN_DIR/usr/libexec/ipsec/pluto ]]
}

# libreswan_configure GATEWAY IPSEC_CONF IPSEC_SECRETS: puts the files where pluto looks for them.
libreswan_configure() {
	local root=$LAB_DIR/ns/$1
	mkdir -p "$root/usr" "$root/run/pluto" "$root/var/lib/ipsec/nss" "$root/etc/ipsec.d/policies"
	cp "$2" "$root/etc/ipsec.conf"
	cp "$3" "$root/etc/ipsec.secrets"
	ln -sfn "$LIBRESWAN_DIR/usr/libexec" "$root/usr/libexec"
}

# libreswan_run GATEWAY COMMAND...: a command that may need its libraries.
libreswan_run() {
	local gw=$1
	shift
	timeout --foreground 60 "$LAB_DIR/enter" "$gw" env "${LIBRESWAN_ENV[@]}" "$@"
}

# libreswan_ctl GATEWAY ARGUMENT...: the ipsec command there.
libreswan_ctl() {
	local gw=$1
	shift
	libreswan_run "$gw" ipsec "$@"
}

# libreswan_start GATEWAY: starts pluto; its log is log/pluto-GATEWAY.log, a new one.
libreswan_start() {
	rm -f "$LAB_DIR/ns/$1"/var/lib/ipsec/nss/*.db # initnss wants to be the first
	lab_log_new "pluto-$1"
	libreswan_ctl "$1" initnss >>"$(lab_log "pluto-$1")" 2>&1
	lab_spawn "$1" "pluto-$1" env "${LIBRESWAN_ENV[@]}" \
		/usr/libexec/ipsec/pluto --nofork --stderrlog --config /etc/ipsec.conf \
		--nssdir /var/lib/ipsec/nss --rundir /run/pluto
	lab_wait 20 libreswan_ctl "$1" whack --status
	libreswan_ctl "$1" whack --listen >/dev/null
}

# libreswan_up GATEWAY CONNECTION
libreswan_up() {
	libreswan_ctl "$1" auto --add "$2" && libreswan_ctl "$1" auto --up "$2"
}
