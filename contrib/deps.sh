#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Installs the Debian packages named as arguments that are not there yet; where that cannot be done
# (another distribution, not root) it names them and lets the build find out. Daemons that come with them
# (docker.io brings one) are kept from starting: an engine of the machine's own is not wanted.
set -eu
missing=
for p in "$@"; do
	[ "$(dpkg-query -W -f '${db:Status-Status}' "$p" 2>/dev/null)" = installed ] ||
		missing="$missing $p"
done
[ -n "$missing" ] || exit 0
if ! command -v apt-get >/dev/null || [ "$(id -u)" -ne 0 ]; then
	echo "deps: needed, and not to be installed from here (Debian's names):$missing" >&2
	exit 0
fi
echo "deps: installing$missing"

# invoke-rc.d and deb-systemd-invoke ask this script; 101 means "do not" (Debian policy-rc.d
# specification). One that the machine already has is its owner's.
rc=/usr/sbin/policy-rc.d
if [ ! -e "$rc" ]; then
	trap 'rm -f "$rc"' EXIT
	trap 'exit 130' INT
	trap 'exit 143' TERM
	printf '#!/bin/sh\nexit 101\n' >"$rc"
	chmod 755 "$rc"
fi
export DEBIAN_FRONTEND=noninteractive
apt-get -qq update
# shellcheck disable=SC2086
apt-get -qq install -y --no-install-recommends $missing >/dev/null
