# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
# Reviewing a long log: the same questions to `vethwall flows`, to jq, and to grep with jq behind it. The
# answers must be equal; what is compared is the processor time of all of a pipeline.

FLOW_RECORDS=${FLOW_RECORDS:-5000000}

# seconds FILE COMMAND...: its output to FILE, user and system time to $took
seconds()
{
	local TIMEFORMAT='%U %S' out=$1 rc
	shift
	{ time "$@" >"$out" 2>"$LAB/err"; } 2>"$LAB/time"
	rc=$?
	took=$(awk '{printf "%.3f", $1 + $2}' "$LAB/time")
	return "$rc"
}

segments()
{
	# the oldest first
	find "$LAB/log" -name 'denied.jsonl*' | sort -t. -k3,3nr
}

# Records and packets, of the text that flows ends with
flows_sums()
{
	"$VETHWALL" flows --log-dir "$LAB/log" "$@" | tail -n 1 | sed 's/\([0-9]*\) records, \([0-9]*\) .*/[\1,\2]/'
}

# The same of those that jq selects, from its standard input
jq_sums()
{
	jq -cn "reduce (inputs | select($1)) as \$r ([0, 0]; [.[0] + 1, .[1] + \$r.packets])"
}

filter='.service == "svc03" and (.dest_port == 5432 or .dest_port == 6379) and .peer != "world"'
hour='.workload == "ns0/svc03-1" and .last_seen >= "2026-11-23T11:00:00Z"'

# awk adds up faster than jq's own objects do
jq_groups()
{
	jq -r 'select(.event_type == "denied") | "\(.service) \(.dest_port) \(.packets)"' |
		awk '{n[$1 " " $2]++; p[$1 " " $2] += $3} END {for (k in n) print k, n[k], p[k]}' | sort
}

# shellcheck disable=SC2317
{
	filter_ours() { flows_sums 'service=svc03 and port in 5432,6379 and not peer=world'; }
	filter_jq() { segments | xargs cat | jq_sums "$filter"; }
	filter_grep() { segments | LC_ALL=C xargs grep -hF '"service":"svc03"' | jq_sums "$filter"; }
	hour_ours() { flows_sums --workload svc03-1 --since 2026-11-23T11:00:00Z; }
	hour_jq() { segments | xargs cat | jq_sums "$hour"; }
	hour_grep() { segments | LC_ALL=C xargs grep -hF '"workload":"ns0/svc03-1"' | jq_sums "$hour"; }
	top_ours()
	{
		"$VETHWALL" flows --log-dir "$LAB/log" top --by service,port --event denied --limit 1000000 --format json |
			jq -r '"\(.service) \(.dest_port) \(.records) \(.packets)"' | sort
	}
	top_jq() { segments | xargs cat | jq_groups; }
	top_grep() { segments | LC_ALL=C xargs grep -hF '"event_type":"denied"' | jq_groups; }
}

# question NAME WORDS
question()
{
	local ours jq i
	for ((i = 0; i < 3; i++)); do
		seconds "$LAB/ours" "$1_ours" || return
		echo "$took" >>"$LAB/$1.times"
	done
	ours=$(median <"$LAB/$1.times")
	seconds "$LAB/jq" "$1_jq" && cmp "$LAB/ours" "$LAB/jq" || return
	jq=$took
	seconds "$LAB/grep" "$1_grep" && cmp "$LAB/ours" "$LAB/grep" || return
	row "$2" "$ours s" "jq $jq s ($(ratio "$jq" "$ours") x), grep | jq $took s ($(ratio "$took" "$ours") x)"
}

# Most that a query held in memory, in KiB, over a log and over its last segment alone
peak()
{
	python3 -c 'import os, subprocess, sys
p = subprocess.Popen(sys.argv[1:], stdout=subprocess.DEVNULL)
print(os.wait4(p.pid, 0)[2].ru_maxrss)' "$VETHWALL" flows top --by service,port --log-dir "$1"
}

memory_row()
{
	local all one
	mkdir -p "$LAB/one" && cp "$(segments | head -n 1)" "$LAB/one/denied.jsonl" || return
	all=$(peak "$LAB/log") one=$(peak "$LAB/one")
	row "memory of top" "$(scaled %.1f "$all" 1024) MiB" "over one segment of it $(scaled %.1f "$one" 1024) MiB"
}

bench_flows()
{
	"$FLOWLOG" "$FLOW_RECORDS" "$LAB/log" || return
	# reading it all for its size puts it into the page cache, for everybody
	heading "Review of a log of $FLOW_RECORDS records, $(cat "$LAB"/log/denied.jsonl* | wc -c | awk '{print int($1 / 1048576)}') MiB (processor time; ours medians of 3)"
	question filter "one service, two ports, not the world" &&
		question hour "one workload, the last hour of 24" &&
		question top "top by service and port, of all denied" &&
		memory_row
}
