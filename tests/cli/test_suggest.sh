# SPDX-License-Identifier: GPL-2.0-or-later
# `vethwall suggest` offline: from a log and a world to documents that check accepts, and by which
# explain allows what the log has; denied records only if asked for, guardrails listed, nothing from
# a log that could forge a line of YAML.
. tests/lib/tap.sh
BUILD=${BUILD:-build}
VETHWALL=${VETHWALL:-$BUILD/vethwall}

tmp=$(mktemp -d) || exit 2
trap 'rm -rf "$tmp"' EXIT
mkdir "$tmp/log" "$tmp/rails"

cat >"$tmp/world.yaml" <<'EOF'
workloads:
  - {name: web-1, namespace: shop, service: web, interfaces: [{ips: [10.0.0.1]}]}
  - {name: api-1, namespace: shop, service: api, interfaces: [{ips: [10.0.0.2]}]}
  - {name: db-1, namespace: back, service: db, interfaces: [{ips: [10.0.0.3]}]}
EOF
cat >"$tmp/rails/rails.yaml" <<'EOF'
apiVersion: vethwall/v1
kind: GuardrailPolicy
metadata: {name: no-ssh}
spec: {priority: 1, ingress: [{name: never, action: deny, ports: [tcp/22]}]}
EOF

# record EVENT DIRECTION FROM:PORT TO:PORT WORKLOAD SERVICE [TIME]
record()
{
	local t=${7:-$(date -u +%Y-%m-%dT%H:%M:%S.000000Z)}
	printf '{"timestamp":"%s","event_type":"%s","direction":"%s","in_iface":"v","src_ip":"%s","src_port":%s,"dest_ip":"%s",' \
		"$t" "$1" "$2" "${3%:*}" "${3#*:}" "${4%:*}"
	printf '"dest_port":%s,"proto":"tcp","workload":"%s","service":"%s","policy":"default","rule":"default","packets":3,' \
		"${4#*:}" "$5" "$6"
	printf '"bytes":180,"first_seen":"%s","last_seen":"%s","ifindex":1,"code":1073741825}\n' "$t" "$t"
}
{
	record audited egress 10.0.0.1:40000 10.0.0.2:8080 shop/web-1 web
	record allowed ingress 10.0.0.2:40001 10.0.0.3:5432 back/db-1 db
	record audited ingress 10.0.0.1:40002 10.0.0.3:22 back/db-1 db
	record audited egress 10.0.0.2:8080 10.0.0.1:40000 shop/api-1 api
	record denied egress 10.0.0.1:40003 10.0.0.3:5432 shop/web-1 web
	record audited egress 10.0.0.1:40004 10.0.0.2:9999 shop/web-1 web 2020-01-01T00:00:00.000000Z
	record audited egress 10.0.0.1:40005 203.0.113.7:443 shop/web-1 'we\nb\"}] # x'
	echo 'not a record'
} >"$tmp/log/denied.jsonl"

offline=(--world "$tmp/world.yaml" --log-dir "$tmp/log" --policies "$tmp/rails")
suggest()
{
	"$VETHWALL" suggest "${offline[@]}" "$@" >"$tmp/out" 2>"$tmp/err" || { cat "$tmp/err"; return 1; }
}
out() { grep -qF -- "$1" "$tmp/out" || { cat "$tmp/out"; return 1; }; }
no_out() { ! grep -qF -- "$1" "$tmp/out" || { cat "$tmp/out"; return 1; }; }
err() { grep -qF -- "$1" "$tmp/err" || { cat "$tmp/err"; return 1; }; }
allows() # FROM TO PORT: by the suggested documents and the guardrails
{
	rm -rf "$tmp/all" && cp -R "$tmp/rails" "$tmp/all" && cp "$tmp/out" "$tmp/all/suggested.yaml" &&
		"$VETHWALL" explain --world "$tmp/world.yaml" --policies "$tmp/all" --from "$1" --to "$2" --port "$3"
}
refuses()
{
	allows "$@" >/dev/null
	[ $? -eq 1 ]
}

