# SPDX-License-Identifier: GPL-2.0-or-later
# From a refused packet to the reviewer: the log and captures of a real agent, asked by every mode; what
# show says of the rule and of workloads that run, and that do not any more.
. tests/lib/tap.sh
. tests/lib/lib.sh

why=$(lab_missing jq tcpdump)
[ -z "$why" ] || skip_all "$why"

lab_begin review
node_add
br_add br0 10.77.0.1/24 fd77::1/64
ct_add web br0 02:42:0a:4d:00:0a 10.77.0.10 fd77::a namespace=shop
ct_add db br0 02:42:0a:4d:00:0b 10.77.0.11 fd77::b namespace=shop
world_write
mkdir "$LAB/policies"
cat >"$LAB/policies/guard.yaml" <<'END'
apiVersion: vethwall/v1
kind: GuardrailPolicy
metadata: {name: no-telnet}
spec:
  priority: 1
  egress:
    - {name: telnet, action: deny, to: [any], ports: [tcp/23]}
END
cat >"$LAB/policies/db.yaml" <<'END'
apiVersion: vethwall/v1
kind: ServicePolicy
metadata: {name: db, namespace: shop}
spec:
  service: db
  ingress:
    - from: [{service: api}]
      ports: [tcp/5432]
END

flows()
{
	"$VETHWALL" flows --log-dir "$LAB/a/log" --run-dir "$LAB/a/run" --state-dir "$LAB/a/state" "$@"
}
id_of()
{
	flows "$1" --format json | jq -r .community_id | tail -n 1
}

recorded()
{
	probe web "tcp/$1" 10.77.0.11 >/dev/null
	wait_until "$DEADLINE" eval 'flows "port='"$1"'" --format json | jq -es "length > 0" >/dev/null'
}

# A scan: each of the ports once
scan()
{
	local p
	for p in $(seq 6000 6019); do probe web "tcp/$p" 10.77.0.11 >/dev/null; done
	wait_until "$DEADLINE" eval 'flows scans --format json | jq -e ".source == \"shop/web\" and .ports >= 20" >/dev/null'
}

show_names_the_rule()
{
	flows show "$(id_of port=23)" --policies "$LAB/policies" >"$LAB/out" || return
	cat "$LAB/out"
	grep -q 'egress of shop/web by no-telnet telnet' "$LAB/out" &&
		grep -q 'guard.yaml:7:' "$LAB/out" && grep -q 'ports: \[tcp/23\]' "$LAB/out" &&
		grep -q 'workload  *now: enforced.*10.77.0.10' "$LAB/out" &&
		grep -q 'peer  *now: enforced.*10.77.0.11' "$LAB/out" &&
		grep -q 'tcp/23: denied' "$LAB/out" &&
		grep -q '10.77.0.10:[0-9]* > 10.77.0.11:23 tcp S seq' "$LAB/out" && grep -q '  0000  45' "$LAB/out"
}

show_of_a_default()
{
	flows show "$(id_of port=5432)" --policies "$LAB/policies" >"$LAB/out" || return
	cat "$LAB/out"
	grep -q 'ingress of shop/db by default' "$LAB/out" && grep -q 'none allows it' "$LAB/out" &&
		grep -q 'tcp/5432: denied' "$LAB/out"
}

show_after_its_end()
{
	ct_forget db && world_write &&
		wait_until "$DEADLINE" eval 'vw a status --format json | jq -e ".counts.workloads == 1" >/dev/null' || return
	flows show "$(id_of port=23)" --policies "$LAB/none" >"$LAB/out" || return
	cat "$LAB/out"
	grep -q 'peer  *now: it does not run here now' "$LAB/out" &&
		grep -q 'the policy files cannot be read' "$LAB/out" &&
		flows show "$(id_of port=23)" --format json --run-dir "$LAB/none" |
		jq -e '.now.note and (.decisions | length == 1) and (.samples | length > 0)' >/dev/null
}

packets()
{
	flows --format pcap --port 23 --out "$LAB/x.pcapng" 2>/dev/null || return
	[ "$(tcpdump -nr "$LAB/x.pcapng" 'tcp dst port 23' 2>/dev/null | wc -l)" -gt 0 ] &&
		[ "$(tcpdump -nr "$LAB/x.pcapng" 'not tcp dst port 23' 2>/dev/null | wc -l)" -eq 0 ]
}

whole()
{
	flows --verify
}

altered()
{
	sed -i '0,/"packets":/s/"packets":[0-9]*/"packets":9/' "$LAB/a/log/denied.jsonl"
	flows --verify >"$LAB/out"
	[ $? -eq 1 ] && cat "$LAB/out" && grep -q 'denied.jsonl:[0-9]*: ' "$LAB/out"
}

t "the agent becomes ready" agent_start a node --runtime "static:$LAB/world.yaml" --policies "$LAB/policies"
t "a port that a guardrail refuses is in the log" recorded 23
t "a port that nobody allows is in the log" recorded 5432
t "show names rule, place, workloads and packets" show_names_the_rule
t "show of what no document decided" show_of_a_default
t "a scan is seen" scan
t "just the packets of a port" packets
t "top counts both ends" eval '[ "$(flows top --by workload --format json | jq -s length)" -eq 2 ]'
t "show when a workload is gone, and without an agent" show_after_its_end
t "it stops in order" agent_stop a
t "the log is whole" whole
t "a record that was altered is found" altered
tap_done
