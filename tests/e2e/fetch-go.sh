#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# fetch-go.sh NAME: one of the Go programs below, none of which Debian has as the tests need it, into $SONDE_CACHE/NAME/NAME. Built
# from its modules, which tests/e2e/NAME/ pins with checksums; does nothing when it is there.
set -euo pipefail
# shellcheck source=tests/e2e/go.sh
. "$(dirname "$0")/go.sh"

case ${1:-} in
goroutines) go_program goroutines ;;     # a server that asks others for what it is asked for
jaeger) go_program jaeger -help ;;       # OTLP in, the storage in memory, and queries
otelcol) go_program otelcol --version ;; # the OpenTelemetry Collector, OTLP in and files of JSON out
promparse) go_program promparse ;;       # a reader of protobuf with the parser of a Prometheus newer than Debian's
*) die "fetch-go.sh knows no $1" ;;
esac
