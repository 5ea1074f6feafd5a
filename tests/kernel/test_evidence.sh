# SPDX-License-Identifier: GPL-2.0-or-later
# The log against what senders sent, with the whole agent: floods over one flow and over many, scans,
# IPv6, several workloads at once, rotation, reload, kill -9 on the way and a workload that is gone
# right after; a table that is full; a veth that nobody owns yet; a disk that is full.
. tests/lib/tap.sh
. tests/lib/lib.sh
FLOOD=${FLOOD:-$BUILD/tests/lib/flood}

why=$(lab_missing python3 jq)
[ -z "$why" ] || skip_all "$why"
export PYTHONDONTWRITEBYTECODE=1 # the helpers lie in the tree

# Containers: NAME LAST-PART-OF-ADDRESS; all of them know the sink's address at once.
SINK_MAC=02:42:0a:4d:00:fe SINK4=10.77.0.254 SINK6=fd77::fe
container()
{
	ct_add "$1" "$2" "02:42:0a:4d:00:$(printf %02x "$3")" "10.77.0.$3" "fd77::$(printf %x "$3")" \
		namespace=shop "service=$4" || return
	ns "$1" ip neigh replace "$SINK4" lladdr "$SINK_MAC" dev eth0 &&
		ns "$1" ip neigh replace "$SINK6" lladdr "$SINK_MAC" dev eth0
}
sink()
{
	ct_add "$1" "$2" "$SINK_MAC" "$SINK4" "$SINK6" namespace=shop service=sink
}
policies()
{
	mkdir -p "$1"
	cat >"$1/closed.yaml" <<-END
		apiVersion: vethwall/v1
		kind: ServicePolicy
		metadata: {name: closed, namespace: shop}
		spec: {service: closed, egress: []}
		---
		apiVersion: vethwall/v1
		kind: ServicePolicy
		metadata: {name: sink, namespace: shop}
		spec: {service: sink, ingress: []}
		---
		apiVersion: vethwall/v1
		kind: ServicePolicy
		metadata: {name: asks, namespace: shop}
		spec: {service: asks, egress: [{to: [dns]}]}
	END
}

log_py()
{
	python3 tests/lib/denied_log.py "$LAB/$1/log" "${@:2}"
}
# flood TAG NS ARGS...: in the background; what it sent is in $LAB/flood-TAG.out.
flood()
{
	bg "flood-$1" "$2" "$FLOOD" "${@:3}"
	FLOOD_PID[$1]=$!
}
declare -A FLOOD_PID
flooded()
{
	local tag
	for tag in "$@"; do
		wait_until 120 pid_gone "${FLOOD_PID[$tag]}" && grep -q "^[0-9]* [0-9]*$" "$LAB/flood-$tag.out" || return
	done
}
sent()
{
	local tag p b packets=0 bytes=0
	for tag in "$@"; do
		read -r p b <"$LAB/flood-$tag.out" || return
		packets=$((packets + p)) bytes=$((bytes + b))
	done
	echo "$packets $bytes"
}
# exact A WORKLOAD DIRECTION VERSION TAG...: the records' sums, with those of overflow, are what was
# sent. WHOLE=1: and nothing of it is overflow.
exact()
{
	local want got
	want=$(sent "${@:5}") || return
	got=$(log_py "$1" sum "$2" "$3" "$4") || return
	echo "$2 $3 IPv$4: sent $want, recorded $got"
	# shellcheck disable=SC2086
	set -- $got $want
	[ "$(($1 + $3)) $(($2 + $4))" = "$6 $7" ] && [ "$6" -gt 0 ] &&
		{ [ -z "${WHOLE:-}" ] || [ "$3" = 0 ]; }
}
start()
{
	agent_start "$1" "$2" --runtime "static:$LAB/$1.yaml" --policies "$LAB/policies"
}
world()
{
	world_write && mv "$LAB/world.yaml" "$LAB/$1.yaml"
}
enforced()
{
	vw "$1" status --format json | jq -e --argjson n "$2" '.counts.enforced == $n' >/dev/null
}

