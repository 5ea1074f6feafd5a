# SPDX-License-Identifier: GPL-2.0-or-later
# vethwall check as people and pipelines call it: exit codes, places with their source line, folders,
# expect lines, silence, JSON.
. tests/lib/tap.sh

VETHWALL=${VETHWALL:-${BUILD:-build}/vethwall}
tmp=$(mktemp -d "${TMPDIR:-/tmp}/check.XXXXXX")
trap 'rm -rf "$tmp"' EXIT
mkdir "$tmp/good" "$tmp/bad"

cat >"$tmp/world.yaml" <<'END'
workloads:
  - {name: web-1, namespace: shop, service: web, interfaces: [{network: n, ips: [10.77.0.10]}]}
  - {name: db-1, namespace: shop, service: db, interfaces: [{network: n, ips: [10.77.0.12]}]}
END
cat >"$tmp/good/db.yaml" <<'END'
apiVersion: vethwall/v1
kind: ServicePolicy
metadata: {name: db, namespace: shop}
spec:
  service: db
  ingress:
    - from: [{service: web}]
      ports: [tcp/5432]
  expect:
    - {from: web, to: db, port: tcp/5432, verdict: allow}
    - {from: web, to: db, port: tcp/22, verdict: deny}
END
cat >"$tmp/good/np.json" <<'END'
{"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "metadata": {"name": "np"}, "spec": {}}
END
echo "not: a policy" >"$tmp/good/notes.txt"
echo "[" >"$tmp/good/.hidden.yaml"
cat >"$tmp/bad/a.yaml" <<'END'
apiVersion: vethwall/v1
kind: ServicePolicy
metadata: {name: a}
spec:
  servise: a
  ingress: []
END
echo "a: [1" >"$tmp/bad/b.yaml"

# run EXIT ARGUMENTS...: vethwall with its two streams kept.
run()
{
	local want=$1 got
	shift
	"$VETHWALL" "$@" >"$tmp/out" 2>"$tmp/err"
	got=$?
	[ "$got" -eq "$want" ] && return
	echo "exit $got, expected $want"
	cat "$tmp/out" "$tmp/err"
	return 1
}
says()
{
	grep -qF -- "$2" "$tmp/$1" && return
	echo "no '$2' in:"
	cat "$tmp/$1"
	return 1
}
silent()
{
	[ ! -s "$tmp/err" ] && return
	cat "$tmp/err"
	return 1
}
json()
{
	python3 - "$tmp/out" "$1" <<'END'
import json, sys
o = json.load(open(sys.argv[1]))
assert eval(sys.argv[2]), o
END
}

t "a good folder" run 0 check "$tmp/good"
t "counts its policies and files" says out "ok: 2 policies in 2 files"
t "and nothing else is said" silent
t "expect lines hold" run 0 check --world "$tmp/world.yaml" "$tmp/good/db.yaml"
t "and are counted" says out "2 of 2 expectations met"
t "errors of all files" run 1 check "$tmp/good" "$tmp/bad"
t "with their place" says err "$tmp/bad/a.yaml:5:3: unknown field \"servise\" in spec"
t "the source line" says err "  servise: a"
t "a caret" says err "    ^"
t "and of the next file" says err "$tmp/bad/b.yaml:2:1: not valid YAML"
t "the same as JSON" run 1 check --format json "$tmp/bad"
t "with the fields of a place" json "o['valid'] is False and o['errors'] == 2 and \
[(d['line'], d['column']) for d in o['diagnostics']] == [(5, 3), (2, 1)]"
t "a file that is not there" run 2 check "$tmp/nowhere.yaml"
t "says why" says err "$tmp/nowhere.yaml: cannot be read: No such file"
t "nothing to check" run 2 check
t "an unknown option" run 2 check --wrold x "$tmp/good"
t "help" run 0 check --help
t "with an example" says out "vethwall check --world"

sed -i 's/port: tcp\/22, verdict: deny/port: tcp\/22, verdict: allow/' "$tmp/good/db.yaml"
t "an expectation that does not hold" run 1 check --world "$tmp/world.yaml" "$tmp/good/db.yaml"
t "is at its place" says err "db.yaml:11:7: expect: web to db on tcp/22: expected allow, found deny"
t "without a world it is not judged" run 0 check "$tmp/good/db.yaml"

sed -i 's/{service: web}/{service: wob}/; /expect/,$d' "$tmp/good/db.yaml"
t "a warning is no error" run 0 check --world "$tmp/world.yaml" "$tmp/good/db.yaml"
t "and has its rule's name" says err "[unmatched-peer]"
t "by which it is silenced" run 0 check --silence unmatched-peer --world "$tmp/world.yaml" "$tmp/good/db.yaml"
t "wholly" silent
t "a rule that is not there" run 2 check --silence nonsense "$tmp/good"

printf 'a: "\033[2J' >"$tmp/bad/c.yaml"
run 1 check "$tmp/bad/c.yaml"
no_escapes()
{
	! grep -q $'\033' "$tmp/err"
}
t "no control character reaches the terminal" no_escapes
head -c 9000000 /dev/zero | tr '\0' '#' >"$tmp/bad/d.yaml"
t "a file that is too large" run 1 check "$tmp/bad/d.yaml"
t "says the limit" says err "d.yaml: the file is larger than 8388608 bytes"
tap_done
