# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
# TAP for shell tests: `t DESCRIPTION COMMAND...` passes when the command does, `skip_all REASON` and
# `skip REASON DESCRIPTION` count as skipped, `tap_done` prints the plan. What a failing command printed
# becomes its diagnostics. A script that ends without tap_done has no plan, and prove fails it.

tap_n=0
tap_failed=0

t()
{
	local what=$1 out
	shift
	tap_n=$((tap_n + 1))
	# Not in a subshell: a test may start namespaces and processes that the cleanup must know.
	out=$(mktemp "${TMPDIR:-/tmp}/tap.XXXXXX")
	if "$@" >"$out" 2>&1; then
		echo "ok $tap_n - $what"
	else
		echo "not ok $tap_n - $what"
		tap_failed=$((tap_failed + 1))
		echo "# failed: $*" | tr '\n' ' ' | cut -c 1-400
		tail -n 40 "$out" | cut -c 1-400 | sed 's/^/#   /'
	fi
	rm -f "$out"
}

skip()
{
	tap_n=$((tap_n + 1))
	echo "ok $tap_n - $2 # SKIP $1"
}

skip_all()
{
	echo "1..0 # SKIP $1"
	exit 0
}

note()
{
	printf '# %s\n' "$@"
}

tap_done()
{
	echo "1..$tap_n"
	[ "$tap_failed" -eq 0 ]
}