lab_begin evidence
policies "$LAB/policies"

# ---- exact, whatever happens meanwhile ----

node_add one && br_add br0 10.77.0.1/24 fd77::1/64
sink sink br0
container one1 br0 11 closed
container many br0 12 closed
container six br0 13 closed
container scan br0 14 closed
container open br0 15 open
container dying br0 16 closed
world a
mkdir -p "$LAB/a"
cat >"$LAB/a/vethwall.yaml" <<-END
	log: {segment_size: 4MiB, segments: 100, flow_interval: 1s}
	pcap: {segment_size: 1MiB, segments: 3}
END
t "the agent becomes ready" start a one
flood one1 one1 -n 400000 -r 300000 10.77.0.11 $SINK4 1
flood many many -n 200000 10.77.0.12 $SINK4 10000
flood six six -n 100000 fd77::d $SINK6 5000
flood open open -n 50000 10.77.0.15 $SINK4 500
flood open6 open -n 20000 fd77::f $SINK6 50
sleep 0.3
echo 'spec: {}' | sed 's/^/# /' >>"$LAB/policies/closed.yaml"
t "policies are reloaded under fire" vw a reload
sleep 0.2
agent_kill a
flood scan scan -n 65535 10.77.0.14 $SINK4 65535
sleep 0.3
t "after kill -9 the next agent starts under fire" start a one
flood scan6 scan -n 65535 fd77::e $SINK6 65535
flood dying dying -n 30000 10.77.0.16 $SINK4 300
t "all floods end" flooded one1 many six open open6 scan scan6 dying
ns_del dying
t "and a policy more is taken into force" vw a reload
dying_done()
{
	exact a shop/dying egress 4 dying
}
t "a workload that is gone right after" wait_until 30 dying_done
t "the agent stops" agent_stop a
t "one flow, 300,000 packets a second" exact a shop/one1 egress 4 one1
t "10,000 flows" exact a shop/many egress 4 many
t "IPv6" exact a shop/six egress 6 six
t "a scan of all ports" exact a shop/scan egress 4 scan
t "and by IPv6" exact a shop/scan egress 6 scan6
t "what is refused on arrival" exact a shop/sink ingress 4 open
t "and by IPv6" exact a shop/sink ingress 6 open6
t "every hash of the log is right over segments, restarts and kill -9" log_py a chain
rotated()
{
	[ -e "$LAB/a/log/denied.jsonl.3" ]
}
t "it was rotated on the way" rotated
modes()
{
	[ "$(stat -c %a "$LAB/a/log/denied.jsonl" "$LAB/a/log/denied.jsonl.1" "$LAB/a/log/denied.pcapng" |
		sort -u)" = 640 ]
}
t "nobody else may read it" modes
commented()
{
	tshark -r "$LAB/a/log/denied.pcapng" -T fields -e frame.comment 2>&1 |
		grep -q 'workload=shop/[a-z0-9]* .*direction=egress .*policy=default rule=default'
}
if command -v tshark >/dev/null; then
	t "tshark shows whose packets these are" commented
else
	skip "tshark is not installed" "tshark shows whose packets these are"
fi
t "tcpdump reads them" eval 'tcpdump -c 5 -nr "$LAB/a/log/denied.pcapng" 2>&1 | grep -q "UDP, length 100"'

# A record that a crash tore.
printf '{"timestamp":"2026-' >>"$LAB/a/log/denied.jsonl"
t "a torn record does not stop the next agent" start a one
flood again one1 -n 10 10.77.0.11 $SINK4 1
flooded again
t "and it is the only one lost" wait_until 20 eval 'exact a shop/one1 egress 4 one1 again'
t "the log says so" eval 'log_py a notes gap | grep -q "\"cause\": \"crash\".*\"cut_bytes\": 19"'
agent_stop a
t "and is a chain again" log_py a chain

# ---- a table that is full ----

