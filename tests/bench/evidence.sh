# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
# The denied log: from a packet to its record, how much of a flood is accounted for and at what cost, beside
# logging each drop, and what a full table of flows costs a container that starts meanwhile.

NEWS=${NEWS:-300}
EVIDENCE_PACKETS=${EVIDENCE_PACKETS:-1000000}
EVIDENCE_FLOWS=10000
EVIDENCE_STARTS=10
EVIDENCE_GROUP=7

evidence_policies()
{
	mkdir -p "$1"
	cat >"$1/closed.yaml" <<-END
		apiVersion: vethwall/v1
		kind: ServicePolicy
		metadata: {name: closed}
		spec: {service: closed, egress: []}
	END
}

# A container that may send nothing, and knows the MAC of where it sends to.
evidence_node()
{
	quiet_node "$1" && br_add br0 10.77.0.1/16 && ct_add "flood$1" br0 02:42:0a:4d:00:0a 10.77.0.10 - service=closed &&
		ns "flood$1" ip neigh replace 10.77.0.12 lladdr 02:42:0a:4d:00:0c dev eth0
}

cpu_ms()
{
	awk -v hz="$(getconf CLK_TCK)" '{print ($14 + $15) * 1000 / hz}' "/proc/$1/stat"
}

# flooded NODE FLOWS: packets a second that the sender managed.
flooded()
{
	local t0 t1
	t0=$(date +%s%N)
	ns "flood$1" "$BUILD/tests/lib/flood" -n "$EVIDENCE_PACKETS" 10.77.0.10 10.77.0.12 "$2" >"$LAB/flood.out" || return
	t1=$(date +%s%N)
	echo $((EVIDENCE_PACKETS * 1000000 / ((t1 - t0) / 1000)))
}

accounted()
{
	python3 tests/lib/denied_log.py "$LAB/$1/log" sum "default/flood$1" egress | awk '{print $1 + $3}'
}

# ours FLOWS: rate, accounted, CPU
ours()
{
	local c0 before rate
	before=$(accounted e)
	c0=$(cpu_ms "${AGENT_PID[e]}")
	rate=$(flooded e "$1") || return
	sleep 6 # the last record of a flow that goes on comes an interval later
	echo "$rate $(($(accounted e) - before)) $(awk -v a="$(cpu_ms "${AGENT_PID[e]}")" -v b="$c0" 'BEGIN {print a - b}')"
}

# The same packets with a rule that logs each and drops it, and a program that writes what NFLOG brings.
drop_rules()
{
	ns o nft -f - <<-END
		table netdev drops {
			chain c {
				type filter hook ingress device v-floodo priority 0
				ip protocol udp log group $EVIDENCE_GROUP snaplen 128 drop
			}
		}
	END
}

# theirs FLOWS COUNT-COMMAND PROGRAM...
theirs()
{
	local flows=$1 count=$2 rate cpu
	shift 2
	bg theirs o "$@"
	local pid=$!
	sleep 1.5
	rate=$(flooded o "$flows") || return
	sleep 2
	cpu=$(cpu_ms "$pid") || { cat "$LAB/theirs.out" >&2; return 1; }
	kill_wait "$pid"
	echo "$rate $($count) $cpu"
}

count_pcap()
{
	python3 - "$LAB/theirs.pcap" <<-'END'
		import struct, sys
		raw = open(sys.argv[1], "rb").read()
		n, at = 0, 24
		while at + 16 <= len(raw):
		    at += 16 + struct.unpack_from("<I", raw, at + 8)[0]
		    n += at <= len(raw)
		print(n)
	END
}

count_json()
{
	wc -l <"$LAB/theirs.json"
}

ulogd_config()
{
	local dir
	dir=$(dirname "$(find /usr/lib -name ulogd_inppkt_NFLOG.so | head -n 1)")
	cat >"$LAB/ulogd.conf" <<-END
		[global]
		logfile="$LAB/ulogd.log"
		plugin="$dir/ulogd_inppkt_NFLOG.so"
		plugin="$dir/ulogd_raw2packet_BASE.so"
		plugin="$dir/ulogd_filter_IFINDEX.so"
		plugin="$dir/ulogd_filter_IP2STR.so"
		plugin="$dir/ulogd_output_JSON.so"
		stack=log1:NFLOG,base1:BASE,ifi1:IFINDEX,ip2str1:IP2STR,json1:JSON
		[log1]
		group=$EVIDENCE_GROUP
		[json1]
		sync=0
		file="$LAB/theirs.json"
	END
}

