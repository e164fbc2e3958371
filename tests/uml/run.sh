#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# Runs a command under User-Mode Linux, whose kernel has ESP where the machine's has not:
#
#	tests/uml/run.sh SECONDS COMMAND [ARGUMENT...]
#
# The machine's files are there, read-only; /run and TMPDIR (/mnt) are empty and
# writable. What the command prints comes out as it comes; the exit status is the command's own, or
# 125 when the kernel panicked, did not start, or the time was over, or 77 where there is no UML.
# One slow processor: good to see that something works, not how fast.
set -euo pipefail

modules='xfrm_user af_key esp4 esp6 gcm ctr ghash-generic seqiv echainiv authenc cbc hmac sha1_generic
	sha256_generic sha512_generic chacha20poly1305 tun veth bridge nf_conntrack nf_nat iptable_nat
	iptable_filter ip6table_filter xt_MASQUERADE xt_nat xt_conntrack xt_tcpudp'

# The first process inside: what an init system would have done, then the command, then the end.
write_init() {
	cat <<-END
		#!/bin/bash
		export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LC_ALL=C.UTF-8
		mount -t proc proc /proc
		mount -t sysfs sysfs /sys
		mount -t tmpfs -o mode=755 tmpfs /run
		mountpoint -q /dev || mount -t devtmpfs devtmpfs /dev
		mkdir -p /dev/pts /dev/shm /run/netns /run/lock
		mount -t devpts devpts /dev/pts
		ln -sfn /proc/self/fd /dev/fd
		mount -t tmpfs tmpfs /dev/shm
		export TMPDIR=/mnt LAB_PATIENCE=6
		mount -t tmpfs -o mode=1777 tmpfs /mnt
		mkdir -p /run/kmod/lib
		ln -s /usr/lib/uml/modules /run/kmod/lib/modules
		printf '#!/bin/sh\nexec /sbin/modprobe -d /run/kmod "\$@"\n' >/run/kmod/modprobe
		chmod 755 /run/kmod/modprobe
		echo /run/kmod/modprobe >/proc/sys/kernel/modprobe # for what the kernel asks for
		for module in $(tr -s '[:space:]' ' ' <<<"$modules"); do
			/run/kmod/modprobe "\$module" || echo "uml: no module \$module"
		done
		ip link set lo up
		cd $(printf %q "$PWD")
		$(printf '%q ' "$@") </dev/null
		status=\$?
		echo
		echo "uml-result: \$status"
		sync
		poweroff -d -f
	END
}

# What ptrace needs help with on processors with AMX: see xstate.c.
preload() {
	grep -qw amx_tile /proc/cpuinfo || return 0
	cc -O2 -fPIC -shared -o "$dir/xstate.so" "$(dirname "$0")/xstate.c" -ldl
	echo "$dir/xstate.so"
}

main() {
	local seconds=$1 uml=${NATMUX_UML:-/usr/bin/linux.uml} kernel_status=0 line result='' preload
	shift
	export PATH=$PATH:/usr/sbin:/sbin
	[[ -x $uml ]] || { echo "skipped: no $uml (Debian package user-mode-linux)"; exit 77; }
	command -v modprobe >/dev/null || { echo "skipped: no modprobe (Debian package kmod)"; exit 77; }
	dir=$(mktemp -d "${TMPDIR:-/tmp}/natmux-uml.XXXXXX")
	trap 'rm -rf -- "$dir"' EXIT
	write_init "$@" >"$dir/init"
	chmod 755 "$dir/init"
	mkfifo "$dir/console"
	preload=$(preload)
	LD_PRELOAD=$preload HOME=$dir TMPDIR=/dev/shm timeout -k 5 "$seconds" "$uml" mem=768M root=/dev/root \
		rootfstype=hostfs rootflags=/ ro init="$dir/init" uml_dir="$dir" con=null \
		con0=null,fd:1 quiet >"$dir/console" 2>&1 </dev/null &
	local pid=$!
	while IFS= read -r line; do
		line=${line%$'\r'}
		case $line in
		uml-result:*) result=${line#uml-result: } ;;
		*'Kernel panic'*)
			echo "$line"
			echo "uml: the kernel panicked" >&2
			kill "$pid" 2>/dev/null || true
			;;
		'SELinux:'* | mmapper_init* | *'ubd device'* | *'Powering off'* | 'reboot:'*) ;; # boot noise
		*) printf '%s\n' "$line" ;;
		esac
	done <"$dir/console"
	wait "$pid" || kernel_status=$?
	[[ $kernel_status -ne 124 ]] || echo "uml: not done after $seconds seconds" >&2
	exit "${result:-125}"
}

if [[ $# -lt 2 || ! $1 =~ ^[0-9]+$ ]]; then
	echo "usage: tests/uml/run.sh SECONDS COMMAND [ARGUMENT...]" >&2
	exit 2
fi
main "$@"
