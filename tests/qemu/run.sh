#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# Runs a command under the newer kernel of tools/lib/linux.sh, on a machine that qemu makes:
#
#	tests/qemu/run.sh SECONDS COMMAND [ARGUMENT...]
#
# The machine's files are there, read-only; /run and TMPDIR (/mnt) are empty and
# writable. What the command prints comes out as it comes; the exit status is the command's own, or
# 125 when the kernel panicked, did not start, or the time was over, or 77 where there is no qemu or
# no kernel. One emulated processor, on which ciphers are slow: good to see that something works, not
# how fast. A namespace test runs here with NATMUX_GUEST=qemu, see tests/netns/common.sh.
set -euo pipefail
here=$(dirname -- "$(realpath -- "$0")")
# shellcheck source=tools/lib/guest.sh
. "$here/../../tools/lib/guest.sh"
# shellcheck source=tools/lib/linux.sh
. "$here/../../tools/lib/linux.sh"

guest_name=qemu
guest_lib=$LINUX_DIR/lib
guest_modules='xfrm_user esp4 esp6 tun veth' # loading takes long here, and somebody may be waiting
# What costs time and proves nothing here.
kernel_options='no_timer_check cryptomgr.notests mitigations=off no5lvl init_on_alloc=0'

# initrd VERSION: init.c, and what it needs to see the host's files, in the order of loading.
initrd() {
	local module number=100
	mkdir -p "$dir/initrd/modules"
	cc -O2 -Wall -Werror -static -o "$dir/initrd/init" "$here/init.c"
	for module in virtio_pci 9p 9pnet_virtio virtio_rng; do
		modprobe -d "$LINUX_DIR" -S "$1" --show-depends "$module"
	done | sed -n 's/^insmod \([^ ]*\).*/\1/p' | awk '!seen[$0]++' >"$dir/modules"
	while IFS= read -r module; do
		cp "$module" "$dir/initrd/modules/$((number++))-${module##*/}"
	done <"$dir/modules"
	(cd "$dir/initrd" && find . | cpio --quiet -o -H newc) >"$dir/initrd.cpio"
}

main() {
	local seconds=$1 version
	shift
	export PATH=$PATH:/usr/sbin:/sbin
	[[ $(uname -m) == x86_64 ]] || { echo "skipped: not on this processor"; exit 77; }
	guest_needs qemu-system-x86_64 qemu-system-x86
	guest_needs cpio cpio
	guest_needs modprobe kmod
	linux_fetch || { echo "skipped: apt has no Linux $LINUX_SERIES, or no network"; exit 77; }
	version=$(linux_version)
	guest_begin
	guest_init "$@" >"$dir/init"
	chmod 755 "$dir/init"
	initrd "$version"
	timeout -k 5 "$seconds" qemu-system-x86_64 -accel tcg,thread=multi -cpu max -m 1G \
		-nodefaults -no-reboot -display none -serial stdio \
		-kernel "$LINUX_DIR/boot/vmlinuz-$version" -initrd "$dir/initrd.cpio" \
		-append "console=ttyS0 quiet panic=-1 $kernel_options natmux_init=$dir/init" \
		-virtfs local,path=/,mount_tag=root,security_model=none,readonly=on,multidevs=remap \
		-device virtio-rng-pci >"$dir/console" 2>&1 </dev/null &
	guest_end $! "$seconds"
}

guest_usage tests/qemu/run.sh "$@"
main "$@"
