# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
# shellcheck disable=SC2016,SC2034,SC2086,SC2153
# What is known of a flood that was refused, and what knowing it costs: vethwall beside tcpdump and ulogd2 on a rule that
# logs every drop, at the same place of the same node. Then the connection of a neighbour while
# a container floods. Sender and logger have a core each (if there are two), ahead of whoever else wants it.

FLOOD_ROUNDS=${FLOOD_ROUNDS:-3}
FLOOD_PACKETS=${FLOOD_PACKETS:-600000}
NEIGHBOUR_ROUNDS=${NEIGHBOUR_ROUNDS:-7}
LOGGER_CPU=0
LAST_LOOK_S=6    # a wall that gained is read once more after flow_interval (5 s)
FLOOD=${FLOOD:-$BUILD/tests/lib/flood}
USUAL_BUFFER=$((16 << 20)) # far more than the default: both lose less
SINK_MAC=02:42:0a:4d:00:fe
# flood: text, IP version, flows, packets
declare -A FLOODS=(
	[one]="one flow|4|1|$FLOOD_PACKETS"
	[many]="10,000 flows|4|10000|$FLOOD_PACKETS"
	[scan]="scan of 65,535 ports, a packet each|4|65535|65535"
	[six]="10,000 flows, IPv6|6|10000|$FLOOD_PACKETS"
)

# From here on PID has the loggers' core and goes ahead of others there.
first_in_line()
{
	taskset -cp "$LOGGER_CPU" "$1" >/dev/null && renice -n -20 -p "$1" >/dev/null
}

# Processor time of PID so far, in nanoseconds.
cpu_ns()
{
	awk '{n += $1} END {printf "%.0f\n", n}' "/proc/$1/task/"*/schedstat
}

# sender NAME BRIDGE NET NUMBER WORLD...: a container that knows its sink's address
sender()
{
	local name=$1 br=$2 net=$3 n=$4
	shift 4
	ct_add "$name" "$br" "$(mac_of $((n + 250 * net)))" "10.$net.0.$n" "fd$net::$n" "$@" &&
		ns "$name" ip neigh replace "10.$net.0.254" lladdr $SINK_MAC dev eth0 &&
		ns "$name" ip neigh replace "fd$net::254" lladdr $SINK_MAC dev eth0
}

# flood NAME NET NUMBER FLOOD: prints packets sent, seconds, processor time of the sender
flood()
{
	local v flows packets from to TIMEFORMAT='%R %U %S'
	IFS='|' read -r _ v flows packets <<<"${FLOODS[$4]}"
	from=10.$2.0.$3 to=10.$2.0.254
	[ "$v" = 4 ] || from=fd$2::$3 to=fd$2::254
	{ time ns "$1" taskset -c "$CPU" nice -n -20 "$FLOOD" -n "$packets" "$from" "$to" "$flows" >"$LAB/flood.out"; } 2>"$LAB/flood.time" || return
	awk 'FNR == NR {p = $1; next} {print p, $1, $2 + $3}' "$LAB/flood.out" "$LAB/flood.time"
}

# ---- the usual ways ----

# Family inet, since ulogd2 takes no packets of netdev apart; a threshold, so that a message carries many packets.
usual_rules()
{
	ns ev nft -f - <<-END
		table inet usual {
			chain tcpdump {
				type filter hook ingress device "v-tcpdump" priority 0;
				meta l4proto udp counter log group 71 queue-threshold 64 drop
			}
			chain ulogd {
				type filter hook ingress device "v-ulogd" priority 0;
				meta l4proto udp counter log group 72 queue-threshold 64 drop
			}
		}
	END
}

