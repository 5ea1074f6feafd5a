# SPDX-License-Identifier: GPL-2.0-or-later
# vethwall graph of a running agent: what it enforces, and what was tried and denied; and without one.
. tests/lib/tap.sh
. tests/lib/lib.sh

why=$(lab_missing jq)
[ -z "$why" ] || skip_all "$why"

lab_begin graph
node_add
br_add br0 10.77.0.1/24 fd77::1/64
ct_add web br0 02:42:0a:4d:00:0a 10.77.0.10 fd77::a namespace=shop
ct_add api br0 02:42:0a:4d:00:0b 10.77.0.11 fd77::b namespace=shop
ct_add db br0 02:42:0a:4d:00:0c 10.77.0.12 fd77::c namespace=shop
world_write
serve db tcp:5432 tcp:80

P=$LAB/policies
mkdir "$P"
cat >"$P/db.yaml" <<-END
	apiVersion: vethwall/v1
	kind: ServicePolicy
	metadata: {name: db, namespace: shop}
	spec:
	  service: db
	  ingress:
	    - from: [{service: api}]
	      ports: [tcp/5432]
	  egress: []
END

# draw CODE ARGUMENTS...: the exit code, what it printed in $LAB/out and $LAB/err
draw()
{
	local want=$1 got
	shift
	vw a graph "$@" >"$LAB/out" 2>"$LAB/err"
	got=$?
	[ "$got" -eq "$want" ] && return
	echo "exit $got, expected $want"
	head -c 2000 "$LAB/out" "$LAB/err"
	return 1
}
# edge FROM TO PATTERN: an arrow of the picture, by its words
edge()
{
	grep -qE "<title>$1 → $2: $3" "$LAB/out" && return
	grep '→' "$LAB/out"
	return 1
}

t "the agent becomes ready" agent_start a node --runtime "static:$LAB/world.yaml" --policies "$P"
t "api reaches db" allowed api tcp/5432 10.77.0.12
t "web does not" denied web tcp/5432 10.77.0.12
t "nor does api on another port" denied api tcp/80 10.77.0.12
t "the log has them" wait_until 20 sh -c "grep -q '\"dest_port\":80,' '$LAB/a/log/denied.jsonl'"

t "what is enforced is drawn" draw 0 --format svg
t "what is permitted is an edge" edge shop/api shop/db "tcp/5432, permitted"
t "what the policy does not touch too" edge shop/web shop/api "any, permitted"
t "nothing that is not permitted" eval '! edge shop/web shop/db .* >/dev/null && ! edge shop/db .* .* >/dev/null'
t "with the log" draw 0 --format svg --since 1h
t "who tried in vain is an edge with its port and packets" \
	edge shop/web shop/db "tcp/5432, tried and denied .*, [1-9][0-9]* packets"
t "also where another port is permitted" edge shop/api shop/db "tcp/80, tried and denied"
t "only what begins or ends at a service" draw 0 --format svg --service web --since 1h
t "has it" edge shop/web shop/db "tcp/5432, tried"
t "has nothing else" eval '! edge shop/api shop/db .* >/dev/null'
t "an unknown service is said" draw 2 --service nobody
t "by its name" grep -q "no service is called 'nobody'" "$LAB/err"
t "a page" draw 0 --since 1h --out "$LAB/page.html"
t "is written as a whole" grep -q '</html>' "$LAB/page.html"
t "where nothing can be written that is trouble" draw 2 --out /nonexistent/x.html
t "a log that is not there too" draw 2 --log-dir "$LAB/nowhere"

t "the same offline" draw 0 --world "$LAB/world.yaml" --policies "$P" --format svg --run-dir /nonexistent
t "has the same edge" edge shop/api shop/db "tcp/5432, permitted"
t "closed by default" draw 0 --world "$LAB/world.yaml" --policies "$P" --format svg --default deny
t "has no other edges" eval '! grep -q "→" "$LAB/out"'

t "the agent stops in order" agent_stop a
t "without it that is said" draw 2
t "with the offline form" grep -q "graph --world FILE" "$LAB/err"
tap_done
