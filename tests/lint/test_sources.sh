# SPDX-License-Identifier: GPL-2.0-or-later
# Every file says its licence and what it is for; every test is one that `make check` runs; nothing is
# left half done.
. tests/lib/tap.sh

files()
{
	git ls-files -co --exclude-standard -- "$@" | while read -r f; do
		[ -f "$f" ] && echo "$f"
	done
}

licensed()
{
	local f bad=0
	while read -r f; do
		head -n 2 "$f" | grep -q 'SPDX-License-Identifier: GPL-2.0-or-later' ||
			{ echo "$f: no SPDX line"; bad=1; }
	done < <(files '*.c' '*.h' '*.css' '*.js' '*.sh' '*.py' Makefile .ci/run tests/run-one 'contrib/*.bash')
	return "$bad"
}

# A C source begins with a comment that says what it is for.
introduced()
{
	local f bad=0
	while read -r f; do
		sed -n 2p "$f" | grep -q '^/\*' || { echo "$f: line 2 does not say what it is for"; bad=1; }
	done < <(files 'src/*.c' 'src/*.h' 'include/*.h' 'tests/*.c')
	return "$bad"
}

# tests/ROOM/test_* are run, lib/ and headers are shared, fuzz harnesses have a target of their own:
# anything else would be a test that nobody runs.
registered()
{
	local f bad=0
	while read -r f; do
		case $f in
		tests/lib/* | tests/run-one | tests/security/summary | tests/security/kernelcheck.c | tests/fuzz/* | tests/conformance/judge.c | tests/*/*.h | tests/bench/* | tests/golden/*) ;;
		tests/*/test_*.c | tests/*/test_*.sh | tests/*/test_*.bats | tests/*/test_*.py) ;;
		tests/*/*/* | tests/*.md) ;;
		*) echo "$f is no test that make check finds"; bad=1 ;;
		esac
	done < <(files tests)
	return "$bad"
}

# Each source of the pure rooms has a test that mentions its functions is more than can be checked by
# name; that each cmocka case is in its group is not: an unused static function is a warning.
no_leftovers()
{
	! files src include tests contrib docs policies Makefile README.md |
		grep -v '^tests/lint/test_sources.sh$' |
		xargs grep -nE '\b(TODO|FIXME|XXX|HACK)\b|not (yet )?implemented' -- || return 1
}

no_machine_paths()
{
	! files src include contrib docs policies Makefile README.md | xargs grep -nE '/work/|/root/|/home/' --
}

short_files()
{
	local f n bad=0
	while read -r f; do
		n=$(wc -l <"$f")
		[ "$n" -le 700 ] || { echo "$f has $n lines, more than 700"; bad=1; }
	done < <(files 'src/*.c')
	return "$bad"
}

t "every file names its licence" licensed
t "every C file says what it is for" introduced
t "every test is run" registered
t "nothing is left half done" no_leftovers
t "no paths of somebody's machine" no_machine_paths
t "no file is longer than a reader can hold" short_files
tap_done