ulogd_config()
{
	local plugins
	plugins=$(dpkg -L ulogd2 | sed -n 's|/ulogd_inppkt_NFLOG.so$||p')
	cat >"$LAB/ulogd.conf" <<-END
		[global]
		logfile="$LAB/ulogd.log"
		loglevel=7
		plugin="$plugins/ulogd_inppkt_NFLOG.so"
		plugin="$plugins/ulogd_raw2packet_BASE.so"
		plugin="$plugins/ulogd_filter_IFINDEX.so"
		plugin="$plugins/ulogd_filter_IP2STR.so"
		plugin="$plugins/ulogd_output_JSON.so"
		stack=in:NFLOG,base:BASE,ifi:IFINDEX,ip:IP2STR,out:JSON
		[in]
		group=72
		netlink_socket_buffer_size=$USUAL_BUFFER
		netlink_socket_buffer_maxsize=$USUAL_BUFFER
		[out]
		file="$LAB/ulogd.json"
		sync=0
	END
}

usual_start()
{
	case $1 in
	tcpdump) bg tcpdump ev tcpdump -Z root -B $((USUAL_BUFFER / 1024)) -i nflog:71 -w "$LAB/tcpdump.pcap" ;;
	ulogd) ulogd_config && bg ulogd ev ulogd -c "$LAB/ulogd.conf" ;;
	esac
	USUAL_PID=$!
	first_in_line "$USUAL_PID" && wait_until "$DEADLINE" usual_ready "$1"
}

# Bound to its group: the kernel lists it.
usual_ready()
{
	local group=71
	[ "$1" = tcpdump ] || group=72
	ns ev awk -v g=$group '$1 == g {found = 1} END {exit !found}' /proc/net/netfilter/nfnetlink_log
}

# What it wrote down: packets in the capture, lines of JSON.
usual_accounted()
{
	case $1 in
	tcpdump) tcpdump --count -nr "$LAB/tcpdump.pcap" 2>/dev/null | awk '{print $1}' ;;
	ulogd) wc -l <"$LAB/ulogd.json" ;;
	esac
}

usual_counted()
{
	ns ev nft -j list chain inet usual "$1" |
		jq '[.nftables[].rule.expr[]?.counter.packets // 0] | add'
}

# Idle for longer than the kernel holds back a message that is not full (a second): it has read what there was.
wait_idle()
{
	local last='' now
	now=$(cpu_ns "$1")
	while [ "$now" != "$last" ]; do
		last=$now
		sleep 1.5
		now=$(cpu_ns "$1")
	done
}

# usual_turn WAY FLOOD: a line for the table
usual_turn()
{
	local way=$1 n=21 before sent cpu
	[ "$way" = tcpdump ] || n=22
	usual_start "$way" || return
	before=$(usual_counted "$way")
	cpu=$(cpu_ns "$USUAL_PID")
	sent=$(flood "$way" 78 $n "$2") || return
	wait_idle "$USUAL_PID"
	cpu=$(($(cpu_ns "$USUAL_PID") - cpu))
	kill_wait "$USUAL_PID"
	turn_line "$way" "$2" $(($(usual_counted "$way") - before)) "$(usual_accounted "$way")" 0 $cpu $sent
	rm -f "$LAB/tcpdump.pcap" "$LAB/ulogd.json"
}

# ---- vethwall ----

flood_policies()
{
	mkdir -p "$LAB/closed"
	cat >"$LAB/closed/closed.yaml" <<-END
		apiVersion: vethwall/v1
		kind: ServicePolicy
		metadata: {name: closed}
		spec: {service: closed, egress: []}
	END
}

wall_counted()
{
	local i
	i=$(ns ev ip -j link show dev "v-$1" | jq '.[0].ifindex')
	ns ev nft -j list chain netdev vethwall "dc$2_$i" |
		jq '[.nftables[].rule.expr[]?.counter.packets // 0] | add'
}

# recorded VETH VERSION: "packets overflow"; nothing while the last line is being written
recorded()
{
	python3 tests/lib/denied_log.py "$LAB/ev/log" sum "-v-$1" egress "$2" 2>/dev/null | awk '{print $1, $3}'
}

all_recorded()
{
	recorded "$1" "$2" | awk -v n="$3" '{sum = $1 + $2} END {exit sum < n}'
}

