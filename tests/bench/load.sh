# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
# A thousand workloads under a hundred policies: the first load against `nft -f` of the same ruleset,
# one more workload on top, and what the agent weighs.

LOAD_WALLS=${LOAD_WALLS:-1000}
LOAD_ROUNDS=${LOAD_ROUNDS:-3}
MORE=10      # workloads added one by one, for each figure
NFT_MORE=5

# A hundred services that reach three others each, and are reached from outside.
load_policies()
{
	local i
	mkdir -p "$1"
	for ((i = 0; i < 100; i++)); do
		cat <<-END
			---
			apiVersion: vethwall/v1
			kind: ServicePolicy
			metadata: {name: p$i}
			spec:
			  service: s$i
			  ingress:
			    - from: [{service: s$(((i + 99) % 100))}, {service: s$(((i + 98) % 100))}, {service: s$(((i + 97) % 100))}]
			      ports: [tcp/80, tcp/443, tcp/8000-8100]
			    - {from: [{cidr: 192.0.2.0/24, except: [192.0.2.128/25]}], ports: [tcp/9100]}
			  egress:
			    - to: [{service: s$(((i + 1) % 100))}, {service: s$(((i + 2) % 100))}, {service: s$(((i + 3) % 100))}]
			      ports: [tcp/80, tcp/443, tcp/8000-8100]
		END
	done >"$1/all.yaml"
}

# Our listing in words that nft can load. Where it has none (a constant or a raw field in a key) it
# gets others that load as many fields: the same sets, chains and number of rules.
nft_words()
{
	sed -e 's/ # nft has no words.*//' \
		-e 's/{ meta mark \. 0x0* \. 0x0* \. 0x00 \. ether type \. ether type }/{ meta mark . ip saddr . ip daddr . ip protocol . th sport . th dport }/' \
		-e 's/@th,192,32/ip saddr/g' \
		-e 's/ \. \(0x[0-9a-f]*\|@th,136,8\) \. / . ip protocol . /g' \
		-e 's/@\(nh\|th\),[0-9]*,16 \. @\(nh\|th\),[0-9]*,16/th sport . th dport/g' \
		-e 's/@th,\(0\|136\),8 @\(error4\|echo4\|l4ports\)/ip protocol @\2/g'
}

# Of a listing, one wall's sets and chains.
one_wall()
{
	awk -v i="_$1" '
		NR == 1 || /^}/ {print}
		/^\t(set|map|chain) / {on = substr($2, length($2) - length(i) + 1) == i}
		on {print}
		/^\t}/ {on = 0}'
}

world_of()
{
	echo workloads:
	world_lines "$@"
}

# Milliseconds that a command took.
took()
{
	local t0 t1
	t0=$(date +%s%N)
	"$@" || return
	t1=$(date +%s%N)
	echo $(((t1 - t0) / 10000)) | awk '{print $1 / 100}'
}

load_round()
{
	ns load "$LOADER" "$LAB/hundred" "$LAB/load.yaml" >>"$LAB/load.ours" || return
	ns load nft delete table netdev vethwall
	took ns load nft -f "$LAB/load.nft" >>"$LAB/load.nft.ms"
}

load_setup()
{
	quiet_node load && br_add br0 10.77.0.1/16 && load_policies "$LAB/hundred" &&
		veths w 0 $((LOAD_WALLS + NFT_MORE)) || return
	world_of w 0 "$LOAD_WALLS" >"$LAB/load.yaml"
	world_of w 0 $((LOAD_WALLS + NFT_MORE + MORE)) >"$LAB/more.yaml"
	ns load "$LOADER" "$LAB/hundred" "$LAB/load.yaml" --print | nft_words >"$LAB/load.nft" || return
	world_of w 0 $((LOAD_WALLS + NFT_MORE)) >"$LAB/some.yaml"
	ns load "$LOADER" "$LAB/hundred" "$LAB/some.yaml" --print | nft_words >"$LAB/some.nft"
}

