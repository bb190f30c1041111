#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# fetch-qemu.sh: QEMU 10 for counting instructions, into $SONDE_CACHE/qemu, with a wrapper
# $SONDE_CACHE/qemu/qemu-system-x86_64 that finds its libraries and firmware there.
# Debian 12's own QEMU 7.2 panics guests under -icount (DESIGN.md). Does nothing when the wrapper works.
set -euo pipefail
# shellcheck source=tests/vm/private-apt.sh
. "$(dirname "$0")/private-apt.sh"

qemu=$cache/qemu
mkdir -p "$cache"
exec 9>"$cache/.qemu.lock"
flock 9
if "$qemu/qemu-system-x86_64" --version 2>/dev/null | head -n 1; then
	exit 0
fi

trap private_apt_close EXIT
private_apt_open qemu bookworm bookworm-updates bookworm-security bookworm-backports
# Libraries that this machine has need not be fetched; its QEMU is left out, or apt would plan an upgrade.
awk -v RS= -v ORS='\n\n' '!/^Package: (qemu-|seabios|ipxe-qemu)/' /var/lib/dpkg/status >"$apt_dir/status"
apt-get "${apt_options[@]}" -qq -y --download-only -t bookworm-backports install qemu-system-x86 ||
	die "cannot download qemu-system-x86 from bookworm-backports"

rm -rf "$qemu"
mkdir -p "$qemu"
for deb in "$apt_dir"/archives/*.deb; do
	dpkg -x "$deb" "$qemu/root"
done
rm -rf "$qemu"/root/usr/share/{doc,man,locale}
cat >"$qemu/qemu-system-x86_64" <<'WRAPPER'
#!/bin/sh
root=$(dirname "$(realpath "$0")")/root
LD_LIBRARY_PATH=$root/usr/lib/x86_64-linux-gnu:$root/lib/x86_64-linux-gnu \
	QEMU_MODULE_DIR=$root/usr/lib/x86_64-linux-gnu/qemu \
	exec "$root/usr/bin/qemu-system-x86_64" -L "$root/usr/share/qemu" -L "$root/usr/share/seabios" "$@"
WRAPPER
chmod +x "$qemu/qemu-system-x86_64"
"$qemu/qemu-system-x86_64" --version | head -n 1 || die "the QEMU that was fetched does not start"