CT_WORLD=()
# Without IPv6 and snooping, whose reports of multicast groups would be in the sums.
quiet()
{
	local mac
	mac=02:42:0a:4d:00:$(printf %02x "$2")
	ns_add "$1" && ns "$1" sysctl -qw net.ipv6.conf.all.disable_ipv6=1 net.ipv6.conf.default.disable_ipv6=1 &&
		ns "$NODE" ip link add "v-$1" type veth peer name eth0 address "$mac" netns "$LAB_ID-$1" &&
		ns "$NODE" ip link set "v-$1" master br0 up && ns "$1" ip link set eth0 up &&
		ns "$1" ip addr add "10.77.0.$2/24" dev eth0 &&
		ns "$1" ip neigh replace "$SINK4" lladdr "$SINK_MAC" dev eth0 || return
	CT_WORLD+=("name: $1, namespace: shop, service: $3, interfaces: [{veth: v-$1, network: br0, mac: \"$mac\", ips: [10.77.0.$2]}]")
}
quiet_node()
{
	node_add "$1" && ns "$1" sysctl -qw net.ipv6.conf.all.disable_ipv6=1 net.ipv6.conf.default.disable_ipv6=1 &&
		ns "$1" ip link add br0 type bridge mcast_snooping 0 && ns "$1" ip link set br0 up &&
		ns "$1" ip addr add 10.77.0.1/24 dev br0
}
quiet_node two
quiet sinktwo 254 sink
quiet wild 21 closed
quiet calm 22 closed
quiet wildopen 23 open
quiet asker 24 asks
DNS=198.51.100.53
ext_add out $DNS/24 198.51.100.1
ns asker ip route add default via 10.77.0.1
ns calm ip route add default via 10.77.0.1
bg dns out python3 tests/lib/dns.py serve $DNS
world b
mkdir -p "$LAB/b"
printf 'limits: {denied_flows: 1024}\ndns: [%s]\n' $DNS >"$LAB/b/vethwall.yaml"
t "an agent with room for 1,024 flows" start b two
flood wild wild -n 300000 10.77.0.21 $SINK4 300000
flood calm calm -n 20000 10.77.0.22 $SINK4 100
flood in wildopen -n 100000 10.77.0.23 $SINK4 100000
flooded wild calm in
over_done()
{
	exact b shop/wild egress 4 wild && exact b shop/sinktwo ingress 4 in
}
t "a container that invents flows is counted whole, by direction" wait_until 30 over_done
t "and nobody else suffers" eval 'WHOLE=1 exact b shop/calm egress 4 calm'
t "status counts what has no record of its own" eval \
	'vw b status --format json | jq -e ".denied.overflow_packets > 300000" >/dev/null'
agent_kill b
flood away wild -n 200000 10.77.0.21 $SINK4 200000
flood away2 calm -n 20000 10.77.0.22 $SINK4 150
flooded away away2

t "the next agent" start b two
away_done()
{
	exact b shop/wild egress 4 wild away
}

t "tells what was refused while there was none" wait_until 30 away_done
t "of others by flow" wait_until 30 eval 'WHOLE=1 exact b shop/calm egress 4 calm away2'
t "and trouble is in the log" eval 'log_py b notes stats | grep -q overflow_packets'

# ---- names ----

