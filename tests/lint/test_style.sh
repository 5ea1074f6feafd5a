# SPDX-License-Identifier: GPL-2.0-or-later
# What machines can say about the sources: layout, static analysis, shell, documents.
. tests/lib/tap.sh
unset MAKEFLAGS MAKELEVEL MFLAGS
export BUILD=${BUILD:-build}

have()
{
	command -v "$1" >/dev/null
}

# check TOOL DESCRIPTION COMMAND...
check()
{
	local tool=$1 what=$2
	shift 2
	if have "$tool"; then
		t "$what" "$@"
	else
		skip "$tool is not installed" "$what"
	fi
}

# memleak, resourceLeak: it does not see cleanup attributes; ASan does. uninitvar: it does not see that a
# function of another file fills a buffer. invalidPrintfArgType_uint: gcc knows promotions.
cppcheck_all()
{
	cppcheck -q -j 2 --enable=warning,performance,portability --inline-suppr --error-exitcode=1 \
		--suppress=missingInclude --suppress=unknownMacro --suppress=memleak --suppress=resourceLeak \
		--suppress=uninitvar --suppress=invalidPrintfArgType_uint \
		--std=c11 -Iinclude -Isrc -D_GNU_SOURCE -DVW_VERSION='""' -DVW_SYSCONFDIR='""' src
}

# SC1091: files are sourced from the top of the tree. SC2016: `t` takes texts to eval. SC2119, SC2120:
# functions with optional arguments.
shell_all()
{
	# shellcheck disable=SC2046
	shellcheck -x -s bash -e SC1091,SC2016,SC2119,SC2120 $(git ls-files -co --exclude-standard -- '*.sh' '*.bash') &&
		shellcheck tests/run-one .ci/run contrib/deps.sh
}

mandoc_all()
{
	# STYLE complains about what is our choice (a Makefile needs no Mdocdate).
	mandoc -T lint -W warning docs/man/*.[58]
}

# Files and folders that the documents point to are there.
links_all()
{
	local doc link bad=0
	for doc in README.md docs/*.md; do
		while read -r link; do
			link=${link%%#*}
			case $link in '' | http*) continue ;; esac
			[ -e "$(dirname "$doc")/$link" ] || { echo "$doc: $link is not there"; bad=1; }
		done < <(grep -oE '\]\([^)]+\)' "$doc" | sed 's/^](//; s/)$//')
	done
	return "$bad"
}

check clang-format "sources are in the house's layout" make -s format-check
check clang-tidy "clang-tidy finds nothing" make -s -k -j2 tidy
check cppcheck "cppcheck finds nothing" cppcheck_all
check shellcheck "shellcheck finds nothing" shell_all
check mandoc "man pages are well formed" mandoc_all
check codespell "words are spelt right" codespell -q 3 -L "nd,iif,want's" \
	src include tests contrib docs policies README.md Makefile
t "links of the documents lead somewhere" links_all
tap_done
