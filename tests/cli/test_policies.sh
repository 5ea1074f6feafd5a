# SPDX-License-Identifier: GPL-2.0-or-later
# The ready policies: what each expects holds in the example world, alone and all together, and check has nothing
# to warn of. Each has a page that explains it.
. tests/lib/tap.sh

VETHWALL=${VETHWALL:-${BUILD:-build}/vethwall}
WORLD=docs/policies/world.yaml
tmp=$(mktemp -d "${TMPDIR:-/tmp}/policies.XXXXXX")
trap 'rm -rf "$tmp"' EXIT
folders=()

# Exit 0, no word on stderr, and at least one expectation, all of them met.
met()
{
	"$VETHWALL" check --world "$WORLD" "$@" >"$tmp/out" 2>"$tmp/err"
	local rc=$?
	cat "$tmp/out" "$tmp/err"
	[ "$rc" -eq 0 ] && [ ! -s "$tmp/err" ] && grep -Eq '\b([1-9][0-9]*) of \1 expectations met' "$tmp/out"
}
# Every expectation, turned round, is found out.
turned_round()
{
	local wanted found
	mkdir "$tmp/turned"
	for f in "$1"/*.yaml; do
		sed '/from:/{s/verdict: allow/verdict: X/; s/verdict: deny/verdict: allow/; s/verdict: X/verdict: deny/}' \
			"$f" >"$tmp/turned/${f##*/}"
	done
	"$VETHWALL" check --world "$WORLD" "$tmp/turned" >/dev/null 2>"$tmp/err"
	wanted=$(cat "$1"/*.yaml | grep -c 'verdict:')
	found=$(grep -c 'expect: ' "$tmp/err")
	rm -r "$tmp/turned"
	echo "$found of $wanted found out"
	[ "$found" -eq "$wanted" ]
}
explained()
{
	[ -s "docs/policies/$1.md" ] && grep -q "policies/$1" "docs/policies/$1.md"
}

for folder in policies/*/; do
	name=$(basename "$folder")
	[ "$name" != demo ] || continue
	folders+=("$folder")
	t "$name: what it expects holds" met "$folder"
	t "$name: and would be missed" turned_round "$folder"
	t "$name: a page explains it" explained "$name"
done
t "all of them together" met "${folders[@]}"
t "the demo's are valid" "$VETHWALL" check policies/demo
tap_done
