# SPDX-License-Identifier: GPL-2.0-or-later
# vethwall diff offline: what changes and what does not, as text, JSON and Markdown; the log; exit codes,
# --fail-on, and files that are wrong.
. tests/lib/tap.sh

VETHWALL=${VETHWALL:-${BUILD:-build}/vethwall}
tmp=$(mktemp -d "${TMPDIR:-/tmp}/diff.XXXXXX")
trap 'rm -rf "$tmp"' EXIT
mkdir "$tmp/old" "$tmp/new" "$tmp/log"

cat >"$tmp/world.yaml" <<'END'
workloads:
  - {name: web-1, namespace: shop, service: web, interfaces: [{network: n, ips: [10.77.0.10, "fd77::10"]}]}
  - {name: api-1, namespace: shop, service: api, interfaces: [{network: n, ips: [10.77.0.11, "fd77::11"]}]}
  - {name: db-1, namespace: shop, service: db, interfaces: [{network: n, ips: [10.77.0.12, "fd77::12"]}]}
host: [10.77.0.1]
END
# policy FILE NAME INGRESS
policy()
{
	cat >"$1" <<-END
		apiVersion: vethwall/v1
		kind: ServicePolicy
		metadata: {name: $2, namespace: shop}
		spec:
		  service: db
		  ingress:
		    - $3
	END
}
# run CODE ARGUMENTS...
run()
{
	local want=$1 got
	shift
	"$VETHWALL" diff --world "$tmp/world.yaml" --against "$tmp/old" "$@" >"$tmp/out" 2>"$tmp/err"
	got=$?
	[ "$got" -eq "$want" ] && return
	echo "exit $got, expected $want"
	cat "$tmp/out" "$tmp/err"
	return 1
}
says()
{
	grep -qE -- "$2" "$tmp/$1" && return
	echo "no '$2' in:"
	cat "$tmp/$1"
	return 1
}
# json EXPRESSION: true of o, the answer; e are its events
json()
{
	python3 - "$tmp/out" "$1" <<-'END'
		import json, sys
		o = json.load(open(sys.argv[1]))
		e = set(o["events"])
		assert eval(sys.argv[2]), json.dumps(o, indent=1)
	END
}
new=(--policies "$tmp/new")

policy "$tmp/old/db.yaml" db '{from: [{service: web}], ports: [tcp/5432]}'
policy "$tmp/new/db.yaml" db '{from: [{service: web}], ports: [tcp/5432]}'

# What does not change anything.
t "the same is no change" run 0 "${new[@]}"
t "and that is said" says out '^no change$'
cat >"$tmp/new/db.yaml" <<'END'
# Other words for the same.
apiVersion: vethwall/v1
kind: ServicePolicy
metadata: {namespace: shop, name: db}
spec:
  service: db
  ingress:
  - ports: [tcp/5432-5432]
    from:
    - {service: web, namespace: shop}
END
t "neither are other words for it" run 0 "${new[@]}"
mv "$tmp/new/db.yaml" "$tmp/new/other.yml"
t "nor another file name" run 0 "${new[@]}"
t "in JSON as well" run 0 "${new[@]}" --format json
t "with nothing in it" json \
	'not o["changes"] and not e and o["connectivity"] == [] and o["plan"]["operations"] == 0'
t "and in Markdown" run 0 "${new[@]}" --format markdown
t "which says so" says out '^No change\.$'
policy "$tmp/new/other.yml" db '{from: [{cidr: 10.77.0.10/32}, {cidr: "fd77::10/128"}], ports: [tcp/5432]}'
t "who is meant in another way changes the document" run 1 "${new[@]}" --format json
t "but no connection" json 'o["connectivity"] == [] and not e & {"opened", "closed", "isolated"}'
rm "$tmp/new/other.yml"

# What does.
policy "$tmp/new/db.yaml" db '{from: [{service: api}], ports: [tcp/5432]}'
t "another peer is a change" run 1 "${new[@]}"
t "that names both sides" says out "^\+\+\+ $tmp/new \(1 policy\)$"
t "what becomes allowed" says out '^ *\+ .*shop/api.*shop/db.*tcp/5432'
t "what becomes denied" says out '^ *- .*shop/web.*shop/db.*tcp/5432'
t "that nobody knows live flows here" says out 'Not looked at: offline'
t "and the plan" says out '^\+ add element netdev vethwall pi_'
t "no escape codes where there is no terminal" eval '! grep -q "$(printf "\033")" "$tmp/out"'
t "in JSON" run 1 "${new[@]}" --format json
t "what happened" json 'e == {"opened", "closed", "plan"} and o["changes"] and o["live"] is None'
t "as one packet more or less" json 'len(o["connectivity"]) == 2'
t "the plan with its digest" json \
	'__import__("hashlib").sha256(o["plan"]["text"].encode()).hexdigest() == o["plan"]["digest"]'
