#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# fetch-kernels.sh [KERNEL…]: Debian's cloud kernels and the modules that guests need, into
# $SONDE_CACHE/kernels/KERNEL/{vmlinuz,modules/,release}. Does nothing for a kernel that is there.
set -euo pipefail
# shellcheck source=tests/vm/private-apt.sh
. "$(dirname "$0")/private-apt.sh"

# kernel: the series wanted (a regular expression) and the suites that may carry it, the first that does wins.
kernel_table() {
	cat <<-'TABLE'
		5.10    5\.10\.    bullseye-security bullseye
		6.1     6\.1\.     bookworm-security bookworm
		6.12    6\.12\.    bookworm-backports trixie-security trixie
		newest  [0-9]+\.   sid
	TABLE
}

# What tests may ask for; guests load them on demand. One that a kernel lacks or has built in is left out.
modules_wanted="veth dummy bridge tun ifb vxlan
	sch_netem sch_tbf sch_fq sch_fq_codel sch_htb sch_prio sch_ingress cls_bpf cls_u32 cls_matchall act_bpf act_mirred
	nf_tables nft_ct nft_counter nft_limit nft_log nft_nat nft_masq nft_redir nft_reject_inet nft_chain_nat nf_conntrack
	tls tcp_diag inet_diag udp_diag unix_diag tcp_bbr vsock_loopback overlay"

# The packages behind a suite's cloud meta-package: linux-image-*, and since 7.x linux-binary-* and linux-modules-*.
kernel_packages() {
	apt-cache "${apt_options[@]}" depends --recurse --no-recommends --no-suggests --no-conflicts --no-breaks \
		--no-replaces --no-enhances linux-image-cloud-amd64 2>/dev/null |
		grep -E '^linux-(image|binary|modules)-[0-9]' | sort -u
}

# Keep the wanted modules with their dependencies, unpacked: 5.10 cannot decompress them itself.
select_modules() {
	local unpacked=$1 out=$2 release=$3 name file
	mkdir -p "$out/usr/lib/modules/$release"
	for name in builtin builtin.modinfo order; do # 7.x packages have none, and depmod warns at length
		touch "$unpacked/lib/modules/$release/modules.$name"
		cp "$unpacked/lib/modules/$release/modules.$name" "$out/usr/lib/modules/$release/"
	done
	depmod -b "$unpacked" "$release"
	for name in $modules_wanted; do
		modprobe -d "$unpacked" -S "$release" --show-depends "$name" 2>/dev/null || true
	done | awk '$1 == "insmod" { print $2 }' | sort -u | while read -r file; do
		name=$out/usr/lib/modules/$release/$(basename "${file%.xz}")
		case $file in *.xz) xz -dc "$file" >"$name" ;; *) cp "$file" "$name" ;; esac
	done
	ln -s usr/lib "$out/lib" # depmod looks under lib/modules only
	depmod -b "$out" "$release"
	rm "$out/lib"
}

fetch_from_suite() {
	local kernel=$1 series=$2 suite=$3 packages new=$cache/kernels/.$1.new release deb file
	trap private_apt_close EXIT
	private_apt_open "$kernel" "$suite"
	packages=$(kernel_packages)
	grep -qE -- "-$series.*cloud" <<<"$packages"
	# shellcheck disable=SC2086 # a list of names
	(cd "$apt_dir/archives" && apt-get "${apt_options[@]}" -qq download $packages)
	rm -rf "$new"
	mkdir -p "$new"
	for deb in "$apt_dir"/archives/*.deb; do
		dpkg -x "$deb" "$apt_dir/unpacked"
	done
	# Up to 6.12 the kernel is in /boot and the modules in /lib; from 7.x all is in /usr/lib/modules.
	[ -e "$apt_dir/unpacked/lib" ] || ln -s usr/lib "$apt_dir/unpacked/lib"
	release=$(basename "$apt_dir"/unpacked/lib/modules/*)
	for file in "$apt_dir/unpacked/boot/vmlinuz-$release" "$apt_dir/unpacked/lib/modules/$release/vmlinuz"; do
		[ ! -e "$file" ] || cp "$file" "$new/vmlinuz"
	done
	[ -s "$new/vmlinuz" ]
	mkdir -p "$new/modules/boot" # libbpf reads the kernel's settings there; the 7.x packages have none
	cp "$apt_dir/unpacked/boot/config-$release" "$new/modules/boot/" 2>/dev/null || true
	select_modules "$apt_dir/unpacked" "$new/modules" "$release"
	echo "$release" >"$new/release"
	rm -rf "${cache:?}/kernels/$kernel"
	mv "$new" "$cache/kernels/$kernel"
	echo "$kernel: $release from $suite"
}

fetch_kernel() {
	local kernel series suites suite status
	read -r kernel series suites < <(kernel_table | awk -v k="$1" '$1 == k') || die "no kernel $1 in the table"
	if [ -e "$cache/kernels/$kernel/release" ]; then
		echo "$kernel: $(cat "$cache/kernels/$kernel/release") (cached)"
		return
	fi
	for suite in $suites; do
		set +e # in a condition bash would ignore every failure inside the function
		(set -e && fetch_from_suite "$kernel" "$series" "$suite")
		status=$?
		set -e
		[ $status -ne 0 ] || return 0
		echo "${0##*/}: no $kernel cloud kernel from $suite" >&2
	done
	die "kernel $kernel: no suite of ($suites) gave it; is the Debian mirror reachable?"
}

mkdir -p "$cache/kernels"
exec 9>"$cache/kernels/.lock"
flock 9 # two runs at once would unpack over each other
if [ $# -eq 0 ]; then
	mapfile -t names < <(kernel_table | awk '{ print $1 }')
	set -- "${names[@]}"
fi
for name in "$@"; do
	fetch_kernel "$name"
done
