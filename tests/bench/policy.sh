# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
# What many policies cost: to compile, to ask, and to a packet.

# Compiling, and how it grows: what grows is the elements that come out.
compile_rows()
{
	local n ms kib elements
	local -A took text
	while read -r n ms kib _ elements; do
		took[$n]=$ms
		text[$n]="$kib KiB, $elements elements, $(awk -v t="$ms" -v n="$elements" 'BEGIN {printf "%.2f", t * 1000 / n}') us each"
	done < <("$COMPILE" 100 1000)
	[ -n "${took[1000]:-}" ] || return
	row "compile 1,000 workloads x 1,000 policies x 10" "${took[1000]} ms" "${text[1000]}"
	row "compile 100 workloads x 100 policies x 10" "${took[100]} ms" "${text[100]}"
}

# Two sets compiled and compared, each size in a process of its own, for its peak of memory.
compare_row()
{
	local kind=$1 said=$2 n=$3 ms edges kib
	read -r _ ms edges _ kib < <("$COMPILE" diff "$kind" "$n") || return
	row "what changes, $n x $n: $said" "$ms ms" "$edges pairs of services, $((kib / 1024)) MiB"
}

compare_rows()
{
	local n
	for n in 1000 100; do
		compare_row same nothing "$n" && compare_row few "one policy in a hundred" "$n" &&
			compare_row all "every policy" "$n" && compare_row first "the first ones" "$n" || return
	done
}

# 100,000 questions to the reference verdict in that world, loading included
explain_row()
{
	local start end
	mkdir -p "$LAB/big" && "$COMPILE" text 1000 "$LAB/big" || return
	awk 'BEGIN {srand(1); for (i = 0; i < 100000; i++)
		printf "s%d s%d tcp/%d\n", rand() * 1000, rand() * 1000, 1000 + rand() * 10}' >"$LAB/probes"
	start=$(date +%s%N)
	"$VETHWALL" explain --batch "$LAB/probes" --world "$LAB/big/world.yaml" \
		--policies "$LAB/big/policies.yaml" >"$LAB/answers" || return
	end=$(date +%s%N)
	[ "$(wc -l <"$LAB/answers")" -eq 100000 ] || return
	row "explain --batch, 100,000 probes there" \
		"$(scaled %.0f 100000000 "$(((end - start) / 1000000))") /s" "$(((end - start) / 1000000)) ms, loading included"
}

# The pair of the packet path, with so many rules on the receiver.
ruled_pair()
{
	local n=$1 rules=$2 i
	mkdir -p "$LAB/rules-$n"
	packet_policies "$LAB/rules-$n"
	{
		printf -- '---\napiVersion: vethwall/v1\nkind: ServicePolicy\nmetadata: {name: more}\nspec:\n  service: b\n  ingress:\n'
		for ((i = 1; i < rules; i++)); do
			echo "    - {from: [{cidr: 10.$((100 + i % 100)).$((i / 100)).0/24}, {service: s$i}], ports: [tcp/$((6000 + i)), udp/$((20000 + 20 * i))-$((20009 + 20 * i))]}"
		done
	} >>"$LAB/rules-$n/pair.yaml"
	pair "$n" && world_write && mv "$LAB/world.yaml" "$LAB/$n.yaml" &&
		agent_start "$n" "$n" --runtime "static:$LAB/$n.yaml" --policies "$LAB/rules-$n"
}

rules_rows()
{
	local i mode
	ruled_pair few 10 && ruled_pair lots 1000 || return
	for ((i = 0; i < ROUNDS; i++)); do
		for mode in udp connections; do
			measure $mode few && measure $mode lots || return
		done
	done
	for mode in udp connections; do
		row "1,000 rules on one workload: $mode" \
			"$(ratio "$(median <"$LAB/$mode.lots")" "$(median <"$LAB/$mode.few")") x" "of 10 rules"
	done
	agent_stop few && agent_stop lots
}

bench_policy()
{
	# shellcheck source=tests/bench/packets.sh
	. tests/bench/packets.sh
	heading "Many policies"
	compile_rows && compare_rows && explain_row && rules_rows
}