t "in Markdown" run 1 "${new[@]}" --format markdown
t "with the plan as a diff" says out '^```diff$'

policy "$tmp/new/db.yaml" db '{from: [{service: web}], ports: [tcp/5432, tcp/5433]}'
t "one port more" run 1 "${new[@]}" --format json
t "is one connection more" json 'e == {"opened", "plan"} and len(o["connectivity"]) == 1'

# --fail-on
policy "$tmp/new/db.yaml" db '{from: [{service: web}, {entity: world}], ports: [tcp/5432]}'
t "opened to the world fails on it" run 1 "${new[@]}" --fail-on closed,opened-world
t "not on what did not happen" run 0 "${new[@]}" --fail-on closed,isolated,opened-host
policy "$tmp/new/db.yaml" db '{from: [{service: web}, {entity: host}], ports: [tcp/5432]}'
t "opened to the node as well" run 1 "${new[@]}" --fail-on opened-host
t "which is not the world" run 0 "${new[@]}" --fail-on opened-world
policy "$tmp/new/db.yaml" db '{from: [{service: web}, {service: api}], ports: [tcp/5432]}'
t "a peer more is opened" run 1 "${new[@]}" --fail-on opened
t "but not to the world or the node" run 0 "${new[@]}" --fail-on opened-world,opened-host,closed
t "the preview is shown all the same" says out 'shop/api'
policy "$tmp/new/web.yaml" web '{from: [{service: web}]}'
sed -i 's/service: db/service: web/' "$tmp/new/web.yaml"
t "a newly isolated workload" run 1 "${new[@]}" --fail-on isolated
rm "$tmp/new/web.yaml"
t "a word that is none" run 2 "${new[@]}" --fail-on opened,everything
t "nothing between commas" run 2 "${new[@]}" --fail-on opened,
t "cut flows cannot be known here" run 2 "${new[@]}" --fail-on cut
t "and that is said" says err 'needs the agent'

# The log, with addresses of another day.
now=$(date -u +%Y-%m-%dT%H:%M:%S.000000Z)
# record EVENT WORKLOAD PEER DST PORT [POLICY [DIRECTION]]
record()
{
	cat <<-END
		{"timestamp":"$now","event_type":"$1","direction":"${7-ingress}","in_iface":"v","src_ip":"10.9.9.9","src_port":40000,"dest_ip":"$4","dest_port":$5,"proto":"tcp","workload":"$2","service":"x","peer":"$3","policy":"${6-default}","rule":"default","packets":3,"bytes":180,"first_seen":"$now","last_seen":"$now"}
	END
}
{
	record denied shop/db-1 shop/api-1 10.9.9.1 5432
	record denied shop/db-1 shop/api-1 10.9.9.1 5432
	record denied shop/db-1 shop/api-1 10.9.9.1 22
	record denied shop/db-1 shop/gone-1 10.9.9.1 5432
	record denied shop/db-1 shop/api-1 10.9.9.1 5432 spoofed-source
	record denied shop/db-1 world 10.9.9.1 5432
	record denied shop/db-1 shop/web-1 10.9.9.1 5432
	record allowed shop/db-1 shop/web-1 10.9.9.1 5432
	echo 'not a record'
} >"$tmp/log/denied.jsonl"
policy "$tmp/new/db.yaml" db '{from: [{service: api}], ports: [tcp/5432]}'
log=("${new[@]}" --log-dir "$tmp/log" --format json)
t "a log is looked at" run 1 "${log[@]}"
t "the denials that would pass, folded" json '[(g["from"], g["to"], g["port"], g["flows"], g["packets"])
	for g in o["log"]["would_pass"]] == [("shop/api-1", "shop/db-1", "tcp/5432", 2, 6)]'
t "what passed and would be denied" json '[(g["from"], g["to"], g["flows"])
	for g in o["log"]["would_be_denied"]] == [("shop/web-1", "shop/db-1", 1)]'
t "is an event" json '"denied-live" in e'
t "records of workloads that are gone are counted" json \
	'o["log"]["gone"] == 1 and o["log"]["records"] == 7'
t "a pipeline can stop at it" run 1 "${log[@]}" --fail-on denied-live
t "as text" run 1 "${new[@]}" --log-dir "$tmp/log"
t "with a table" says out '^  shop/api-1 +shop/db-1 +tcp/5432 +2 +6 '
policy "$tmp/new/both.yaml" both '{from: [{service: web}], ports: [tcp/5432]}'
t "what is allowed already" run 1 "${log[@]}"
t "would not pass only now" json '([g["from"] for g in o["log"]["would_pass"]],
	o["log"]["would_be_denied"]) == (["shop/api-1"], [])'
