#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Runs the libFuzzer harnesses one after the other, SECONDS each, and prints what each did. What it finds
# stays in $BUILD/found; a finding belongs into the corpus, with its repair.
#   fuzz.sh SECONDS [NAME...]
set -u
seconds=$1
shift
BUILD=${BUILD:-build/fuzz}
# shellcheck disable=SC2046
[ $# -gt 0 ] || set -- $(cd tests/fuzz && printf '%s\n' fuzz_*.c | sed 's/^fuzz_//; s/\.c$//')
failed=0 sum=0
export ASAN_OPTIONS=${ASAN_OPTIONS:-detect_leaks=1} UBSAN_OPTIONS=${UBSAN_OPTIONS:-print_stacktrace=1}
for name in "$@"; do
	work=$BUILD/corpus/$name
	found=$BUILD/found/$name
	dict=()
	[ ! -e "tests/fuzz/$name.dict" ] || dict=("-dict=tests/fuzz/$name.dict")
	mkdir -p "$work" "$found"
	"$BUILD/tests/fuzz/fuzz_$name.run" -max_total_time="$seconds" -print_final_stats=1 -max_len=65536 -timeout=20 -rss_limit_mb=2048 \
		-artifact_prefix="$found/" "${dict[@]}" \
		"$work" "tests/fuzz/corpus/$name" >"$BUILD/$name.log" 2>&1
	rc=$?
	n=$(sed -n 's/^stat::number_of_executed_units: *//p' "$BUILD/$name.log")
	if [ "$rc" -ne 0 ]; then
		failed=1
		printf '%-14s FAILED: %s\n' "$name" "$(grep -m 1 -E 'ERROR|SUMMARY|runtime error|fuzz_.*:[0-9]+:' "$BUILD/$name.log")"
	fi
	printf '%-14s %12s executions\n' "$name" "${n:-0}"
	sum=$((sum + ${n:-0}))
done
echo "# fuzz: $sum executions"
exit "$failed"
