#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# fetch-otelcol.sh: the OpenTelemetry Collector, OTLP in and files of JSON out, into $SONDE_CACHE/otelcol/otelcol. Debian does not
# have it.
set -euo pipefail
# shellcheck source=tests/e2e/go.sh
. "$(dirname "$0")/go.sh"

go_program otelcol --version