rm "$tmp/new/both.yaml"
record denied shop/api-1 shop/db-1 10.9.9.1 5432 default egress >"$tmp/log/denied.jsonl"
policy "$tmp/old/api.yaml" api '{from: [{service: nobody}]}'
sed -i 's/service: db/service: api/; s/ingress:/egress:/; s/from/to/' "$tmp/old/api.yaml"
rm "$tmp/new/db.yaml"
cp "$tmp/old/db.yaml" "$tmp/new/"
t "what the sender may from now on" run 1 "${log[@]}"
t "does not pass when the receiver still refuses it" json \
	'o["log"]["records"] == 1 and o["log"]["would_pass"] == []'
policy "$tmp/new/db.yaml" db '{from: [{service: api}, {service: web}], ports: [tcp/5432]}'
t "and does when neither does" run 1 "${log[@]}"
t "as one line" json '[g["from"] for g in o["log"]["would_pass"]] == ["shop/api-1"]'
rm "$tmp/old/api.yaml"

record denied shop/db-1 shop/api-1 10.9.9.1 5432 >"$tmp/log/denied.jsonl"
now=$(date -u -d '2 hours ago' +%Y-%m-%dT%H:%M:%S.000000Z)
record denied shop/db-1 shop/api-1 10.9.9.1 5432 >>"$tmp/log/denied.jsonl"
t "the last hour" run 1 "${log[@]}" --since 1h
t "leaves out the record before it" json 'o["log"]["records"] == 1'
t "three hours do not" run 1 "${log[@]}" --since 3h
t "and so there are two" json 'o["log"]["records"] == 2'
t "nor does a date" run 1 "${log[@]}" --since 2000-01-01
touch -d yesterday "$tmp/log/denied.jsonl"
t "or in files that nobody wrote to since" run 1 "${log[@]}" --since 1h
t "and so it finds none" json 'o["log"]["records"] == 0'
t "a log that is not there is trouble when it was named" run 2 "${new[@]}" --log-dir "$tmp/none"
t "and no other time makes sense" run 2 "${log[@]}" --since soon

# What is wrong.
printf 'kind: ServicePolicy\n' >"$tmp/new/broken.yaml"
printf 'kind: [\n' >"$tmp/old/broken.yaml"
t "a broken file is trouble" run 2 "${new[@]}"
t "located" says err "^$tmp/new/broken.yaml:1:"
t "as is one of the other side" says err "^$tmp/old/broken.yaml:"
t "and nothing is shown in part" eval '! [ -s "$tmp/out" ]'
rm "$tmp/new/broken.yaml" "$tmp/old/broken.yaml"
t "a folder that is not there" run 2 --policies "$tmp/none"
t "is named" says err "^$tmp/none: cannot be read"
bare()
{
	local want=$1
	shift
	"$VETHWALL" diff "$@" >"$tmp/out" 2>"$tmp/err"
	[ $? -eq "$want" ]
}
t "an agent that is not there" bare 2 --run-dir "$tmp" --policies "$tmp/it's"
t "is said" says err 'no agent answers'
t "with the command that does without it" says err \
	"vethwall diff --world FILE --against DIR --policies '$tmp/it'.''s'"
t "a world without the other side" bare 2 --world "$tmp/world.yaml" "${new[@]}"
t "offline it has to be said with what" bare 2 --world "$tmp/world.yaml" --against "$tmp/old"
t "a plan is of a node" run 2 "${new[@]}" --out "$tmp/plan"
t "an unknown format" run 2 "${new[@]}" --format yaml
t "an unknown option" run 2 "${new[@]}" --dance
t "help" bare 0 --help
t "has examples" says out '^Examples:$'
t "as has world's" eval '"$VETHWALL" world --help | grep -q "^Example:"'
t "world without an agent" eval '"$VETHWALL" world --run-dir "$tmp" 2>"$tmp/err"; [ $? -eq 2 ] &&
	says err "no agent answers"'

# Nothing of what a file says reaches the terminal.
sed "s/web-1/\"w\\\\x9b31m\\\\u202e\"/" "$tmp/world.yaml" >"$tmp/evil.yaml"
evil()
{
	"$VETHWALL" diff --world "$tmp/evil.yaml" --against "$tmp/old" "${new[@]}" --format "$1" >"$tmp/out"
	[ $? -eq 1 ] && ! LC_ALL=C grep -qP '\xc2\x9b|\xe2\x80\xae' "$tmp/out"
}
t "names with control characters, as text" evil text
t "and in Markdown" evil markdown
tap_done
