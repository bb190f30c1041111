# shellcheck shell=bash disable=SC2034 # its readers are elsewhere
# SPDX-License-Identifier: Apache-2.0
# Sourced by what builds Go programs: $go is the machine's Go when it is new enough, else that of bookworm-backports.

# shellcheck source=tests/vm/private-apt.sh
. "$(dirname "${BASH_SOURCE[0]}")/../vm/private-apt.sh"

# go_is_new_enough GO MINOR: it is at least Go 1.MINOR
go_is_new_enough() {
	local minor
	minor=$("$1" version 2>/dev/null | sed -n 's/.* go1\.\([0-9]*\).*/\1/p')
	[ "${minor:-0}" -ge "$2" ]
}

go_fetch() {
	private_apt_open go bookworm bookworm-updates bookworm-security bookworm-backports
	cp /var/lib/dpkg/status "$apt_dir/status"
	apt-get "${apt_options[@]}" -qq -y --download-only -t bookworm-backports install golang-go ||
		die "cannot download golang-go from bookworm-backports"
	rm -rf "$1/go"
	for deb in "$apt_dir"/archives/golang-*.deb; do
		dpkg -x "$deb" "$1/go"
	done
	private_apt_close
}

# go_open MINOR DIR: set $go and Go's variables; what it needs is put into DIR.
go_open() {
	go=$(command -v go || true)
	if ! go_is_new_enough "${go:-go}" "$1"; then
		go_fetch "$2"
		# Debian links these to one another with absolute paths.
		export GOROOT=
		for GOROOT in "$2"/go/usr/lib/go-*; do :; done
		[ -e "$GOROOT/src/runtime" ] || ln -sfn "$2/go/usr/share/$(basename "$GOROOT")/src" "$GOROOT/src"
		for shared in api lib misc pkg/include test; do
			[ ! -e "$2/go/usr/share/$(basename "$GOROOT")/$shared" ] ||
				ln -sfn "$2/go/usr/share/$(basename "$GOROOT")/$shared" "$GOROOT/$shared"
		done
		go=$GOROOT/bin/go
		go_is_new_enough "$go" "$1" || die "golang-go of bookworm-backports does not run or is too old"
	fi
	export GOTOOLCHAIN=local GOFLAGS=-mod=mod GOPATH=$2/gopath GOCACHE=$2/gocache
}