first_load()
{
	local i
	for ((i = 0; i < LOAD_ROUNDS; i++)); do
		[ "$i" -eq 0 ] || ns load nft delete table netdev vethwall || return
		load_round || return
	done
}

# One more wall by nft -f, on top of what nft loaded.
nft_more()
{
	local i index
	for ((i = 0; i < NFT_MORE; i++)); do
		index=$(ns load ip -j link show "w$((LOAD_WALLS + i))" | jq '.[0].ifindex')
		one_wall "$index" <"$LAB/some.nft" >"$LAB/one.nft"
		took ns load nft -f "$LAB/one.nft" >>"$LAB/one.nft.ms" || return
	done
	ns load nft delete table netdev vethwall
}

# more_walls NODE FROM WORLD: the agent with what is there, then MORE veths one by one.
more_walls()
{
	local n=$1 from=$2 i t0
	t0=$(date +%s%N)
	agent_start "$n" "$n" --runtime "static:$3" --policies "$LAB/hundred" || return
	echo $((($(date +%s%N) - t0) / 1000000)) >"$LAB/$n.ready"
	watch_start "$n"
	for ((i = from; i < from + MORE; i++)); do
		veths w "$i" $((i + 1)) || return
		sleep 0.15
	done
	awk '$1 == "link" {t[$2] = $4}
		$1 == "chain" && $2 ~ /^in_/ {i = substr($2, 4); if (i in t) print ($3 - t[i]) / 1e6}' \
		"$LAB/watch-$n.out" >"$LAB/$n.more"
	[ "$(wc -l <"$LAB/$n.more")" -eq "$MORE" ]
}

memory_mib()
{
	awk -v k="$2:" '$1 == k {printf "%.1f", $2 / 1024}' "/proc/${AGENT_PID[$1]}/status"
}

load_rows()
{
	local ours nft
	ours=$(awk '{print $4}' "$LAB/load.ours" | median)
	nft=$(median <"$LAB/load.nft.ms")
	heading "Load ($LOAD_WALLS workloads, 100 policies; medians of $LOAD_ROUNDS)"
	row "parse, compile, render, commit" "$(scaled %.0f "$ours") ms" \
		"nft -f of the same ruleset $(scaled %.0f "$nft") ms ($(ratio "$nft" "$ours") x)"
	row "  of it parse and compile" "$(awk '{print $1 + $2}' "$LAB/load.ours" | median) ms"
	row "agent, from exec to ready" "$(cat "$LAB/load.ready") ms" "polled every 50 ms"
	row "one more at $LOAD_WALLS walls, p50" "$(scaled %.1f "$(median <"$LAB/load.more")") ms" \
		"worst of $MORE: $(scaled %.1f "$(percentile 100 <"$LAB/load.more")") ms; nft -f of one more $(scaled %.1f "$(median <"$LAB/one.nft.ms")") ms"
	row "one more at 100 walls, p50" "$(scaled %.1f "$(median <"$LAB/hundredth.more")") ms" \
		"worst of $MORE: $(scaled %.1f "$(percentile 100 <"$LAB/hundredth.more")") ms"
	row "agent's resident memory" "$LOAD_RSS MiB" "highest since its start: $LOAD_HWM MiB"
}

bench_load()
{
	load_setup && first_load && nft_more &&
		more_walls load $((LOAD_WALLS + NFT_MORE)) "$LAB/more.yaml" || return
	LOAD_RSS=$(memory_mib load VmRSS)
	LOAD_HWM=$(memory_mib load VmHWM)
	agent_stop load
	quiet_node hundredth && br_add br0 10.77.0.1/16 && veths w 0 100 || return
	world_of w 0 $((100 + MORE)) >"$LAB/hundredth.yaml"
	more_walls hundredth 100 "$LAB/hundredth.yaml" || return
	agent_stop hundredth
	load_rows
}
