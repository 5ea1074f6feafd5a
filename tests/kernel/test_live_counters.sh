# SPDX-License-Identifier: GPL-2.0-or-later
# live_counters: what live flows have counted, at both ends, against what the container's own kernel
# has counted of the same packets.
. tests/lib/tap.sh
. tests/lib/lib.sh

why=$(lab_missing jq python3 ping)
[ -z "$why" ] || skip_all "$why"
lab_begin counters
mkdir -p "$LAB/policies" "$LAB/agent"

API=10.77.0.11 API6=fd77::b DB=10.77.0.12 DB6=fd77::c
TCP=6000 UDP=6001
node_add
br_add br0 10.77.0.1/24 fd77::1/64
ct_add api br0 02:42:0a:4d:00:0b "$API" "$API6" namespace=shop service=api
ct_add db br0 02:42:0a:4d:00:0c "$DB" "$DB6" namespace=shop service=db
world_write
serve db tcp:$TCP udp:$UDP
cat >"$LAB/policies/db.yaml" <<END
apiVersion: vethwall/v1
kind: ServicePolicy
metadata: {name: db, namespace: shop}
spec: {service: db, ingress: [{from: [{service: api}], ports: [tcp/$TCP, udp/$UDP, icmp/echo-request, icmpv6/echo-request]}]}
END
ns api nft -f - <<END
table inet truth {
	chain sent {
		type filter hook output priority 0;
		meta nfproto ipv4 tcp dport $TCP counter comment "ipv4 tcp"
		meta nfproto ipv4 udp dport $UDP counter comment "ipv4 udp"
		meta nfproto ipv4 icmp type echo-request counter comment "ipv4 icmp"
		meta nfproto ipv6 tcp dport $TCP counter comment "ipv6 tcp"
		meta nfproto ipv6 udp dport $UDP counter comment "ipv6 udp"
		meta nfproto ipv6 icmpv6 type echo-request counter comment "ipv6 icmpv6"
	}
	chain received {
		type filter hook input priority 0;
		meta nfproto ipv4 tcp sport $TCP counter comment "ipv4 tcp"
		meta nfproto ipv4 udp sport $UDP counter comment "ipv4 udp"
		meta nfproto ipv4 icmp type echo-reply counter comment "ipv4 icmp"
		meta nfproto ipv6 tcp sport $TCP counter comment "ipv6 tcp"
		meta nfproto ipv6 udp sport $UDP counter comment "ipv6 udp"
		meta nfproto ipv6 icmpv6 type echo-reply counter comment "ipv6 icmpv6"
	}
}
END

# Lines there and back over one connection each, which then stay open.
cat >"$LAB/talk.py" <<'END'
import socket, sys, time
for kind, port, rounds in ((socket.SOCK_STREAM, int(sys.argv[2]), 21), (socket.SOCK_DGRAM, int(sys.argv[3]), 17)):
    for addr in sys.argv[4:]:
        s = socket.create_connection((addr, port)) if kind == socket.SOCK_STREAM else None
        if not s:
            s = socket.socket(socket.AF_INET6 if ":" in addr else socket.AF_INET, kind)
            s.connect((addr, port))
        s.settimeout(30)
        for i in range(rounds):
            s.send(b"x" * i + b"\n")
            s.recv(2048)
        globals().setdefault("kept", []).append(s)
open(sys.argv[1], "w").close()
time.sleep(600)
END
talk()
{
	bg talk api python3 "$LAB/talk.py" "$LAB/talked" $TCP $UDP "$DB" "$DB6"
	wait_until "$DEADLINE" test -e "$LAB/talked"
}

# told NAME: what the agent says of NAME's flows, "FAMILY PROTO PACKETS BYTES" a line
told()
{
	"$VETHWALL" flows --live --run-dir "$LAB/agent/run" --format json --workload "shop/$1" |
		jq -r 'select(.closing|not) | "\(if .workload_ip | test(":") then "ipv6" else "ipv4" end) \(.proto) \(.packets) \(.bytes)"' | sort
}
# truth CHAIN: what NAME's wall should have; CHAIN is what reaches the container, with its link header
truth()
{
	ns api nft -j list table inet truth | jq -r --arg to "$1" '
		[.nftables[].rule | select(.) | {what: .comment, c: (.expr[] | .counter | select(.)), chain}] |
		group_by(.what)[] | "\(.[0].what) \(map(.c.packets) | add) \((map(.c.bytes) | add) + 14 * (.[] | select(.chain == $to) | .c.packets))"' | sort
}
agree()
{
	diff <(truth received) <(told api) && diff <(truth sent) <(told db)
}

echo 'live_counters: true' >"$LAB/agent/vethwall.yaml"
t "the agent is ready" agent_start agent node --runtime "static:$LAB/world.yaml" --policies "$LAB/policies"
t "lines go there and back" talk
t "pings" ns api ping -q -c 5 -i 0.2 "$DB"
t "pings of IPv6" ns api ping -q -c 7 -i 0.2 "$DB6"
t "both walls have counted what the container has" wait_until "$DEADLINE" agree
t "17 datagrams and as many answers" eval 'told db | grep "^ipv6 udp 34 "'
t "the agent stops in order" agent_stop agent

echo '{}' >"$LAB/agent/vethwall.yaml"
t "without the setting, the agent goes on" agent_start agent node --runtime "static:$LAB/world.yaml" --policies "$LAB/policies"
rm "$LAB/talked"
t "new lines" talk
uncounted()
{
	"$VETHWALL" flows --live --run-dir "$LAB/agent/run" --format json --workload shop/api |
		jq -es 'map(has("packets")) | (any and (all | not))'
}
t "new flows have no counts, and those of before still have" uncounted
t "the agent stops in order again" agent_stop agent
tap_done
