# shellcheck shell=bash disable=SC2034 # its readers are elsewhere
# SPDX-License-Identifier: Apache-2.0
# Sourced by every script here: where the room keeps what it fetched and built, and how a script gives up.

vm_dir=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
cache=$(realpath -m "${SONDE_CACHE:-$vm_dir/../../.cache/vm}") # apt wants it absolute

die_status=1
die() {
	echo "${0##*/}: $*" >&2
	exit "$die_status"
}
