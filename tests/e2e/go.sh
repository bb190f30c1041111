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

# go_program NAME ARGUMENT…: build tests/e2e/NAME, which pins its modules with checksums, into $cache/NAME/NAME; it must start with
# these arguments. Does nothing when it is there.
go_program() {
	local pins built=$cache/$1 sum
	pins=$(realpath "$(dirname "${BASH_SOURCE[0]}")/$1")
	mkdir -p "$built"
	exec 9>"$cache/.$1.lock"
	flock 9
	sum=$(cat "$pins"/go.mod "$pins"/main.go | sha256sum | cut -d ' ' -f 1)
	if [ -x "$built/$1" ] && [ "$(cat "$built/sources" 2>/dev/null)" = "$sum" ]; then
		return
	fi
	go_open 24 "$built"
	rm -rf "$built/work"
	cp -r "$pins" "$built/work"
	(cd "$built/work" && "$go" build -trimpath -p 2 -ldflags='-s -w' -o "$built/$1" .)
	chmod -R u+w "$built/gopath"
	rm -rf "$built/work" "$built/gopath" "$built/gocache" "$built/go"
	"$built/$1" "${@:2}" </dev/null || die "the $1 that was built does not start"
	echo "$sum" >"$built/sources"
}
