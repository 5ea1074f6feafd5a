# SPDX-License-Identifier: GPL-2.0-or-later
# Peers by domain name: what a workload resolves it may reach, for as long as the answer says, and
# nothing that it makes up.
. tests/lib/tap.sh
. tests/lib/lib.sh

why=$(lab_missing jq python3)
[ -z "$why" ] || skip_all "$why"

DNS=198.51.100.53
lab_begin fqdn
node_add
br_add br0 10.77.0.1/24 fd77::1/64
ct_add app br0 02:42:0a:4d:00:0a 10.77.0.10 fd77::a namespace=shop
ct_add twin br0 02:42:0a:4d:00:0b 10.77.0.11 fd77::b namespace=shop
ext_add out $DNS/24 198.51.100.1 2001:db8:1::53/64 2001:db8:1::1
ns node ip route add 203.0.113.0/24 via $DNS
ns node ip route add 192.168.7.0/24 via $DNS
ns node ip -6 route add 2001:db8:2::/64 via 2001:db8:1::53
for i in 10 11 12 13 14 15 16 99; do ns out ip addr add 203.0.113.$i/32 dev lo; done
ns out ip addr add 192.168.7.7/32 dev lo
ns out ip -6 addr add 2001:db8:2::10/128 dev lo nodad
world_write
serve out tcp:443 tcp:80
serve twin tcp:443
bg dns out python3 tests/lib/dns.py serve $DNS 2001:db8:1::53
wait_until "$DEADLINE" grep -qs ready "$LAB/dns.out" || skip_all "no DNS server"

P=$LAB/policies
mkdir "$P" "$LAB/a"
echo "dns: [$DNS, \"2001:db8:1::53\"]" >"$LAB/a/vethwall.yaml"
names='{fqdn: API.Example.org.}, {fqdn: short.example.org}, {fqdn: shop.example.net}, {fqdn: inside.example.org}, {fqdn: "*.wild.test"}'
policy()
{
	cat >"$P/app.yaml" <<-END
		apiVersion: vethwall/v1
		kind: ServicePolicy
		metadata: {name: app, namespace: shop}
		spec:
		  service: app
		  egress:
		    - to: [dns]
		    - to: [{service: twin}]
		      ports: [udp/53]
		    - to: [$1]
		      ports: [tcp/443]
	END
}
policy "$names"

start()
{
	agent_start a node --runtime "static:$LAB/world.yaml" --policies "$P"
}
status_is()
{
	vw a status --format json | jq -e "$@" >/dev/null
}
resolve()
{
	ns app python3 tests/lib/dns.py ask "${3:-$DNS}" "$1" "${2:-A}"
}
resolves()
{
	[ -n "$(resolve "$@")" ]
}
# Time for what must not open.
learnt_nothing()
{
	sleep 1
	denied app tcp/443 "$1"
}
hold()
{
	bg "hold-$1" app "$NETPROBE" -t 2000 hold "$1" 443
	HELD=$!
}
held_open()
{
	sleep 0.5
	! pid_gone "$HELD"
}

t "the agent becomes ready" start
t "it listens for answers" status_is '.dns.listening and .healthy'
t "before it is resolved, nothing is open" denied app tcp/443 203.0.113.10
t "the name resolves" resolves api.example.org
t "and is reached" allowed app tcp/443 203.0.113.10
t "on the rule's port only" denied app tcp/80 203.0.113.10
t "its IPv6 address is not open by that" denied app tcp/443 2001:db8:2::10
t "but by an AAAA answer, also over IPv6" resolves api.example.org AAAA 2001:db8:1::53
t "it is" allowed app tcp/443 2001:db8:2::10
t "nobody else may by that" eval 'ns twin true; denied app tcp/443 203.0.113.12'
t "a name that no rule has" resolves other.example.org
t "opens nothing" learnt_nothing 203.0.113.12
t "a name by aliases" resolves shop.example.net
t "is open where they lead" allowed app tcp/443 203.0.113.13
t "a pattern's own domain" resolves wild.test
t "is not meant by it" learnt_nothing 203.0.113.14
t "names below it" resolves A.b.Wild.test
t "are" allowed app tcp/443 203.0.113.15

# Where no name leads.
t "a name with addresses inside" resolves inside.example.org
t "opens the one outside" allowed app tcp/443 203.0.113.16
t "not another workload's" denied app tcp/443 10.77.0.11
t "not the node's" denied app tcp/443 10.77.0.1
t "not a private one" denied app tcp/443 192.168.7.7
t "they are counted" status_is '.dns.refused_addresses == 3'

