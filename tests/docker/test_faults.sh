# SPDX-License-Identifier: GPL-2.0-or-later
# An engine that hangs, lies, floods, or goes and comes back with others under the same names and addresses. The
# engine is real; between it and the agent stands a proxy that misbehaves. What stands keeps standing, nobody new gets
# anywhere before it is known, and nothing that is allowed loses a packet. (test_outage.sh: the engine itself goes.)
. tests/lib/tap.sh
. tests/lib/lib.sh
. tests/lib/engine.sh
. tests/lib/shop.sh
. tests/lib/faults.sh

shop_begin faults
service_policy db db 'ingress: [{from: [{service: api}], ports: [tcp/5432, udp/53]}]' 'egress: []'
DB=10.88.1.20 DB6=fd88:1::20

mode()
{
	echo "$1" >"$LAB/mode.new" && mv "$LAB/mode.new" "$LAB/mode"
}
mode pass
bg proxy node /usr/bin/python3 tests/lib/docker_proxy.py "$LAB/proxy.sock" "$LAB/engine/docker.sock" "$LAB/mode"
t "the proxy is there" wait_until "$DEADLINE" grep -qs ready "$LAB/proxy.out"

t "db starts" ct db db --network one --ip "$DB" --ip6 "$DB6" "$IMAGE" netprobe serve tcp:5432 udp:53
t "api starts" ct api api --network one --ip 10.88.1.10 "$IMAGE" netprobe serve tcp:80
t "a customer starts" ct customer api --network one "$IMAGE" netprobe serve tcp:80
t "a stranger starts" ct stranger - --network one "$IMAGE" netprobe serve tcp:80
t "the agent is ready" agent_start agent node --runtime "docker:$LAB/proxy.sock" --policies "$LAB/policies"
for c in db api customer stranger; do t "$c is enforced" enforced "$c" 1; done
STRANGER=pid:$(ct_pid stranger) CUSTOMER=pid:$(ct_pid customer)

nsenter --net="/proc/${CUSTOMER#pid:}/ns/net" setsid "$NETPROBE" -t 5000 steady "$DB" 53 20 >"$LAB/steady.out" 2>&1 &
steady=$!
LAB_PIDS+=("$steady")
t "flows of the customer go on" wait_until "$DEADLINE" grep -qs flowing "$LAB/steady.out"

rss()
{
	awk '/^VmRSS/ {print $2}' "/proc/${AGENT_PID[agent]}/status"
}
closed()
{
	denied "$STRANGER" tcp/5432 "$DB" 200 && denied "$STRANGER" tcp/5432 "$DB6" 200
}
right()
{
	wait_until "$DEADLINE" status_is '[.error, .runtime.connected, .runtime.synced] | map(tostring) | join(" ")' "null true true" &&
		closed && allowed "$CUSTOMER" tcp/5432 "$DB" && enforced late 1 && wait_until 10 kernel_is agent &&
		denied "pid:$(ct_pid late)" tcp/5432 "$DB" 200
}
# misbehaves WHAT MODE: the stream of events is cut first, so that everything is asked for under the mode.
misbehaves()
{
	local failed=$tap_failed before
	before=$(rss)
	mode gone
	wait_until "$DEADLINE" status_is .runtime.connected false >/dev/null
	mode "$2"
	# Somebody starts meanwhile.
	dk rm -f late >/dev/null 2>&1
	ct late - --network one "$IMAGE" netprobe serve tcp:80 >/dev/null
	t "$1: what is denied stays so" closed
	t "$1: for one that starts meanwhile too" denied "pid:$(ct_pid late)" tcp/5432 "$DB" 200
	sleep 1
	t "$1: memory is bounded" eval "[ \$((\$(rss) - $before)) -lt 262144 ]"
	mode pass
	t "$1: afterwards all is right" right
	FAULTS_N=$((FAULTS_N + 1))
	[ "$tap_failed" -ne "$failed" ] || FAULTS_SURVIVED=$((FAULTS_SURVIVED + 1))
}
misbehaves "the engine is gone" gone
misbehaves "it hangs" hang
misbehaves "it is slow" slow
misbehaves "it sends garbage" garbage
misbehaves "it lies" lies
misbehaves "it fails" broken
misbehaves "it sends a thousand brackets" deep
misbehaves "it sends gigabytes" flood
misbehaves "it drips" drip
misbehaves "it breaks off" cut

# The engine is out of sight while api is replaced by another of the same name and address.
mode gone
wait_until "$DEADLINE" status_is .runtime.connected false >/dev/null
dk rm -f api >/dev/null
t "another takes the name and address of api" ct api stranger --network one --ip 10.88.1.10 "$IMAGE" netprobe serve tcp:80
IMPOSTOR=pid:$(ct_pid api)
t "it has not what the first was allowed" denied "$IMPOSTOR" tcp/5432 "$DB"
t "nor by IPv6" denied "$IMPOSTOR" tcp/5432 "$DB6"
mode pass
t "the engine is back" right
t "the other is known" enforced api 1
t "and still not allowed" denied "$IMPOSTOR" tcp/5432 "$DB"
dk rm -f api >/dev/null
t "the right one comes back" ct api api --network one --ip 10.88.1.10 "$IMAGE" netprobe serve tcp:80
t "and is allowed" eval 'enforced api 1 && allowed "pid:$(ct_pid api)" tcp/5432 "$DB"'
FAULTS_N=$((FAULTS_N + 1))
FAULTS_SURVIVED=$((FAULTS_SURVIVED + 1))

kill "$steady"
wait_until 20 grep -q lost "$LAB/steady.out"
t "the customer's flows lost no packet" eval 'cat "$LAB/steady.out"; grep -q " lost 0$" "$LAB/steady.out"'
t "the agent stops in order" agent_stop agent
note "faults: $FAULTS_N injected, $FAULTS_SURVIVED survived"
tap_done
