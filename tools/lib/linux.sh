# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
#
# A newer Linux than Debian's own, for tests/qemu/run.sh: the 6.12 that Debian 12 has besides, unpacked
# into a cache of the user's; nothing is installed. To test another kernel, put its boot/vmlinuz-VERSION
# and lib/modules/VERSION, with modules.dep, there.

LINUX_SERIES=6.12
LINUX_DIR=${XDG_CACHE_HOME:-$HOME/.cache}/natmux/linux-$LINUX_SERIES

# linux_version: of the kernel in the cache; nothing and a failure if there is none.
linux_version() {
	local image
	for image in "$LINUX_DIR"/boot/vmlinuz-*; do
		[[ -r $image && -r $LINUX_DIR/lib/modules/${image##*/vmlinuz-}/modules.dep ]] || continue
		echo "${image##*/vmlinuz-}"
		return
	done
	return 1
}

# linux_package: the newest one that apt knows.
linux_package() {
	apt-cache search --names-only "^linux-image-${LINUX_SERIES//./\\.}\\.[0-9.]*\\+deb12-amd64-unsigned\$" |
		sed 's/ .*//' | sort -V | tail -n 1
}

# linux_fetch: fills the cache, once (107 MB). Needs apt's lists; fails without a network.
linux_fetch() {
	local work package version
	linux_version >/dev/null && return
	package=$(linux_package)
	[[ -n $package ]] || return 1
	version=${package#linux-image-}
	version=${version%-unsigned}
	mkdir -p "${LINUX_DIR%/*}"
	work=$(mktemp -d "${LINUX_DIR%/*}/fetch.XXXXXX")
	(
		cd "$work" &&
			apt-get download -q "$package" >/dev/null 2>&1 &&
			dpkg -x ./*.deb root &&
			rm -rf root/usr &&
			depmod -b root "$version"
	) && mv -T "$work/root" "$LINUX_DIR"
	rm -rf -- "$work"
	linux_version >/dev/null
}
