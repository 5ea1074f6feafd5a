# SPDX-License-Identifier: GPL-2.0-or-later
# What the walls do to packets, with containers made of namespaces and a workloads file: both directions,
# IPv4 and IPv6, each kind of peer, forged sources, and veth names that come back as another's.
# (How the agent runs and answers is in test_agent_static.sh.)
. tests/lib/tap.sh
. tests/lib/lib.sh

why=$(lab_missing jq)
[ -z "$why" ] || skip_all "$why"
lab_begin walls
mkdir -p "$LAB/policies"

policy()
{
	local name=$1
	shift
	{
		printf 'apiVersion: vethwall/v1\nkind: ServicePolicy\nmetadata: {name: %s, namespace: shop}\nspec:\n  service: %s\n' "$name" "$name"
		printf '  %s\n' "$@"
	} >"$LAB/policies/$name.yaml"
}

status_is()
{
	local got
	got=$(vw agent status --format json | jq -r "$1")
	[ "$got" = "$2" ] || { echo "status $1: $got"; return 1; }
}

enforced()
{
	wait_until "$DEADLINE" status_is ".counts | [.enforced, .not_enforced] | join(\" \")" "$1 0"
}

DB=10.77.0.12 DB6=fd77::c
node_add
br_add br0 10.77.0.1/24 fd77::1/64
br_add br1 10.78.0.1/24
ct_add web br0 02:42:0a:4d:00:0a 10.77.0.10 fd77::a namespace=shop
ct_add api br0 02:42:0a:4d:00:0b 10.77.0.11 fd77::b namespace=shop label=tier:backend
ct_add db br0 02:42:0a:4d:00:0c "$DB" "$DB6" namespace=shop
ct_add far br1 02:42:0a:4e:00:0a 10.78.0.10 - namespace=other service=api
ext_add out 192.0.2.2/24 192.0.2.1 2001:db8:1::2/64 2001:db8:1::1
world_write
serve db tcp:5432 tcp:22 udp:5432
serve web tcp:80
serve node tcp:22 udp:53
serve out tcp:80
policy db 'ingress: [{from: [{service: api}, {cidr: 192.0.2.0/24}], ports: [tcp/5432, icmp/echo-request]}]' 'egress: []'
policy api 'egress: [{to: [{service: db}], ports: [tcp/5432]}, {to: [host], ports: [udp/53]}, {to: [world]}]'

# The sample settings with every line in force; folders and runtime are overridden.
mkdir -p "$LAB/agent"
sed -E 's/^#([a-z])/\1/; s/^dns:.*/dns: [10.77.0.1]/' contrib/vethwall.yaml >"$LAB/agent/vethwall.yaml"
t "the agent is ready, with the sample settings" agent_start agent node --runtime "static:$LAB/world.yaml" --policies "$LAB/policies"
t "four interfaces are enforced" enforced 4
t "status is healthy" status_is .healthy true

for ip in "$DB" "$DB6"; do
	t "api reaches db at $ip" allowed api tcp/5432 "$ip"
	t "not on another port" refused api tcp/22 "$ip"
	t "not by UDP" refused api udp/5432 "$ip"
	t "web does not reach db at $ip" denied web tcp/5432 "$ip"
	t "the node does not" denied node tcp/5432 "$ip"
	t "web does not ping db at $ip" denied web ping "$ip"
done
t "a service of that name elsewhere is not api" denied far tcp/5432 "$DB"
t "a host of the CIDR reaches db" allowed out tcp/5432 "$DB"
t "and may ping it" allowed out ping "$DB"
t "db answers, but begins nothing" refused db tcp/80 10.77.0.10
t "not even a ping" denied db ping fd77::a
t "nor to the node" refused db tcp/22 10.77.0.1
t "web is open: nothing selects it" allowed api tcp/80 192.0.2.2
t "its egress too" allowed web tcp/22 10.77.0.1
t "api's way to the node is one port" allowed api udp/53 10.77.0.1
t "and no other" refused api tcp/22 10.77.0.1
t "nor by another of its addresses" refused api tcp/22 192.0.2.1
t "the world is open to api" allowed api tcp/80 192.0.2.2
t "which does not mean a workload" refused api tcp/80 10.77.0.10

