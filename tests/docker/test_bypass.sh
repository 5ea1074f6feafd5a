# SPDX-License-Identifier: GPL-2.0-or-later
# What a container of a real engine may try to get around its wall: the frames of tests/lib/bypass_attempts.py,
# sent from inside, with the engine's default capabilities and with NET_ADMIN and NET_RAW; and what NET_ADMIN
# may do to its own device. Each frame is sent without a wall first, where it must arrive.
. tests/lib/tap.sh
. tests/lib/lib.sh
. tests/lib/engine.sh
. tests/lib/shop.sh

/usr/bin/python3 -c 'import scapy' 2>/dev/null || skip_all "scapy is not installed"
shop_begin bypass
ext_add outside 192.0.2.2/24 192.0.2.1 2001:db8:1::2/64 2001:db8:1::1
mkdir -p "$LAB/agent"
printf 'dns: [192.0.2.2]\nlog: {flow_interval: 1s}\n' >"$LAB/agent/vethwall.yaml"

bypass()
{
	/usr/bin/python3 tests/lib/bypass_engine.py "$@"
}

# member NAME NUMBER DOCKER-RUN-ARGS...
member()
{
	local name=$1 n=$2
	shift 2
	ct "$name" "$name" --network lab --ip "10.77.0.$n" --ip6 "$(printf 'fd77::%x' "$n")" \
		"$@" "$IMAGE" netprobe serve tcp:5432 tcp:5000 udp:5000
}

bridge_of()
{
	echo "br-$(dk network inspect -f '{{.Id}}' "$1" | cut -c 1-12)"
}

mac_of()
{
	at "$1" ip -j link show "$2" | jq -r '.[0].address'
}

places()
{
	local c pid taps macs
	taps="\"bridge\": [\"/run/netns/$LAB_ID-node\", \"$BRIDGE\"], \"outside\": [\"/run/netns/$LAB_ID-outside\", \"eth0\"]"
	macs="\"gateway\": \"$(mac_of node "$BRIDGE")\", \"outside\": \"$(mac_of outside eth0)\""
	for c in mallory eve friend victim; do
		pid=$(ct_pid "$c")
		macs="$macs, \"$c\": \"$(mac_of "pid:$pid" eth0)\""
		[ "$c" = mallory ] || taps="$taps, \"$c\": [\"/proc/$pid/ns/net\", \"eth0\"]"
	done
	printf '{"macs": {%s}, "docker": ["env", "DOCKER_CONFIG=%s", "docker", "-H", "unix://%s"], "taps": {%s}}\n' \
		"$macs" "$LAB/engine/client" "$LAB/engine/docker.sock" "$taps" >"$LAB/places"
}

# Who is where is known again, whatever the control said.
settle()
{
	local c
	for c in mallory eve friend victim; do
		at "pid:$(ct_pid "$c")" ip neigh flush dev eth0
		# a frame of its own, for the bridge to learn from
		at_netprobe "docker:$c" -t 200 ping 10.77.0.1
	done
	ns node ip neigh flush dev "$BRIDGE"
	return 0
}

members()
{
	dk network create --ipv6 --subnet 10.77.0.0/24 --subnet fd77::/64 lab &&
		member victim 13 && member friend 12 && member eve 11 && member mallory 10 || return
	BRIDGE=$(bridge_of lab)
	# br_netfilter, where it is loaded, drops some of it: not the wall under test.
	for f in ip ip6 arp; do
		ns node sysctl -qw "net.bridge.bridge-nf-call-${f}tables=0" 2>/dev/null
	done
	ns node ip route add 203.0.113.0/24 via 192.0.2.2 &&
		ns node iptables -I FORWARD -j ACCEPT && ns node ip6tables -I FORWARD -j ACCEPT &&
		places
}
t "four containers start" members
[ -e "$LAB/places" ] || exit 1
t "the attempts are sent without a wall" bypass play "$LAB/places" "$LAB/control"
t "who is where is known again" settle
bypass policies >"$LAB/policies/bypass.yaml"
t "the agent is ready" shop_agent
t "mallory is enforced" enforced mallory 1
t "mallory reaches friend, as its policy says" allowed docker:mallory udp/5000 10.77.0.12
t "and not the victim" denied docker:mallory tcp/5432 10.77.0.13

judge()
{
	bypass judge "$LAB/places" "$LAB/control" "$LAB/walled" "$LAB/agent/log" >"$LAB/judged"
}

# Records come some time after the packets.
judged()
{
	bypass play "$LAB/places" "$LAB/walled" && settle || return
	wait_until 20 judge || { cat "$LAB/judged"; return 1; }
}
t "nothing gets through with the default capabilities" judged
note "default capabilities: $(tail -n 1 "$LAB/judged")"
t "which do not let it change its MAC" eval '! dk exec mallory ip link set eth0 address 02:42:0a:4d:00:77'
t "nor its address" eval '! dk exec mallory ip addr add 10.77.0.99/24 dev eth0'

stronger()
{
	dk rm -f mallory && member mallory 10 --cap-add NET_ADMIN --cap-add NET_RAW && enforced mallory 1 && places
}
t "mallory comes back with NET_ADMIN and NET_RAW" stronger
t "nothing gets through with these either" judged
note "with NET_ADMIN and NET_RAW: $(tail -n 1 "$LAB/judged")"
t "it reaches friend" allowed docker:mallory udp/5000 10.77.0.12
t "it gives itself one more address" dk exec mallory ip addr add 10.77.0.99/24 dev eth0
t "which reaches nobody" eval '[ "$(at_netprobe docker:mallory -b 10.77.0.99 udp 10.77.0.12 5000)" != passed ]'
t "it takes friend's address" dk exec mallory ip addr add 10.77.0.12/32 dev eth0
t "which does not reach the victim" eval '[ "$(at_netprobe docker:mallory -b 10.77.0.12 tcp 10.77.0.13 5432)" != passed ]'
t "it gives it back" dk exec mallory ip addr del 10.77.0.12/32 dev eth0
t "it changes its MAC" dk exec mallory ip link set eth0 address 02:42:0a:4d:00:77
t "and reaches nobody" denied docker:mallory udp/5000 10.77.0.12
# The MAC of a container that is about to start: its veth must not be taken for mallory's.
t "it takes the MAC of one that will start" dk exec mallory ip link set eth0 address 02:42:0a:4d:00:14
t "which starts" member newcomer 20
t "and is enforced" enforced newcomer 1
t "as itself: friend is reached from it" allowed docker:newcomer tcp/5000 10.77.0.12
t "and mallory is not: it still reaches nobody" denied docker:mallory tcp/5000 10.77.0.12
t "it takes its own MAC back" dk exec mallory ip link set eth0 address 02:42:0a:4d:00:0a
t "and has what its policy says" allowed docker:mallory udp/5000 10.77.0.12
t "not more" denied docker:mallory tcp/5432 10.77.0.13
t "the agent stops in order" agent_stop agent
tap_done
