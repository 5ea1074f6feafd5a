# SPDX-License-Identifier: GPL-2.0-or-later
# The whole agent with the static runtime: walls go up, hold, follow the world, survive kill -9, and
# come down only on purpose.
. tests/lib/tap.sh
. tests/lib/lib.sh

why=$(lab_missing jq)
[ -z "$why" ] || skip_all "$why"

lab_begin agent
node_add
br_add br0 10.77.0.1/24 fd77::1/64
ct_add web br0 02:42:0a:4d:00:0a 10.77.0.10 fd77::a namespace=shop
ct_add api br0 02:42:0a:4d:00:0b 10.77.0.11 fd77::b namespace=shop
ct_add db br0 02:42:0a:4d:00:0c 10.77.0.12 fd77::c namespace=shop
world_write
for s in web api db; do serve $s tcp:5432 tcp:80 udp:53; done

P=$LAB/policies
mkdir "$P"
policy()
{
	cat >"$P/$1.yaml" <<-END
		apiVersion: vethwall/v1
		kind: ServicePolicy
		metadata: {name: $1, namespace: shop}
		spec:
		  service: $1
		  ingress:
		    - from: [$2]
		      ports: [$3]
	END
}
policy db '{service: api}' tcp/5432

start()
{
	agent_start a node --runtime "static:$LAB/world.yaml" --policies "$P"
}
status()
{
	vw a status --format json
}
status_is()
{
	status | jq -e "$@" >/dev/null
}
# Our table as the kernel has it; rules: without the sets that the packet path fills.
table()
{
	ns node nft -s list table netdev vethwall
}
rules()
{
	ns node nft -a -s -t list table netdev vethwall
}
enforced()
{
	status_is --arg n "$1" '[.workloads[] | select(.name == $n and .state == "enforced")] | length == 1'
}
ifindex()
{
	ns node ip -j link show "v-$1" | jq '.[0].ifindex'
}
# An open connection that is kept busy; held_open tells whether it is still.
hold()
{
	bg "hold-$1" "$1" "$NETPROBE" -t 2000 hold "$2" "$3"
	HELD[$1]=$!
}
declare -A HELD
held_open()
{
	sleep 0.5
	! pid_gone "${HELD[$1]}"
}
held_cut()
{
	wait_until 10 pid_gone "${HELD[$1]}"
}

t "the agent says what is missing when there are no policies" eval \
	'! ns node "$VETHWALL" run --runtime "static:$LAB/world.yaml" --policies "$LAB/none" \
		--run-dir "$LAB/x" --state-dir "$LAB/x" --log-dir "$LAB/x" 2>"$LAB/err" && grep -q "create it" "$LAB/err"'
mkdir "$LAB/bad"
printf 'kind: Nonsense\n' >"$LAB/bad/x.yaml"
t "a broken policy is located, exit 2, and nothing is enforced" eval \
	'ns node "$VETHWALL" run --runtime "static:$LAB/world.yaml" --policies "$LAB/bad" \
		--run-dir "$LAB/x" --state-dir "$LAB/x" --log-dir "$LAB/x" 2>"$LAB/err"; [ $? -eq 2 ] &&
	grep -q "bad/x.yaml:1:" "$LAB/err" && ! table 2>/dev/null'
t "without CAP_NET_ADMIN it says so" eval \
	'! ns node setpriv --bounding-set -net_admin --inh-caps -net_admin "$VETHWALL" run \
		--runtime "static:$LAB/world.yaml" --policies "$P" --run-dir "$LAB/x" \
		--state-dir "$LAB/x" --log-dir "$LAB/x" 2>"$LAB/err" && grep -q "CAP_NET_ADMIN is missing" "$LAB/err"'

t "the agent becomes ready" start
t "status is healthy" vw a status
t "and counts three walls" status_is '.counts.enforced == 3 and .owned_table'
for ip in 10.77.0.12 fd77::c; do
	t "api reaches db at $ip" allowed api tcp/5432 $ip
	t "web does not" denied web tcp/5432 $ip
	t "nobody reaches another port of it" denied api tcp/80 $ip
done
recorded()
{
	jq -es --arg from "$1" --arg to "$2" 'any(.[]; .workload == $to and .peer == $from and
		.policy == "default" and .direction == "ingress" and .packets > 0)' \
		"$LAB/a/log/denied.jsonl" >/dev/null
}
t "what was denied is recorded by name" wait_until 10 recorded shop/web shop/db
t "a service without a policy is open" allowed web tcp/80 10.77.0.11
t "replies pass" allowed db udp/53 10.77.0.10

t "a second agent in this namespace refuses" eval \
	'mkdir -p "$LAB/b"; ns node "$VETHWALL" run --runtime "static:$LAB/world.yaml" --policies "$P" \
		--run-dir "$LAB/b" --state-dir "$LAB/b" --log-dir "$LAB/b" 2>"$LAB/err"; [ $? -eq 2 ] &&
	grep -q "another" "$LAB/err"'
t "a second agent with this folder as well" eval \
	'ns node "$VETHWALL" run --runtime "static:$LAB/world.yaml" --policies "$P" \
		--run-dir "$LAB/a/run" --state-dir "$LAB/b" --log-dir "$LAB/b" 2>"$LAB/err"; [ $? -eq 2 ] &&
	grep -q "another" "$LAB/err"'

