# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
# Changes of policies on a node that serves traffic: a hundred applies that change one rule, among many
# walls, while a hundred flows that stay allowed send numbered datagrams.

APPLIES=${APPLIES:-100}
APPLY_SIZES=${APPLY_SIZES:-"100 1000"}
APPLY_FLOWS=100

# A hundred services as in the load bench, and the pair that talks; one port of one rule by $2.
apply_policies()
{
	load_policies "$1"
	sed -i "/name: p50}/,/^---/s/tcp\/9100/tcp\/$2/" "$1/all.yaml"
	cat >"$1/talk.yaml" <<-END
		apiVersion: vethwall/v1
		kind: ServicePolicy
		metadata: {name: ear}
		spec:
		  service: ear
		  ingress: [{from: [{service: mouth}], ports: [udp/53]}]
		  egress: []
	END
}

# Milliseconds of each apply, one a line; every second one goes back.
apply_all()
{
	local i d
	for ((i = 0; i < APPLIES; i++)); do
		d=$LAB/one
		[ $((i % 2)) -eq 1 ] || d=$LAB/other
		took vw "$1" apply --policies "$d" >>"$LAB/$1.lines" || return
	done
	grep -v '^set ' "$LAB/$1.lines" | grep -E '^[0-9.]+$' >"$LAB/$1.ms"
	[ "$(grep -c ' operations in one transaction' "$LAB/$1.lines")" -eq "$APPLIES" ] &&
		! grep -q ' 0 operations' "$LAB/$1.lines"
}

apply_size()
{
	local n=$1 node=apply$1 steady
	quiet_node "$node" && br_add br0 10.77.0.1/16 && veths w 0 "$n" || return
	ct_add "mouth$n" br0 02:42:0a:4d:7f:01 10.77.0.201 - service=mouth &&
		ct_add "ear$n" br0 02:42:0a:4d:7f:02 10.77.0.202 - service=ear && world_write || return
	world_lines w 0 "$n" >>"$LAB/world.yaml"
	serve "ear$n" udp:53 &&
		agent_start "$node" "$node" --runtime "static:$LAB/world.yaml" --policies "$LAB/one" || return
	bg "steady$n" "mouth$n" "$NETPROBE" -t 5000 steady 10.77.0.202 53 "$APPLY_FLOWS"
	steady=$!
	wait_until "$DEADLINE" grep -qs flowing "$LAB/steady$n.out" && apply_all "$node" || return
	kill "$steady"
	wait_until 30 grep -qs lost "$LAB/steady$n.out" && agent_stop "$node" &&
		ct_forget "mouth$n" && ct_forget "ear$n"
}

bench_apply()
{
	local n lost
	# shellcheck source=tests/bench/load.sh
	. tests/bench/load.sh
	apply_policies "$LAB/one" 9100
	apply_policies "$LAB/other" 9101
	heading "Changes ($APPLIES applies of one rule, $APPLY_FLOWS flows of datagrams that stay allowed meanwhile)"
	for n in $APPLY_SIZES; do
		apply_size "$n" || return
		row "apply at $n walls, p50" "$(scaled %.1f "$(median <"$LAB/apply$n.ms")") ms" \
			"worst: $(scaled %.1f "$(percentile 100 <"$LAB/apply$n.ms")") ms; from exec to answer, all written to the disk"
		lost=$(awk '/ lost / {print $4 " of " $2}' "$LAB/steady$n.out")
		row "  packets lost by flows that stay" "${lost%% *}" "of ${lost##* } sent"
	done
}
