# SPDX-License-Identifier: GPL-2.0-or-later
# When something is gone: the engine, the agent, a permission. What stands stays, what lives goes on, and
# only what was revoked is cut.
. tests/lib/tap.sh
. tests/lib/lib.sh
. tests/lib/engine.sh
. tests/lib/shop.sh

shop_begin outage --live-restore
service_policy db db 'ingress: [{from: [{service: api}], ports: [tcp/5432, tcp/5433]}]' 'egress: []'
DB=10.88.1.20 DB6=fd88:1::20

t "db starts" ct db db --network one --ip "$DB" --ip6 "$DB6" "$IMAGE" netprobe serve tcp:5432 tcp:5433 udp:7777
t "api starts" ct api api --network one "$IMAGE" netprobe serve tcp:80
t "a stranger starts" ct stranger - --network one "$IMAGE" netprobe serve tcp:80
t "a doomed one starts" ct doomed - --network one "$IMAGE" netprobe serve tcp:80
t "the agent is ready; they were there before it" shop_agent
for c in db api stranger doomed; do t "$c is enforced" enforced "$c" 1; done
API=pid:$(ct_pid api) STRANGER=pid:$(ct_pid stranger) DOOMED=$(ct_pid doomed)

# Connections that stay open throughout.
hold()
{
	nsenter --net="/proc/${API#pid:}/ns/net" setsid "$NETPROBE" -t 10000 hold "$2" "$3" >"$LAB/$1.out" 2>&1 &
	LAB_PIDS+=($!)
	wait_until "$DEADLINE" test -s "$LAB/$1.out"
}
# It exchanges lines from now on.
lives()
{
	local n
	n=$(wc -l <"$LAB/$1.out")
	wait_until "$DEADLINE" eval "[ \$(wc -l <\"$LAB/$1.out\") -gt $((n + 5)) ]" &&
		! grep -E '[a-z]' "$LAB/$1.out"
}
broken()
{
	grep -E 'reset|closed|silent|timeout|unreachable' "$LAB/$1.out"
}
t "api opens a connection to db" hold one "$DB" 5432
t "and another by IPv6" hold six "$DB6" 5432
t "and one on the second port" hold two "$DB" 5433

# The engine goes and comes back.
t "the engine stops" engine_stop
t "the agent notices" wait_until "$DEADLINE" status_is .runtime.connected false
t "what is allowed still passes" allowed "$API" tcp/5432 "$DB"
t "what is denied still does not" denied "$STRANGER" tcp/5432 "$DB"
t "a container dies meanwhile" kill -9 "$DOOMED"
t "the engine comes back" engine_launch --live-restore
t "the agent reconnects" wait_until "$DEADLINE" status_is '.runtime | [.connected, .synced] | join(" ")' "true true"
t "the dead one is gone" wait_until "$DEADLINE" status_is '[.workloads[] | select(.name == "doomed" and .state == "enforced")] | length' 0
t "a new container is enforced" ct late - --network one "$IMAGE" netprobe serve tcp:80
t "and known" enforced late 1
t "and denied" denied docker:late tcp/5432 "$DB"
for c in one six two; do t "connection $c lives" lives "$c"; done

# The agent dies and comes back.
t "the agent is killed" agent_kill agent
for c in one six two; do t "connection $c lives without it" lives "$c"; done
t "what is denied still does not pass" denied "$STRANGER" tcp/5432 "$DB"
t "what is allowed still does" allowed "$API" tcp/5432 "$DB"
t "the agent comes back" shop_agent
for c in one six two; do t "connection $c lives after it" lives "$c"; done
t "what is denied does not pass" denied "$STRANGER" tcp/5432 "$DB6"

second_agent()
{
	local rc=0 d=$LAB/second
	mkdir -p "$d"
	ns node timeout 60 "$VETHWALL" run --config "$LAB/agent/vethwall.yaml" --run-dir "$d" --state-dir "$d" \
		--log-dir "$d" --runtime "docker:$LAB/engine/docker.sock" --policies "$LAB/policies" || rc=$?
	echo "exit code $rc"
	[ "$rc" -eq 2 ]
}
t "a second agent in the namespace refuses to start" second_agent

# Somebody flushes everything.
t "a flush by somebody else" ns node nft flush ruleset
t "what is denied does not pass" denied "$STRANGER" tcp/5432 "$DB"
t "connection one lives" lives one

# A permission is revoked: the connection that it covered is cut, and no other.
revoke()
{
	service_policy db db 'ingress: [{from: [{service: api}], ports: [tcp/5432]}]' 'egress: []'
	vw agent reload
}
t "the second port is revoked" revoke
t "its connection is cut" wait_until "$DEADLINE" broken two
t "connection one lives" lives one
t "connection six lives" lives six
t "a new one on the second port is denied" denied "$API" tcp/5433 "$DB"

broken_file()
{
	local rc=0
	echo "spec: [" >"$LAB/policies/zzz.yaml"
	vw agent reload >"$LAB/reload.out" 2>&1 || rc=$?
	cat "$LAB/reload.out"
	rm "$LAB/policies/zzz.yaml"
	[ "$rc" -eq 1 ] && grep -q 'zzz.yaml:[0-9]*:[0-9]*: ' "$LAB/reload.out"
}
t "a broken file is refused, with its place" broken_file
t "and changes nothing" denied "$STRANGER" tcp/5432 "$DB"
t "nothing at all" lives one

# Every refused packet is in the log, with names.
counted()
{
	local n
	vw agent flows --format json >"$LAB/flows.json" || return
	n=$(jq -s '[.[] | select(.event_type == "denied" and .proto == "udp" and .dest_port == 7777) | .packets] | add' "$LAB/flows.json")
	echo "counted $n"
	[ "$n" = 7 ]
}
send_seven()
{
	[ "$(nsenter --net="/proc/${STRANGER#pid:}/ns/net" "$NETPROBE" -n 7 udp "$DB" 7777)" = timeout ]
}
t "seven datagrams are sent in vain" send_seven
t "seven are counted" wait_until "$DEADLINE" counted
named()
{
	jq -se '[.[] | select(.proto == "udp" and .dest_port == 7777)][0] |
		.workload == "shop/db" and .peer == "shop/stranger" and .service == "db" and
		.direction == "ingress" and .dest_ip == "10.88.1.20" and (.policy | test("db|default"))' \
		"$LAB/flows.json" || { head -n 3 "$LAB/flows.json"; return 1; }
}
t "both ends and the policy are named" named
t "status still tells of the broken file" status_is .policies.refused true
t "a reload of the good ones is taken" vw agent reload
t "status is healthy" wait_until "$DEADLINE" status_is .healthy true
t "the agent stops in order" agent_stop agent
tap_done
