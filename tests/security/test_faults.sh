# SPDX-License-Identifier: GPL-2.0-or-later
# What the kernel, the disk, memory and the clock may do to an agent: each fault while containers come and go and
# policies change. What is denied stays denied meanwhile, flows of others lose nothing, and afterwards all is right, by
# packets and by a reading of the table.
. tests/lib/tap.sh
. tests/lib/lib.sh
. tests/lib/faults.sh

why=$(lab_missing jq dd od)
[ -z "$why" ] || skip_all "$why"

lab_begin faults
node_add
br_add br0 10.77.0.1/16 fd77::1/64
ct_add web br0 02:42:0a:4d:00:0a 10.77.0.10 fd77::a namespace=shop
ct_add api br0 02:42:0a:4d:00:0b 10.77.0.11 fd77::b namespace=shop
ct_add db br0 02:42:0a:4d:00:0c 10.77.0.12 fd77::c namespace=shop
ct_add one br0 02:42:0a:4d:00:0d 10.77.0.13 fd77::d namespace=shop
ct_add two br0 02:42:0a:4d:00:0e 10.77.0.14 fd77::e namespace=shop
pool_begin br0
world_write
serve db tcp:5432
serve two udp:53

mkdir "$LAB/policies"
policy()
{
	printf 'apiVersion: vethwall/v1\nkind: ServicePolicy\nmetadata: {name: %s, namespace: shop}\nspec: {service: %s, %s}\n' \
		"$1" "$1" "$2" >"$LAB/policies/$1.yaml"
}
policy db 'ingress: [{from: [{service: api}], ports: [tcp/5432]}]'
policy two 'ingress: [{from: [{service: one}], ports: [udp/53]}]'
policy pool 'ingress: []'

begin_agent()
{
	agent_start a node --runtime "static:$LAB/world.yaml" --policies "$LAB/policies"
}

n_pool=0
# Containers come and go, a policy changes, the node gets an address and loses it.
disturb()
{
	local i
	for i in 1 2 3; do
		n_pool=$((n_pool + 1))
		pool_start "c$n_pool" "$n_pool"
		world_write
		sleep 0.05
	done
	[ "$n_pool" -le 6 ] || for i in 6 7 8; do pool_stop "c$((n_pool - i))"; done
	world_write
	policy pool "ingress: [{from: [{service: db}], ports: [tcp/$n_pool]}]"
	timeout 2 "$VETHWALL" reload --run-dir "$LAB/a/run" # without descriptors nobody answers
	ns node ip addr add "10.99.0.$((n_pool % 250))/32" dev br0
	sleep 0.2
}
closed()
{
	denied web tcp/5432 10.77.0.12 150 && denied web tcp/5432 fd77::c 150
}
# What is checked after each: the state, the table, packets.
right()
{
	settled a && kernel_is a && allowed api tcp/5432 10.77.0.12 && allowed api tcp/5432 fd77::c && closed
}
lives()
{
	local rc=0
	pid_gone "${AGENT_PID[a]}" || return 0
	wait "${AGENT_PID[a]}" || rc=$?
	tail -n 30 "$LAB/a/agent.out"
	echo "the agent has ended with $rc"
	return 1
}
# survived WHAT: the fault is over; the agent lives or comes back, and all is right.
survived()
{
	local failed=$tap_failed
	FAULTS_N=$((FAULTS_N + 1))
	t "$1: the agent lives" lives
	! pid_gone "${AGENT_PID[a]}" || t "$1: another agent starts" begin_agent
	vw a reload >/dev/null 2>&1
	t "$1: afterwards all is right" right
	[ "$tap_failed" -ne "$failed" ] || FAULTS_SURVIVED=$((FAULTS_SURVIVED + 1))
}
# fault WHAT PLAN
fault()
{
	local before
	before=$(faults_injected)
	fault_plan "$2"
	disturb >"$LAB/disturb.out" 2>&1
	t "$1: what is denied stays so" closed
	fault_plan ""
	t "$1: it has happened ($(($(faults_injected) - before)))" [ "$(faults_injected)" -gt "$before" ]
	survived "$1"
}

faults_begin
t "the agent becomes ready" begin_agent
t "all is right" right
bg steady one "$NETPROBE" -t 5000 steady 10.77.0.14 53 20
steady=$!
t "flows of others go on" wait_until "$DEADLINE" grep -qs flowing "$LAB/steady.out"

fault "netlink says ENOBUFS to every tenth reading" "recv_enobufs=100"
fault "and EINTR" "recv_eintr=200"
fault "netlink messages are lost" "recv_lost=100"
fault "every one of some" "recv_lost=1000,20"
fault "netlink takes no message" "send_enobufs=200"
fault "and is interrupted" "send_eintr=200"
fault "batches are refused half-way" "spoil=500"
fault "all of them" "spoil=1000,8"
fault "memory is short" "memory=5"
fault "memory is very short" "memory=50"
fault "there is none" "memory=1000,40"
fault "there are no descriptors" "files=1000"
fault "the disk is full" "enospc=1000 fsync=500"
fault "everything at once" "recv_enobufs=50 recv_lost=20 send_eintr=50 spoil=100 memory=2 files=100 enospc=300"

# One wall that is never taken: the others go on.
refused_alone()
{
	vw a status --format json | jq -e '.error == null and any(.workloads[]; .name == "bad" and .state != "enforced" and
		(.interfaces[0].reason | test("refused"))) and any(.workloads[]; .name == "good" and .state == "enforced") and
		.counts.not_enforced == 1' >/dev/null
}
fault_plan "spoil_name=1000 name=v-bad"
pool_start bad 4001
pool_start good 4002
world_write
t "a wall that the kernel refuses keeps nobody else's" wait_until 20 refused_alone
t "and is told" eval 'vw a status | grep "v-bad"'
t "policies change" eval 'policy two "ingress: [{from: [{service: one}, {service: api}], ports: [udp/53]}]"; vw a reload'
t "for the others" allowed api udp/53 10.77.0.14
t "the kernel has what the agent says" kernel_is a
t "what is denied stays so" closed
fault_plan ""
pool_stop bad
pool_start bad 4003
survived "a wall is refused"

# Clocks.
jump()
{
	fault_plan "clock=$2"
	disturb >"$LAB/disturb.out" 2>&1
	t "$1: what is denied stays so" closed
	survived "$1"
}
jump "the clock goes back ten hours" -36000
jump "and on a year" 31536000
jump "before 1970" -2000000000
fault_plan ""
survived "and is right again"

# Real limits, as an operator or systemd would set them.
limited()
{
	prlimit --pid "${AGENT_PID[a]}" "$2"
	disturb >"$LAB/disturb.out" 2>&1
	t "$1: what is denied stays so" closed
	prlimit --pid "${AGENT_PID[a]}" "$3"
	survived "$1"
}
limited "no descriptor is left" --nofile=3: --nofile=1024:

kill "$steady"
wait_until 20 grep -q lost "$LAB/steady.out"
t "flows of others lost no packet" eval 'cat "$LAB/steady.out"; grep -q " lost 0$" "$LAB/steady.out"'
t "the agent stops in order" agent_stop a
note "faults: $FAULTS_N injected ($(faults_injected) calls), $FAULTS_SURVIVED survived"
tap_done
