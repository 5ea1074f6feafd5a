# SPDX-License-Identifier: GPL-2.0-or-later
# Audit first, on a real kernel: a set that would refuse everything only watches, four services talk,
# suggest writes policies from that; enforced, the same traffic passes and other traffic does not.
. tests/lib/tap.sh
. tests/lib/lib.sh

why=$(lab_missing jq)
[ -z "$why" ] || skip_all "$why"
lab_begin suggest
mkdir -p "$LAB/policies" "$LAB/agent"

WEB=10.77.0.10 API=10.77.0.11 API6=fd77::b DB=10.77.0.12 BAD=10.77.0.13 OUT=192.0.2.9
node_add
br_add br0 10.77.0.1/24 fd77::1/64
ct_add web br0 02:42:0a:4d:00:0a "$WEB" fd77::a namespace=shop service=web
ct_add api br0 02:42:0a:4d:00:0b "$API" "$API6" namespace=shop service=api
ct_add db br0 02:42:0a:4d:00:0c "$DB" fd77::c namespace=back service=db
ct_add bad br0 02:42:0a:4d:00:0d "$BAD" fd77::d namespace=back service=bad
ext_add out "$OUT/24" 192.0.2.1
world_write
serve web tcp:80
serve api tcp:8080
serve db tcp:5432 tcp:22 udp:53
serve out tcp:443

cat >"$LAB/policies/rails.yaml" <<'EOF'
apiVersion: vethwall/v1
kind: GuardrailPolicy
metadata: {name: no-ssh}
spec: {priority: 1, ingress: [{name: never, action: deny, ports: [tcp/22]}]}
EOF
cat >"$LAB/agent/vethwall.yaml" <<'EOF'
mode: audit
default: deny
live_interval: 1s
EOF
start_agent()
{
	agent_start agent node --runtime "static:$LAB/world.yaml" --policies "$LAB/policies"
}
# All that the four services do, day by day.
traffic()
{
	allowed web tcp/8080 "$API" && allowed web tcp/8080 "$API6" && allowed api tcp/5432 "$DB" &&
		allowed api udp/53 "$DB" && allowed api ping "$DB" && allowed out tcp/80 "$WEB" &&
		allowed api tcp/443 "$OUT" && allowed bad tcp/80 "$WEB"
}
recorded()
{
	jq -es "map(select($1)) | length > 0" "$LAB/agent/log/denied.jsonl" >/dev/null
}
not_recorded()
{
	recorded "$1" || return 0
	jq -c "select($1)" "$LAB/agent/log/denied.jsonl"
	return 1
}

t "the agent is ready" start_agent
t "audit: all of it passes, whatever node and guardrails say" traffic
t "also what a guardrail forbids" allowed web tcp/22 "$DB"
t "status says so" eval 'vw agent status | grep -q "AUDIT: nothing is refused by policy"'
t "to programs as well" eval 'vw agent status --format json | jq -e .audit'
ns web ip addr add 10.77.0.99/24 dev eth0
t "a forged sender is refused all the same" eval '! ns web "$NETPROBE" -t 1000 -b 10.77.0.99 tcp "$API" 8080 | grep -q passed'
t "nothing is denied by policy" not_recorded '.event_type=="denied" and .policy!="spoofed-source"'
t "what would be is on record" wait_until "$DEADLINE" recorded '.event_type=="audited" and .policy=="node-default" and .dest_port==5432'
t "the guardrail's, too" wait_until "$DEADLINE" recorded '.event_type=="audited" and .policy=="no-ssh"'
bg hold api "$NETPROBE" hold "$DB" 5432

suggested()
{
	vw agent suggest --out "$LAB/suggested" >"$LAB/told" 2>&1 || { cat "$LAB/told"; return 1; }
	cat "$LAB/told"
	"$VETHWALL" check "$LAB/suggested"
}
t "it suggests" wait_until "$DEADLINE" vw agent suggest
t "documents that are valid" suggested
t "the guardrail's connection is listed" grep -q 'shop/web -> back/db tcp/22: no-ssh never' "$LAB/told"
t "and in none of them" eval '! grep -r "tcp/22\b" "$LAB/suggested"'
t "a forged sender is in none of them" eval '! grep -r 10.77.0.99 "$LAB/suggested"'

t "the agent stops in order" agent_stop agent
sed -i 's/^mode: audit/mode: enforce/' "$LAB/agent/vethwall.yaml"
cp "$LAB/suggested"/*.yaml "$LAB/policies"
t "enforced, with these policies" start_agent
t "status says nothing of audit" eval '! vw agent status | grep -q AUDIT'
t "the same traffic passes" traffic
t "what was open goes on" eval '! pid_gone "${LAB_PIDS[-2]}"'
t "another port does not" refused web tcp/5432 "$DB"
t "another way round does not" refused db tcp/8080 "$API"
t "what the guardrail forbids does not" denied web tcp/22 "$DB"
t "another address outside does not" refused web tcp/443 "$OUT"
t "nothing of the traffic was denied" not_recorded '.event_type=="denied" and (.dest_port==8080 or .dest_port==53) and .policy!="spoofed-source" and .workload!="back/db"'
t "the agent stops in order again" agent_stop agent
tap_done