# A source that is not the container's.
forged()
{
	ns web ip addr add 10.77.0.11/24 dev eth0 && ns api ip link set eth0 down || return
	! probe_is passed web tcp/5432 "$DB" && [ "$(at_netprobe web -b 10.77.0.11 tcp "$DB" 5432)" != passed ]
	local rc=$?
	ns web ip addr del 10.77.0.11/24 dev eth0
	ns api ip link set eth0 up
	ns api ip route add default via 10.77.0.1
	ns api ip addr add fd77::b/64 dev eth0 nodad 2>/dev/null
	return "$rc"
}
t "web does not pass with api's address" forged
t "api itself passes again" allowed api tcp/5432 "$DB"

# Edits.
bg hold api "$NETPROBE" -t 10000 hold "$DB" 5432
HOLD=$LAB/hold.out
lives()
{
	local n
	n=$(wc -l <"$HOLD")
	wait_until "$DEADLINE" eval "[ \$(wc -l <\"$HOLD\") -gt $((n + 5)) ]" && ! grep -E '[a-z]' "$HOLD"
}
t "api holds a connection" lives
edit()
{
	policy db 'ingress: [{from: [{service: api}, {service: web}], ports: [tcp/5432]}]' 'egress: []'
	kill -HUP "${AGENT_PID[agent]}"
}
t "an edited policy is read on SIGHUP" edit
t "web reaches db now" allowed web tcp/5432 "$DB6"
t "the host outside does not any more" denied out tcp/5432 "$DB"
t "the connection lives" lives

ct_add late br0 02:42:0a:4d:00:0d 10.77.0.13 fd77::d namespace=shop service=api
t "a veth that nobody speaks of is let nowhere that is walled" denied late tcp/5432 "$DB"
world_write
t "the file is followed" enforced 5
t "as api it reaches db" allowed late tcp/5432 "$DB"
t "and only that" denied late tcp/22 "$DB"
t "the connection lives" lives

broken_world()
{
	cp "$LAB/world.yaml" "$LAB/good"
	echo "workloads: [{name: " >"$LAB/world.yaml"
	wait_until "$DEADLINE" grep -q 'world.yaml:[0-9]*:[0-9]*: ' "$LAB/agent/agent.out"
}
t "a broken workloads file is reported with its place" broken_world
t "and changes nothing" enforced 5
t "what was denied is denied" denied late tcp/22 "$DB"
t "the connection lives" lives
cp "$LAB/good" "$LAB/world.yaml"

# A veth goes, and its name comes back as somebody else's.
ifindex()
{
	ns node ip -j link show "v-$1" | jq '.[].ifindex'
}
# The base chains of a wall are in_IFINDEX and eg_IFINDEX (nft -j does not print the device).
chains_of()
{
	local n
	n=$(ns node timeout 30 nft -j list table netdev vethwall |
		jq --arg i "$1" '[.nftables[].chain // empty | select(.hook and (.name | endswith("_" + $i)))] | length')
	echo "$n chains of $1"
	[ "$n" -eq "$2" ]
}
LATE=$(ifindex late)
t "two chains stand on the veth of late" chains_of "$LATE" 2
t "late goes" ns_del late
t "and its chains with it" wait_until "$DEADLINE" chains_of "$LATE" 0
ct_forget late
world_write
t "four are left" enforced 4
ct_add late br0 02:42:0a:4d:00:0e 10.77.0.14 - namespace=shop service=web
world_write
t "the name comes back as another's" enforced 5
t "who may do what it may" denied late tcp/22 "$DB"
t "and reaches db as web does" allowed late tcp/5432 "$DB"

t "the agent stops in order" agent_stop agent
t "what is denied stays denied" denied far tcp/5432 "$DB"
tap_done
