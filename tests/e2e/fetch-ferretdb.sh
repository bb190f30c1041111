#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# fetch-ferretdb.sh: FerretDB, a server that speaks MongoDB's protocol, into $SONDE_CACHE/ferretdb/ferretdb. Debian has neither it nor
# MongoDB. Built from its Go module, which tests/e2e/ferretdb/ pins with checksums; with the machine's Go when it is new
# enough, else with that of bookworm-backports. Does nothing when it is there.
set -euo pipefail
# shellcheck source=tests/e2e/go.sh
. "$(dirname "$0")/go.sh"

pins=$(realpath "$(dirname "$0")/ferretdb")
version=$(sed -n 's|^require github.com/FerretDB/FerretDB ||p' "$pins/go.mod")
built=$cache/ferretdb
mkdir -p "$built"
exec 9>"$cache/.ferretdb.lock"
flock 9
if [ "$("$built/ferretdb" --version 2>/dev/null | sed -n 's/^version: //p')" = "$version" ]; then
	exit 0
fi

go_open 22 "$built"
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