# What the container makes up.
bg lie twin python3 tests/lib/dns.py lie 10.77.0.11 api.example.org 203.0.113.99
wait_until "$DEADLINE" grep -qs ready "$LAB/lie.out"
t "an accomplice that is no resolver answers" resolves api.example.org A 10.77.0.11
t "and opens nothing" learnt_nothing 203.0.113.99
t "it is counted" status_is '.dns.unbelieved >= 1'
forge()
{
	ns app python3 - "$DNS" <<-'END'
		import socket, struct, sys
		def name(t):
		    return b"".join(bytes([len(p)]) + p.encode() for p in t.split(".")) + b"\0"
		def total(b):
		    b += b"\0" * (len(b) % 2)
		    s = sum(struct.unpack(">%dH" % (len(b) // 2), b))
		    while s >> 16:
		        s = (s & 0xffff) + (s >> 16)
		    return ~s & 0xffff
		# a flow that is open: a query of ours
		q = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
		q.bind(("10.77.0.10", 5353))
		ask = struct.pack(">6H", 1, 0x100, 1, 0, 0, 0) + name("x.test") + b"\0\1\0\1"
		q.sendto(ask, (sys.argv[1], 53))
		q.settimeout(2)
		q.recv(512)
		m = struct.pack(">6H", 1, 0x8180, 1, 1, 0, 0) + name("api.example.org") + b"\0\1\0\1"
		m += b"\xc0\x0c" + struct.pack(">HHIH", 1, 1, 3600, 4) + socket.inet_aton("203.0.113.99")
		udp = struct.pack(">4H", 53, 5353, 8 + len(m), 0) + m
		ip = struct.pack(">BBHHHBBH4s4s", 0x45, 0, 20 + len(udp), 7, 0, 64, 17, 0,
		                 socket.inet_aton(sys.argv[1]), socket.inet_aton("10.77.0.10"))
		ip = ip[:10] + struct.pack(">H", total(ip)) + ip[12:]
		# by every way out of here: the wire with each destination, and loopback
		raw = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
		raw.bind(("eth0", 0))
		own = raw.getsockname()[4]
		for dst in (own, b"\xff" * 6):
		    raw.send(dst + own + b"\x08\0" + ip + udp)
		lo = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)
		lo.sendto(ip + udp, ("10.77.0.10", 0))
	END
}
t "it forges an answer to itself" forge
t "and opens nothing" learnt_nothing 203.0.113.99

unasked()
{
	ns out python3 - "$DNS" <<-'END'
		import socket, struct, sys
		def name(t):
		    return b"".join(bytes([len(p)]) + p.encode() for p in t.split(".")) + b"\0"
		m = struct.pack(">6H", 1, 0x8180, 1, 1, 0, 0) + name("api.example.org") + b"\0\1\0\1"
		m += b"\xc0\x0c" + struct.pack(">HHIH", 1, 1, 3600, 4) + socket.inet_aton("203.0.113.99")
		udp = struct.pack(">4H", 53, 5454, 8 + len(m), 0) + m
		raw = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_UDP)
		raw.bind((sys.argv[1], 0))
		# the first would open a flow, were that enough
		for _ in range(3):
		    raw.sendto(udp, ("10.77.0.10", 0))
	END
}
answers()
{
	vw a status --format json | jq .dns.answers
}
answers >"$LAB/answers"
t "somebody sends it answers to no question, from the resolver's address" unasked
t "and opens nothing" learnt_nothing 203.0.113.99
t "the agent did not even see them" eval 'answers | cmp - "$LAB/answers"'

# Time.
t "a short-lived name" resolves short.example.org
t "is open" allowed app tcp/443 203.0.113.11
hold 203.0.113.11
t "a connection to it stands" held_open
closes()
{
	wait_until 40 eval '[ "$(probe app tcp/443 203.0.113.11 500)" != passed ]'
}
t "its time passes" closes
t "nothing new opens" denied app tcp/443 203.0.113.11
t "the connection goes on" held_open
t "also over a reload" eval 'vw a reload >/dev/null && held_open'
t "what is asked again is open again" eval 'resolves short.example.org && allowed app tcp/443 203.0.113.11'

# Restart.
commits()
{
	vw a status --format json | jq .commits
}
agent_kill a
t "without an agent, what was open is" allowed app tcp/443 203.0.113.10
t "the next one knows what the last one learnt" start
t "and commits next to nothing" eval '[ "$(commits)" -le 1 ]'
t "names are open" allowed app tcp/443 203.0.113.10
t "the connection still stands" held_open

# Policy.
policy '{fqdn: api.example.org}'
t "a name that is taken back" eval 'vw a reload >/dev/null'
t "is closed" denied app tcp/443 203.0.113.13
wait_gone()
{
	wait_until 10 pid_gone "$HELD"
}
t "and its connection is cut" wait_gone
t "the one that stays is open" allowed app tcp/443 203.0.113.10
t "a stop in order" agent_stop a
tap_done
