# SPDX-License-Identifier: GPL-2.0-or-later
# What nobody's wall judges yet: veths that appear on a managed bridge while the agent runs, is stopped
# or is dead, and containers in them that send before they even have a link. Who has a wall, other
# ports and other tables notice nothing of it.
. tests/lib/tap.sh
. tests/lib/lib.sh

why=$(lab_missing jq)
[ -z "$why" ] || skip_all "$why"
lab_begin guard
mkdir -p "$LAB/policies" "$LAB/a"
echo 'guard: {exempt: ["op-*"]}' >"$LAB/a/vethwall.yaml"
for s in quiet vault; do
	cat >"$LAB/policies/$s.yaml" <<-END
		apiVersion: vethwall/v1
		kind: ServicePolicy
		metadata: {name: $s}
		spec: {service: $s, ingress: [{from: [{service: loud}], ports: [tcp/80]}], egress: [{to: [{service: sink}], ports: [tcp/80]}]}
	END
done
SINK=10.77.0.12 SINK6=fd77::c
PORT=7000

start()
{
	agent_start a node --runtime "static:$LAB/world.yaml" --policies "$LAB/policies" "$@"
}
status_is()
{
	vw a status --format json | jq -e "$1" >/dev/null || {
		vw a status
		return 1
	}
}
# A counter of datagrams in a namespace, and what it got so far.
declare -A COUNT
count()
{
	bg "count-$1" "$1" "$NETPROBE" count "$PORT"
	COUNT[$1]=$!
	wait_until "$DEADLINE" grep -qs ready "$LAB/count-$1.out"
}
told()
{
	[ "$(grep -c '^received' "$LAB/count-$1.out")" -gt "$2" ]
}
received()
{
	local before
	before=$(grep -c '^received' "$LAB/count-$1.out")
	kill -USR1 "${COUNT[$1]}"
	wait_until "$DEADLINE" told "$1" "$before"
	awk '/^received/ {n = $2} END {print n}' "$LAB/count-$1.out"
}
# Newcomer N gets a veth of NAME on br0; it floods the sink, and loud floods it, from before there is a link.
newcomer()
{
	local n=$1 veth=${2:-v-new$1} pids=() i
	ns_add "new$n" && count "new$n" || return
	for i in "new$n $SINK" "new$n $SINK6" "loud 10.77.0.$n" "loud fd77::$n"; do
		# shellcheck disable=SC2086
		set -- $i
		bg "flood-$1-$2" "$1" "$NETPROBE" flood "$2" "$PORT" 1500
		pids+=($!)
	done
	sleep 0.2
	printf '%s\n' "link add $veth type veth peer name eth0 address 02:42:0a:4d:00:$n netns $LAB_ID-new$n" \
		"link set $veth master br0 up" | ns node ip -batch - || return
	printf '%s\n' "addr add 10.77.0.$n/24 dev eth0" "addr add fd77::$n/64 dev eth0 nodad" \
		"link set eth0 up" | ns "new$n" ip -batch - || return
	for i in "${pids[@]}"; do
		wait_until "$DEADLINE" pid_gone "$i"
	done
	cat "$LAB/flood-new$n-$SINK.out" "$LAB/flood-loud-10.77.0.$n.out"
}
world_knows()
{
	CT_WORLD+=("name: new$1, service: ${2:-quiet}, interfaces: [{veth: v-new$1, network: br0, mac: \"02:42:0a:4d:00:$1\", ips: [10.77.0.$1, \"fd77::$1\"]}]")
	world_write
}
# Both ends sent, nobody received, and both know each other's MAC.
nothing_leaked()
{
	local n=$1 out in sent
	out=$(($(received sink) - SEEN))
	in=$(received "new$n")
	sent=$(awk '/^sent/ {n += $2} END {print n + 0}' "$LAB/flood-new$n-$SINK.out")
	echo "sent $sent; sink received $out, the newcomer $in"
	[ "$sent" -gt 0 ] && [ "$out" -eq 0 ] && [ "$in" -eq 0 ]
}
resolves()
{
	ns "new$1" ip neigh show "$SINK" | tee /dev/stderr | grep -q lladdr
}
HOLD=
hold()
{
	bg hold loud "$NETPROBE" -t 3000 hold "$SINK" 80
	HOLD=$!
	sleep 0.3
	held_open
}
held_open()
{
	! pid_gone "$HOLD"
}
listing()
{
	ns node timeout 20 nft list ruleset
}
others()
{
	ns node timeout 20 nft list table bridge theirs && ns node timeout 20 nft list table inet theirs
}