# wall_turn FLOOD ROUND: a container of its own, so that no flow is known from before
wall_turn()
{
	local name=$1$2 v sent cpu
	v=$(cut -d '|' -f 2 <<<"${FLOODS[$1]}")
	cpu=$(cpu_ns "${AGENT_PID[ev]}")
	sent=$(flood "$name" 77 "${WALL_NUMBER[$name]}" "$1") || return
	wait_until 30 all_recorded "$name" "$v" "${sent%% *}"
	sleep "$LAST_LOOK_S"
	cpu=$(($(cpu_ns "${AGENT_PID[ev]}") - cpu))
	# shellcheck disable=SC2046
	turn_line vethwall "$1" "$(wall_counted "$name" "$v")" $(recorded "$name" "$v") $cpu $sent
	ns_del "$name"
}

declare -A WALL_NUMBER

walled_setup()
{
	local f r n=10
	flood_policies
	CT_WORLD=()
	for ((r = 0; r < FLOOD_ROUNDS; r++)); do
		for f in "${!FLOODS[@]}"; do
			n=$((n + 1))
			sender "$f$r" br0 77 $n service=closed || return
			WALL_NUMBER[$f$r]=$n
		done
	done
	world_write && mv "$LAB/world.yaml" "$LAB/ev.yaml"
	agent_start ev ev --runtime "static:$LAB/ev.yaml" --policies "$LAB/closed" &&
		first_in_line "${AGENT_PID[ev]}"
}

# ---- the table ----

# turn_line WAY FLOOD COUNTED ACCOUNTED OVERFLOW CPU-NS SENT SECONDS SENDER-CPU
turn_line()
{
	[ "$3" = "$7" ] || { echo "floods: $1 $2: $7 sent, but the rule counted $3" >&2; return 1; }
	echo "$4 $5 $6 $7 $8 $9" >>"$LAB/turns.$1.$2"
}

# Median of an awk expression over a flood's turns, with its least and most.
spread()
{
	local form=$1 what=$2 file=$3
	awk "{print $what}" "$file" | sort -g | awk -v f="$form" '
		{v[NR] = $1}
		END {printf f " (" f " .. " f ")", v[int((NR + 1) / 2)], v[1], v[NR]}'
}

flood_rows()
{
	local way file
	printf '  %s\n    %-12s %-28s %-26s %-26s %s\n' "${FLOODS[$1]%%|*}" "" "accounted for, % of sent" "CPU s per million" "sender's CPU s per million" "kpps"
	for way in vethwall tcpdump ulogd; do
		file=$LAB/turns.$way.$1
		printf '    %-12s %-28s %-26s %-26s %s\n' "$way" "$(spread %.2f '($1 + $2) / $4 * 100' "$file")" \
			"$(spread %.3f '$3 / 1e3 / $4' "$file")" "$(spread %.2f '$6 / $4 * 1e6' "$file")" \
			"$(spread %.0f '$4 / $5 / 1e3' "$file")"
	done
	awk '{o += $2; p += $4} END {if (o) printf "    (%d of %d packets without a record of their own, told as overflow)\n", o, p}' "$LAB/turns.vethwall.$1"
}

floods_run()
{
	local r f way
	node_add ev && br_add br0 10.77.0.1/24 fd77::1/64 && br_add br1 10.78.0.1/24 fd78::1/64 &&
		walled_setup && sender tcpdump br1 78 21 && sender ulogd br1 78 22 && usual_rules || return
	for ((r = 0; r < FLOOD_ROUNDS; r++)); do
		for f in one many scan six; do
			wall_turn "$f" "$r" || return
			for way in tcpdump ulogd; do usual_turn "$way" "$f" || return; done
		done
	done
	agent_stop ev
	printf '\n%s\n' "Evidence of a flood that is refused ($FLOOD_ROUNDS turns each: median, least and most)"
	for f in one many scan six; do flood_rows "$f"; done
}

# ---- the neighbour ----

