#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# fetch-promparse.sh: a reader of protobuf with the parser of a Prometheus newer than Debian's, into $SONDE_CACHE/promparse/promparse.
set -euo pipefail
# shellcheck source=tests/e2e/go.sh
. "$(dirname "$0")/go.sh"

go_program promparse
