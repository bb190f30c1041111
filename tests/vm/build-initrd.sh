#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# build-initrd.sh OUT [--modules KDIR] [SRC[:DEST]]…: an initrd that boots guest-init and then runs /test/run (bash).
# SRC is a file or a tree of the host; binaries bring the libraries that ldd names. DEST defaults to
# SRC for absolute paths under /usr, /etc, /opt and /var, and to /test/<name> for everything else.
#
# The kernel unpacks concatenated cpio archives one after the other, so OUT is base + modules + files,
# and the first two, which are large and seldom change, come from the cache.
set -euo pipefail
# shellcheck source=tests/vm/cache.sh
. "$(dirname "$0")/cache.sh"

# Real tools win over busybox's applets of the same name. Debian's busybox prefers its own applets (a poor ip, a poor tc)
# to what is in PATH, so the shell and whatever else starts programs must not be busybox.
base_tools="bash curl dash dnsmasq ip kmod memcached memcslap nft nghttp nginx python3 ss strace tc wrk redis-benchmark redis-cli redis-server
	chroot env find flock nice nohup nsenter setpriv setsid taskset timeout unshare xargs"
python_excluded="test idlelib lib2to3 tkinter turtledemo ensurepip pydoc_data config-3*"

# /lib and /bin are links in the guest as on the host: an archive with a directory there would replace them.
guest_path() {
	case $1 in
	/bin/* | /sbin/* | /lib/* | /lib64/*) echo "/usr$1" ;;
	*) echo "$1" ;;
	esac
}

# put STAGE SRC DEST: one file or a tree, links kept inside trees and followed at the top.
put() {
	local stage=$1 src=$2 dest
	dest=$stage$(guest_path "$3")
	mkdir -p "$(dirname "$dest")"
	if [ -d "$src" ]; then
		mkdir -p "$dest"
		cp -a "$src/." "$dest/"
	else
		cp -L --preserve=mode,timestamps "$src" "$dest"
	fi
}

# put_libraries STAGE [LIST]: what the stage's binaries need and neither it nor LIST (the base's paths) has.
put_libraries() {
	local stage=$1 list=${2:-/dev/null} library dest
	# ldd fails for scripts and static binaries, which need nothing.
	{ find "$stage" -type f \( -perm /111 -o -name '*.so*' \) -print0 | xargs -0r ldd 2>/dev/null || true; } |
		awk '$2 == "=>" && $3 ~ /^\// { print $3 } $1 ~ /^\// && $2 ~ /^\(/ { print $1 }' | sort -u |
		while read -r library; do
			dest=$(guest_path "$library")
			[ -e "$stage$dest" ] || grep -qxF "$dest" "$list" || put "$stage" "$library" "$dest"
		done
}

pack() {
	(cd "$1" && find . -mindepth 1 | LC_ALL=C sort | cpio -o -H newc -R 0:0 --quiet) >"$2.$$"
	mv "$2.$$" "$2"
}

put_accounts() {
	local etc=$1/etc
	mkdir -p "$etc"
	printf '%s\n' root:x:0:0:root:/root:/bin/sh www-data:x:33:33::/var/www:/bin/false nobody:x:65534:65534::/:/bin/false >"$etc/passwd"
	printf '%s\n' root:x:0: adm:x:4: www-data:x:33: nogroup:x:65534: >"$etc/group"
	printf '%s\n' '127.0.0.1 localhost guest' '::1 localhost' >"$etc/hosts"
	printf '%s\n' 'passwd: files' 'group: files' 'hosts: files' >"$etc/nsswitch.conf"
}

put_python() {
	local stage=$1 lib pattern
	lib=$(/usr/bin/python3 -c 'import sysconfig; print(sysconfig.get_path("stdlib"))')
	put "$stage" "$lib" "$lib"
	for pattern in $python_excluded; do
		# shellcheck disable=SC2086 # a pattern
		rm -rf "${stage:?}$lib"/$pattern
	done
	find "$stage$lib" -name '*.opt-[12].pyc' -delete
}

put_base() {
	local stage=$1 tool applet
	mkdir -p "$stage"/{dev,proc,sys,run,tmp,root,test,var/tmp,usr/bin,usr/sbin,usr/lib,usr/lib64}
	ln -s usr/bin "$stage/bin"
	ln -s usr/sbin "$stage/sbin"
	ln -s usr/lib "$stage/lib"
	ln -s usr/lib64 "$stage/lib64"
	ln -s ../run "$stage/var/run"
	put "$stage" "$vm_dir/guest-init" /init
	for tool in $base_tools; do
		put "$stage" "$(tool_path "$tool")" "$(tool_path "$tool")"
	done
	ln -sf kmod "$stage/usr/bin/modprobe"
	ln -sf ../bin/kmod "$stage/usr/sbin/modprobe" # where the kernel looks for it
	ln -s dash "$stage/usr/bin/sh"
	put "$stage" /bin/busybox /usr/bin/busybox
	for applet in $(/bin/busybox --list); do
		[ -e "$stage/usr/bin/$applet" ] || [ -e "$stage/usr/sbin/$applet" ] || ln -s busybox "$stage/usr/bin/$applet"
	done
	put "$stage" /etc/nginx/mime.types /etc/nginx/mime.types
	put "$stage" /usr/lib/x86_64-linux-gnu/tc /usr/lib/x86_64-linux-gnu/tc # netem's distributions
	rm "$stage"/usr/lib/x86_64-linux-gnu/tc/*.so # for iptables
	put_accounts "$stage"
	put_python "$stage"
	put_libraries "$stage"
}

# Debian's own, not what a person has put before it in PATH.
tool_path() {
	PATH=/usr/sbin:/usr/bin type -P "$1" || die "$1 is not installed"
}

# Sets $base; its name says which tools, libraries (by way of the C library) and scripts it was made from.
base_archive() {
	local tool key stage
	key=$(
		for tool in $base_tools; do tool_path "$tool"; done | xargs stat -L -c '%n %s %Y' /bin/busybox \
			/lib/x86_64-linux-gnu/libc.so.6 "$vm_dir/guest-init" "$vm_dir/build-initrd.sh" | sha256sum | cut -c1-12
	)
	base=$cache/initrd/base-$key
	[ ! -e "$base.cpio" ] || return 0
	rm -f "$cache"/initrd/base-*
	stage=$work/base
	put_base "$stage"
	(cd "$stage" && find . -type f -printf '/%P\n') >"$base.list"
	pack "$stage" "$base.cpio"
}

[ $# -ge 1 ] || die "usage: build-initrd.sh OUT [--modules KDIR] [SRC[:DEST]]…"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
out=$1 parts=()
shift
mkdir -p "$cache/initrd"
exec 9>"$cache/initrd/.lock"
flock 9 # two runs at once would pack over each other
base_archive
parts+=("$base.cpio")
if [ "${1:-}" = --modules ]; then
	[ -e "$2/release" ] || die "$2 is not a kernel made by fetch-kernels.sh"
	[ "$2/modules.cpio" -nt "$2/release" ] || pack "$2/modules" "$2/modules.cpio"
	parts+=("$2/modules.cpio")
	shift 2
fi
flock -u 9

mkdir "$work/stage"
for spec in "$@"; do
	src=${spec%%:*}
	[ -e "$src" ] || die "$src does not exist"
	case $spec in
	*:*) dest=${spec#*:} ;;
	/usr/* | /etc/* | /opt/* | /var/* | /bin/* | /sbin/* | /lib/*) dest=$src ;;
	*) dest=/test/$(basename "$src") ;;
	esac
	put "$work/stage" "$src" "$dest"
done
if [ $# -gt 0 ]; then
	put_libraries "$work/stage" "$base.list"
	pack "$work/stage" "$work/files.cpio"
	parts+=("$work/files.cpio")
fi
cat "${parts[@]}" >"$out"
