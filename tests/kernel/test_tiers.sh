# SPDX-License-Identifier: GPL-2.0-or-later
# Tiers and modes with packets: guardrails above service policies, baselines below, pass, images, the
# metadata address, audit (passes, and is recorded) and log: true (allowed, and is recorded).
. tests/lib/tap.sh
. tests/lib/lib.sh

why=$(lab_missing jq)
[ -z "$why" ] || skip_all "$why"
lab_begin tiers
mkdir -p "$LAB/policies"

WEB=10.77.0.10 DB=10.77.0.12 DB6=fd77::c BAD=10.77.0.13 META=169.254.169.254
node_add
br_add br0 10.77.0.1/24 fd77::1/64
ct_add web br0 02:42:0a:4d:00:0a "$WEB" fd77::a namespace=shop image=registry.local/shop/web:1
ct_add api br0 02:42:0a:4d:00:0b 10.77.0.11 fd77::b namespace=shop image=registry.local/shop/api:1
ct_add db br0 02:42:0a:4d:00:0c "$DB" "$DB6" namespace=shop image=registry.local/shop/db:1
ct_add bad br0 02:42:0a:4d:00:0d "$BAD" fd77::d namespace=shop image=docker.io/miner:latest
ext_add cloud "$META/24" 169.254.169.1
world_write
serve db tcp:5432 tcp:22 tcp:9999
serve web tcp:80 tcp:81
serve cloud tcp:80

cat >"$LAB/policies/tiers.yaml" <<'EOF'
apiVersion: vethwall/v1
kind: GuardrailPolicy
metadata: {name: quarantine}
spec:
  priority: 0
  subjects: {image: "docker.io/*"}
  egress: [{name: caged, action: deny}]
---
apiVersion: vethwall/v1
kind: GuardrailPolicy
metadata: {name: platform}
spec:
  priority: 10
  ingress:
    - {name: no-ssh, action: deny, ports: [tcp/22]}
    - {name: probes, action: allow, from: [{service: api}], ports: [tcp/9999]}
    - {name: shop, action: pass, from: [{namespace: shop}]}
  egress:
    - {name: no-metadata, action: deny, to: [metadata]}
---
apiVersion: vethwall/v1
kind: ServicePolicy
metadata: {name: db, namespace: shop}
spec:
  service: db
  log: true
  ingress: [{from: [{service: api}], ports: [tcp/5432, tcp/22]}]
---
apiVersion: vethwall/v1
kind: ServicePolicy
metadata: {name: trial, namespace: shop}
spec:
  service: web
  mode: audit
  ingress: [{from: [{service: api}], ports: [tcp/80]}]
---
apiVersion: vethwall/v1
kind: BaselinePolicy
metadata: {name: floor}
spec:
  ingress:
    - {name: no-81, action: deny, ports: [tcp/81]}
EOF

# flow FILTER COUNT: so many packets are on record
flow()
{
	local got
	got=$(jq -s "map(select($1) | .packets) | add // 0" "$LAB/agent/log/denied.jsonl")
	[ "$got" -ge "$2" ] || { echo "$1: $got packets"; jq -c . "$LAB/agent/log/denied.jsonl"; return 1; }
}
recorded()
{
	wait_until "$DEADLINE" flow "$1" "${2:-1}"
}

t "the policies are good" "$VETHWALL" check "$LAB/policies"
t "the agent is ready" agent_start agent node --runtime "static:$LAB/world.yaml" --policies "$LAB/policies"

for ip in "$DB" "$DB6"; do
	t "a service policy allows api to $ip" allowed api tcp/5432 "$ip"
	t "a guardrail allows what it does not" allowed api tcp/9999 "$ip"
	t "a guardrail denies what it allows" denied api tcp/22 "$ip"
	t "web is not allowed" denied web tcp/5432 "$ip"
	t "nor by the guardrail's allow for another" denied web tcp/9999 "$ip"
	t "an unapproved image reaches nothing" refused bad tcp/5432 "$ip"
done
t "the metadata address is closed" refused web tcp/80 "$META"
t "to all" refused api tcp/80 "$META"
t "audit: api may" allowed api tcp/80 "$WEB"
t "audit: db may, too" allowed db tcp/80 "$WEB"
t "a baseline decides where only an audited policy selects" denied db tcp/81 "$WEB"

R='.event_type=="denied" and'
t "recorded: the guardrail's rule" recorded "$R .policy==\"platform\" and .rule==\"no-ssh\" and .dest_port==22 and .direction==\"ingress\""
t "recorded: the quarantine" recorded "$R .policy==\"quarantine\" and .rule==\"caged\" and .workload==\"shop/bad\" and .direction==\"egress\""
t "recorded: metadata" recorded "$R .rule==\"no-metadata\" and .dest_ip==\"$META\""
t "recorded: no rule allowed it" recorded "$R .policy==\"default\" and .workload==\"shop/db\" and .dest_port==5432"
t "recorded: the baseline" recorded "$R .policy==\"floor\" and .rule==\"no-81\""
t "recorded: audited, as what would have been refused" recorded '.event_type=="audited" and .workload=="shop/web" and .src_ip=="10.77.0.12" and .dest_port==80'
t "not audited: what the trial allows" eval "! flow '.event_type==\"audited\" and .src_ip==\"10.77.0.11\"' 1 >/dev/null"
t "recorded: allowed with log: true" recorded '.event_type=="allowed" and .policy=="shop/db" and .rule=="ingress[0]" and .dest_port==5432'
t "the agent stops in order" agent_stop agent
tap_done
