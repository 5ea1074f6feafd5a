# SPDX-License-Identifier: GPL-2.0-or-later
# A table that others can change (own_table: false, as on kernels without owned tables), and others who
# do: each is noticed, told with who did it, and undone; how long that took at 100 workloads is printed.
. tests/lib/tap.sh
. tests/lib/lib.sh
. tests/bench/lib.sh

WALLS=100 # two of them with something behind
ROUNDS=${ROUNDS:-60}
WATCH=$BUILD/tests/bench/watch

why=$(lab_missing jq)
[ -z "$why" ] || skip_all "$why"

lab_begin heal
node_add
br_add br0 10.77.0.1/16 fd77::1/64
br_add br1 10.78.0.1/24
ct_add web br0 02:42:0a:4d:00:0a 10.77.0.10 fd77::a namespace=shop
ct_add db br0 02:42:0a:4d:00:0c 10.77.0.12 fd77::c namespace=shop
# The listeners are on the way that is open and on the one that is not.
serve db tcp:5432 tcp:80
serve web tcp:80
veths w 0 $((WALLS - 2))
world_write
world_lines w 0 $((WALLS - 2)) | sed 's/name: /namespace: shop, name: /' >>"$LAB/world.yaml"

P=$LAB/policies
mkdir -p "$P" "$LAB/a"
cat >"$P/all.yaml" <<END
apiVersion: vethwall/v1
kind: ServicePolicy
metadata: {name: db, namespace: shop}
spec:
  service: db
  ingress:
    - from: [{service: web}]
      ports: [tcp/5432]
END
for ((i = 0; i < WALLS - 2; i++)); do
	cat <<-END
		---
		apiVersion: vethwall/v1
		kind: ServicePolicy
		metadata: {name: w$i, namespace: shop}
		spec:
		  service: w$i
		  ingress: [{from: [{service: w$((i + 1))}], ports: [tcp/80, tcp/8000-8100]}]
	END
done >>"$P/all.yaml"
echo 'own_table: false' >"$LAB/a/vethwall.yaml"

start()
{
	agent_start a node --runtime "static:$LAB/world.yaml" --policies "$P"
}
nft_()
{
	ns node nft "$@"
}
# What does not change by packets, in no order: who makes a chain again makes it last.
state()
{
	# The guard's table is beside that of the walls.
	{
		nft_ -s list table netdev vethwall && nft_ -s list table bridge vethwall
	} | sed '/^\tset [df][46]_/,/^\t}/d' | sort
}
is_whole()
{
	[ "$(state 2>/dev/null)" = "$WHOLE" ]
}
whole()
{
	wait_until 20 is_whole || { diff <(echo "$WHOLE") <(state) | head -20; return 1; }
}
ifindex()
{
	ns node ip -j link show "$1" | jq '.[0].ifindex'
}
status_is()
{
	vw a status --format json | jq -e "$@" >/dev/null
}
logged()
{
	grep -q "^vethwall: tampering: $1" "$LAB/a/agent.out" || { tail -n 5 "$LAB/a/agent.out"; return 1; }
}
told()
{
	wait_until 20 logged "$1"
}
enforces()
{
	allowed web tcp/5432 10.77.0.12 && denied web tcp/80 10.77.0.12 400 && denied web tcp/80 fd77::c 400
}
# tampered WHAT LOGGED NFT...: the nft command is undone, and told as that.
tampered()
{
	local what=$1 log=$2
	shift 2
	t "$what: nft does it" nft_ "$@"
	t "$what: whole again" whole
	t "$what: told, with who did it" told "$log"
	t "$what: enforced" enforces
}

t "the agent starts, with a table that others can change" start
t "and says so" eval 'vw a status | grep -q "NOT owned"'
db=$(ifindex v-db)
t "it enforces" enforces
WHOLE=$(state)
t "the table holds $WALLS walls" [ "$(grep -c 'hook egress' <<<"$WHOLE")" -eq "$WALLS" ]

