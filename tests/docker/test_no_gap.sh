# SPDX-License-Identifier: GPL-2.0-or-later
# No gap at the start of a container, whatever the agent does meanwhile: idle, busy with reloads, stopped
# by a signal, dead, or restarting all the time. Three of four containers flood from their first
# instruction though they may not send; one of four is flooded all the time though nobody may reach it.
# STARTS=200 for the long form.
. tests/lib/tap.sh
. tests/lib/lib.sh
. tests/lib/engine.sh
. tests/lib/shop.sh

STARTS=${STARTS:-40}
EACH=$((STARTS / 5))
SINK=10.88.1.30
MANY_POLICIES=500
SENT=0 LEAKED=0 STARTED=0

shop_begin nogap
service_policy quiet quiet 'egress: []'
service_policy vault vault 'ingress: []' 'egress: []'
service_policy late late 'ingress: [{from: [{service: loud}], ports: [tcp/80]}]' 'egress: []'

is_receiver()
{
	[ $(($1 % 4)) -eq 3 ]
}
# Starts containers I, I + 4, I + 8, ...: four of these run side by side.
lane()
{
	local state=$1 i
	for ((i = $2; i < EACH; i += 4)); do
		if is_receiver "$i"; then
			ct "$state-$i" vault --network one --ip "10.88.1.$((100 + i))" "$IMAGE" netprobe count 7000
		else
			ct "$state-$i" quiet --network one "$IMAGE" netprobe flood "$SINK" 7000 150
		fi
	done
}
LANES=()
lanes_begin()
{
	local l
	LANES=()
	for l in 0 1 2 3; do
		lane "$1" "$l" &
		LANES+=($!)
	done
}
lanes_run()
{
	local l
	for l in "${LANES[@]}"; do
		pid_gone "$l" || return 0
	done
	return 1
}
# What left the containers of a state, and what arrived: counts both, and fails when something did.
tally()
{
	local state=$1 i n sent=0 started=0 leaked
	wait "${LANES[@]}"
	for ((i = 0; i < EACH; i++)); do
		if is_receiver "$i"; then
			n=$(received "$state-$i") || return
			leaked=$((${leaked:-0} + n))
		else
			dk wait "$state-$i" >/dev/null
			n=$(dk logs "$state-$i" | awk '/^sent/ {print $2}')
			sent=$((sent + n))
		fi
		started=$((started + 1))
	done
	n=$(received sink) || return
	leaked=$((${leaked:-0} + n - SEEN))
	SEEN=$n
	SENT=$((SENT + sent))
	STARTED=$((STARTED + started))
	LEAKED=$((LEAKED + leaked))
	echo "$state: $started starts, sent $sent, leaked $leaked"
	[ "$sent" -gt 0 ] && [ "$leaked" -eq 0 ]
}
sweep()
{
	# shellcheck disable=SC2046
	dk rm -f $(dk ps -aq --filter "name=^/$1-") >/dev/null
}
round()
{
	lanes_begin "$1"
	tally "$1"
}
# The control: that a flood of one that may send arrives, and that loud reaches whom it may.
arrives()
{
	local n
	ct open - --network one "$IMAGE" netprobe flood "$SINK" 7000 150 || return
	dk wait open
	n=$(received sink)
	echo "received $n"
	SEEN=$n
	[ "$n" -gt 0 ]
}
loud_arrives()
{
	local n
	sleep 1
	n=$(received open-count)
	echo "received $n"
	[ "$n" -gt 0 ]
}
late()
{
	ct "$1" late --network one --ip 10.88.1.40 "$IMAGE" netprobe serve tcp:80 tcp:22
}
late_works()
{
	dk inspect -f "{{.Name}} {{json .State}}" loud "$1"
	enforced "$1" 1 && allowed docker:loud tcp/80 10.88.1.40 && denied docker:loud tcp/22 10.88.1.40
}
reload_all_the_time()
{
	local i
	for ((i = 0; i < MANY_POLICIES; i++)); do
		service_policy "many$i" "many$i" "ingress: [{from: [{cidr: 10.9.$((i % 256)).0/24}], ports: [tcp/$((1 + i))]}]"
	done
	while :; do
		service_policy many0 many0 "ingress: [{from: [{cidr: 10.9.0.0/$((16 + RANDOM % 8))}]}]"
		vw agent reload >/dev/null
		echo reloaded
	done
}

t "the agent is ready" shop_agent
t "the guard stands" status_is .guard.stands true
t "Docker's bridges are managed" eval 'status ".guard.bridges[]" | grep -q "^br-"'
t "a sink starts" ct sink sink --network one --ip "$SINK" "$IMAGE" netprobe count 7000
t "one starts that nobody protects" ct open-count - --network one --ip 10.88.1.99 "$IMAGE" netprobe count 7000
# shellcheck disable=SC2016
t "a loud one starts" ct loud loud --network one --ip 10.88.1.50 -e "N=$EACH" "$IMAGE" sh -c 'while :; do
	netprobe flood 10.88.1.99 7000 1
	i=3
	while [ $i -lt $N ]; do netprobe flood 10.88.1.$((100 + i)) 7000 2; i=$((i + 4)); done
done >/dev/null'
t "a flood that is allowed arrives" arrives
t "and loud is heard where it may be" loud_arrives

t "idle: nothing leaks" round idle
sweep idle

reload_all_the_time >"$LAB/reloads" 2>&1 &
BUSY=$!
LAB_PIDS+=("$BUSY")
wait_until "$DEADLINE" test -s "$LAB/reloads"
t "busy: nothing leaks" round busy
kill_wait "$BUSY"
t "and it reloaded meanwhile" eval '[ "$(wc -l <"$LAB/reloads")" -gt 1 ]'
rm -f "$LAB"/policies/many*.yaml
vw agent reload >/dev/null
sweep busy

kill -STOP "${AGENT_PID[agent]}"
t "stopped: nothing leaks" round stopped
t "one more starts" late late-1
kill -CONT "${AGENT_PID[agent]}"
t "and works when the agent goes on" late_works late-1
sweep stopped
dk rm -f late-1 >/dev/null

agent_kill agent
t "dead: nothing leaks" round dead
t "one more starts" late late-2
t "an agent comes back" shop_agent
t "and it works" late_works late-2
sweep dead

restart_all_the_time()
{
	local n=0
	lanes_begin restarting
	while lanes_run; do
		agent_kill agent
		sleep 0.2
		shop_agent || return
		n=$((n + 1))
	done
	tally restarting || return
	echo "$n restarts"
	[ "$n" -gt 0 ]
}
t "restarting: nothing leaks" restart_all_the_time
t "the late one works still" late_works late-2
t "all were started" [ "$STARTED" -eq $((EACH * 5)) ]
note "starts: $STARTED, packets leaked: $LEAKED" "packets that their senders sent: $SENT"
t "the agent stops in order" agent_stop agent
tap_done
