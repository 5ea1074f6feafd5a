# SPDX-License-Identifier: GPL-2.0-or-later
# vethwall explain offline: one question as text and JSON, batches, exit codes, and what it says when
# there is neither a world nor an agent.
. tests/lib/tap.sh

VETHWALL=${VETHWALL:-${BUILD:-build}/vethwall}
tmp=$(mktemp -d "${TMPDIR:-/tmp}/explain.XXXXXX")
trap 'rm -rf "$tmp"' EXIT

cat >"$tmp/world.yaml" <<'END'
workloads:
  - {name: web-1, namespace: shop, service: web, interfaces: [{network: n, ips: [10.77.0.10, "fd77::10"]}]}
  - {name: db-1, namespace: shop, service: db, interfaces: [{network: n, ips: [10.77.0.12, "fd77::12"]}]}
END
cat >"$tmp/db.yaml" <<'END'
apiVersion: vethwall/v1
kind: ServicePolicy
metadata: {name: db, namespace: shop}
spec:
  service: db
  ingress:
    - {name: app, from: [{service: web}], ports: [tcp/5432]}
END
offline=(--world "$tmp/world.yaml" --policies "$tmp/db.yaml")

run()
{
	local want=$1 got
	shift
	"$VETHWALL" explain "$@" >"$tmp/out" 2>"$tmp/err"
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
# json EXPRESSION: true of o, the list of the objects that stand one a line, or of the one object.
json()
{
	python3 - "$tmp/out" "$1" <<'END'
import json, sys
text = open(sys.argv[1]).read()
o = json.loads(text) if text.startswith("{\n") else [json.loads(l) for l in text.splitlines()]
assert eval(sys.argv[2]), o
END
}

t "allowed" run 0 --from web --to db --port tcp/5432 "${offline[@]}"
t "says who" says out "ServicePolicy shop/db, app at $tmp/db.yaml:7:7"
t "and the peer" says out "peer: service web, namespace shop at $tmp/db.yaml:7:26"
t "denied" run 1 --from shop/web-1 --to shop/db-1 --port udp/5432 "${offline[@]}"
t "says what came closest" says out "closest: ServicePolicy shop/db, app at $tmp/db.yaml:7:7"
t "as JSON" run 0 --from 10.77.0.10 --to db --port tcp/5432 --format json "${offline[@]}"
t "with all that decides" json "o['verdict'] == 'allow' and o['source']['workload'] == 'shop/web-1' and \
o['ingress']['line'] == 7 and o['ingress']['peer']['text'] == 'service web, namespace shop' and \
o['egress']['policy'] == 'default' and o['ingress']['tier'] == 'service'"
t "the other family" run 0 --from web --to db --port tcp/5432 --family ipv6 --format json "${offline[@]}"
t "has other addresses" json "o['source']['ip'] == 'fd77::10' and o['family'] == 'ipv6'"
t "closed by default" run 1 --from db --to web --port tcp/80 --default deny "${offline[@]}"
t "nobody of that name" run 2 --from wob --to db --port tcp/80 "${offline[@]}"
t "is told" says err '"wob" is neither a workload nor a service'
t "not one port" run 2 --from web --to db --port tcp "${offline[@]}"
t "a broken policy" run 2 --from web --to db --port tcp/1 --world "$tmp/world.yaml" --policies "$tmp/world.yaml"
t "is told with its place" says err "world.yaml:1:1:"
t "policies without a world" run 2 --from web --to db --port tcp/1 --policies "$tmp/db.yaml"
t "neither agent nor world" run 2 --from web --to db --port tcp/1 --run-dir "$tmp"
t "says how to go offline" says err "offline: --world FILE --policies DIR"
t "help" run 0 --help

cat >"$tmp/probes" <<'END'
web db tcp/5432
# a comment

web db tcp/22
198.51.100.1 db tcp/5432 ipv4
web db tcp/5432 ipv6
db web icmp/echo-request
END
t "a batch" run 0 --batch "$tmp/probes" "${offline[@]}"
t "one object a line" json "[x['verdict'] for x in o] == ['allow', 'deny', 'deny', 'allow', 'allow']"
t "with policy and rule only" json "o[0] == {'from': 'web', 'to': 'db', 'proto': 'tcp', 'port': 5432, \
'verdict': 'allow', 'egress': {'policy': 'default', 'rule': 'default'}, \
'ingress': {'policy': 'shop/db', 'rule': 'app'}}"
printf 'web db tcp/5432\nweb db\nx db tcp/1\nweb db tcp/5432\n' >"$tmp/probes"
from_stdin()
{
	run 2 --batch - "${offline[@]}" <"$tmp/probes"
}
t "lines that cannot be answered" from_stdin
t "do not stop the others" json "[x.get('verdict') for x in o] == ['allow', None, None, 'allow']"
t "and are told with their number" says err "-:2: expected FROM TO PROTO/PORT"
head -c 10000 /dev/zero | tr '\0' 'x' >"$tmp/probes"
t "a line without an end" from_stdin
tap_done
