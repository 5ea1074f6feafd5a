# SPDX-License-Identifier: GPL-2.0-or-later
# vethwall diff against a running agent: the flows that would be cut and those that stay, the logged
# denials that would pass, the plan; and that what was previewed is what comes in force.
. tests/lib/tap.sh
. tests/lib/lib.sh

why=$(lab_missing jq)
[ -z "$why" ] || skip_all "$why"

lab_begin diff
node_add
br_add br0 10.77.0.1/24 fd77::1/64
ct_add web br0 02:42:0a:4d:00:0a 10.77.0.10 fd77::a namespace=shop
ct_add api br0 02:42:0a:4d:00:0b 10.77.0.11 fd77::b namespace=shop
ct_add db br0 02:42:0a:4d:00:0c 10.77.0.12 fd77::c namespace=shop
world_write
for s in api db; do serve $s tcp:5432 tcp:80; done

P=$LAB/policies
N=$LAB/new
mkdir "$P" "$N"
# policy DIR SERVICE PEER PORTS
policy()
{
	cat >"$1/$2.yaml" <<-END
		apiVersion: vethwall/v1
		kind: ServicePolicy
		metadata: {name: $2, namespace: shop}
		spec:
		  service: $2
		  ingress:
		    - from: [$3]
		      ports: [$4]
	END
}
policy "$P" db '{service: api}' tcp/5432
cp "$P/db.yaml" "$N/"

