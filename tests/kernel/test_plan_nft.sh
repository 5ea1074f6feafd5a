# SPDX-License-Identifier: GPL-2.0-or-later
# What is shown is what is sent: the plan that `vethwall diff` prints, loaded by the real nft in one
# namespace, against what the agent's own batch makes of the same change in another. The second
# table is only ever changed by nft, so each change stands on what nft made of those before it.
. tests/lib/tap.sh
. tests/lib/lib.sh

why=$(lab_missing jq python3)
[ -z "$why" ] || skip_all "$why"
lab_begin plan
NOW=$LAB/policies NEXT=$LAB/next
mkdir "$NOW" "$NEXT"

# The same bridge and veths, by number and address, in both.
twin()
{
	local i=10 veth
	ns_add "$1"
	ns "$1" ip link add br0 address 02:00:00:00:00:01 type bridge
	ns "$1" ip addr add 10.77.0.1/24 dev br0
	ns "$1" ip addr add fd77::1/64 dev br0 nodad
	ns "$1" ip link set br0 up
	for veth in web api db old two; do
		ns "$1" ip link add "v-$veth" index $i type veth peer name "p-$veth" index 1$i
		ns "$1" ip link set "v-$veth" master br0 addrgenmode none up
		i=$((i + 1))
	done
}
twin agent
twin nft
cat >"$LAB/world.yaml" <<'END'
workloads:
  - {name: web, namespace: shop, interfaces: [{veth: v-web, network: n, mac: "02:42:0a:4d:00:0a", ips: [10.77.0.10, "fd77::a"]}]}
  - {name: api, namespace: shop, interfaces: [{veth: v-api, network: n, mac: "02:42:0a:4d:00:0b", ips: [10.77.0.11, "fd77::b"]}]}
  - {name: db, namespace: shop, ports: [{name: sql, port: 5432, protocol: TCP}],
     interfaces: [{veth: v-db, network: n, mac: "02:42:0a:4d:00:0c", ips: [10.77.0.12, "fd77::c"]}]}
  - {name: old, namespace: shop, interfaces: [{veth: v-old, network: n, ips: [10.77.0.13]}]}
  - {name: two, namespace: lab, labels: {tier: web}, interfaces: [{veth: v-two, network: n, ips: [10.77.0.14, 10.77.0.15, "fd77::e", "fd77::f"]}]}
END

# service NAME "ingress: [...]" ...: a policy of that service
service()
{
	{
		echo "apiVersion: vethwall/v1"
		echo "kind: ServicePolicy"
		echo "metadata: {name: $1, namespace: shop}"
		echo "spec:"
		echo "  service: $1"
		printf '  %s\n' "${@:2}"
	} >"$NEXT/$1.yaml"
}

start()
{
	agent_start "$1" "$1" --runtime "static:$LAB/world.yaml" --policies "$NOW"
}

show_plan()
{
	local rc=0
	vw agent diff --policies "$NEXT" --format json >"$LAB/diff.json" || rc=$?
	jq -r .plan.text "$LAB/diff.json" >"$LAB/plan"
	# every line is of a diff, there is something to do, and nft has words for all of it
	[ "$rc" -eq 1 ] && [ -s "$LAB/plan" ] && ! grep -v -E '^([-+ ] |$)' "$LAB/plan" &&
		! grep 'no words' "$LAB/plan"
}

load()
{
	cut -c 3- "$LAB/plan" >"$LAB/plan.nft" && ns nft nft -f "$LAB/plan.nft"
}

take()
{
	rm -f "$NOW"/*
	cp "$NEXT"/* "$NOW"
	vw agent reload
}

table()
{
	ns "$1" nft -s list table netdev vethwall >"$LAB/$1.list" &&
		ns "$1" nft --debug=netlink list table netdev vethwall >"$LAB/$1.code" &&
		python3 tests/lib/nft_table.py "$LAB/$1.list" "$LAB/$1.code" >"$LAB/$1.table" &&
		[ "$(wc -l <"$LAB/$1.table")" -gt 2000 ]
}

same()
{
	table agent && table nft && diff "$LAB/agent.table" "$LAB/nft.table"
}

# change WHAT: the set in NEXT is shown, loaded, taken into force and compared
change()
{
	t "$1: the plan is shown" show_plan
	t "$1: nft loads it" load
	t "$1: the agent takes it" take
	t "$1: both have made the same of it" same
}

touch "$NOW/none.yaml"
service db "ingress: [{from: [{service: api}], ports: [tcp/5432]}]"
cp "$NEXT"/* "$NOW"
t "the agent that is asked" start agent
t "the agent whose table it will be" start nft
t "is stopped: its table stays, and anyone may change it" agent_stop nft
t "both have the same to begin with" same

service db "ingress:" "  - {from: [{service: api}], ports: [tcp/5432, udp/53, tcp/1000-2000, icmp/echo-request]}"
change "a rule gets ports, one a range"
service db "ingress:" "  - {from: [{service: api}], ports: [tcp/5432, udp/53, tcp/1000-2000, icmp/echo-request]}" \
	"  - {from: [{cidr: 10.9.0.0/16, except: [10.9.1.0/24]}, {cidr: 'fd99::/64'}], ports: [tcp/5432, udp/4000-5000]}"
change "a peer outside, of both families"
service web "ingress: [{from: [{service: api}], ports: [tcp/80]}]" "egress: []"
change "a service is isolated"
cat >"$NEXT/guardrail.yaml" <<'END'
apiVersion: vethwall/v1
kind: GuardrailPolicy
metadata: {name: platform}
spec:
  priority: 10
  ingress:
    - {name: no-ssh, action: deny, ports: [tcp/22]}
    - {name: lab, action: allow, from: [{namespace: lab}], ports: [tcp/9000-9100]}
  egress:
    - {name: no-metadata, action: deny, to: [metadata]}
END
change "a guardrail"
service db "log: true" "ingress:" "  - {from: [{service: api}], ports: [tcp/5432, tcp/1000-2000]}" \
	"  - {from: [{cidr: 10.8.0.0/15}, {cidr: 'fd99::/60'}], ports: [any]}"
service old "mode: audit" "ingress: [{from: [{service: db}]}]"
change "rules go, peers overlap what was, what passes is recorded, one policy only watches"
service api "egress: [{to: [{fqdn: \"*.example.org\"}], ports: [tcp/443]}, {to: [dns], ports: [udp/53]}]"
change "peers by name"
cat >"$NEXT/pods.yaml" <<'END'
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: pods, namespace: lab}
spec:
  podSelector: {matchLabels: {tier: web}}
  policyTypes: [Ingress, Egress]
  egress: [{to: [{namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: shop}}}], ports: [{port: sql}, {port: 7000, endPort: 7777}]}]
END
change "a NetworkPolicy with a named port"
service api "egress: [{to: [{service: db}]}]"
rm "$NEXT/guardrail.yaml"
change "no names any more, no guardrail"
rm "$NEXT/web.yaml" "$NEXT/pods.yaml"
change "policies are removed"
rm "$NEXT/api.yaml" "$NEXT/db.yaml" "$NEXT/old.yaml"
change "none is left"
service db "ingress: [{from: [{service: api}], ports: [tcp/5432]}]"
change "as in the beginning"
t "an agent takes the table over that nft has made" start nft
t "and has in it what the other has" same
t "in order" agent_stop nft
t "both" agent_stop agent
tap_done
