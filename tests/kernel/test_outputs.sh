# SPDX-License-Identifier: GPL-2.0-or-later
# Records to other systems, each received by the real program: systemd-journald, rsyslogd, TLS and Unix
# receivers by socat. Receivers that come late, go away or never come: nothing is lost that fits, the
# rest is counted, and the agent does not wait. Metrics are read by a parser of their format.
. tests/lib/tap.sh
. tests/lib/lib.sh

why=$(lab_missing jq socat rsyslogd openssl journalctl curl)
[ -z "$why" ] || skip_all "$why"

lab_begin outputs
node_add
ns node ip link set lo up
br_add br0 10.77.0.1/24 fd77::1/64
ct_add web br0 02:42:0a:4d:00:0a 10.77.0.10 fd77::a namespace=shop
ct_add db br0 02:42:0a:4d:00:0c 10.77.0.12 fd77::c namespace=shop
world_write
P=$LAB/policies
mkdir "$P" "$LAB/journal" "$LAB/a"
cat >"$P/db.yaml" <<-END
	apiVersion: vethwall/v1
	kind: ServicePolicy
	metadata: {name: db, namespace: shop}
	spec: {service: db, ingress: []}
END

# ---- receivers ----
certificate()
{
	openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj "/CN=$1" -addext "subjectAltName=$2" \
		-keyout "$LAB/$1.key" -out "$LAB/$1.pem" 2>/dev/null
}
certificate good IP:127.0.0.1
certificate other DNS:elsewhere.example

# The real journal, its /run in a folder of ours.
unshare -m sh -c 'mount --bind "$1" /run && exec /lib/systemd/systemd-journald' - "$LAB/journal" \
	>"$LAB/journald.out" 2>&1 &
LAB_PIDS+=($!)
t "journald runs" wait_until 20 test -S "$LAB/journal/systemd/journal/socket"

cat >"$LAB/rsyslog.conf" <<-END
	module(load="imuxsock" SysSock.Use="off")
	module(load="mmpstrucdata")
	input(type="imuxsock" Socket="$LAB/dev-log" UseSpecialParser="off" ParseHostname="on")
	action(type="mmpstrucdata")
	template(name="t" type="string" string="%app-name%|%msgid%|%pri-text%|%\$!rfc5424-sd!vethwall@32473!workload%|%msg%\n")
	action(type="omfile" file="$LAB/syslog.out" template="t" asyncWriting="off" flushOnTXEnd="on")
END
rsyslogd -n -f "$LAB/rsyslog.conf" -i "$LAB/rsyslog.pid" >"$LAB/rsyslogd.log" 2>&1 &
LAB_PIDS+=($!)
t "rsyslogd runs" wait_until 20 test -S "$LAB/dev-log"

listens()
{
	ns node ss -Hltn "sport = :$1" | grep -q .
}
tls_receiver()
{
	bg "tls-$1" node socat -u \
		"OPENSSL-LISTEN:$2,reuseaddr,fork,cert=$LAB/$1.pem,key=$LAB/$1.key,verify=0" \
		"OPEN:$LAB/tls-$1.json,creat,append"
	wait_until 20 listens "$2"
}
t "a TLS receiver runs" tls_receiver good 6514
t "and one with a certificate for somebody else" tls_receiver other 6515

cat >"$LAB/a/vethwall.yaml" <<-END
	outputs:
	  - {kind: journald, address: "unixgram:$LAB/journal/systemd/journal/socket"}
	  - {kind: syslog, address: "unixgram:$LAB/dev-log"}
	  - {kind: json, address: "tls:127.0.0.1:6514", ca: "$LAB/good.pem"}
	  - {kind: json, address: "tls:127.0.0.1:6515", ca: "$LAB/other.pem"}
	  - {kind: json, address: "unix:$LAB/late.sock"}
	  - {kind: json, address: "tcp:127.0.0.1:9", buffer: 64KiB}
	metrics: 127.0.0.1:9273
END
t "the agent runs with six outputs" agent_start a node --runtime "static:$LAB/world.yaml" --policies "$P"

LOG=$LAB/a/log/denied.jsonl
out()
{
	vw a status --format json |
		jq -e "[.outputs[] | select(.address | startswith(\"$1\"))][0] | $2" >/dev/null
}
lines() # FILE: as many records as the log has
{
	[ "$(grep -c '"event_type":"denied"' "$1")" -eq "$(grep -c '"event_type":"denied"' "$LOG")" ]
}
at_least()
{
	[ "$(grep -c '"event_type":"denied"' "$LOG")" -ge "$1" ]
}
for port in 1001 1002 1003; do denied web "tcp/$port" 10.77.0.12; done
t "refused connections are in the log" wait_until 20 at_least 3
sleep 6 # a flow's second record comes an interval after the first

