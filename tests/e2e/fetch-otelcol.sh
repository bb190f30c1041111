#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# fetch-otelcol.sh: the OpenTelemetry Collector, OTLP in and files of JSON out, into $SONDE_CACHE/otelcol/otelcol. Debian does not
# have it. Built from tests/e2e/otelcol/, which pins its modules with checksums. Does nothing when it is there.
set -euo pipefail
# shellcheck source=tests/e2e/go.sh
. "$(dirname "$0")/go.sh"

pins=$(realpath "$(dirname "$0")/otelcol")
built=$cache/otelcol
mkdir -p "$built"
exec 9>"$cache/.otelcol.lock"
flock 9
sum=$(cat "$pins"/go.mod "$pins"/main.go | sha256sum | cut -d ' ' -f 1)
if [ -x "$built/otelcol" ] && [ "$(cat "$built/sources" 2>/dev/null)" = "$sum" ]; then
	exit 0
fi

go_open 24 "$built"
work=$built/work
rm -rf "$work"
cp -r "$pins" "$work"
cd "$work"
"$go" build -trimpath -p 2 -ldflags='-s -w' -o "$built/otelcol" .
chmod -R u+w "$built/gopath"
rm -rf "$work" "$built/gopath" "$built/gocache" "$built/go"
"$built/otelcol" --version || die "the Collector that was built does not start"
echo "$sum" >"$built/sources"