resolved()
{
	[ "$(ns asker python3 tests/lib/dns.py ask $DNS api.example.org)" = 203.0.113.10 ]
}
t "a workload resolves a name" wait_until 20 resolved
sleep 0.2 # the answer is on its way to the agent, too
denied asker tcp/443 203.0.113.10 >"$LAB/out"
denied calm tcp/443 203.0.113.10 >"$LAB/out"
named()
{
	jq -es --arg w "$1" --arg n "$2" 'any(.[]; .workload == $w and .dest_ip == "203.0.113.10" and
		(.peer_name // "-") == $n and .peer == "world")' "$LAB/b/log/denied.jsonl" >/dev/null
}
t "what it does not reach behind it has that name in the record" wait_until 10 named shop/asker api.example.org
t "and not for who has not resolved it" wait_until 10 named shop/calm -

# ---- a veth that nobody owns yet ----

quiet late 31 closed
quiet stranger 32 closed
held()
{
	vw b status --format json | jq -e --arg v "v-$1" 'any(.held[]; .veth == $v and .held)' >/dev/null
}
t "a veth that appears is held" wait_until 20 eval 'held late && held stranger'
flood late late -n 5000 10.77.0.31 $SINK4 50
flood stranger stranger -n 700 10.77.0.32 $SINK4 7
flooded late stranger
CT_WORLD=("${CT_WORLD[@]/name: stranger,*/}")
for i in "${!CT_WORLD[@]}"; do [ -n "${CT_WORLD[i]}" ] || unset "CT_WORLD[i]"; done
world b
t "then it has an owner" wait_until 20 enforced b 6
held_is()
{
	local got
	got=$(log_py b held "$1" egress) || return
	echo "$got"
	[ "$got" = "$2" ]
}
t "what it sent before is told with its owner's name" wait_until 20 held_is v-late "5000 640000 shop/late"
t "and of a veth that stays nobody's, with the veth's" wait_until 30 held_is v-stranger "700 89600 -"
flood late2 late -n 100 10.77.0.31 $SINK4 1
flooded late2
t "from then on by flow" wait_until 20 eval 'WHOLE=1 exact b shop/late egress 4 late2'
agent_stop b
t "once, also in the next agent's eyes" eval 'start b two && sleep 1 && agent_stop b &&
	held_is v-late "5000 640000 shop/late" && exact b shop/wild egress 4 wild away'

# ---- a disk that is full ----

node_add three && br_add br0 10.77.0.1/24 fd77::1/64
CT_WORLD=()
sink sinkthree br0
container full br0 41 closed
container peer br0 42 open
serve peer tcp:80
world c
# The agent in a mount namespace of its own, with a log folder of 300 KiB.
mkdir -p "$LAB/c/log"
cat >"$LAB/small" <<-END
	#!/bin/sh
	exec unshare -m sh -c 'mount -t tmpfs -o size=300k,mode=750 none "$LAB/c/log" && exec "\$0" "\$@"' "$VETHWALL" "\$@"
END
chmod +x "$LAB/small"
echo 'log: {segment_size: 64KiB, segments: 1000, flow_interval: 1s}' >"$LAB/c/vethwall.yaml"
t "an agent with little room" eval 'VETHWALL=$LAB/small start c three'
flood full full -n 60000 10.77.0.41 $SINK4 6000
flooded full
failing()
{
	vw c status --format json | jq -e '.denied.failing and .denied.unwritten_packets > 0 and (.healthy | not)' >/dev/null
}
t "says that it cannot write" wait_until 30 failing
t "goes on refusing" denied full tcp/80 10.77.0.42
cat >>"$LAB/policies/closed.yaml" <<-END
	---
	apiVersion: vethwall/v1
	kind: ServicePolicy
	metadata: {name: peer, namespace: shop}
	spec: {service: open, ingress: []}
END
t "takes new policies into force" eval 'vw c reload && denied sinkthree tcp/80 10.77.0.42'
nsenter -t "${AGENT_PID[c]}" -m mount -o remount,size=64m "$LAB/c/log"
tmpfs_py()
{
	nsenter -t "${AGENT_PID[c]}" -m python3 "$PWD/tests/lib/denied_log.py" "$LAB/c/log" "$@"
}
room_done()
{
	local got
	got=$(tmpfs_py sum shop/full egress 4) || return
	echo "sent $(sent full), recorded $got"
	# shellcheck disable=SC2086
	set -- $got
	[ "$(($1 + $3)) $(($2 + $4))" = "$(sent full)" ]
}
t "once there is room, nothing is missing" wait_until 40 room_done
t "the gap and its counts are told" eval \
	'tmpfs_py notes gap | grep -q "\"cause\": \"write\".*\"first_seen\".*\"last_seen\".*\"waiting_packets\": [1-9]"'
t "all is well again" wait_until 20 eval '! failing && vw c status >/dev/null'
t "and the chain is whole" tmpfs_py chain
t "the agent stops" agent_stop c
tap_done
