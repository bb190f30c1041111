#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# fetch-ferretdb.sh: FerretDB, a server that speaks MongoDB's protocol, into $SONDE_CACHE/ferretdb/ferretdb. Debian has neither it nor
# MongoDB. Built from its Go module, which tests/e2e/ferretdb/ pins with checksums; with the machine's Go when it is new
# enough, else with that of bookworm-backports. Does nothing when it is there.
set -euo pipefail
# shellcheck source=tests/vm/private-apt.sh
. "$(dirname "$0")/../vm/private-apt.sh"

pins=$(realpath "$(dirname "$0")/ferretdb")
version=$(sed -n 's|^require github.com/FerretDB/FerretDB ||p' "$pins/go.mod")
built=$cache/ferretdb
mkdir -p "$built"
exec 9>"$cache/.ferretdb.lock"
flock 9
if [ "$("$built/ferretdb" --version 2>/dev/null | sed -n 's/^version: //p')" = "$version" ]; then
	exit 0
fi

is_new_enough() {
	"$1" version 2>/dev/null | grep -Eq 'go1\.(2[2-9]|[3-9][0-9])|go[2-9]\.'
}

fetch_go() {
	private_apt_open go bookworm bookworm-updates bookworm-security bookworm-backports
	cp /var/lib/dpkg/status "$apt_dir/status"
	apt-get "${apt_options[@]}" -qq -y --download-only -t bookworm-backports install golang-go ||
		die "cannot download golang-go from bookworm-backports"
	rm -rf "$built/go"
	for deb in "$apt_dir"/archives/golang-*.deb; do
		dpkg -x "$deb" "$built/go"
	done
	private_apt_close
}

go=$(command -v go || true)
if ! is_new_enough "${go:-go}"; then
	fetch_go
	# Debian links these to one another with absolute paths.
	export GOROOT=
	for GOROOT in "$built"/go/usr/lib/go-*; do :; done
	[ -e "$GOROOT/src/runtime" ] || ln -sfn "$built/go/usr/share/$(basename "$GOROOT")/src" "$GOROOT/src"
	for shared in api lib misc pkg/include test; do
		[ ! -e "$built/go/usr/share/$(basename "$GOROOT")/$shared" ] ||
			ln -sfn "$built/go/usr/share/$(basename "$GOROOT")/$shared" "$GOROOT/$shared"
	done
	go=$GOROOT/bin/go
	is_new_enough "$go" || die "golang-go of bookworm-backports does not run or is too old"
fi

export GOTOOLCHAIN=local GOFLAGS=-mod=mod GOPATH=$built/gopath GOCACHE=$built/gocache
work=$built/work
rm -rf "$work"
mkdir -p "$work"
cp "$pins/go.mod" "$pins/go.sum" "$work"
cd "$work"
"$go" mod download "github.com/FerretDB/FerretDB@$version"
# It will not start without a file that its own build makes.
cp -r "$("$go" list -m -f '{{.Dir}}' github.com/FerretDB/FerretDB)" source
chmod -R u+w source
echo "$version" >source/build/version/version.txt
"$go" mod edit -replace "github.com/FerretDB/FerretDB=./source"
"$go" build -trimpath -p 2 -o "$built/ferretdb" github.com/FerretDB/FerretDB/cmd/ferretdb
chmod -R u+w "$built/gopath"
rm -rf "$work" "$built/gopath" "$built/gocache" "$built/go"
"$built/ferretdb" --version | head -n 2 || die "the FerretDB that was built does not start"
