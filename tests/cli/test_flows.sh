# SPDX-License-Identifier: GPL-2.0-or-later
# vethwall flows on a generated log of 20,000 records in several segments: every filter, mode and format
# against what jq says of the same lines; lines that are no records; what reaches a terminal.
. tests/lib/tap.sh

BUILD=${BUILD:-build}
VETHWALL=${VETHWALL:-$BUILD/vethwall}
FLOWLOG=${FLOWLOG:-$BUILD/tests/bench/flowlog}
tmp=$(mktemp -d "${TMPDIR:-/tmp}/flows.XXXXXX")
trap 'rm -rf "$tmp"' EXIT
export TZ=UTC
log=$tmp/log
"$FLOWLOG" 20000 "$log" 4 || exit 1
cat "$log"/denied.jsonl.[0-9]* "$log/denied.jsonl" | jq -cs 'sort_by(.timestamp) | .[]' >"$tmp/all"

flows()
{
	"$VETHWALL" flows --log-dir "$log" "$@" 2>"$tmp/err"
}

# The same three numbers, ours and jq's: CONDITION OPTIONS...
same_sums()
{
	local condition=$1 ours theirs
	shift
	theirs=$(jq -cn "[inputs | select($condition)] | [length, (map(.packets) | add // 0), (map(.bytes) | add // 0)]" "$tmp/all")
	ours=$(flows --format json "$@" | jq -cn '[inputs] | [length, (map(.packets) | add // 0), (map(.bytes) | add // 0)]')
	echo "$ours, jq $theirs"
	[ "$ours" = "$theirs" ] && [ ! -s "$tmp/err" ] && [ "${ours#\[0,}" = "$ours" ]
}

filters()
{
	local condition options rc=0
	while IFS=@ read -r condition options; do
		eval "set -- $options"
		same_sums "$condition" "$@" || { echo "$options"; rc=1; }
	done <<'END'
true@
.last_seen >= "2026-11-22T20:00:00Z"@--since 2026-11-22T20:00:00Z
.last_seen >= "2026-11-22T20:00:00Z" and .first_seen <= "2026-11-22T21:00:00Z"@--from "2026-11-22 20:00" --to 2026-11-22T22:00:00+01:00
.workload == "ns0/svc03-1"@--workload svc03-1
.workload == "ns0/svc03-1"@--workload ns0/svc03-1
.service == "svc03" or .service == "svc04"@--service svc03,svc04
.service == "svc03" or .service == "svc04"@--service svc03 --service svc04
.workload | startswith("ns2/")@--namespace ns2
.image | test("/svc0[0-9]:1.1$")@--image "*/svc0*:1.1"
.peer == "world"@--peer world
.peer_service == "svc05"@--peer svc05
(.direction == "egress" and .dest_ip == "10.77.5.10") or (.direction == "ingress" and .src_ip == "10.77.5.10")@--peer 10.77.5.10
(.src_ip | startswith("10.77.5.")) or (.dest_ip | startswith("10.77.5."))@--cidr 10.77.5.0/24
(.src_ip | startswith("2001:db8:")) or (.dest_ip | startswith("2001:db8:"))@--cidr 2001:db8::/32
.dest_port == 22 or (.dest_port != null and .dest_port >= 6000 and .dest_port <= 7000)@--port 22,6000-7000
.proto == "icmpv6"@--proto icmpv6
.proto == "udp" or .proto == "icmp"@--proto udp,1
.direction == "ingress"@--direction ingress
.policy == "default"@--policy default
.policy == "ns0/svc03"@--policy svc03
.rule == "ingress[0]"@--rule "ingress[0]"
.event_type == "audited"@--event audited
.packets >= 30@--min-packets 30
.service == "svc03" and (.dest_port == 5432 or .dest_port == 6379) and .peer != "world"@"service=svc03 and port in 5432,6379 and not peer=world"
.service == "svc03" and .dest_port == 443@service=svc03 and port=443
(.service == "svc03" or .dest_port == 22) and .proto != "udp" and .bytes < 1000@--where "(service=svc03 or port=22) and proto!=udp and bytes<1000"
.icmp_type == 128 and (.image | endswith(":1.0"))@list "icmp_type=128 and image~*:1.0"
.service == "svc03" and .dest_port == 5432 and .last_seen >= "2026-11-22T20:00:00Z"@--service svc03 --where port=5432 --since 2026-11-22T20:00:00Z
END
	return "$rc"
}

