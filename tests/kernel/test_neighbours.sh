# SPDX-License-Identifier: GPL-2.0-or-later
# Other firewalls on the node, as Debian has them: firewalld (on a bus of its own), ufw, and an operator
# who flushes the ruleset. Their reloads leave our table whole while a connection is used, and what we do
# leaves theirs as it is.
. tests/lib/tap.sh
. tests/lib/lib.sh

why=$(lab_missing jq firewalld firewall-cmd dbus-daemon ufw iptables)
[ -z "$why" ] || skip_all "$why"

lab_begin neighbours
node_add
# Where they filter what stays on a bridge, both they and we must let it pass; here we look at ours alone.
ns node sysctl -eqw net.bridge.bridge-nf-call-iptables=0 net.bridge.bridge-nf-call-ip6tables=0
br_add br0 10.77.0.1/24 fd77::1/64
ct_add web br0 02:42:0a:4d:00:0a 10.77.0.10 fd77::a namespace=shop
ct_add db br0 02:42:0a:4d:00:0c 10.77.0.12 fd77::c namespace=shop
world_write
serve db tcp:5432 tcp:80

P=$LAB/policies
mkdir "$P"
policy()
{
	cat >"$P/db.yaml" <<-END
		apiVersion: vethwall/v1
		kind: ServicePolicy
		metadata: {name: db, namespace: shop}
		spec:
		  service: db
		  ingress: [{from: [{service: web}], ports: [$1]}]
	END
}
policy tcp/5432

start()
{
	agent_start a node --runtime "static:$LAB/world.yaml" --policies "$P"
}
# Ours, without what packets fill.
ours()
{
	ns node nft -s list table netdev vethwall | sed '/^\tset [df][46]_/,/^\t}/d'
}
# Theirs: everything else, without counters.
theirs()
{
	ns node nft -s list ruleset | awk '/^table netdev vethwall/ {skip = 1} !skip {print} /^}/ {skip = 0}'
}
is_same()
{
	local now
	now=$("$1")
	[ "$now" = "$2" ] || { diff <(echo "$2") <(echo "$now") | head -20; return 1; }
}
enforces()
{
	allowed web tcp/5432 10.77.0.12 && denied web tcp/80 10.77.0.12 400 && denied web tcp/80 fd77::c 400
}
quiet()
{
	! grep tampering "$LAB/a/agent.out"
}
held_open()
{
	! pid_gone "$HELD"
}
# ours_stays WHAT COMMAND...: it runs; the table is the same, the connection goes on, policy holds.
ours_stays()
{
	local what=$1 before
	shift
	before=$(ours)
	t "$what" "$@"
	t "  our table is as it was" is_same ours "$before"
	t "  the connection goes on" held_open
	t "  policy holds" enforces
}
# What the agent does while others have tables here.
we_work()
{
	local before
	before=$(theirs)
	t "$1 has rules" [ "$(wc -l <<<"$before")" -gt 20 ]
	policy 'tcp/5432, tcp/81'
	t "$1: our policy is changed" vw a reload
	t "$1: theirs is as it was" is_same theirs "$before"
	policy tcp/5432
	t "$1: and back" vw a reload
	t "$1: our agent is killed and comes back" eval 'agent_kill a && start'
	t "$1: theirs is as it was after that" is_same theirs "$before"
}

t "the agent starts" start
t "it enforces" enforces
bg hold web "$NETPROBE" -t 5000 hold 10.77.0.12 5432
HELD=$!

# ---- firewalld ----
BUS=unix:path=$LAB/bus
cat >"$LAB/bus.conf" <<END
<busconfig>
  <type>system</type><listen>$BUS</listen><auth>EXTERNAL</auth>
  <policy context="default">
    <allow user="*"/><allow own="*"/><allow send_type="method_call"/><allow send_type="signal"/>
    <allow send_requested_reply="true" send_type="method_return"/>
    <allow send_requested_reply="true" send_type="error"/><allow receive_type="method_call"/>
    <allow receive_type="method_return"/><allow receive_type="error"/><allow receive_type="signal"/>
  </policy>
</busconfig>
END
fw()
{
	ns node env "DBUS_SYSTEM_BUS_ADDRESS=$BUS" firewall-cmd "$@"
}
fw_runs()
{
	[ "$(fw --state 2>&1)" = running ]
}
fw_start()
{
	bg bus node dbus-daemon --nofork --nopidfile --config-file="$LAB/bus.conf"
	wait_until "$DEADLINE" test -S "$LAB/bus" || { cat "$LAB/bus.out"; return 1; }
	mkdir "$LAB/firewalld"
	bg firewalld node env "DBUS_SYSTEM_BUS_ADDRESS=$BUS" firewalld --nofork --nopid \
		--system-config "$LAB/firewalld" --log-file "$LAB/firewalld.log"
	FIREWALLD=$!
	wait_until "$DEADLINE" fw_runs || { cat "$LAB/firewalld.out" "$LAB/firewalld.log"; return 1; }
}
ours_stays "firewalld starts" fw_start
t "it has its table" eval 'ns node nft list table inet firewalld >/dev/null'
ours_stays "firewalld: a port" fw --add-port=8080/tcp
ours_stays "firewalld: the bridge goes to a zone" fw --zone=trusted --change-interface=br0
we_work firewalld
ours_stays "firewalld reloads" fw --reload
ours_stays "firewalld reloads completely" fw --complete-reload
ours_stays "firewalld stops" kill_wait "$FIREWALLD"

# ---- ufw ----
cp -R /etc/ufw "$LAB/ufw"
ufw_()
{
	ns node unshare -m sh -c 'mount --bind "$0" /etc/ufw && mount -t tmpfs tmpfs /run && exec ufw "$@"' \
		"$LAB/ufw" "$@"
}
ours_stays "ufw is switched on" ufw_ --force enable
t "it has its rules" eval 'ns node iptables-save | grep -q ufw-user-input'
ours_stays "ufw: a rule" ufw_ allow 8080/tcp
we_work ufw
ours_stays "ufw reloads" ufw_ reload
ours_stays "ufw is switched off" ufw_ disable

# ---- an operator ----
ns node nft add table inet theirs
ours_stays "nft flush ruleset" ns node nft flush ruleset
t "  theirs is gone" eval '[ -z "$(theirs)" ]'
t "nobody may delete our table" eval '! ns node nft delete table netdev vethwall'
t "nor add a rule to it" eval '! ns node nft add chain netdev vethwall stranger'
t "nothing of it was taken for tampering" quiet
t "the agent stops in order" agent_stop a
tap_done
