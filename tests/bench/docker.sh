# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
# The question of starts.sh to a real Docker Engine: containers that flood from their first instruction,
# under the agent, and with nothing but a script that acts on the engine's `start` event.

. tests/bench/starts.sh

DOCKER_FLOOD_MS=200
USUAL_STARTS=10

docker_setup()
{
	node_add dock && ns dock sysctl -qw net.bridge.bridge-nf-call-iptables=0 &&
		engine_start dock && mkdir -p "$LAB/rootfs/bin" && cp "$TRAFFIC" "$LAB/rootfs/bin/traffic" &&
		image_import && dk network create --subnet 10.88.0.0/16 one >/dev/null &&
		dk run -d --name sink --network one --ip 10.88.255.1 "$IMAGE" netprobe count "$SINK_PORT" >/dev/null
}

# Runs container NAME at IP to its end; its first instruction's time goes to FILE.
docker_flood()
{
	dk run --name "$1" --network one --ip "$2" --label "vethwall.service=$3" --label vethwall.namespace=default \
		"$IMAGE" traffic start 10.88.255.1 "$SINK_PORT" "$DOCKER_FLOOD_MS" >>"$4" || return
	dk rm -f "$1" >/dev/null
}

docker_counted()
{
	local before now
	before=$(dk logs sink | grep -c '^received')
	dk kill -s USR1 sink >/dev/null
	wait_until "$DEADLINE" docker_told "$before"
	now=$(dk logs sink | awk '/^received/ {n = $2} END {print n}')
	DOCKER_COUNT=$((now - DOCKER_SEEN))
	DOCKER_SEEN=$now
}

docker_told()
{
	[ "$(dk logs sink | grep -c '^received')" -gt "$1" ]
}

# What many scripts do: on `start`, put the container's address into a set that is dropped.
act_on_start()
{
	ns dock nft -f - <<-END || return
		table bridge usual {
			set refused {
				type ipv4_addr
			}
			chain forward {
				type filter hook forward priority 0;
				ip saddr @refused counter drop
			}
		}
	END
	# It ends with the engine.
	dk events --filter event=start --format '{{.Actor.Attributes.name}}' 2>/dev/null | while read -r name; do
		ns dock nft add element bridge usual refused "{ $(ct_ip "$name" one) }"
	done &
	LAB_PIDS+=($!)
	sleep 0.5
}

# A container each time, so that the median of what it got past can be told.
docker_floods()
{
	local i n=$1 service=$2 file=$3
	for ((i = 0; i < n; i++)); do
		docker_flood "$service$i" "10.88.1.$((1 + i))" "$service" "$file" || return
		docker_counted
		echo "$DOCKER_COUNT" >>"$file.past"
	done
}

docker_rows()
{
	local past open acted
	past=$(awk '{n += $1} END {print n}' "$LAB/docker.wall.past")
	open=$(median <"$LAB/docker.open.past")
	acted=$(median <"$LAB/docker.usual.past")
	heading "Start to enforced ($DOCKER_STARTS Docker containers one after the other, each floods UDP for $DOCKER_FLOOD_MS ms)"
	row "Docker: link to hold, p50" "$(column_ms "$LAB/hold.times" 1 50) ms" "p99 $(column_ms "$LAB/hold.times" 1 99) ms"
	start_rows "Docker" "$LAB/docker.times"
	row "Docker: packets past a policy that denies" "$past" \
		"one container without policy: $open; a script that acts on the start event: $acted (medians)"
}

bench_docker()
{
	local why
	why=$(engine_missing)
	[ -z "$why" ] || { heading "Docker: not measured, $why"; return; }
	start_policies "$LAB/flood"
	docker_setup || return
	DOCKER_SEEN=0
	agent_start dock dock --runtime "docker:$LAB/engine/docker.sock" --policies "$LAB/flood" &&
		watch_start dock || return
	docker_floods "$DOCKER_STARTS" flooder "$LAB/docker.wall" || return
	cp "$LAB/watch-dock.out" "$LAB/dock.watch"
	docker_floods 3 open "$LAB/docker.open" || return
	agent_stop dock
	ns dock "$VETHWALL" run --teardown --run-dir "$LAB/dock/run" --log-dir "$LAB/dock/log" || return
	act_on_start && docker_floods "$USUAL_STARTS" usual "$LAB/docker.usual" || return
	start_times "$LAB/dock.watch" i4_ "$LAB/docker.wall" >"$LAB/docker.times"
	start_times "$LAB/dock.watch" in_ "$LAB/docker.wall" >"$LAB/hold.times"
	docker_rows
}