# FIELDS MEASURE FIELDS-IN-JQ [OPTION SELECT-IN-JQ]
top()
{
	local ours theirs
	ours=$(flows top --by "$1" --sort "$2" --limit 100000 --format json ${4:+"$4"} |
		jq -cS 'del(.first_seen, .last_seen)' | sort)
	theirs=$(jq -cnS "[inputs$5] | group_by($3)[] | (.[0] | $3) as \$k |
		{records: length, packets: (map(.packets) | add), bytes: (map(.bytes) | add)} + \$k" "$tmp/all" | sort)
	diff <(echo "$ours") <(echo "$theirs") >"$tmp/diff" || head -n 5 "$tmp/diff"
	[ -n "$ours" ] && [ "$ours" = "$theirs" ]
}

top_flows()
{
	[ "$(flows top --by service --sort flows --limit 100 --format json | jq -c '[.service, .flows]' | sort)" = \
		"$(jq -cn '[inputs] | group_by(.service)[] | [.[0].service, (map([.src_ip, .src_port, .dest_ip, .dest_port, .proto, .icmp_type]) | unique | length)]' "$tmp/all" | sort)" ]
}

top_order_and_rest()
{
	local shown rest
	flows top --by service,port --limit 5 >"$tmp/out" || return
	shown=$(awk 'NR > 1 && NR <= 6 {s += $4} END {print s}' "$tmp/out")
	rest=$(sed -n 's/^and .* records, \([0-9]*\) packets.*/\1/p' "$tmp/out")
	cat "$tmp/out"
	awk 'NR > 1 && NR <= 6 {if (last && $4 > last) exit 1; last = $4}' "$tmp/out" &&
		[ $((shown + rest)) -eq "$(jq -n '[inputs.packets] | add' "$tmp/all")" ]
}

timeline()
{
	local width
	flows timeline --format json "$@" >"$tmp/out" || return
	width=$(jq -n 'input.seconds' "$tmp/out")
	echo "buckets of $width s"
	diff <(jq -c 'select(.records > 0) | [.time[:19], .records, .packets, .bytes]' "$tmp/out") \
		<(jq -cn "[inputs] | group_by((.last_seen[:19] + \"Z\" | fromdate / $width | floor))[] |
			[(((.[0].last_seen[:19] + \"Z\" | fromdate) / $width | floor) * $width | todate[:19]), length, (map(.packets) | add), (map(.bytes) | add)]" "$tmp/all")
}

scans()
{
	local who='(if .direction == "egress" then .workload elif (.peer | contains("/")) then .peer else .src_ip end)'
	flows scans --min-ports 15 --min-peers 10 --format json | jq -cS '{source, peers, ports, records, packets}' | sort >"$tmp/ours"
	jq -cnS "[inputs] | group_by($who)[] | {source: (.[0] | $who), peers: (map(.dest_ip) | unique | length),
		ports: (map(select(.dest_port != null) | [.proto == \"tcp\", .dest_port]) | unique | length),
		records: length, packets: (map(.packets) | add)} | select(.ports >= 15 or .peers >= 10)" "$tmp/all" | sort >"$tmp/theirs"
	cat "$tmp/ours"
	[ "$(wc -l <"$tmp/ours")" -eq 2 ] && cmp "$tmp/ours" "$tmp/theirs" &&
		flows scans | grep -q '^ns1/svc07-2: ports and addresses' && flows scans | grep -q '^  tcp  .*22'
}

first_seen()
{
	local key='[.workload, .direction, .proto, .dest_port]' since=2026-11-23T10:00:00.000000Z
	flows first-seen --since "$since" --by workload,direction,proto,port --limit 100000 --format json |
		jq -c '[[.workload, .direction, .proto, .dest_port], .records]' | sort >"$tmp/ours"
	jq -cn "[inputs] | (map(select(.first_seen < \"$since\") | $key) | unique | map({(tojson): true}) | add) as \$old |
		map(select(.first_seen >= \"$since\" and (\$old[($key | tojson)] | not))) | group_by($key)[] | [(.[0] | $key), length]" "$tmp/all" | sort >"$tmp/theirs"
	wc -l "$tmp/ours"
	[ -s "$tmp/ours" ] && cmp "$tmp/ours" "$tmp/theirs"
}

csv()
{
	flows --format csv --service svc03 >"$tmp/out" || return
	python3 - "$tmp/out" "$tmp/all" <<'END'
import csv, json, sys
rows = list(csv.DictReader(open(sys.argv[1], newline="")))
want = [r for r in map(json.loads, open(sys.argv[2])) if r["service"] == "svc03"]
for a, b in zip(rows, want, strict=True):
    for k, v in b.items():
        assert a[k].lstrip("'") == str(v), (k, a[k], v)
END
}

json_is_the_log()
{
	flows --format json --peer world | jq -cS . >"$tmp/ours"
	jq -cS 'select(.peer == "world")' "$tmp/all" | cmp - "$tmp/ours"
}

# Just the packets of the query, told by a reader of their own.
packets()
{
	local want
	want=$(tcpdump -nr "$log/denied.pcapng" 'net 10.77.0.0/16 and tcp dst port 5432' 2>/dev/null | wc -l)
	flows --format pcap --cidr 10.77.0.0/16 --port 5432 --proto tcp --out "$tmp/out.pcapng" || return
	cat "$tmp/err"
	grep -q "^$want packets of " "$tmp/err" && [ "$want" -gt 0 ] &&
		[ "$(tcpdump -nr "$tmp/out.pcapng" 2>/dev/null | wc -l)" -eq "$want" ] &&
		[ "$(tcpdump -nr "$tmp/out.pcapng" 'net 10.77.0.0/16 and tcp dst port 5432' 2>/dev/null | wc -l)" -eq "$want" ] &&
		grep -aq 'workload=ns' "$tmp/out.pcapng"
}

tshark_reads()
{
	flows --format pcap --service svc03 >"$tmp/out.pcapng" || return
	[ "$(tshark -nr "$tmp/out.pcapng" -T fields -e frame.comment 2>/dev/null | grep -c 'service=svc03')" -gt 0 ]
}

all_packets()
{
	flows --format pcap >"$tmp/out.pcapng" && [ "$(tcpdump -nr "$tmp/out.pcapng" 2>/dev/null | wc -l)" -eq 200 ]
}

show()
{
	local id policies=$tmp/policies
	mkdir -p "$policies"
	cat >"$policies/p.yaml" <<'END'
apiVersion: vethwall/v1
kind: ServicePolicy
metadata: {name: svc00, namespace: ns0}
spec:
  service: svc00
  egress:
    - to: [{service: svc09}]
      ports: [tcp/1]
END
	# a flow that has a packet, of that policy
	id=$(jq -rn '[inputs] | to_entries[] | select(.key % 100 == 0) | .value | select(.policy == "ns0/svc00" and .direction == "egress") | .community_id' "$tmp/all" | head -n 1)
	flows show "$id" --utc --policies "$policies" --run-dir "$tmp/none" >"$tmp/out" || return
	cat "$tmp/out"
	grep -qF "flow $id" "$tmp/out" && grep -q 'egress of ns0/svc00-. by ns0/svc00 egress\[0\]' "$tmp/out" &&
		grep -q "p.yaml:7:" "$tmp/out" && grep -q '7 |     - to: \[{service: svc09}\]' "$tmp/out" &&
		grep -q '8 |       ports: \[tcp/1\]' "$tmp/out" && grep -q 'not known: no agent answers' "$tmp/out" &&
		grep -q 'packets: 1 kept' "$tmp/out" && grep -q ' > .*ttl 64' "$tmp/out" && grep -q '0000  [46]' "$tmp/out" &&
		flows show "${id:0:12}" --policies "$policies" --format json --run-dir "$tmp/none" >"$tmp/json" &&
		[ "$(jq -r '.id, (.records | length > 0), .samples_total, .decisions[0].place.line' "$tmp/json" | tr '\n' ' ')" = "$id true 1 7 " ]
}

show_nothing()
{
	flows show 1:nothing >"$tmp/out"
	[ $? -eq 1 ] && grep -q 'no flow' "$tmp/err" && flows show 1:
	[ $? -eq 1 ]
}

bad_expression()
{
	flows 'service=api and prot=tcp'
	[ $? -eq 2 ] && cat "$tmp/err" && grep -q '^filter:1:17: "prot" is no field; fields are' "$tmp/err" &&
		[ "$(sed -n 2p "$tmp/err")" = '  service=api and prot=tcp' ] &&
		[ "$(sed -n 3p "$tmp/err")" = '                  ^' ]
}

usage()
{
	local args
	for args in "top" "top --by nonsense" "top --by ip" "first-seen" "scans --format html" "top --by service --format pcap" "--bucket x" "show" "top --by service --follow" "--sort x"; do
		# shellcheck disable=SC2086
		flows $args >"$tmp/out"
		if [ $? -ne 2 ] || [ -s "$tmp/out" ] || ! grep -q -- --help "$tmp/err"; then
			echo "$args"
			return 1
		fi
	done
}

# Lines that are no records: told with their place, left out, and summed; nothing of them is printed raw.
corrupt()
{
	local bad=$tmp/bad
	mkdir -p "$bad"
	{
		head -n 3 "$tmp/all"
		printf 'garbage \033]0;x\007\n{"timestamp":"2026-11-22T12:00:00.000000Z","event_type":"den\n'
		echo '{"some":"other","program":1}'
		head -c 40000 /dev/zero | tr '\0' x
		printf '\n\000\001\n'
		sed -n 4,5p "$tmp/all"
	} >"$bad/denied.jsonl"
	for args in "" "--service svc99" "top --by service" "timeline" "scans" "--format csv"; do
		# shellcheck disable=SC2086
		"$VETHWALL" flows --log-dir "$bad" $args >"$tmp/out" 2>"$tmp/err" || return
		cat "$tmp/err"
		for n in 4 5 6 7 8; do
			grep -qF "$bad/denied.jsonl:$n: not a flow record, skipped" "$tmp/err" || return
		done
		grep -q '^vethwall flows: 5 lines were no flow records' "$tmp/err" || return
		! grep -qP '[\x00-\x08\x0b-\x1f\x7f]' "$tmp/err" || return
	done
	"$VETHWALL" flows --log-dir "$bad" 2>/dev/null | grep -q '^5 records'
}

# That something could not be recorded is told with every answer that it may be missing from.
gaps()
{
	local dir=$tmp/gaps
	mkdir -p "$dir"
	{
		head -n 2 "$tmp/all"
		echo '{"timestamp":"2026-11-22T12:30:00.000000Z","event_type":"gap","cause":"disk full"}'
		echo '{"timestamp":"2026-11-22T12:30:01.000000Z","event_type":"stats","records":5}'
	} >"$dir/denied.jsonl"
	"$VETHWALL" flows --log-dir "$dir" top --by service --service svc99 2>"$tmp/err" &&
		grep -q '1 gaps in this time' "$tmp/err" && ! grep -q 'no flow record' "$tmp/err" &&
		"$VETHWALL" flows --log-dir "$dir" --since 2026-11-22T12:31:00Z >/dev/null 2>"$tmp/err" &&
		[ ! -s "$tmp/err" ]
}

# A name that would move the cursor, in every form that goes to a terminal.
hostile()
{
	local bad=$tmp/hostile args
	mkdir -p "$bad"
	head -n 1 "$tmp/all" | jq -c '.workload = "ns/\u001b[2J\u009b\u202ex" | .service = "=cmd()" | .peer = "a\nb/\u0007" | .policy = "\u001b]0;t\u0007" | .community_id = "1:\u001b[0m"' >"$bad/denied.jsonl"
	for args in "" "--ids" "--format json" "--format csv" "top --by workload,service,peer,policy" \
		"top --by workload,peer --format json" "top --by workload,service --format csv" \
		"scans --min-ports 1" "scans --min-ports 1 --format json" "scans --min-ports 1 --format csv" \
		"first-seen --since 2026-01-01" "show 1:" "show 1:\\u0 --format json" "timeline"; do
		# shellcheck disable=SC2086
		"$VETHWALL" flows --log-dir "$bad" $args >"$tmp/out" 2>&1
		if LC_ALL=C grep -qP '[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]|\xc2[\x80-\x9f]|\xe2\x80\xae' "$tmp/out"; then
			echo "$args"
			return 1
		fi
	done
	[ "$("$VETHWALL" flows --log-dir "$bad" top --by workload --format json | jq -r .workload)" = "$(jq -r .workload "$bad/denied.jsonl")" ]
}

# On a terminal: colour, blocks where it can show them; nowhere else.
terminal()
{
	python3 - "$VETHWALL" "$log" <<'END'
import os, pty, subprocess, sys
def run(args, lang):
    master, slave = pty.openpty()
    p = subprocess.Popen([sys.argv[1], "flows", "--log-dir", sys.argv[2], *args], stdout=slave, stderr=subprocess.DEVNULL,
                         env={k: v for k, v in {**os.environ, "LC_ALL": lang}.items() if k != "NO_COLOR"})
    os.close(slave)
    out = b""
    try:
        while chunk := os.read(master, 65536):
            out += chunk
    except OSError:
        pass
    assert p.wait() == 0
    return out
text = run(["timeline"], "C.UTF-8")
assert "█".encode() in text and b"#" not in text
text = run(["timeline"], "C")
assert b"####" in text and max(text) < 128
assert b"\x1b[" in run(["--limit", "3"], "C.UTF-8")
assert b"\x1b[" in run(["top", "--by", "service"], "C.UTF-8")
plain = subprocess.run([sys.argv[1], "flows", "--log-dir", sys.argv[2], "timeline"], capture_output=True, env={**os.environ, "LC_ALL": "C.UTF-8"}).stdout
assert b"\x1b" not in plain and max(plain) < 128
END
}

follow()
{
	local dir=$tmp/follow pid
	mkdir -p "$dir"
	head -n 20 "$tmp/all" >"$dir/denied.jsonl"
	"$VETHWALL" flows follow --log-dir "$dir" --format json >"$tmp/out" 2>&1 &
	pid=$!
	for _ in $(seq 100); do [ "$(wc -l <"$tmp/out")" -ge 10 ] && break; sleep 0.1; done
	mv "$dir/denied.jsonl" "$dir/denied.jsonl.1"
	sed -n 21,25p "$tmp/all" >"$dir/denied.jsonl"
	for _ in $(seq 100); do [ "$(wc -l <"$tmp/out")" -ge 15 ] && break; sleep 0.1; done
	kill "$pid"
	wait "$pid" 2>/dev/null
	cmp <(jq -cS . "$tmp/out") <(sed -n 11,25p "$tmp/all" | jq -cS .)
}

# A log ten times as long takes the same memory.
memory()
{
	"$FLOWLOG" 200000 "$tmp/long" 64 || return
	python3 - "$VETHWALL" "$log" "$tmp/long" <<'END'
import os, subprocess, sys
def peak(*args):
    # a sanitizer keeps what was freed, up to a size of its own
    p = subprocess.Popen([sys.argv[1], "flows", *args], stdout=subprocess.DEVNULL,
                         env={**os.environ, "ASAN_OPTIONS": "quarantine_size_mb=1"})
    return os.wait4(p.pid, 0)[2].ru_maxrss
for args in (["--service", "svc03"], ["top", "--by", "service,port"], ["timeline"], ["scans"], ["--limit", "10"]):
    short, long = (peak("--log-dir", d, *args) for d in sys.argv[2:4])
    print(args, short, long)
    assert long < short * 1.25 + 1024, args
END
}

verify()
{
	flows --verify >"$tmp/out"
	[ $? -eq 1 ] && grep -q 'denied.jsonl:1: ' "$tmp/out" && grep -q '20000 lines, 0 seals' "$tmp/out"
}

reader_that_leaves()
{
	local rc
	set +o pipefail
	"$VETHWALL" flows --log-dir "$log" 2>"$tmp/err" | head -n 1 >/dev/null
	rc=${PIPESTATUS[0]}
	echo "exit $rc"
	[ ! -s "$tmp/err" ] && { [ "$rc" -eq 0 ] || [ "$rc" -eq 141 ]; }
}

t "filters let through what jq selects" filters
t "top by one field is what jq groups" top service packets '{service}'
t "top by three fields, of a filter" top direction,proto,port bytes '{direction, proto} + if .dest_port then {dest_port} else {} end' \
	--service=svc03 ' | select(.service == "svc03")'
t "top counts different 5-tuples" top_flows
t "top is in order, and says what it leaves out" top_order_and_rest
t "timeline is what jq counts" timeline
t "timeline with a bucket of one's own" timeline --bucket 7m
t "scans finds the two that scan, with what they tried" scans
t "first-seen is what was not there before" first_seen
t "CSV has every member of the records" csv
t "JSON is the log's" json_is_the_log
t "pcap has just the packets of the query" packets
t "pcap of everything has every packet" all_packets
if command -v tshark >/dev/null; then
	t "tshark reads the comments" tshark_reads
else
	skip "no tshark" "tshark reads the comments"
fi
t "show tells all about a flow" show
t "show of what is not there" show_nothing
t "a bad expression is shown its place" bad_expression
t "what makes no sense is refused" usage
t "lines that are no records are told and left out" corrupt
t "gaps are told" gaps
t "names cannot move the cursor" hostile
t "colour and blocks on a terminal only" terminal
t "follow goes on over a rotation" follow
t "memory does not grow with the log" memory
t "verify tells of a log that no agent wrote" verify
t "a reader that leaves is no error" reader_that_leaves
tap_done