# Reload.
hold api 10.77.0.12 5432
hold web 10.77.0.11 80
t "a connection of api to db is kept" held_open api
policy db '{service: web}' tcp/5432
t "reload puts the edited policy in force" eval 'vw a reload | grep -q "enforced: 1 policies"'
t "web is let in now" allowed web tcp/5432 10.77.0.12
t "and api no more" denied api tcp/5432 10.77.0.12
t "its live connection is cut" held_cut api
t "and nobody else's" held_open web
t "status counts it" status_is '.flows_cut >= 1'
echo 'kind: ServicePolicy' >"$P/broken.yaml"
t "a broken file refuses the whole, exit 1" eval \
	'vw a reload 2>"$LAB/err"; [ $? -eq 1 ] && grep -q "broken.yaml:1" "$LAB/err"'
t "and changes nothing" allowed web tcp/5432 10.77.0.12
t "but status is degraded" eval '! vw a status >/dev/null'
rm "$P/broken.yaml"
policy db '{service: api}' tcp/5432
kill -HUP "${AGENT_PID[a]}"
t "SIGHUP reloads too" allowed api tcp/5432 10.77.0.12
t "and is healthy again" wait_until 10 vw a status

# The world changes.
ct_add new br0 02:42:0a:4d:00:0d 10.77.0.13 - namespace=shop service=api
t "an unknown neighbour is not let into db" denied new tcp/5432 10.77.0.12
world_write
t "a new replica is enforced" wait_until 10 enforced new
t "and reaches what its service may" allowed new tcp/5432 10.77.0.12
old=$(ifindex new)
ct_forget new
ns_del new
gone()
{
	! table | grep -q "_$1\b"
}
t "a veth that goes takes its chains and sets with it" wait_until 10 gone "$old"
t "and says that it is not there" status_is '.counts.not_enforced == 1'
ct_add new br0 02:42:0a:4d:00:0e 10.77.0.14 - namespace=shop service=web
t "a reused name gets walls of its own" wait_until 10 eval '! gone "$(ifindex new)"'
world_write
t "and the new service counts" wait_until 10 enforced new
t "so that db stays closed to it" denied new tcp/5432 10.77.0.12
CT_WORLD=("${CT_WORLD[@]/name: new,/name: newer,}")
world_write
t "a veth that an edit gives to another container is that one's" wait_until 10 enforced newer

# Restart.
hold api 10.77.0.12 5432
t "a live connection is open" held_open api
before=$(rules)
commits()
{
	status | jq .commits
}
agent_kill a
t "kill -9 leaves everything enforced" denied web tcp/5432 10.77.0.12
t "and allowed" allowed api tcp/5432 10.77.0.12
t "the next agent adopts" start
t "without a single commit" eval '[ "$(commits)" = 0 ]'
rules_kept()
{
	diff <(echo "$before") <(rules)
}
t "the rules are those that were there" rules_kept
t "the live connection lives on" held_open api
agent_kill a
policy db '{service: web}' tcp/5432
policy api '{service: web}' tcp/80
t "an agent that starts with other policies" start
t "changes what differs" allowed web tcp/5432 10.77.0.12
t "cuts the live connection that lost its permission" held_cut api
t "in both directions" denied db tcp/80 10.77.0.11

# Control socket.
ask()
{
	python3 - "$LAB/a/run/control.sock" "$1" <<-'END'
		import socket, sys
		s = socket.socket(socket.AF_UNIX)
		s.connect(sys.argv[1])
		s.sendall(sys.argv[2].encode() + b"\n")
		print(s.makefile().readline(), end="")
	END
}
t "nonsense gets an error" eval 'ask "{]" | jq -e ".ok == false"'
t "and so does an unknown command" eval 'ask "{\"cmd\":\"dance\"}" | jq -e ".error | test(\"no such\")"'
t "a line without end is cut off" eval \
	'head -c 42000000 /dev/zero | tr "\0" x | timeout 20 python3 -c "
import socket, sys
s = socket.socket(socket.AF_UNIX); s.connect(\"$LAB/a/run/control.sock\")
try: s.sendall(sys.stdin.buffer.read())
except OSError: pass
print(s.recv(4096).decode())" | grep -q "longer than"'
t "the agent still answers" status_is .ready
t "explain asks the agent" eval \
	'ask "{\"cmd\":\"explain\",\"from\":\"shop/web\",\"to\":\"shop/api\",\"port\":\"tcp/80\"}" |
	jq -e ".verdict.verdict == \"allow\""'
chmod o+rx "$LAB" "$LAB/a" "$LAB/a/run"
t "another user gets no answer" eval \
	'! setpriv --reuid 65534 --regid 65534 --clear-groups "$VETHWALL" status --run-dir "$LAB/a/run"'

t "a stop in order exits 0" agent_stop a
t "and leaves everything enforced" denied db tcp/80 10.77.0.11
t "teardown removes it" ns node "$VETHWALL" run --teardown --run-dir "$LAB/a/run" --log-dir "$LAB/a/log"
t "and everything is open" allowed db tcp/80 10.77.0.11
t "no table is left" eval '! table 2>/dev/null'
tap_done
