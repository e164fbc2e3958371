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
# One slow processor: good to see that something works, not how fast. tests/qemu/run.sh is the same
# with a newer kernel.
set -euo pipefail
here=$(dirname -- "$(realpath -- "$0")")
# shellcheck source=tools/lib/guest.sh
. "$here/../../tools/lib/guest.sh"

guest_name=uml
guest_lib=/usr/lib/uml
guest_modules='xfrm_user esp4 esp6 gcm ctr ghash-generic seqiv echainiv authenc cbc hmac sha1_generic
	sha256_generic chacha20poly1305 tun veth bridge nf_conntrack nf_nat iptable_nat
	iptable_filter ip6table_filter xt_MASQUERADE xt_nat xt_conntrack xt_tcpudp'

# What ptrace needs help with on processors with AMX: see xstate.c.
preload() {
	grep -qw amx_tile /proc/cpuinfo || return 0
	cc -O2 -fPIC -shared -o "$dir/xstate.so" "$here/xstate.c" -ldl
	echo "$dir/xstate.so"
}

main() {
	local seconds=$1 uml=${NATMUX_UML:-/usr/bin/linux.uml} preload
	shift
	export PATH=$PATH:/usr/sbin:/sbin
	guest_needs "$uml" user-mode-linux
	guest_needs modprobe kmod
	guest_begin
	guest_init "$@" >"$dir/init"
	chmod 755 "$dir/init"
	preload=$(preload)
	LD_PRELOAD=$preload HOME=$dir TMPDIR=/dev/shm timeout -k 5 "$seconds" "$uml" mem=768M root=/dev/root \
		rootfstype=hostfs rootflags=/ ro init="$dir/init" uml_dir="$dir" con=null \
		con0=null,fd:1 quiet >"$dir/console" 2>&1 </dev/null &
	guest_end $! "$seconds"
}

guest_usage tests/uml/run.sh "$@"
main "$@"
