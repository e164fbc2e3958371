# shellcheck shell=bash disable=SC2154 # guest_...: the runners
# SPDX-License-Identifier: Apache-2.0
#
# What the runners of other kernels share, tests/uml/run.sh and tests/qemu/run.sh: the first process
# inside, and what becomes of what the console says. A runner sets
#
#	guest_name	the prefix of its own words
#	guest_lib	a directory with the kernel's modules/VERSION
#	guest_modules	what to load that the kernel does not load when it is asked for

# guest_begin: a directory for the run, $dir, gone at its end; the console's pipe in it.
guest_begin() {
	dir=$(mktemp -d "${TMPDIR:-/tmp}/natmux-$guest_name.XXXXXX")
	trap 'rm -rf -- "$dir"' EXIT
	mkfifo "$dir/console"
}

# guest_init COMMAND...: the first process inside, on standard output: what an init system would have
# done, then the command, then the end.
guest_init() {
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
		export TMPDIR=/mnt LAB_PATIENCE=12 NATMUX_GUEST=inside
		mount -t tmpfs -o mode=1777 tmpfs /mnt
		mkdir -p /run/kmod/lib
		ln -s $(printf %q "$guest_lib/modules") /run/kmod/lib/modules
		printf '#!/bin/sh\nexec /sbin/modprobe -d /run/kmod "\$@"\n' >/run/kmod/modprobe
		chmod 755 /run/kmod/modprobe
		echo /run/kmod/modprobe >/proc/sys/kernel/modprobe # for what the kernel asks for
		for module in $(tr -s '[:space:]' ' ' <<<"$guest_modules"); do
			/run/kmod/modprobe "\$module" || echo "$guest_name: no module \$module"
		done
		ip link set lo up
		cd $(printf %q "$PWD")
		$(printf '%q ' "$@") </dev/null
		status=\$?
		echo 1 >/proc/sys/kernel/printk # or the kernel writes into the next line
		echo
		echo "guest-result: \$status"
		sync
		poweroff -d -f
	END
}

# guest_end PID SECONDS: passes on what the console says until that process, `timeout` with a kernel,
# has ended, and ends as the command did: 125 if nobody heard how.
guest_end() {
	local pid=$1 seconds=$2 kernel_status=0 line result=''
	while IFS= read -r line; do
		line=${line%$'\r'}
		case $line in
		guest-result:*) result=${line#guest-result: } ;;
		*'Kernel panic'*)
			echo "$line"
			echo "$guest_name: the kernel panicked" >&2
			kill "$pid" 2>/dev/null || true
			;;
		'SELinux:'* | mmapper_init* | *'ubd device'* | *'Powering off'* | *'reboot:'*) ;; # boot noise
		*) printf '%s\n' "$line" ;;
		esac
	done <"$dir/console"
	wait "$pid" || kernel_status=$?
	[[ $kernel_status -ne 124 ]] || echo "$guest_name: not done after $seconds seconds" >&2
	exit "${result:-125}"
}

# guest_usage SCRIPT ARGUMENT...: whether these are seconds and a command.
guest_usage() {
	local script=$1
	shift
	[[ $# -ge 2 && $1 =~ ^[0-9]+$ ]] && return
	echo "usage: $script SECONDS COMMAND [ARGUMENT...]" >&2
	exit 2
}

# guest_needs PROGRAM PACKAGE: skips where there is none.
guest_needs() {
	command -v "$1" >/dev/null && return
	echo "skipped: no $1 (Debian package $2)"
	exit 77
}
