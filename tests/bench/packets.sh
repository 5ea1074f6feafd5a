# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
# The packet path: two containers on one bridge, the same traffic and the same policy six ways, in
# turns: without any, the usual way, walled, walled without the guard, walled with counters, and walled
# among hundreds of others. Each way has a node of its own. What is compared is the medians.

PORT=5201
ROUNDS=${ROUNDS:-11}
SLICE_MS=${SLICE_MS:-500}
WALLS=${WALLS:-500}

packet_policies()
{
	local other
	mkdir -p "$1"
	cat >"$1/pair.yaml" <<-END
		apiVersion: vethwall/v1
		kind: ServicePolicy
		metadata: {name: a}
		spec:
		  service: a
		  egress: [{to: [{service: b}], ports: [tcp/$PORT, udp/$PORT]}]
		  ingress: []
		---
		apiVersion: vethwall/v1
		kind: ServicePolicy
		metadata: {name: b}
		spec:
		  service: b
		  ingress: [{from: [{service: a}], ports: [tcp/$PORT, udp/$PORT]}]
		  egress: []
	END
	for other in 0 1 2 3; do
		cat <<-END
			---
			apiVersion: vethwall/v1
			kind: ServicePolicy
			metadata: {name: s$other}
			spec:
			  service: s$other
			  ingress: [{from: [{service: a}], ports: [tcp/80]}]
			  egress: []
		END
	done >>"$1/pair.yaml"
}

# The same policy where most people would write it: bridged packets led through the IP hooks, state by
# conntrack, verdicts in one map.
usual_way()
{
	ns "$1" sysctl -qw net.bridge.bridge-nf-call-iptables=1 && ns "$1" nft -f - <<-END
		table inet usual {
			map verdicts {
				type ipv4_addr . ipv4_addr . inet_proto . inet_service : verdict
				elements = { 10.77.0.10 . 10.77.0.11 . tcp . $PORT : accept,
					10.77.0.10 . 10.77.0.11 . udp . $PORT : accept }
			}
			chain forward {
				type filter hook forward priority 0; policy drop;
				ct state vmap { established : accept, related : accept, invalid : drop }
				ip saddr . ip daddr . meta l4proto . th dport vmap @verdicts
				counter log group 5
			}
		}
	END
}

# pair NODE [MORE-WALLS]: a node with br0 and containers NODE-a and NODE-b
pair()
{
	local n=$1
	quiet_node "$n" && br_add br0 10.77.0.1/16 || return
	# shellcheck disable=SC2034
	CT_WORLD=()
	ct_add "$n-a" br0 02:42:0a:4d:00:0a 10.77.0.10 - service=a &&
		ct_add "$n-b" br0 02:42:0a:4d:00:0b 10.77.0.11 - service=b
}

wall_pair()
{
	local n=$1 more=$2
	pair "$n" && world_write && veths w 0 "$more" || return
	world_lines w 0 "$more" >>"$LAB/world.yaml"
	mv "$LAB/world.yaml" "$LAB/$n.yaml"
	agent_start "$n" "$n" --runtime "static:$LAB/$n.yaml" --policies "$LAB/pair"
}

measure()
{
	"$TRAFFIC" -c "$CPU" run "$1" "$SLICE_MS" "$LAB_ID-$2-a" "$LAB_ID-$2-b" 10.77.0.11 >>"$LAB/$1.$2"
}

packets_setup()
{
	packet_policies "$LAB/pair"
	mkdir -p "$LAB/counted" "$LAB/bare"
	echo 'guard: {when_away: pass}' >"$LAB/bare/vethwall.yaml"
	echo 'live_counters: true' >"$LAB/counted/vethwall.yaml"
	pair none && pair usual && usual_way usual && wall_pair wall 0 && wall_pair bare 0 &&
		wall_pair counted 0 && wall_pair many $((WALLS - 2))
}

packets_run()
{
	local i way mode
	for ((i = 0; i < ROUNDS; i++)); do
		for mode in udp connections tcp; do
			for way in none usual wall bare counted many; do
				measure $mode $way || return
			done
		done
	done
}

packets_row()
{
	local what=$1 mode=$2 unit=$3 divisor=$4 form=$5 way
	local -A m
	for way in none usual wall bare counted many; do
		m[$way]=$(median <"$LAB/$mode.$way")
	done
	row "$what, two walls" "$(scaled "$form" "${m[wall]}" "$divisor") $unit" \
		"usual way $(scaled "$form" "${m[usual]}" "$divisor") ($(ratio "${m[wall]}" "${m[usual]}") x), no firewall $(scaled "$form" "${m[none]}" "$divisor") ($(ratio "${m[wall]}" "${m[none]}") x)"
	row "$what, without the guard" "$(scaled "$form" "${m[bare]}" "$divisor") $unit" \
		"two walls: $(ratio "${m[wall]}" "${m[bare]}") x of it"
	row "$what, with live_counters" "$(scaled "$form" "${m[counted]}" "$divisor") $unit" \
		"two walls: $(ratio "${m[counted]}" "${m[wall]}") x"
	row "$what, among $WALLS walls" "$(scaled "$form" "${m[many]}" "$divisor") $unit" \
		"two walls: $(ratio "${m[many]}" "${m[wall]}") x"
}

bench_packets()
{
	packets_setup && packets_run || return
	heading "Packet path (one core for both ends and the way; medians of $ROUNDS turns of $SLICE_MS ms)"
	packets_row "small UDP, 64 bytes" udp kpps 1000 %.1f
	packets_row "new connections" connections k/s 1000 %.2f
	packets_row "TCP stream" tcp Gbit/s 125000000 %.2f
	agent_stop wall && agent_stop bare && agent_stop counted && agent_stop many
}
