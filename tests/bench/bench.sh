#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# What vethwall costs, beside the same work without it or done the usual way, in one run; docs/performance.md
# says what the figures mean. `bench.sh [PART...]`: packets policy starts load diff apply flows evidence floods docker. Each part has namespaces of
# its own and a process of its own, which removes them on every way out.

cd "$(dirname "$0")/../.." || exit 2
PARTS=(packets policy starts load diff apply flows evidence floods docker)
export CPU=${CPU:-$(($(nproc) - 1))}

part()
{
	local why
	. tests/lib/lib.sh
	. tests/lib/engine.sh
	. tests/bench/lib.sh
	# shellcheck disable=SC1090
	. "tests/bench/$1.sh"
	export TRAFFIC=$BUILD/tests/bench/traffic WATCH=$BUILD/tests/bench/watch LOADER=$BUILD/tests/bench/load COMPILE=$BUILD/tests/bench/compile FLOWLOG=$BUILD/tests/bench/flowlog
	why=$(lab_missing jq)
	[ -z "$why" ] || { echo "bench: $why" >&2; exit 2; }
	lab_begin "bench-$1"
	"bench_$1" || { echo "bench: $1 failed" >&2; exit 1; }
}

# shellcheck disable=SC2317
interrupted()
{
	kill "$child" 2>/dev/null
	wait "$child"
	exit 130
}

about()
{
	echo "vethwall $(git describe --tags --always --dirty 2>/dev/null), Linux $(uname -r), $(nproc) x $(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -n 1), load $(cut -d ' ' -f 1 /proc/loadavg)"
}

if [ "${1:-}" = --part ]; then
	part "$2"
	exit
fi
trap interrupted HUP INT TERM
[ $# -eq 0 ] || PARTS=("$@")
rc=0
about
for p in "${PARTS[@]}"; do
	"$0" --part "$p" &
	child=$!
	wait "$child" || rc=1
done
exit "$rc"
