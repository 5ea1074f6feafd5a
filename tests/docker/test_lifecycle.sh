# SPDX-License-Identifier: GPL-2.0-or-later
# Containers of a real engine, from their first instruction to their last: start, networks that come and
# go, pause, rename, shared namespaces, and those that cannot be walled.
. tests/lib/tap.sh
. tests/lib/lib.sh
. tests/lib/engine.sh
. tests/lib/shop.sh

shop_begin lifecycle
ext_add outside 192.0.2.2/24 192.0.2.1
service_policy db db 'ingress: [{from: [{service: api}], ports: [tcp/5432]}]' 'egress: []'
service_policy quiet quiet 'egress: []'
service_policy vault vault 'ingress: []'
DB=10.88.1.20 DB6=fd88:1::20

t "the agent is ready beside an empty engine" shop_agent
t "db starts" ct db db --network one --ip "$DB" --ip6 "$DB6" "$IMAGE" netprobe serve tcp:5432 tcp:22 udp:5432
t "api starts" ct api-1 api --network one --ip 10.88.1.10 "$IMAGE" netprobe serve tcp:80
t "a stranger starts" ct stranger - --network one "$IMAGE" netprobe serve tcp:80
t "db is enforced" enforced db 1
t "api is enforced" enforced api-1 1
t "the stranger is enforced" enforced stranger 1
t "api reaches db" allowed docker:api-1 tcp/5432 "$DB"
t "by IPv6 as well" allowed docker:api-1 tcp/5432 "$DB6"
t "not on another port" denied docker:api-1 tcp/22 "$DB"
t "not by UDP" denied docker:api-1 udp/5432 "$DB6"
t "the stranger does not reach db" denied docker:stranger tcp/5432 "$DB"
t "nor by IPv6" denied docker:stranger tcp/5432 "$DB6"
t "nor does the host" denied node tcp/5432 "$DB"
t "db is refused at once what it sends" refused docker:db tcp/80 10.88.1.10

# From the first instruction. The control shows that the flood would arrive.
t "a sink starts" ct sink sink --network one --ip 10.88.1.30 --ip6 fd88:1::30 "$IMAGE" netprobe count 7000
t "a vault starts" ct vault vault --network one --ip 10.88.1.31 --ip6 fd88:1::31 "$IMAGE" netprobe count 7000
control()
{
	local n
	ct loud loud --network one "$IMAGE" netprobe flood 10.88.1.30 7000 300 || return
	dk wait loud
	n=$(received sink)
	echo "received $n"
	[ "$n" -gt 0 ]
}
t "a flood that is allowed arrives" control
flood_arrives_not()
{
	local sink=$1 as=$2 addr=$3 i before after
	before=$(received "$sink")
	for i in 1 2 3 4 5; do
		dk rm -f flood >/dev/null 2>&1
		ct flood "$as" --network one "$IMAGE" netprobe flood "$addr" 7000 300 || return
		dk wait flood
		dk logs flood
	done
	after=$(received "$sink")
	dk rm -f flood
	echo "received $before, then $after"
	[ -n "$before" ] && [ "$before" = "$after" ]
}
t "one that may not be sent never does" flood_arrives_not sink quiet 10.88.1.30
t "nor by IPv6" flood_arrives_not sink quiet fd88:1::30
t "one that may not be received never does" flood_arrives_not vault loud 10.88.1.31
t "nor by IPv6" flood_arrives_not vault loud fd88:1::31

# A network that is connected while the container runs and sends.
t "a sink on the other network starts" ct sink2 sink --network two --ip 10.88.2.30 "$IMAGE" netprobe count 7000
t "a roamer starts" ct roamer quiet --network one "$IMAGE" netprobe flood 10.88.2.30 7000 600000
t "it is enforced" enforced roamer 1
t "a second network is connected" dk network connect two roamer
t "both interfaces are enforced" enforced roamer 2
nothing_arrived()
{
	local n
	sleep 1
	n=$(received sink2)
	echo "received $n"
	[ "$n" = 0 ]
}
t "nothing of its flood arrived" nothing_arrived
t "the first network is disconnected" dk network disconnect one roamer
t "one interface is left" enforced roamer 1
t "which is the second" status_is '.workloads[] | select(.name == "roamer") | .interfaces[0].network' two