t "it answers" suggest
t "what it prints is valid" eval 'cp "$tmp/out" "$tmp/s.yaml" && "$VETHWALL" check "$tmp/s.yaml"'
t "the audited connection would pass" allows web api tcp/8080
t "the allowed one, too" allows api back/db tcp/5432
t "another port would not" refuses web api tcp/8081
t "nor the one that was denied" refuses web back/db tcp/5432
t "nor what is older than seven days" refuses web api tcp/9999
t "nor the answer to the first" refuses api web tcp/40000
t "and says that it is a reply" err "1 records are replies"
t "nor what a guardrail forbids" refuses web back/db tcp/22
t "which is listed" out "shop/web -> back/db tcp/22: no-ssh never; seen 3 times"
t "each rule says how often" out "# seen 3 times, at "
t "a forged name is told, and is no YAML" out '# Seen, but no policy can name it'
t "on one line" eval '! grep -v "^#" "$tmp/out" | grep -qF "# x"'
t "a line that is no record is counted" err "1 lines of the log are no records"
t "older ones are there if asked for" eval 'suggest --since 2019-12-31 && allows web api tcp/9999'
t "denied ones as well" eval 'suggest --denied && allows web back/db tcp/5432 && out "; denied"'
t "one source alone" eval 'suggest --source allowed && out 5432 && no_out 8080'
t "one service alone" eval 'suggest --service back/db && out "service: \"db\"" && no_out "{name: \"web\"" && no_out 203.0.113.7'
t "nothing seen is said" eval 'suggest --source allowed --since 1s; suggest --service none && out "# Nothing was seen"'

files()
{
	suggest --out "$tmp/new" && [ "$(find "$tmp/new" -type f | wc -l)" -eq 3 ] &&
		"$VETHWALL" check "$tmp/new" "$tmp/rails" && grep -q 'seen 3 times' "$tmp/new/suggested-back-db.yaml" &&
		out "no-ssh never"
}
t "a file for each document" files
t "none is written over" eval '! suggest --out "$tmp/new"'

mkdir "$tmp/taken"
cat >"$tmp/taken/p.yaml" <<'EOF'
apiVersion: vethwall/v1
kind: ServicePolicy
metadata: {name: db, namespace: back}
spec: {service: db, ingress: []}
EOF
t "a name that is taken is not used again" eval 'suggest --policies "$tmp/taken" && out "{name: \"db-seen\", namespace: \"back\"}"'

fails() { "$VETHWALL" suggest "$@" >"$tmp/out" 2>"$tmp/err"; [ $? -eq 2 ] || { cat "$tmp/err"; return 1; }; }
t "no log, no answer" eval 'fails --world "$tmp/world.yaml" --log-dir "$tmp/none" && [ ! -s "$tmp/out" ]'
t "a world without a log is told" eval 'fails --world "$tmp/world.yaml" && err "--world needs --log-dir"'
t "live needs an agent" eval 'fails "${offline[@]}" --source live && err "need an agent"'
t "a source that is none" eval 'fails "${offline[@]}" --source lvie && err lvie'
t "a time that is none" eval 'fails "${offline[@]}" --since soon && err soon'
t "a number that is none" eval 'fails "${offline[@]}" --fold 0 && err "1 to 1000000"'
t "no agent is said" eval 'fails --run-dir "$tmp" && err "no agent answers"'
broken()
{
	echo 'kind: Nonsense' >"$tmp/rails/broken.yaml"
	"$VETHWALL" suggest "${offline[@]}" >"$tmp/out" 2>"$tmp/err"
	[ $? -eq 1 ] && [ ! -s "$tmp/out" ] && err "broken.yaml:1:"
}
t "a broken file is located" broken
t "help has an example" eval '"$VETHWALL" suggest --help | grep -q "vethwall suggest --since 2d"'
tap_done