node_add
br_add br0 10.77.0.1/24 fd77::1/64
br_add br9 10.79.0.1/24
ct_add sink br0 02:42:0a:4d:00:0c "$SINK" "$SINK6"
ct_add loud br0 02:42:0a:4d:00:0a 10.77.0.10 fd77::a
world_write
ct_add p br9 02:42:0a:4f:00:0a 10.79.0.10 -
ct_add q br9 02:42:0a:4f:00:0b 10.79.0.11 -
ct_forget p
ct_forget q
serve sink tcp:80
serve q tcp:80
# Another port of the bridge: a tunnel, in the place of an uplink.
ns_add wire
ns node ip link add w-node type veth peer name w-wire netns "$LAB_ID-wire"
ns node ip addr add 192.0.2.1/24 dev w-node && ns node ip link set w-node up
ns wire ip addr add 192.0.2.2/24 dev w-wire && ns wire ip link set w-wire up
ns node ip link add up0 type vxlan id 7 local 192.0.2.1 remote 192.0.2.2 dstport 4789
ns node ip link set up0 master br0 up
ns wire ip link add eth0 type vxlan id 7 local 192.0.2.2 remote 192.0.2.1 dstport 4789
ns wire ip addr add 10.77.0.99/24 dev eth0 && ns wire ip link set eth0 up
ns node nft -f - <<'END'
table bridge theirs {
	chain c {
		type filter hook prerouting priority 0; policy accept;
		ether type arp accept
	}
}
table inet theirs {
	chain c {
		type filter hook input priority 0; policy accept;
		tcp dport 1 drop
	}
}
END
# shellcheck disable=SC2034
THEIRS=$(others)

count sink
t "the agent is ready" start
t "status names the managed bridge, and that the guard stands" status_is \
	'.guard.stands and .guard.bridges == ["br0"] and .guard.exempt == ["op-*"]'
t "nft lists it" eval 'listing | grep -q "table bridge vethwall"'
t "loud reaches the sink" allowed loud tcp/80 "$SINK"
t "what is on another bridge is nobody's business" allowed p tcp/80 10.79.0.11
t "another kind of port passes" allowed wire tcp/80 "$SINK"
t "a connection is kept" hold

SEEN=0
t "a newcomer floods under the agent's eyes" newcomer 21
t "in vain, both ways" nothing_leaked 21
t "it resolves addresses" resolves 21
t "it is shown as held, and where" wait_until 10 status_is '.held[] | select(.veth == "v-new21") | .held and .bridge == "br0"'
t "a veth that is exempt" newcomer 22 op-22
t "passes" eval '[ "$(received sink)" -gt 0 ]'
t "and is not held" status_is '[.held[].veth] | index("op-22") | not'

SEEN=$(received sink)
kill -STOP "${AGENT_PID[a]}"
t "one more, while the agent is stopped" newcomer 23
t "in vain, both ways" nothing_leaked 23
t "it resolves addresses" resolves 23
t "who has a wall notices nothing" allowed loud tcp/80 "$SINK"
t "nor does the other port" allowed wire tcp/80 "$SINK"
t "nor the other bridge" allowed p tcp/80 10.79.0.11
world_knows 23
kill -CONT "${AGENT_PID[a]}"
t "it becomes somebody's when the agent goes on" wait_until 20 status_is '.counts.enforced == 3'
t "and works" allowed new23 tcp/80 "$SINK"
t "as its policy says" denied new23 udp/"$PORT" "$SINK"
t "the guard refused something, and says so" status_is '.guard.packets_out > 0 and .guard.packets_in > 0'

agent_kill a
SEEN=$(received sink)
t "one more, while the agent is dead" newcomer 24
t "in vain, both ways" nothing_leaked 24
t "it resolves addresses" resolves 24
t "who has a wall notices nothing" allowed loud tcp/80 "$SINK"
t "a veth that took the name of a wall's is not let in by it" eval '
	ns node ip link set v-loud down && ns node ip link set v-loud name v-was && ns node ip link set v-was up
	denied loud tcp/80 "$SINK"; rc=$?
	ns node ip link set v-was down && ns node ip link set v-was name v-loud && ns node ip link set v-loud up
	[ $rc -eq 0 ]'
t "with its name back it is" allowed loud tcp/80 "$SINK"
world_knows 24 vault
t "an agent comes back" start
t "the newcomer works" allowed new24 tcp/80 "$SINK"
t "as its policy says" denied new24 udp/"$PORT" "$SINK"
t "a connection lived through all of it" held_open

t "the agent stops in order" agent_stop a
SEEN=$(received sink)
t "one more, between two agents" newcomer 25
t "in vain, both ways" nothing_leaked 25
t "nft lists it still" eval 'listing | grep -q "table bridge vethwall"'

echo '{hold_unknown: false}' >"$LAB/a/vethwall.yaml"
t "with hold_unknown: false" start
t "there is no guard" status_is '.guard.stands == false and .guard.reason == "hold_unknown: false"'
t "and a newcomer" newcomer 26
t "passes" eval '[ "$(received sink)" -gt "$SEEN" ]'
t "the agent stops" agent_stop a
echo 'guard: {when_away: pass}' >"$LAB/a/vethwall.yaml"
t "with when_away: pass" start
t "unknown veths are held by the agent alone" status_is \
	'.guard.stands == false and (.held[] | select(.veth == "v-new26") | .held)'
t "uninstall wants no agent to run" eval \
	'ns node "$VETHWALL" uninstall --run-dir "$LAB/a/run" 2>"$LAB/err"; [ $? -eq 2 ] && grep -q "another agent" "$LAB/err"'
t "the agent stops again" agent_stop a
t "uninstall removes what is ours" ns node "$VETHWALL" uninstall --run-dir "$LAB/a/run"
t "all of it" eval '! listing | grep -q vethwall'
t "other tables are as they were" eval '[ "$(others)" = "$THEIRS" ]'
tap_done