# ---- each received the same ----
in_journal()
{
	journalctl -D "$LAB/journal/log/journal" -o json SYSLOG_IDENTIFIER=vethwall --no-pager -q
}
journal_has_all()
{
	[ "$(in_journal | wc -l)" -eq "$(grep -c '"event_type":"denied"' "$LOG")" ]
}
journal_fields()
{
	in_journal | jq -se 'any(.[]; .VETHWALL_DEST_PORT == "1002" and .VETHWALL_WORKLOAD == "shop/db" and
		.PRIORITY == "5" and (.MESSAGE | startswith("denied ingress at shop/db: 10.77.0.10 to 10.77.0.12 tcp/1002")))'
}
syslog_has_all()
{
	[ "$(grep -c '^vethwall|denied|authpriv.notice|shop/db| *denied ingress' "$LAB/syslog.out")" -eq \
		"$(grep -c '"event_type":"denied"' "$LOG")" ]
}
same_lines()
{
	cmp <(grep '"event_type":"denied"' "$LOG") "$LAB/tls-good.json"
}
t "the journal has every record" wait_until 20 journal_has_all
t "as fields" journal_fields
t "rsyslogd parsed every record: application, event, priority, structured data" wait_until 20 syslog_has_all
t "the TLS receiver has every line" wait_until 20 lines "$LAB/tls-good.json"
t "as the log has it" same_lines
t "a certificate of somebody else: nothing is sent, and status says why" \
	out tls:127.0.0.1:6515 '(.connected | not) and .sent == 0 and (.error | test("TLS"))'
t "not a byte" test ! -s "$LAB/tls-other.json"

# ---- late, gone, full ----
t "what waits for a receiver that is not there is shown" \
	out unix: '(.connected | not) and .waiting > 0 and .dropped == 0'
bg late node socat -u "UNIX-LISTEN:$LAB/late.sock,fork" "OPEN:$LAB/late.json,creat,append"
t "and arrives when it comes" wait_until 60 lines "$LAB/late.json"
flood()
{
	# shellcheck disable=SC2016
	ns web bash -c 'for p in $(seq 2000 2399); do echo x >"/dev/udp/10.77.0.12/$p"; done'
}
t "four hundred flows more" flood
wait_until 40 at_least 403
t "a buffer that is full drops, and counts" \
	wait_until 20 out tcp:127.0.0.1:9 '.dropped > 0 and .waiting > 0 and .waiting <= 65536'
t "the others have everything" wait_until 40 lines "$LAB/tls-good.json"
t "the late one too" wait_until 40 lines "$LAB/late.json"

# ---- metrics ----
scrape()
{
	ns node curl -sf -m 5 -o "$LAB/metrics" -D "$LAB/head" http://127.0.0.1:9273/metrics &&
		grep -qi '^content-type: application/openmetrics-text; version=1.0.0' "$LAB/head"
}
cat >"$LAB/read.py" <<-'END'
	import sys
	from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse
	m = {}
	for f in parse(open(sys.argv[1]).read()):
	    for s in f.samples:
	        m.setdefault(s.name, []).append((s.labels, s.value))
	want = int(sys.argv[2])
	got = sum(v for l, v in m["vethwall_packets_total"]
	          if l["workload"] == "shop/db" and l["event"] == "denied")
	assert got == want, (got, want)
	assert m["vethwall_healthy"][0][1] in (0, 1)
	assert sum(v for l, v in m["vethwall_interfaces"] if l["state"] == "enforced") == 2
	assert m["vethwall_commit_seconds_count"][0][1] >= 1
	assert m["vethwall_record_delay_seconds_count"][0][1] >= 3
	assert any(l["result"] == "dropped" and v > 0 for l, v in m["vethwall_output_records_total"])
END
metrics_agree()
{
	local sum
	sum=$(jq -s '[.[] | select(.event_type == "denied") | .packets] | add' "$LOG")
	"$@" && /usr/bin/python3 "$LAB/read.py" "$LAB/metrics" "$sum"
}
printed()
{
	vw a metrics >"$LAB/metrics"
}
not_found()
{
	[ "$(ns node curl -s -m 5 -o /dev/null -w '%{http_code}' "http://127.0.0.1:9273/$1")" = 404 ]
}
sleep 6
t "metrics on the loopback port: a parser of the format finds the log's sum" metrics_agree scrape
t "vethwall metrics prints the same" metrics_agree printed
t "nothing else is there" not_found secret
t "the agent stops in order" agent_stop a
tap_done