# preview CODE ARGUMENTS...: the exit code, what it printed in $LAB/out and $LAB/err
preview()
{
	local want=$1 got
	shift
	vw a diff "$@" >"$LAB/out" 2>"$LAB/err"
	got=$?
	[ "$got" -eq "$want" ] && return
	echo "exit $got, expected $want"
	cat "$LAB/out" "$LAB/err"
	return 1
}
shows()
{
	grep -qE -- "$1" "$LAB/out" && return
	echo "no '$1' in:"
	cat "$LAB/out"
	return 1
}
json_is()
{
	jq -e "$@" "$LAB/out" >/dev/null && return
	cat "$LAB/out"
	return 1
}
hold()
{
	bg "hold-$1-$3" "$1" "$NETPROBE" -t 2000 hold "$2" "$3"
	HELD[$1-$3]=$!
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
rules()
{
	ns node nft -a -s -t list table netdev vethwall
}

# Something that answers as the agent does, but for: "other", what it says that it compiled; "short",
# its live flows, which it only tells workload by workload.
liar()
{
	mkdir -p "$LAB/$1"
	cat >"$LAB/liar.py" <<-'END'
		import json, socket, sys
		listener = socket.socket(socket.AF_UNIX)
		listener.bind(sys.argv[2])
		listener.listen()
		while True:
		    client = listener.accept()[0]
		    asked = client.makefile().readline()
		    agent = socket.socket(socket.AF_UNIX)
		    agent.connect(sys.argv[1])
		    agent.sendall(asked.encode())
		    answer = json.loads(agent.makefile().readline())
		    if sys.argv[3] == "other" and "compiled" in answer:
		        answer["compiled"] = "0" * 16
		    if sys.argv[3] == "short" and "flows" in answer and "workload" not in json.loads(asked):
		        answer["flows"] = []
		    client.sendall(json.dumps(answer).encode() + b"\n")
		    client.close()
	END
	bg "$1" node python3 "$LAB/liar.py" "$LAB/a/run/control.sock" "$LAB/$1/control.sock" "$1"
	wait_until 10 test -S "$LAB/$1/control.sock"
}

t "without an agent it says so and exits 2" preview 2 --policies "$N"
t "and offers the offline form" grep -qF -- "--world FILE --against DIR --policies '$N'" "$LAB/err"

t "the agent becomes ready" agent_start a node --runtime "static:$LAB/world.yaml" --policies "$P"
rules >"$LAB/rules"

t "its own folder is what it enforces" preview 0
t "and so is a copy elsewhere" preview 0 --policies "$N"
t "it says so" shows '^no change$'
{
	echo '# the same in other words'
	cat "$P/db.yaml"
} >"$N/db.yaml"
t "a comment changes nothing" preview 0 --policies "$N"

t "web is denied, and that is logged" denied web tcp/5432 10.77.0.12
logged()
{
	jq -es 'any(.[]; .workload == "shop/db" and .peer == "shop/web" and .dest_port == 5432)' \
		"$LAB/a/log/denied.jsonl" >/dev/null
}
t "with both names" wait_until 10 logged

hold api 10.77.0.12 5432
hold api fd77::c 5432
hold web 10.77.0.11 80
t "api has connections to db" held_open api-5432
t "web has one to api" held_open web-80

policy "$N" db '{service: web}' tcp/5432
cut_two()
{
	preview 1 --policies "$N" --format json &&
		json_is '.live.cut == 2 and .live.stay == 1'
}
t "handing db from api to web would cut both of api's" wait_until 10 cut_two
t "as one line, by who, whom and port" json_is '.live.flows == [.live.flows[0]] and
	(.live.flows[0] | .from == "shop/api" and .to == "shop/db" and .port == "tcp/5432" and
	.flows == 2 and .first_seen != null)'
same_by_workload()
{
	local what='.live | .stay, .unlisted, [.flows[] | del(.first_seen)]'
	jq -S "$what" "$LAB/out" >"$LAB/at-once"
	"$VETHWALL" diff --run-dir "$LAB/short" --policies "$N" --format json | jq -S "$what" |
		diff "$LAB/at-once" -
}
liar short
t "flows that are too many for one answer are asked for by workload" same_by_workload
t "the logged denial would pass" json_is '.log.would_pass | length == 1 and
	(.[0] | .from == "shop/web" and .to == "shop/db" and .port == "tcp/5432" and .packets > 0)'
t "nothing logged would be denied" json_is '.log.would_be_denied == []'
t "the connections that change are told" json_is '[.events[]] as $e |
	["cut", "opened", "closed", "plan", "denied-live"] - $e == []'
t "none of them is the world's or the node's" json_is \
	'[.events[]] - ["cut", "opened", "closed", "plan", "denied-live"] == []'
t "the plan has operations" json_is '.plan.operations > 0 and (.plan.text | test("add element"))'
t "as text" preview 1 --policies "$N"
t "with what stays" shows '2 would be cut, 1 stays\.'
t "and the plan" shows '^\+ add element netdev vethwall'
t "as Markdown" preview 1 --policies "$N" --format markdown
t "with a table" shows '^\| shop/api \| shop/db \| tcp/5432 \| 2 \|'

t "a pipeline may stop at cut flows" preview 1 --policies "$N" --fail-on cut
t "and go on when nothing opens to the world" preview 0 --policies "$N" \
	--fail-on opened-world,opened-host,isolated
t "audit mode would cut nothing" preview 0 --policies "$N" --audit --fail-on cut,closed,denied-live
t "but changes the kernel" preview 1 --policies "$N" --audit

# What is too old does not count.
t "a log of the last second has no such denial" eval \
	'sleep 2; preview 1 --policies "$N" --since 1s --format json && json_is ".log.records == 0"'

echo 'kind: ServicePolicy' >"$N/broken.yaml"
t "a broken file is located, exit 2" preview 2 --policies "$N"
t "with its line" grep -q "broken.yaml:1:" "$LAB/err"
t "and nothing is previewed in part" eval '! [ -s "$LAB/out" ]'
rm "$N/broken.yaml"

rules_kept()
{
	diff "$LAB/rules" <(rules)
}
t "nothing of all this changed the kernel" rules_kept
t "nor the connections" held_open api-5432

# The preview and what comes of it.
t "a plan is written" preview 1 --policies "$N" --out "$LAB/plan"
t "for its owner alone" eval '[ "$(stat -c %a "$LAB/plan")" = 600 ]'
t "that knows its node without naming it" eval \
	'jq -e ".kind == \"vethwall plan\" and (.node | length == 32)" "$LAB/plan" >/dev/null &&
	! grep -qF "$(cat /etc/machine-id 2>/dev/null || echo no-machine-id)" "$LAB/plan"'
cp "$N/db.yaml" "$P/"
t "the new policies come in force" vw a reload
t "the connections that were named are cut" held_cut api-5432
t "the other one stays" held_open web-80
t "the denial that would pass passes" allowed web tcp/5432 10.77.0.12
t "and there is nothing left to change" preview 0 --policies "$N"
t "as after a SIGHUP without news" eval 'kill -HUP "${AGENT_PID[a]}"; preview 0 --policies "$N"'

# The world, for elsewhere.
t "the agent tells its world" eval 'vw a world >"$LAB/world.json"'
t "with interfaces and addresses" eval \
	'jq -e "[.workloads[].interfaces[] | select(.ifindex > 0)] | length == 3" "$LAB/world.json"'
mkdir "$LAB/old"
policy "$LAB/old" db '{service: api}' tcp/5432
offline_as_online()
{
	"$VETHWALL" diff --world "$LAB/world.json" --against "$P" --policies "$LAB/old" \
		--format json | jq -S '.plan, .connectivity' >"$LAB/offline"
	vw a diff --policies "$LAB/old" --format json | jq -S '.plan, .connectivity' >"$LAB/online"
	[ -s "$LAB/online" ] && diff "$LAB/offline" "$LAB/online"
}
t "offline, in that world, the same would change" offline_as_online

liar other
t "an answer that contradicts itself is not believed" eval \
	'"$VETHWALL" diff --run-dir "$LAB/other" --policies "$N" 2>"$LAB/err"
	[ $? -eq 2 ] && grep -q "use the vethwall that the agent runs" "$LAB/err"'

chmod o+rx "$LAB" "$LAB/a" "$LAB/a/run"
t "another user gets no snapshot" eval \
	'! setpriv --reuid 65534 --regid 65534 --clear-groups "$VETHWALL" world --run-dir "$LAB/a/run"'

t "a stop in order exits 0" agent_stop a
tap_done