tampered "a rule deleted" "rule deleted from chain eg_$db by nft (pid [0-9]*); repaired in" \
	delete rule netdev vethwall "eg_$db" handle \
	"$(nft_ -a list chain netdev vethwall "eg_$db" | awk '/counter|jump|verdict|drop|accept/ && /handle/ && !/chain/ {print $NF; exit}')"
tampered "an accept added" "rule added to chain eg_$db by nft" insert rule netdev vethwall "eg_$db" accept
tampered "a chain emptied" "rule deleted from chain e4_$db and" flush chain netdev vethwall "e4_$db"
tampered "a policy of a chain" "chain eg_$db added or changed by nft" \
	chain netdev vethwall "eg_$db" '{ policy accept; }'
tampered "an element removed" "elements removed from set id4 by nft" \
	delete element netdev vethwall id4 '{ 10.77.0.12 }'
tampered "an element added" "elements added to set id4 by nft" \
	add element netdev vethwall id4 '{ 10.77.99.99 : 0x7 }'
tampered "a chain of somebody's" "chain stranger added or changed by nft" add chain netdev vethwall stranger
tampered "a table put to sleep" "table changed by nft" add table netdev vethwall '{ flags dormant; }'
tampered "the table deleted" "table deleted and [0-9]* more changes by nft" delete table netdev vethwall
tampered "an element of the guard" "elements removed from set walled by nft" \
	delete element bridge vethwall walled '{ "v-web" . "v-web" }'
tampered "the guard's table deleted" "table deleted and [0-9]* more changes by nft" delete table bridge vethwall
nft_ add table inet theirs
tampered "nft flush ruleset" "table deleted and [0-9]* more changes by nft" flush ruleset

# A flow that somebody puts among the live ones by hand is judged like all others.
forge()
{
	nft_ add element netdev vethwall "f4_$db" \
		'{ 10.77.0.12 . 10.77.0.10 . tcp . 80 . 4444 timeout 1h }'
}
forged()
{
	nft_ list set netdev vethwall "f4_$db" | grep -q ' 80 . 4444'
}
t "a live flow is forged" forge
t "and cut" wait_until 20 eval '! forged'

t "status counts" status_is '.tampering.count >= 10 and (.tampering.last.what | test("by nft"))'
t "status tells" eval 'vw a status | grep -q "TAMPERED with"'

# ---- how long ----
# The kernel's own telling of both transactions, theirs and the last of ours.
WATCH=$WATCH watch_start node
n_repairs()
{
	grep -c '^generation vethwall' "$LAB/watch-node.out"
}
more_repairs()
{
	[ "$(n_repairs)" -gt "$1" ]
}
once()
{
	local before
	before=$(n_repairs)
	nft_ "$@" && wait_until 20 more_repairs "$before"
}
tamper_some()
{
	local i n
	for ((i = 0; i < ROUNDS; i++)); do
		n=$(ifindex "w$((i % (WALLS - 2)))")
		case $((i % 5)) in
		0) once insert rule netdev vethwall "eg_$n" accept ;;
		1) once flush chain netdev vethwall "e4_$n" ;;
		2) once delete element netdev vethwall id4 "{ $(addr_of "$((i % (WALLS - 2)))") }" ;;
		3) once add chain netdev vethwall "x_$i" ;;
		4) once chain netdev vethwall "in_$n" '{ policy accept; }' ;;
		esac || return
	done
}
all_there()
{
	[ "$(nft_ list chains netdev | grep -c 'hook egress')" -eq "$WALLS" ]
}
tamper_all()
{
	local i
	for i in 1 2 3 4 5; do
		once delete table netdev vethwall && wait_until 20 all_there || return
		once flush ruleset && wait_until 20 all_there || return
	done
}
times()
{
	# From their generation to the last of ours before the next of theirs.
	awk '/^generation/ && $2 != "vethwall" {if (from && to) print (to - from) / 1e6; from = $NF; to = 0}
	     /^generation vethwall/ {to = $NF}
	     END {if (from && to) print (to - from) / 1e6}' "$LAB/watch-node.out"
}
report()
{
	note "$1: $(times | wc -l) times, p50 $(times | percentile 50) ms, p99 $(times | percentile 99) ms, worst $(times | percentile 100) ms"
}
t "$ROUNDS changes of single objects are undone" tamper_some
t "whole" whole
report "heal"
kill_wait "$!"
WATCH=$WATCH watch_start node
t "and ten deletions of everything" tamper_all
t "whole after them" whole
report "heal, the whole table"
t "enforced" enforces