flood_row()
{
	row "$1" "$(awk -v p="$EVIDENCE_PACKETS" '{printf "%.1f %%", $2 * 100 / p}' "$LAB/$2")" \
		"$(awk '{printf "%.0f ms of CPU; the sender managed %.0f kpps", $3, $1 / 1000}' "$LAB/$2")"
}

# Link to chain of veths that come one by one.
evidence_starts()
{
	local i from=$1
	for ((i = from; i < from + EVIDENCE_STARTS; i++)); do
		veths w "$i" $((i + 1)) || return
		sleep 0.3
	done
	awk '$1 == "link" {t[$2] = $4}
		$1 == "chain" && $2 ~ /^in_/ {i = substr($2, 4); if (i in t) {print ($3 - t[i]) / 1e6; delete t[i]}}' "$LAB/watch-e.out" |
		tail -n "$EVIDENCE_STARTS"
}

evidence_rows()
{
	heading "Evidence"
	row "first packet to its record, p50" "$(scaled %.0f "$(median <"$LAB/news")") ms" "of $NEWS flows on an idle node"
	row "  p99" "$(scaled %.0f "$(percentile 99 <"$LAB/news")") ms" "target: 100 ms"
	flood_row "one flow, accounted for" ours1
	flood_row "  tcpdump -w of a rule that logs each drop" tcpdump1
	[ ! -e "$LAB/ulogd1" ] || flood_row "  ulogd2 to JSON of the same rule" ulogd1
	flood_row "$EVIDENCE_FLOWS flows, accounted for" oursn
	flood_row "  tcpdump -w" tcpdumpn
	[ ! -e "$LAB/ulogdn" ] || flood_row "  ulogd2 to JSON" ulogdn
	row "a veth's wall on an idle node, p50" "$(scaled %.1f "$(median <"$LAB/idle")") ms" "worst of $EVIDENCE_STARTS: $(scaled %.1f "$(percentile 100 <"$LAB/idle")") ms"
	row "  while a full table of flows is read" "$(scaled %.1f "$(median <"$LAB/busy")") ms" "worst: $(scaled %.1f "$(percentile 100 <"$LAB/busy")") ms; a container floods from 65,535 ports on"
}

bench_evidence()
{
	evidence_policies "$LAB/evidence"
	evidence_node o && drop_rules || return
	# shellcheck disable=SC2034
	CT_WORLD=()
	evidence_node e || return
	world_write
	{ cat "$LAB/world.yaml"; world_lines w 0 $((2 * EVIDENCE_STARTS)); } >"$LAB/e.yaml"
	agent_start e e --runtime "static:$LAB/e.yaml" --policies "$LAB/evidence" || return
	ns floode python3 tests/bench/news.py "$LAB/e/log/denied.jsonl" 10.77.0.12 "$NEWS" >"$LAB/news" || return
	ours 1 >"$LAB/ours1" && ours "$EVIDENCE_FLOWS" >"$LAB/oursn" || return
	watch_start e
	evidence_starts 0 >"$LAB/idle"
	bg busy floode "$BUILD/tests/lib/flood" -r 100000 10.77.0.10 10.77.0.12 65535
	sleep 3
	evidence_starts "$EVIDENCE_STARTS" >"$LAB/busy"
	agent_stop e || return
	theirs 1 count_pcap tcpdump -B 65536 -i "nflog:$EVIDENCE_GROUP" -w "$LAB/theirs.pcap" >"$LAB/tcpdump1" &&
		theirs "$EVIDENCE_FLOWS" count_pcap tcpdump -B 65536 -i "nflog:$EVIDENCE_GROUP" -w "$LAB/theirs.pcap" >"$LAB/tcpdumpn" || return
	if command -v ulogd >/dev/null; then
		ulogd_config
		theirs 1 count_json ulogd -c "$LAB/ulogd.conf" >"$LAB/ulogd1" || return
		rm -f "$LAB/theirs.json"
		theirs "$EVIDENCE_FLOWS" count_json ulogd -c "$LAB/ulogd.conf" >"$LAB/ulogdn" || return
	fi
	evidence_rows
}
