# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
# A preview: two sets of as many policies as there are workloads, one service each, of which every
# tenth differs; offline, so that it is the command alone that is measured.

DIFF_SIZES=${DIFF_SIZES:-"100 1000"}
DIFF_ROUNDS=${DIFF_ROUNDS:-5}

# diff_policies N DIR CHANGED: 1 where every tenth lets another service in, on one port less
diff_policies()
{
	local i from ports
	mkdir -p "$2"
	for ((i = 0; i < $1; i++)); do
		from="{service: s$(((i + 1) % $1))}, {service: s$(((i + 7) % $1))}"
		ports="tcp/$((5000 + i % 50)), udp/53"
		if [ "$3" -eq 1 ] && [ $((i % 10)) -eq 0 ]; then
			from="{service: s$(((i + 1) % $1))}, {service: s$(((i + 8) % $1))}"
			ports=${ports%,*}
		fi
		cat >"$2/s$i.yaml" <<-END
			apiVersion: vethwall/v1
			kind: ServicePolicy
			metadata: {name: s$i}
			spec:
			  service: s$i
			  ingress:
			    - {from: [$from], ports: [$ports]}
			    - {from: [{cidr: 192.0.$((i % 250)).0/24}], ports: [tcp/443]}
			  egress:
			    - {to: [{entity: cluster}, {entity: dns}]}
		END
	done
}

diff_world()
{
	local i
	echo "host: [10.77.0.1]"
	echo "dns: [10.77.0.1]"
	echo "workloads:"
	for ((i = 0; i < $1; i++)); do
		echo "  - {name: w$i, service: s$i, image: \"registry.local/s$i:1\", labels: {app: s$i, tier: t$((i % 5))}, interfaces: [{network: n, mac: \"$(mac_of "$i")\", ips: [$(addr_of "$i"), \"fd77::$(printf %x $((i + 1)))\"]}]}"
	done
}

# "SECONDS KIB" of one run of the command, that must find changes
diff_run()
{
	python3 - "$VETHWALL" diff --world "$1/world.yaml" --against "$1/a" --policies "$1/b" <<-'END'
		import resource, subprocess, sys, time
		begin = time.monotonic()
		code = subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL).returncode
		took = time.monotonic() - begin
		print(took, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
		sys.exit(code != 1)
	END
}

bench_diff()
{
	local n dir i s kib before=
	heading "Preview (offline diff; medians of $DIFF_ROUNDS)"
	for n in $DIFF_SIZES; do
		dir=$LAB/diff-$n
		mkdir -p "$dir"
		diff_world "$n" >"$dir/world.yaml"
		diff_policies "$n" "$dir/a" 0
		diff_policies "$n" "$dir/b" 1
		for ((i = 0; i < DIFF_ROUNDS; i++)); do
			diff_run "$dir" || return
		done >"$dir/figures"
		s=$(cut -d ' ' -f 1 "$dir/figures" | median)
		kib=$(cut -d ' ' -f 2 "$dir/figures" | median)
		row "$n policies, $n workloads" "$(scaled '%.0f ms' "$s" 0.001)" \
			"$(scaled '%.0f MiB' "$kib" 1024)${before:+, $(ratio "$s" "$before") times as long}"
		before=$s
	done
}
