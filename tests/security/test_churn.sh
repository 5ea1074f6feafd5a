# SPDX-License-Identifier: GPL-2.0-or-later
# Twenty starts and twenty stops a second, and an agent that is killed at random moments among them (KILLS=15), then
# one that is left alone for SOAK_SECONDS=20 and must not grow. `make soak` has the long forms.
. tests/lib/tap.sh
. tests/lib/lib.sh
. tests/lib/faults.sh

why=$(lab_missing jq)
[ -z "$why" ] || skip_all "$why"
KILLS=${KILLS:-15}
SOAK_SECONDS=${SOAK_SECONDS:-20}
RANDOM=${SEED:-1}
# What ASan keeps back of freed memory would look like a leak.
export ASAN_OPTIONS="${ASAN_OPTIONS:+$ASAN_OPTIONS:}quarantine_size_mb=1"

lab_begin churn
node_add
br_add br0 10.77.0.1/16 fd77::1/64
ct_add web br0 02:42:0a:4d:00:0a 10.77.0.10 fd77::a namespace=shop
ct_add api br0 02:42:0a:4d:00:0b 10.77.0.11 fd77::b namespace=shop
ct_add db br0 02:42:0a:4d:00:0c 10.77.0.12 fd77::c namespace=shop
pool_begin br0
world_write
serve db tcp:5432 udp:53

mkdir "$LAB/policies"
cat >"$LAB/policies/all.yaml" <<END
apiVersion: vethwall/v1
kind: ServicePolicy
metadata: {name: db, namespace: shop}
spec: {service: db, ingress: [{from: [{service: api}], ports: [tcp/5432, udp/53]}]}
---
apiVersion: vethwall/v1
kind: ServicePolicy
metadata: {name: pool, namespace: shop}
spec: {service: pool, ingress: [{from: [{service: api}], ports: [tcp/80]}], egress: []}
END

begin_agent()
{
	agent_start a node --runtime "static:$LAB/world.yaml" --policies "$LAB/policies"
}
closed()
{
	denied web tcp/5432 10.77.0.12 150
}
# Under churn the table may change between the agent's word and the reading: until the two meet.
right()
{
	wait_until 20 kernel_is a && allowed api tcp/5432 10.77.0.12 && closed && denied web tcp/5432 fd77::c 150
}
killed_once()
{
	sleep "0.$((RANDOM % 10))$((RANDOM % 10))"
	agent_kill a
	closed && begin_agent && right
}

t "the agent becomes ready" begin_agent
t "all is right" right
bg steady api "$NETPROBE" -t 5000 steady 10.77.0.12 53 20
steady=$!
t "flows of others go on" wait_until "$DEADLINE" grep -qs flowing "$LAB/steady.out"

began=$SECONDS
churn_begin 30
survived=0
for ((k = 1; k <= KILLS; k++)); do
	failed=$tap_failed
	t "kill $k: what was denied stays so, and all is right with the next agent" killed_once
	[ "$tap_failed" -ne "$failed" ] || survived=$((survived + 1))
done

# Memory and descriptors, a sample a second; the first quarter is for warming up.
sample()
{
	local p=${AGENT_PID[a]}
	echo "$(awk '/^VmRSS/ {print $2}' "/proc/$p/status") $(find "/proc/$p/fd" -mindepth 1 | wc -l)"
}
soak()
{
	local end=$((SECONDS + SOAK_SECONDS))
	: >"$LAB/samples"
	while [ "$SECONDS" -lt "$end" ]; do
		sample >>"$LAB/samples"
		sleep 1
	done
}
# The last quarter's mean against the second's: at most a tenth and 1 MiB more; descriptors: as many, give or take
# what a client or a file holds for a moment.
flat()
{
	awk -v col="$1" -v slack="$2" '{v[NR] = $col} END {
		q = int(NR / 4)
		for (i = 1; i <= q; i++) { a += v[q + i]; b += v[NR - q + i] }
		printf "from %.0f to %.0f\n", a / q, b / q
		exit !(q && b / q <= a / q * 1.1 + slack)
	}' "$LAB/samples"
}
soak
t "memory is flat" flat 1 1024
t "descriptors are" flat 2 2
note "churn: $(wc -l <"$LAB/churned") starts and as many stops in $((SECONDS - began)) s"
note "soak: $SOAK_SECONDS s, KiB $(flat 1 1024), descriptors $(flat 2 2)"
churn_end
t "afterwards everything of the world stands" settled a
t "and all is right" right

kill "$steady"
wait_until 20 grep -q lost "$LAB/steady.out"
t "flows of others lost no packet" eval 'cat "$LAB/steady.out"; grep -q " lost 0$" "$LAB/steady.out"'
t "the agent stops in order" agent_stop a
note "faults: $KILLS injected, $survived survived"
tap_done
