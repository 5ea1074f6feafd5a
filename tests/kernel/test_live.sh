# SPDX-License-Identifier: GPL-2.0-or-later
# What the agent tells of live flows: who, whom, who opened, since when, also after a restart of the
# agent, and that a wall which is gone is forgotten.
. tests/lib/tap.sh
. tests/lib/lib.sh

why=$(lab_missing jq socat)
[ -z "$why" ] || skip_all "$why"
lab_begin live
mkdir -p "$LAB/policies" "$LAB/agent"

API=10.77.0.11 API6=fd77::b DB=10.77.0.12 DB6=fd77::c
node_add
br_add br0 10.77.0.1/24 fd77::1/64
ct_add api br0 02:42:0a:4d:00:0b "$API" "$API6" namespace=shop service=api
ct_add db br0 02:42:0a:4d:00:0c "$DB" "$DB6" namespace=shop service=db
world_write
serve db tcp:5432 udp:53
cat >"$LAB/policies/db.yaml" <<'EOF'
apiVersion: vethwall/v1
kind: ServicePolicy
metadata: {name: db, namespace: shop}
spec: {service: db, ingress: [{from: [{service: api}]}]}
EOF
echo 'live_interval: 1s' >"$LAB/agent/vethwall.yaml"

# ask REQUEST: the agent's answer
ask()
{
	echo "$1" | socat -t 30 - "UNIX-CONNECT:$LAB/agent/run/control.sock"
}
# live FILTER: some live flow is so
live()
{
	local got
	got=$(ask '{"cmd":"live"}')
	jq -e "[.flows[] | select($1)] | length > 0" <<<"$got" >/dev/null || { jq -c '.flows[]' <<<"$got"; return 1; }
}
start_agent()
{
	agent_start agent node --runtime "static:$LAB/world.yaml" --policies "$LAB/policies"
}

t "the agent is ready" start_agent
bg hold api "$NETPROBE" hold "$DB" 5432
bg hold6 api "$NETPROBE" hold "$DB6" 5432
SENT='.workload=="shop/api" and .service=="api" and .in_iface=="v-api" and .proto=="tcp" and
	.opened=="out" and .peer_name=="shop/db" and .peer_service=="db" and .peer_port==5432'
GOT='.workload=="shop/db" and .opened=="in" and .own_port==5432 and .peer_name=="shop/api" and .peer_port>=1024'
t "api has opened it" wait_until "$DEADLINE" live "$SENT and .own==\"$API\" and .peer==\"$DB\""
t "db was opened to" wait_until "$DEADLINE" live "$GOT and .own==\"$DB\""
t "IPv6 as well" wait_until "$DEADLINE" live "$SENT and .own==\"$API6\" and .peer==\"$DB6\""
t "its age is known" wait_until "$DEADLINE" live "$SENT and .at_least==false and (.first_seen|length)==27"
t "and that it is busy" wait_until "$DEADLINE" live "$SENT and .closing==false and .idle_ms!=null and .idle_ms<10000"

age_stays()
{
	local a b
	a=$(ask '{"cmd":"live","workload":"shop/api"}' | jq -r '[.flows[].first_seen]|sort|join(" ")')
	sleep 2.5
	b=$(ask '{"cmd":"live","workload":"shop/api"}' | jq -r '[.flows[].first_seen]|sort|join(" ")')
	echo "$a -> $b"
	[ -n "$a" ] && [ "$a" = "$b" ]
}
t "its first sight stays the same over readings" age_stays
t "udp to the resolver's port" allowed api udp/53 "$DB"
t "is there too" live '.proto=="udp" and .opened=="out" and .peer_port==53'
t "one that closes keeps its opener" eval 'allowed api tcp/5432 "$DB" && live ".closing==true"'

# seen FILTER: the agent remembers such a connection
seen()
{
	local got
	got=$(ask '{"cmd":"seen"}')
	jq -e "[.seen[] | select($1)] | length > 0" <<<"$got" >/dev/null || { jq -c '.seen[]' <<<"$got"; return 1; }
}
MEMORY='.service=="api" and .direction=="egress" and .peer_kind=="service" and .peer_namespace=="shop" and .peer=="db" and
	.port==5432'
t "what passed is remembered" wait_until "$DEADLINE" seen "$MEMORY and .count>=2"
t "at the other end, too" wait_until "$DEADLINE" seen '.service=="db" and .direction=="ingress" and .peer=="api" and .port==53'

filtered()
{
	ask '{"cmd":"live","service":"db"}' | jq -e '[.flows[].service]|unique == ["db"]'
}
t "asked for one service, only that" filtered
limited()
{
	ask '{"cmd":"live","limit":1}' | jq -e '(.flows|length)==1 and .total>1 and .ok'
}
t "no more than asked for, and how many there are" limited
t "a silly limit is refused" eval 'ask "{\"cmd\":\"live\",\"limit\":0}" | jq -e ".ok|not"'

# listed ARGS...: what flows --live prints
listed()
{
	"$VETHWALL" flows --live --run-dir "$LAB/agent/run" "$@"
}
t "flows --live lists it" eval 'listed | grep -q "^shop/api .*egress .*shop/db .* 5432 "'
t "filtered" eval 'listed --format json --service db --port 5432 |
	jq -es "map(select(.closing|not)) | length > 0 and all(.workload==\"shop/db\" and .dest_port==5432 and .direction==\"ingress\" and .idle_ms>=0 and (.first_seen|length)==27)"'
t "by an expression" eval 'listed --format csv "proto=udp and peer=shop/db" | grep -q "^shop/api,$API,egress,shop/db,$DB,udp,"'
t "what does not fit is not there" eval '[ -z "$(listed --format json --port 9)" ]'
t "no more than asked for" eval '[ "$(listed --format json --limit 1 | wc -l)" = 1 ]'

t "the agent stops in order" agent_stop agent
t "no agent is said" eval '! listed'
t "the next one starts" start_agent
t "it remembers what the one before has seen" seen "$MEMORY and .count>=2"
t "what is older than the agent is so at least" wait_until "$DEADLINE" live "$SENT and .at_least"

ns_del db
ct_forget db
world_write
gone()
{
	! live '.in_iface=="v-db"' >/dev/null
}
t "a wall that is gone has no flows" wait_until "$DEADLINE" gone
t "the agent stops in order again" agent_stop agent
tap_done