# Chains stand on just the veths that are there. They are named in_IFINDEX and eg_IFINDEX.
chains_are_those_of_veths()
{
	ns node timeout 30 nft -j list table netdev vethwall |
		jq -r '.nftables[].chain // empty | select(.hook) | .name' | sort >"$LAB/chains"
	ns node ip -j link show type veth |
		jq -r '.[] | select(.ifname | startswith("veth")) | "in_\(.ifindex)", "eg_\(.ifindex)"' | sort >"$LAB/veths"
	[ -s "$LAB/veths" ] && diff "$LAB/chains" "$LAB/veths"
}
t "chains stand on the veths that are there" wait_until "$DEADLINE" chains_are_those_of_veths
t "the stranger is removed" dk rm -f stranger
t "it leaves the status" wait_until "$DEADLINE" status_is '[.workloads[].name] | index("stranger")' null
t "its chains go with it" wait_until "$DEADLINE" chains_are_those_of_veths

# Pause, restart, rename.
t "api is paused" dk pause api-1
t "status says so" wait_until "$DEADLINE" status_is '.workloads[] | select(.name == "api-1") | .paused' true
t "api is resumed" dk unpause api-1
t "status says so too" wait_until "$DEADLINE" status_is '.workloads[] | select(.name == "api-1") | .paused' false
t "api reaches db again" allowed docker:api-1 tcp/5432 "$DB"
t "db is restarted, with a new veth" dk restart -t 1 db
t "db is enforced again" enforced db 1
t "api reaches the new db" allowed docker:api-1 tcp/5432 "$DB"
t "still not on another port" denied docker:api-1 tcp/22 "$DB"
t "one without a label starts" ct nameless - --network one "$IMAGE" netprobe serve tcp:80
t "it is enforced under its name" enforced nameless 1
t "it does not reach db" denied docker:nameless tcp/5432 "$DB"
t "it is renamed to api" dk rename nameless api
t "the new name is known" enforced api 1
t "as api it reaches db" allowed docker:api tcp/5432 "$DB"
t "it is renamed back" dk rename api nameless
t "the old name is known" enforced nameless 1
t "and does not any more" wait_until 20 denied docker:nameless tcp/5432 "$DB"

# Those that share a namespace, and those without a veth.
t "a sidecar in db's namespace starts" ct sidecar - --network container:db "$IMAGE" netprobe serve tcp:1
t "status lists it" wait_until "$DEADLINE" status_is '[.workloads[].name] | index("sidecar") != null' true
t "it is walled as db is" refused docker:sidecar tcp/80 10.88.1.10
t "db is still reached" allowed docker:api-1 tcp/5432 "$DB"
t "one on the host's network starts" ct onhost - --network host "$IMAGE" netprobe serve tcp:1234
t "one without a network starts" ct alone - --network none "$IMAGE" netprobe serve tcp:1
t "a macvlan network is made" dk network create -d macvlan --subnet 10.88.9.0/24 -o parent=x-outside mv
t "one on macvlan starts" ct onmac - --network mv "$IMAGE" netprobe serve tcp:1
for c in onhost onmac; do
	t "$c is reported as not enforceable" wait_until "$DEADLINE" status_is \
		".workloads[] | select(.name == \"$c\") | [.state, (.reason | length > 5)] | join(\" \")" \
		"not-enforceable true"
done
t "the one without a network is not called a failure" status_is \
	'.workloads[] | select(.name == "alone") | .state | . == "not-enforced"' false

# A veth on a bridge of the engine's that the engine does not speak of.
intruder()
{
	local br
	br=br-$(dk network inspect -f '{{.Id}}' one | cut -c 1-12)
	ns_add intruder && ns node ip link add vethintruder type veth peer name eth0 netns "$LAB_ID-intruder" &&
		ns node ip link set vethintruder master "$br" up && ns intruder ip link set eth0 up &&
		ns intruder ip addr add 10.88.1.99/24 dev eth0
}
t "somebody plugs a veth into the bridge" intruder
t "it is held" wait_until "$DEADLINE" status_is '.held | map("\(.veth) \(.held)") | join(" ")' "vethintruder true"
t "nothing passes from it" denied intruder tcp/80 10.88.1.10
t "nor to the node" denied intruder ping 10.88.1.1
t "it goes" ns_del intruder
t "and its hold with it" wait_until "$DEADLINE" status_is '.held | length' 0

# Ten at once.
many()
{
	local i n
	for i in 1 2 3 4 5 6 7 8 9 10; do
		ct "m$i" quiet --network one "$IMAGE" netprobe flood 10.88.1.31 7000 200 >/dev/null &
		n="$n $!"
	done
	# shellcheck disable=SC2086
	wait $n
	for i in 1 2 3 4 5 6 7 8 9 10; do
		dk wait "m$i"
	done
	[ "$(received vault)" = 0 ]
}
t "ten that start at once flood in vain" many

t "the agent stops in order" agent_stop agent
t "its walls stay" denied docker:nameless tcp/5432 "$DB"
tap_done