# neighbours NODE: a pair that may talk, and a container that floods a closed port of another
neighbours()
{
	local n=$1
	quiet_node "$n" && br_add br0 10.77.0.1/24 || return
	CT_WORLD=()
	ct_add "$n-a" br0 02:42:0a:4d:00:0a 10.77.0.10 - service=a &&
		ct_add "$n-b" br0 02:42:0a:4d:00:0b 10.77.0.11 - service=b &&
		ct_add "$n-f" br0 02:42:0a:4d:00:0c 10.77.0.12 - service=closed &&
		ct_add "$n-sink" br0 02:42:0a:4d:00:0d 10.77.0.13 - service=sink
}

neighbour_setup()
{
	neighbours free && neighbours walled && world_write && mv "$LAB/world.yaml" "$LAB/walled.yaml" &&
		agent_start walled walled --runtime "static:$LAB/walled.yaml" --policies "$LAB/closed" &&
		first_in_line "${AGENT_PID[walled]}"
}

# neighbour_turn NODE MODE FLOWS: without a flood for 0 flows. The rate is by processor time of the pair and of the agent, which
# shares its core: by the clock, a machine that others use too tells nothing.
neighbour_turn()
{
	local n=$1 pid='' before=0 after=0 TIMEFORMAT='%U %S'
	if [ "$3" -gt 0 ]; then
		bg "nf-$n" "$n-f" taskset -c "$CPU" nice -n -20 "$FLOOD" 10.77.0.12 10.77.0.13 "$3"
		pid=$!
		sleep 0.2
	fi
	[ "$n" = free ] || before=$(cpu_ns "${AGENT_PID[walled]}")
	{ time "$TRAFFIC" -c "$LOGGER_CPU" run "$2" 500 "$LAB_ID-$n-a" "$LAB_ID-$n-b" 10.77.0.11 >"$LAB/pair.out"; } 2>"$LAB/pair.time" || return
	[ "$n" = free ] || after=$(cpu_ns "${AGENT_PID[walled]}")
	[ -z "$pid" ] || kill_wait "$pid"
	awk -v agent=$((after - before)) 'FNR == NR {rate = $1; next} {own = $1 + $2; print rate * own / (own + agent / 1e9)}' \
		"$LAB/pair.out" "$LAB/pair.time" >>"$LAB/neighbour.$n.$2.$3"
}

# neighbour_row MODE FLOWS TEXT UNIT DIVISOR
neighbour_row()
{
	local walled free calm
	walled=$(median <"$LAB/neighbour.walled.$1.$2")
	free=$(median <"$LAB/neighbour.free.$1.$2")
	calm=$(median <"$LAB/neighbour.walled.$1.0")
	row "$3" "$(scaled %.2f "$walled" "$5") $4" \
		"no firewall $(scaled %.2f "$free" "$5") ($(ratio "$walled" "$free") x, $(paste "$LAB/neighbour.walled.$1.$2" "$LAB/neighbour.free.$1.$2" | awk '{print $1 / $2}' | sort -g | awk '{v[NR] = $1} END {printf "%.2f .. %.2f", v[1], v[NR]}')); walled without the flood $(scaled %.2f "$calm" "$5")"
}

neighbour_run()
{
	local r mode flows n
	neighbour_setup || return
	for ((r = 0; r < NEIGHBOUR_ROUNDS; r++)); do
		for mode in tcp connections; do
			for flows in 0 1 65535; do
				for n in free walled; do neighbour_turn "$n" "$mode" "$flows" || return; done
			done
		done
	done
	agent_stop walled
	heading "A neighbour's connection while a container floods into refusals ($NEIGHBOUR_ROUNDS turns of 500 ms, one core for the pair and the agent)"
	for flows in 0 1 65535; do
		neighbour_row tcp "$flows" "TCP stream, flood over $flows flows" Gbit/s 125000000 || return
		neighbour_row connections "$flows" "new connections, flood over $flows flows" k/s 1000 || return
	done
}

bench_floods()
{
	floods_run && neighbour_run
}
