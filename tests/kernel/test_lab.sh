# SPDX-License-Identifier: GPL-2.0-or-later
# The lab itself: probes must tell the truth, or no test that uses them means anything; and what a test
# made must go, also when it is interrupted.
. tests/lib/tap.sh
. tests/lib/lib.sh

why=$(lab_missing)
[ -z "$why" ] || skip_all "$why"

# Leaves its lab's names in a file and waits to be ended.
if [ "${1:-}" = child ]; then
	lab_begin child
	node_add && br_add br0 10.77.0.1/24 && ct_add a br0 02:42:0a:4d:00:0a 10.77.0.10 - && serve a tcp:80
	echo "$LAB $LAB_ID ${LAB_PIDS[*]}" >"$2"
	sleep 60
	exit 0
fi

lab_begin lab
node_add
br_add br0 10.77.0.1/24 fd77::1/64
ct_add a br0 02:42:0a:4d:00:0a 10.77.0.10 fd77::a namespace=shop label=app:web
ct_add b br0 02:42:0a:4d:00:0b 10.77.0.11 fd77::b service=db
ext_add out 192.0.2.2/24 192.0.2.1 2001:db8:1::2/64 2001:db8:1::1
serve b tcp:80 udp:53
serve out tcp:80

wall()
{
	ns b nft -f - <<-END
		table inet t {
			chain c {
				type filter hook input priority 0
				tcp dport 81 drop
				tcp dport 82 reject with tcp reset
				tcp dport 83 reject with icmpx type admin-prohibited
				udp dport 54 drop
			}
		}
	END
}
wall

for ip in 10.77.0.11 fd77::b; do
	for what in tcp/80 udp/53 ping; do
		t "$what to $ip passes" probe_is passed a "$what" "$ip"
		t "and is not called denied" eval "! denied a $what $ip"
	done
	t "a closed TCP port of $ip is refused" probe_is refused a tcp/90 "$ip"
	t "a closed UDP port of $ip is refused" probe_is refused a udp/90 "$ip"
	t "a dropped SYN to $ip times out" probe_is timeout a tcp/81 "$ip" 300
	t "a dropped datagram to $ip times out" probe_is timeout a udp/54 "$ip" 300
	t "a reset from $ip is refused" probe_is refused a tcp/82 "$ip"
	# An error that comes while connect() still holds the socket is kept for the next SYN
	# (tcp_v6_err, sock_owned_by_user), a second later.
	t "prohibited by $ip is unreachable" probe_is unreachable a tcp/83 "$ip" 5000
	t "none of these is called allowed" eval "! probe_is passed a tcp/81 $ip 300"
done
t "the host outside is reached through the node" allowed a tcp/80 192.0.2.2
t "by IPv6 as well" allowed a tcp/80 2001:db8:1::2
t "a probe that cannot run is neither" eval "! denied nosuch tcp/80 10.77.0.11"

world_is_yaml()
{
	world_write && /usr/bin/python3 - "$LAB/world.yaml" <<-END
		import sys, yaml
		w = yaml.safe_load(open(sys.argv[1]))["workloads"]
		assert [x["name"] for x in w] == ["a", "b"], w
		assert w[0]["labels"] == {"app": "web"} and w[0]["namespace"] == "shop", w
		assert w[1]["interfaces"][0]["ips"] == ["10.77.0.11", "fd77::b"], w
	END
}
t "the world file says what is there" world_is_yaml

# Ends a child lab with a signal; nothing of it may be left.
interrupted()
{
	local lab id pids p
	rm -f "$LAB/child"
	# whoever runs the tests may have HUP ignored (nohup), which a shell cannot undo
	env --default-signal=HUP,TERM setsid bash "$0" child "$LAB/child" &
	p=$!
	wait_until "$DEADLINE" test -s "$LAB/child" || return
	read -r lab id pids <"$LAB/child"
	# To the whole group, as a terminal does.
	kill -"$1" -- "-$p"
	wait_until "$DEADLINE" pid_gone "$p" || return
	[ ! -e "$lab" ] || { echo "$lab is left"; return 1; }
	! ip netns list | grep "$id" || return
	for p in $pids; do
		pid_gone "$p" || { echo "process $p is left"; return 1; }
	done
}
t "nothing is left after SIGTERM" interrupted TERM
t "nothing is left after SIGHUP" interrupted HUP
tap_done
