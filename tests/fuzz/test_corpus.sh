# SPDX-License-Identifier: GPL-2.0-or-later
# Every harness of tests/fuzz on its corpus and on mutations of it; `make fuzz` looks for new ones.
. tests/lib/tap.sh
BUILD=${BUILD:-build}
MUTATIONS=2000 # of each file

for source in tests/fuzz/fuzz_*.c; do
	name=$(basename "$source" .c)
	t "$name" "$BUILD/tests/fuzz/$name" "$MUTATIONS" "tests/fuzz/corpus/${name#fuzz_}"
done
tap_done
