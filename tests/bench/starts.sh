# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
# From a veth to its wall: containers that flood a sink from their first instruction, though their
# policy lets nothing out. Times are the kernel's own notices (watch.c) and the container's own clock.

STARTS=${STARTS:-200}
DOCKER_STARTS=${DOCKER_STARTS:-30}
OPEN_STARTS=10
SINK_PORT=9
FLOOD_MS=20
PAUSE_S=0.025    # from the link to the process: what the quickest of the runtimes (ctr with CNI) leaves

start_policies()
{
	mkdir -p "$1"
	cat >"$1/flooder.yaml" <<-END
		apiVersion: vethwall/v1
		kind: ServicePolicy
		metadata: {name: flooder}
		spec: {service: flooder, egress: []}
	END
}

# What arrived at the sink since it was asked last.
sink_counted()
{
	local before now
	before=$(grep -c '^received' "$LAB/sink.out")
	kill -USR1 "$SINK_PID"
	wait_until "$DEADLINE" sink_told "$before"
	now=$(awk '/^received/ {n = $2} END {print n}' "$LAB/sink.out")
	echo $((now - SINK_SEEN))
	SINK_SEEN=$now
}

sink_told()
{
	[ "$(grep -c '^received' "$LAB/sink.out")" -gt "$1" ]
}

# One start of container NAME with number I: told to the agent, then the link, then the process.
static_start()
{
	local c=$1 i=$2 ip mac
	ip=$(addr_of "$i")
	mac=$(mac_of "$i")
	echo "  - {name: $c, service: $3, interfaces: [{veth: $c, network: br0, mac: \"$mac\", ips: [$ip]}]}" >>"$LAB/start.yaml"
	cp "$LAB/start.yaml" "$LAB/start.new" && mv "$LAB/start.new" "$LAB/start.world"
	printf '%s\n' "link add $c type veth peer name eth0 address $mac netns $LAB_ID-$c" \
		"link set $c master br0 up" | ns "$NODE" ip -batch - || return
	printf '%s\n' "addr add $ip/16 dev eth0" "link set eth0 up" | ns "$c" ip -batch - || return
	sleep "$PAUSE_S"
	ns "$c" "$TRAFFIC" start 10.77.0.12 "$SINK_PORT" "$FLOOD_MS" >>"$LAB/began.$4"
}

# From watch output and "began NS" lines: link to chain, and chain to first instruction (microseconds;
# positive: the wall was first). The Nth container is the Nth one that got chain PREFIX_<ifindex>.
start_times()
{
	awk -v prefix="$2" '
		FNR == 1 {file++}
		file == 1 && $1 == "link" {link[$2] = $4}
		file == 1 && $1 == "chain" && index($2, prefix) == 1 {
			i = substr($2, length(prefix) + 1)
			if (i in link && !(i in seen)) {
				seen[i] = 1
				n++
				at[n] = $3
				took[n] = $3 - link[i]
			}
		}
		file == 2 && $1 == "began" {k++; print took[k] / 1000, ($2 - at[k]) / 1000}
	' "$1" "$3"
}

# Numbers in column C of FILE at percentile P, in milliseconds.
column_ms()
{
	scaled %.2f "$(awk -v c="$2" '{print $c}' "$1" | percentile "$3")" 1000
}

start_rows()
{
	local what=$1 file=$2
	row "$what: link to wall, p50" "$(column_ms "$file" 1 50) ms" "p99 $(column_ms "$file" 1 99) ms"
	row "$what: wall before first instruction, p50" "$(column_ms "$file" 2 50) ms" \
		"p1 $(column_ms "$file" 2 1) ms, least $(column_ms "$file" 2 0) ms"
}

static_setup()
{
	local i
	quiet_node start && br_add br0 10.77.0.1/16 || return
	# shellcheck disable=SC2034
	CT_WORLD=()
	ct_add sink br0 02:42:0a:4d:00:0c 10.77.0.12 - && world_write || return
	ns sink ip addr replace 10.77.0.12/16 dev eth0
	cp "$LAB/world.yaml" "$LAB/start.yaml"
	mv "$LAB/world.yaml" "$LAB/start.world"
	start_policies "$LAB/flood"
	for ((i = 0; i < STARTS; i++)); do ns_add "f$i" || return; done
	for ((i = 0; i < OPEN_STARTS; i++)); do ns_add "o$i" || return; done
	bg sink sink "$NETPROBE" count "$SINK_PORT"
	SINK_PID=$!
	SINK_SEEN=0
	agent_start start start --runtime "static:$LAB/start.world" --policies "$LAB/flood" &&
		watch_start start
}

bench_starts()
{
	local i open leaked
	static_setup || return
	for ((i = 0; i < STARTS; i++)); do static_start "f$i" "$i" flooder wall || return; done
	sleep 0.2
	leaked=$(sink_counted)
	for ((i = 0; i < OPEN_STARTS; i++)); do
		static_start "o$i" $((STARTS + i)) open open || return
	done
	sleep 0.2
	open=$(sink_counted)
	start_times "$LAB/watch-start.out" in_ "$LAB/began.wall" >"$LAB/start.times"
	heading "Start to enforced ($STARTS static containers one after the other, each floods UDP for $FLOOD_MS ms)"
	start_rows "static" "$LAB/start.times"
	row "static: packets past a policy that denies" "$leaked" \
		"the same $OPEN_STARTS times with no policy: $open"
	agent_stop start
}
