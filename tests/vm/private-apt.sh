# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
# Sourced by the fetch scripts: apt with its own sources, lists and archives, so that nothing that the
# machine has installed or configured changes. Leaves to its callers what to download.

# shellcheck source=tests/vm/cache.sh
. "$(dirname "${BASH_SOURCE[0]}")/cache.sh"
keyring=/usr/share/keyrings/debian-archive-keyring.gpg

# The mirror is whatever this machine's own apt uses; indextargets reads both source formats for us.
# $1: a suite; prints the address of the archive that serves it here.
mirror_for_suite() {
	local codename=${1%%-*} like
	like=$(sed -n 's/^VERSION_CODENAME=//p' /etc/os-release)
	# Security updates live in an archive of their own; everything else is beside the release.
	case $1 in "$codename"-security) like=$like-security ;; esac
	# shellcheck disable=SC2016 # the names are apt's
	apt-get indextargets --format '$(REPO_URI) $(RELEASE) $(COMPONENT)' 'Created-By: Packages' |
		awk -v suite="$like" '$2 == suite && $3 == "main" && !seen++ { print $1 }'
}

# private_apt_open NAME SUITE…: sets $apt_dir and the array $apt_options, and reads the suites' indexes.
private_apt_open() {
	local name=$1 suite mirror
	shift
	apt_dir=$cache/apt/$name
	rm -rf "$apt_dir"
	mkdir -p "$apt_dir"/lists/partial "$apt_dir"/archives/partial
	: >"$apt_dir/status"
	for suite in "$@"; do
		mirror=$(mirror_for_suite "$suite")
		[ -z "$mirror" ] || echo "deb [signed-by=$keyring] $mirror $suite main"
	done >"$apt_dir/sources.list"
	[ -s "$apt_dir/sources.list" ] || die "this machine's apt sources name no Debian mirror for $*"
	# Expired release files are let through: an archived suite is never signed again.
	apt_options=(
		-o Dir::Etc::sourcelist="$apt_dir/sources.list" -o Dir::Etc::sourceparts=/dev/null
		-o Dir::Etc::preferences=/dev/null -o Dir::Etc::preferencesparts=/dev/null
		-o Dir::State="$apt_dir" -o Dir::State::lists="$apt_dir/lists" -o Dir::State::status="$apt_dir/status"
		-o Dir::Cache="$apt_dir" -o Dir::Cache::archives="$apt_dir/archives"
		-o Dir::Cache::pkgcache="$apt_dir/pkgcache.bin" -o Dir::Cache::srcpkgcache=
		-o APT::Sandbox::User=root -o APT::Install-Recommends=false
		-o Acquire::Languages=none -o Acquire::Retries=3 -o Acquire::Check-Valid-Until=false
		-o Debug::NoLocking=true
	)
	apt-get "${apt_options[@]}" -qq --error-on=any update || die "cannot read the indexes of $*"
}

# The lists are large and only needed while a script runs.
private_apt_close() {
	rm -rf "$apt_dir"
}
