# SPDX-License-Identifier: GPL-2.0-or-later
# Changes of policies on a node that serves traffic: held to what was shown, one transaction, no packet
# of a flow that stays, taken back when nobody confirms, whoever is killed meanwhile.
. tests/lib/tap.sh
. tests/lib/lib.sh

why=$(lab_missing jq python3 setpriv)
[ -z "$why" ] || skip_all "$why"

lab_begin apply
node_add
br_add br0 10.77.0.1/24
ct_add web br0 02:42:0a:4d:00:0a 10.77.0.10 - namespace=shop
ct_add api br0 02:42:0a:4d:00:0b 10.77.0.11 - namespace=shop
ct_add db br0 02:42:0a:4d:00:0c 10.77.0.12 - namespace=shop
world_write
serve db tcp:5432 tcp:80 udp:53
serve api tcp:80

P=$LAB/policies
GROUP=$(id -g nobody)
mkdir -p "$P" "$LAB/a"
printf 'history: 300\nlog_group: %s\n' "$(getent group "$GROUP" | cut -d: -f1)" >"$LAB/a/vethwall.yaml"

# policy FOLDER NAME FROM PORTS
policy()
{
	mkdir -p "$1"
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
policy "$P" db '{service: api}' 'tcp/5432, udp/53'
policy "$LAB/web" db '{service: web}, {service: api}' 'tcp/80, tcp/5432, udp/53'
policy "$LAB/only" db '{service: api}' udp/53

start()
{
	agent_start a node --runtime "static:$LAB/world.yaml" --policies "$P"
}
status_is()
{
	vw a status --format json | jq -e "$@" >/dev/null
}
set_is()
{
	status_is --argjson n "$1" '.applied.set.id == $n'
}
said()
{
	grep -q "$1" "$LAB/a/agent.out"
}
ask()
{
	python3 - "$LAB/a/run/control.sock" "$1" <<-'END'
		import socket, sys
		s = socket.socket(socket.AF_UNIX)
		s.settimeout(60)
		s.connect(sys.argv[1])
		s.sendall(sys.argv[2].encode() + b"\n")
		print(s.makefile().readline(), end="")
	END
}
# An apply request for the files of a folder; more fields as JSON.
request()
{
	jq -nc --rawfile t "$1/db.yaml" --arg n "$1/db.yaml" \
		'{cmd: "apply", sources: [{name: $n, text: $t}]} + $ARGS.positional[0]' --jsonargs "${2:-{\}}"
}
plan_of()
{
	ask "$(request "$1" '{"dry": true}')" | jq -r .plan
}
exits()
{
	local want=$1 rc=0
	shift
	"$@" || rc=$?
	[ "$rc" -eq "$want" ] || { echo "exit $rc, not $want"; return 1; }
}
as_reader()
{
	setpriv --reuid 65534 --regid "$GROUP" --clear-groups "$@"
}

t "the agent becomes ready" start
t "the first set is its folder's" status_is '.applied.set.action == "start" and .applied.set.id == 1 and
	(.applied.pinned | not) and .applied.kept == 1 and .applied.set.files == 1'
t "api reaches db" allowed api tcp/5432 10.77.0.12
t "web does not" denied web tcp/80 10.77.0.12

# One change, one transaction.
commits()
{
	vw a status --format json | jq .commits
}
bg monitor node stdbuf -oL nft monitor
monitor=$!
sleep 0.5
before=$(commits)
t "another folder is applied" eval 'vw a apply --policies "$LAB/web" | tee "$LAB/out" | grep -q "^set 2 is in force"'
t "it says that the agent's folder is another" grep -q "folder says something else" "$LAB/out"
t "and holds" allowed web tcp/80 10.77.0.12
one_commit()
{
	[ $(($(commits) - before)) -eq 1 ]
}
t "it was one transaction" one_commit
t "as the kernel says" wait_until 10 eval '[ "$(grep -c "new generation" "$LAB/monitor.out")" -eq 1 ]'
kill "$monitor" 2>/dev/null
t "status tells of it" status_is '.applied.pinned and .applied.set.action == "apply" and .applied.set.changed == 1 and .healthy'
t "the same again changes nothing" eval 'vw a apply --policies "$LAB/web" | grep -q "^set 2 is in force.* 0 operations"'
agent_kill a
t "an agent that is killed" start
t "is followed by one with the same set" allowed web tcp/80 10.77.0.12
t "which says so" eval 'set_is 2 && said "ENFORCED IS SET 2"'
t "its own folder is applied without a name" eval 'vw a apply | grep -q "^set 3 is in force"'
t "and closes what it did not allow" denied web tcp/80 10.77.0.12
t "nothing is pinned any more" status_is '.applied.pinned | not'

# Held to the plan that was shown.
plan=$(plan_of "$LAB/web")
t "a dry run changes nothing" denied web tcp/80 10.77.0.12
planned()
{
	ask "$(request "$LAB/web" "{\"plan\": \"$plan\"}")" | tee "$LAB/out" | jq -e .ok
}
t "the plan that was shown is taken" planned
t "and taken back" vw a rollback
t "which is as before" denied web tcp/80 10.77.0.12
ct_add web2 br0 02:42:0a:4d:00:0d 10.77.0.13 - namespace=shop service=other
world_write
t "a container that matters to neither set" wait_until 20 status_is '.counts.enforced == 4'
t "does not alter the plan" planned
vw a rollback >/dev/null
ct_forget web2
ct_add web3 br0 02:42:0a:4d:00:0e 10.77.0.14 - namespace=shop service=web
world_write
t "another of a service that the new set lets in" wait_until 20 status_is '.counts.enforced == 4 and .counts.workloads == 4'
t "does alter it" eval '! planned && jq -e ".refused and (.error | test(\"diff. again\"))" "$LAB/out"'
t "and nothing came in force" denied web tcp/80 10.77.0.12
ct_forget web3
ns_del web3
ns_del web2
world_write
t "the world is as it was" wait_until 20 status_is '.counts.workloads == 3'

# The same from the command line.
diff_out()
{
	rm -f "$LAB/plan"
	exits 1 vw a diff --policies "$LAB/web" --out "$LAB/plan"
}
t "diff writes the plan that it shows" diff_out
t "apply takes it" eval 'vw a apply --plan "$LAB/plan" | grep -q "is in force" && allowed web tcp/80 10.77.0.12'
t "once: what it starts from is no more, exit 1" exits 1 vw a apply --plan "$LAB/plan"
vw a apply >/dev/null
t "diff of the set in audit mode" eval 'exits 1 vw a diff --audit --policies "$LAB/only" --out "$LAB/audit"'
t "apply takes that too" eval 'vw a apply --plan "$LAB/audit" | grep -q "only watches" && status_is .applied.set.audit'
t "and what it would refuse passes" allowed web tcp/5432 10.77.0.12
agent_kill a
t "over a restart" start
t "it is still watched only" eval 'status_is ".applied.set.audit and .applied.pinned" && allowed web tcp/5432 10.77.0.12'
vw a apply >/dev/null
t "without --audit it is enforced" denied web tcp/5432 10.77.0.12
t "apply --audit is the same" eval 'vw a apply --audit | grep -q "only watches" && allowed web tcp/5432 10.77.0.12'
vw a apply >/dev/null
sed 's/web/wob/' "$LAB/plan" >"$LAB/edited"
t "a plan that was edited is refused, exit 2" eval 'exits 2 vw a apply --plan "$LAB/edited" 2>"$LAB/err" && grep -q "changed since" "$LAB/err"'
python3 - "$LAB/plan" "$LAB/foreign" "$LAB/other" <<-'END'
	import hashlib, json, sys
	plan = json.load(open(sys.argv[1]))
	del plan["seal"]
	for path, key, value in ((sys.argv[2], "node", "0" * 32), (sys.argv[3], "version", "0.0")):
	    p = dict(plan, **{key: value})
	    text = json.dumps(p, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
	    json.dump(dict(p, seal=hashlib.sha256(text.encode()).hexdigest()), open(path, "w"))
END
t "one of another node, exit 2" eval 'exits 2 vw a apply --plan "$LAB/foreign" 2>"$LAB/err" && grep -q "another node" "$LAB/err"'
t "one of another version, exit 2" eval 'exits 2 vw a apply --plan "$LAB/other" 2>"$LAB/err" && grep -q "made by vethwall 0.0" "$LAB/err"'

# At a terminal it asks.
at_terminal()
{
	script -qec "'$VETHWALL' apply --run-dir '$LAB/a/run' --policies '$LAB/web' $2" /dev/null <<<"$1" >"$LAB/out"
}
t "on a terminal, no is no, exit 1" eval 'exits 1 at_terminal n; grep -q "y/N" "$LAB/out" && grep -q "nothing was changed" "$LAB/out"'
t "and nothing changes" denied web tcp/80 10.77.0.12
t "yes is yes" eval 'at_terminal y && grep -q "is in force" "$LAB/out" && allowed web tcp/80 10.77.0.12'
vw a apply >/dev/null
t "--yes does not ask" eval 'at_terminal n --yes && ! grep -q "y/N" "$LAB/out" && allowed web tcp/80 10.77.0.12'
vw a apply >/dev/null

# Flows that stay, and one that does not.
bg steady api "$NETPROBE" -t 5000 steady 10.77.0.12 53 20
steady=$!
t "twenty flows of datagrams go on" wait_until "$DEADLINE" grep -qs flowing "$LAB/steady.out"
bg hold-api api "$NETPROBE" -t 5000 hold 10.77.0.12 5432
hold_api=$!
t "and a connection" wait_until "$DEADLINE" grep -qs 5 "$LAB/hold-api.out"
hundred()
{
	local i
	for ((i = 0; i < 50; i++)); do
		vw a apply --policies "$LAB/web" >/dev/null && vw a apply >/dev/null || return
	done
}
t "a hundred applies pass" hundred
t "the connection is open" eval 'sleep 0.5; ! pid_gone "$hold_api"'
bg hold-web web "$NETPROBE" -t 1000 hold 10.77.0.11 80
hold_web=$!
t "a connection to somebody else" wait_until "$DEADLINE" grep -qs 5 "$LAB/hold-web.out"
t "a set that ends one permission" eval 'vw a apply --policies "$LAB/only" | tee "$LAB/out" | grep -q "^set"'
t "cuts the connection that had it" wait_until 30 pid_gone "$hold_api"
t "says how many flows it cut" eval 'grep -q ", [12] live flows cut" "$LAB/out" && said "[12] live flows lost their permission and were cut"'
t "and cuts nobody else's" eval 'sleep 0.5; ! pid_gone "$hold_web"'
kill "$steady"
wait_until 20 grep -q lost "$LAB/steady.out"
t "the flows that stayed lost no packet" eval 'cat "$LAB/steady.out"; grep -q " lost 0$" "$LAB/steady.out"'
kill "$hold_web"
t "back to the folder" vw a apply

# Confirm in time.
t "a change with a time to confirm" eval 'vw a apply --policies "$LAB/web" --confirm 60s | grep -q "NOT YET CONFIRMED"'
t "is in force" allowed web tcp/80 10.77.0.12
t "status tells what comes back" status_is '.applied.previous != null and .applied.confirm_left > 0'
t "another change waits its turn, exit 1" exits 1 vw a apply
t "a reload too" eval '! vw a reload 2>"$LAB/err" && grep -q confirm "$LAB/err"'
kill -HUP "${AGENT_PID[a]}"
t "and by SIGHUP" wait_until 10 said "reload refused"
t "confirm" vw a confirm
t "twice is once too often, exit 1" exits 1 vw a confirm
t "and nothing waits" status_is '.applied.previous == null'
t "it is still in force" allowed web tcp/80 10.77.0.12
t "back to the folder" eval 'vw a apply >/dev/null'

# Nobody confirms.
t "a change that nobody confirms" eval 'vw a apply --policies "$LAB/web" --confirm 2s >/dev/null'
back()
{
	status_is '.applied.previous == null and .applied.set.action == "expired"'
}
t "is taken back" wait_until 30 back
t "in the kernel too" denied web tcp/80 10.77.0.12
t "and the log says so" said "NOT CONFIRMED in time"
t "it is the folder's set, so nothing is pinned" status_is '.applied.pinned | not'
t "what is in force already needs no confirmation" eval 'vw a apply --confirm 2s >/dev/null &&
	status_is ".applied.previous == null"'

# The agent dies meanwhile.
t "a change with a long time" eval 'vw a apply --policies "$LAB/web" --confirm 300s >/dev/null'
agent_kill a
t "an agent that is killed before it is over" start
t "is followed by one with that set" allowed web tcp/80 10.77.0.12
t "and the countdown" status_is '.applied.previous != null and .applied.confirm_left > 0 and .applied.confirm_left < 300'
t "rollback takes it back at once" eval 'vw a rollback >/dev/null'
t "and nothing waits any more" eval 'status_is ".applied.previous == null" && denied web tcp/80 10.77.0.12'
t "a change with a short time" eval 'vw a apply --policies "$LAB/web" --confirm 2s >/dev/null'
agent_kill a
t "without an agent it stands" allowed web tcp/80 10.77.0.12
sleep 3
t "an agent that starts when the time is over" start
t "goes back at once" denied web tcp/80 10.77.0.12
t "and says so" eval 'back && said "NOT CONFIRMED in time"'

# The folder itself, edited and not confirmed.
cp "$P/db.yaml" "$LAB/db.yaml"
policy "$P" db '{service: web}' tcp/80
t "the edited folder, with a long time" eval 'vw a apply --confirm 300s >/dev/null'
agent_kill a
t "an agent that is killed" start
t "is followed by one that still counts" status_is '.applied.previous != null and (.applied.pinned | not)'
t "rollback" eval 'vw a rollback >/dev/null && denied web tcp/80 10.77.0.12'
t "pins what the folder no longer says" status_is '.applied.pinned'
t "the edited folder, with a short time" eval 'vw a apply --confirm 2s >/dev/null && allowed web tcp/80 10.77.0.12'
agent_kill a
sleep 3
t "an agent that starts when the time is over" start
t "takes the set before, not the folder" eval 'back && denied web tcp/80 10.77.0.12'
t "and pins it" status_is '.applied.pinned'
cp "$LAB/db.yaml" "$P/db.yaml"
agent_stop a
t "an agent whose folder says again what is in force" start
t "has nothing pinned" status_is '.applied.pinned | not'

# The folder changes while a set is pinned.
t "a set of elsewhere" eval 'vw a apply --policies "$LAB/web" >/dev/null'
policy "$P" db '{service: web}' tcp/80
t "reload puts the folder in force" eval 'vw a reload >/dev/null && status_is "(.applied.pinned | not) and .applied.set.action == \"reload\""'
t "which is another by now" denied api tcp/5432 10.77.0.12
t "rollback to the first set" eval 'vw a rollback 1 | grep -q "^back to set 1: set"'
t "opens what it allowed" allowed api tcp/5432 10.77.0.12
t "and closes the rest" denied web tcp/80 10.77.0.12
agent_kill a
t "over a restart" start
t "it stays, whatever the folder says" allowed api tcp/5432 10.77.0.12
t "a set that is not there, exit 1" exits 1 vw a rollback 999
t "the one in force, exit 1" eval 'exits 1 vw a rollback "$(vw a status --format json | jq .applied.set.id)"'

# History.
t "history has who, how and what" eval 'vw a history --format json | jq -e "
	.sets[0].enforced and .sets[0].action == \"rollback\" and .sets[0].of == 1 and .sets[0].by.uid == 0 and
	.sets[0].by.comm == \"vethwall\" and (.sets[0].time | test(\"^20.*Z$\")) and
	any(.sets[]; .action == \"expired\" and .by == null)"'
t "and as a table" eval 'vw a history | grep -q "^\*.* rollback .*root (vethwall [0-9]*), as set 1"'
t "its texts are kept" eval 'n=$(vw a history --format json | jq ".sets[0].id"); vw a history "$n" | grep -q "service: api"'
chmod o+rx "$LAB" "$LAB/a" "$LAB/a/run"
t "a member of the log group may read it" eval 'as_reader "$VETHWALL" history --run-dir "$LAB/a/run" | grep -q rollback'
t "but no texts" eval '! as_reader "$VETHWALL" history 1 --run-dir "$LAB/a/run"'
t "and change nothing" eval '
	for c in "apply" "apply --policies $LAB/web" confirm rollback; do
		as_reader "$VETHWALL" $c --run-dir "$LAB/a/run" 2>"$LAB/err"; [ $? -eq 2 ] &&
		grep -q "only root" "$LAB/err" || { cat "$LAB/err"; exit 1; }
	done'
t "nor as much as fill the agent's memory" eval 'head -c 100000 /dev/zero | tr "\0" x | as_reader timeout 20 python3 -c "
import socket, sys
s = socket.socket(socket.AF_UNIX); s.connect(\"$LAB/a/run/control.sock\")
try: s.sendall(sys.stdin.buffer.read())
except OSError: pass
print(s.recv(4096).decode())" | grep -q "longer than 65536"'
t "the folder is root's alone" eval '[ "$(stat -c %a "$LAB/a/state/applied")" = 700 ] && [ "$(stat -c %a "$LAB/a/state/state.json")" = 600 ]'

# Nonsense.
refuses()
{
	ask "$1" | tee "$LAB/out" | jq -e '(.ok | not) and (.error | length > 0)' >/dev/null || { cat "$LAB/out"; return 1; }
}
for r in '{"cmd":"apply","sources":7}' '{"cmd":"apply","sources":[7]}' '{"cmd":"apply","sources":[{"name":"x","text":7}]}' \
	'{"cmd":"apply","confirm_ms":"60"}' '{"cmd":"apply","confirm_ms":0}' '{"cmd":"apply","confirm_ms":1e9}' \
	'{"cmd":"apply","plan":"x"}' '{"cmd":"apply","audit":"yes"}' '{"cmd":"apply","confrim_ms":60000}' \
	'{"cmd":"rollback","set":"x"}' '{"cmd":"rollback","set":-1}' '{"cmd":"history","set":"x"}' \
	'{"cmd":"apply","sources":[{"name":"x.yaml","text":"kind: Nonsense"}]}' \
	'{"cmd":"apply","sources":[{"name":"x.yaml","text":""},{"name":"x.yaml","text":""}]}'; do
	t "refused: $r" refuses "$r"
done
echo 'kind: ServicePolicy' >"$LAB/web/broken.yaml"
t "a broken file is shown with its place, exit 2" eval 'exits 2 vw a apply --policies "$LAB/web" 2>"$LAB/err" && grep -q "broken.yaml:1:" "$LAB/err"'
rm "$LAB/web/broken.yaml"
t "the agent is as it was" eval 'allowed api tcp/5432 10.77.0.12 && denied web tcp/80 10.77.0.12'
t "a plan file that is none, exit 2" exits 2 vw a apply --plan "$P/db.yaml"
t "no agent there, exit 2" exits 2 "$VETHWALL" apply --run-dir "$LAB/none"

# Damage.
spoil_enforced()
{
	local n
	n=$(vw a status --format json | jq .applied.set.id)
	agent_stop a
	sed -i 's/tcp/udp/' "$LAB/a/state/applied/$(printf %06d "$n")/sources.json"
}
vw a apply --policies "$LAB/web" --confirm 300s >/dev/null
spoil_enforced
t "an agent whose set that waits was changed" start
t "takes the one before" eval 'said "is damaged" && back && allowed api tcp/5432 10.77.0.12 && denied web tcp/80 10.77.0.12'
spoil_enforced
t "an agent whose stored set was changed" start
t "does not take it" eval 'said "is damaged" && said "cannot be read" && denied api tcp/5432 10.77.0.12'
t "but the folder, and says so" eval 'allowed web tcp/80 10.77.0.12 && ! vw a status >/dev/null'
agent_stop a
mv "$LAB/a/state" "$LAB/a/state.old"
echo "in the way" >"$LAB/a/state"
t "an agent without a state folder starts" start
t "and enforces" eval 'allowed web tcp/80 10.77.0.12 && denied api tcp/5432 10.77.0.12'
t "it says so" eval 'vw a status | grep -q "^history *ERROR" && said "no history is kept"'
t "nothing can be confirmed then, exit 1" exits 1 vw a apply --policies "$LAB/only" --confirm 60s
t "or rolled back, exit 1" exits 1 vw a rollback
t "but applied" eval 'vw a apply --policies "$LAB/only" | grep -q "not stored" && denied web tcp/80 10.77.0.12'
t "it stops in order" agent_stop a
tap_done
