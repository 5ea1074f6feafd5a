# SPDX-License-Identifier: GPL-2.0-or-later
# The fuzzers' corpora, findings among them, and mutations of each file. `make fuzz` looks for more.
. tests/lib/tap.sh

BUILD=${BUILD:-build}
MUTATIONS=${MUTATIONS:-200}
sum=0

replayed()
{
	local out
	out=$(timeout -k 5 300 "$BUILD/tests/fuzz/fuzz_$1" "$MUTATIONS" "tests/fuzz/corpus/$1" 2>&1)
	local rc=$?
	echo "$out"
	[ "$rc" -eq 0 ] || return
	out=${out##*files, }
	sum=$((sum + ${out%% *}))
}

for f in tests/fuzz/fuzz_*.c; do
	name=${f##*/fuzz_}
	name=${name%.c}
	t "fuzz_$name takes its corpus" replayed "$name"
done
note "fuzz: $sum executions"
tap_done