# ---- notifications that are lost ----
# Their table, whose elements carry long comments, until the kernel drops what it has to tell.
dropped()
{
	ns node awk '$2 == 12 && $4 == "00000040" && $9 > 0 {n++} END {exit !n}' /proc/net/netlink
}
overrun()
{
	local i
	kill -STOP "${AGENT_PID[a]}"
	{
		echo "table inet theirs { set s { type ipv4_addr; }; }"
		awk -v c="$(printf '%0100d' 0)" 'BEGIN {for (i = 0; i < 50000; i++) printf "%s10.%d.%d.%d comment \"%s\"%s",
			i % 1000 ? ", " : "add element inet theirs s { ", i / 65536, i / 256 % 256, i % 256, c,
			i % 1000 == 999 ? " }\n" : ""}'
		echo "delete table inet theirs"
	} >"$LAB/many.nft"
	for i in {1..20}; do
		dropped && break
		nft_ -f "$LAB/many.nft" || break
	done
	nft_ flush chain netdev vethwall "e4_$db"
	dropped
	i=$?
	kill -CONT "${AGENT_PID[a]}"
	return "$i"
}
t "notifications are lost while the agent does not run" overrun
t "lost ones mean that all is looked at" whole
t "and it says so" wait_until 20 status_is '.tampering.lost > 0'

# ---- links ----
t "the bridge goes down and up" eval 'ns node ip link set br0 down && ns node ip link set br0 up'
t "enforced" enforces
t "a veth is renamed" eval 'ns node ip link set v-db name other0'
t "told" told "veth v-db renamed to other0"
t "its wall follows" wait_until 20 eval 'nft_ list chain netdev vethwall eg_$db | grep -q "\"other0\""'
t "status knows" wait_until 20 status_is --argjson n "$db" \
	'[.workloads[].interfaces[] | select(.ifindex == $n and .veth == "other0" and .state == "enforced")] | length == 1'
t "enforced" enforces
t "renamed back" eval 'ns node ip link set other0 name v-db'
t "followed" wait_until 20 eval 'nft_ list chain netdev vethwall eg_$db | grep -q "\"v-db\""'
t "enforced" enforces
t "a veth is moved to another bridge" ns node ip link set v-db master br1
t "its wall stays" wait_until 20 status_is '[.workloads[] | select(.name == "db" and .state == "enforced")] | length == 1'
t "and back" ns node ip link set v-db master br0
t "enforced" enforces
ns_add away
t "a veth is moved to another namespace" ns node ip link set v-db netns "$LAB_ID-away"
t "it counts as not there" wait_until 20 status_is '[.workloads[] | select(.name == "db" and .state == "not-enforced")] | length == 1'
back()
{
	ns away ip link set v-db netns "$LAB_ID-node" && ns node ip link set v-db master br0 up
}
t "and back" back
t "it is walled again" wait_until 20 status_is '[.workloads[] | select(.name == "db" and .state == "enforced")] | length == 1'
t "enforced" enforces
db=$(ifindex v-db)

# ---- while no agent runs ----
WHOLE=$(state)
t "the agent is killed" agent_kill a
nft_ insert rule netdev vethwall "eg_$db" accept
t "the next one starts" start
t "tells the rule of others" told "[0-9]* rules of others, in chain eg_$db, added while no agent ran"
t "whole" whole
t "enforced" enforces
sleep 1 # the record of what stands is written half a second after a commit
t "it is killed again" agent_kill a
nft_ delete table netdev vethwall
t "the next one starts" start
t "tells that the table was changed" told "the table was changed while no agent ran"
t "whole" whole
t "enforced" enforces
t "it stops in order" agent_stop a
t "the next one finds nothing to tell" eval 'start && ! logged "" >/dev/null'
t "it stops" agent_stop a
tap_done
