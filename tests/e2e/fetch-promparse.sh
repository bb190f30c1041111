#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# fetch-promparse.sh: a reader of protobuf with the parser of a Prometheus newer than Debian's, into $SONDE_CACHE/promparse/promparse.
# Built from tests/e2e/promparse/, which pins its modules with checksums. Does nothing when it is there.
set -euo pipefail
# shellcheck source=tests/e2e/go.sh
. "$(dirname "$0")/go.sh"

pins=$(realpath "$(dirname "$0")/promparse")
built=$cache/promparse
mkdir -p "$built"
exec 9>"$cache/.promparse.lock"
flock 9
sum=$(cat "$pins"/go.mod "$pins"/main.go | sha256sum | cut -d ' ' -f 1)
if [ -x "$built/promparse" ] && [ "$(cat "$built/sources" 2>/dev/null)" = "$sum" ]; then
	exit 0
fi

go_open 24 "$built"
work=$built/work
rm -rf "$work"
cp -r "$pins" "$work"
cd "$work"
"$go" build -trimpath -p 2 -ldflags='-s -w' -o "$built/promparse" .
chmod -R u+w "$built/gopath"
rm -rf "$work" "$built/gopath" "$built/gocache" "$built/go"
"$built/promparse" </dev/null || die "what was built does not start"
echo "$sum" >"$built/sources"
