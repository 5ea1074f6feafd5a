# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
# Faults for an agent in a lab (see lib.sh), and what is checked after each.
#
#   faults_begin           $VETHWALL becomes one whose calls faults.so makes fail; commands of clients do not
#   fault_plan "WORDS"     from now on (faults.c); "" ends it
#   faults_injected        how many calls have failed so far
#   pool_begin BR; pool_start NAME N; pool_stop NAME   containers that only come and go: a veth on BR, its
#                          other end in one namespace that all share
#   churn_begin N; churn_end    in the background: N starts and N stops a second of pool containers
#   settled A              A has no error, everything of the world file stands
#   kernel_is A            the table is what A's policies and world compile to

FAULTS_SO=${FAULTS_SO:-$BUILD/tests/lib/faults.so}
KERNELCHECK=${KERNELCHECK:-$BUILD/tests/security/kernelcheck}
# shellcheck disable=SC2034 # for the tests
FAULTS_N=0 FAULTS_SURVIVED=0
fault_generation=0

faults_begin()
{
	# ASan brings its own malloc: faults.so goes before the plain build, which `make check` has made too.
	VETHWALL_SHIPPED=$VETHWALL
	if grep -q __asan_init "$VETHWALL"; then
		VETHWALL_SHIPPED=${BUILD%/san}/vethwall
		if [ "$BUILD" = "${BUILD%/san}" ] || ! [ -x "$VETHWALL_SHIPPED" ]; then
			skip_all "needs the build without sanitizers beside this one"
		fi
	fi
	VETHWALL=$LAB/vethwall-faulty
	head -c 4096 /dev/zero >"$LAB/faults"
	cat >"$VETHWALL" <<-END
		#!/bin/sh
		[ "\$1" = run ] || exec "$VETHWALL_SHIPPED" "\$@"
		LD_PRELOAD=$FAULTS_SO VW_FAULTS=$LAB/faults VW_FAULTS_SEED=${SEED:-1} exec "$VETHWALL_SHIPPED" "\$@"
	END
	chmod +x "$VETHWALL"
}

# The text first, the byte that says that it is new last.
fault_plan()
{
	fault_generation=$(((fault_generation + 1) % 90))
	printf '%-2047s' "$1" | dd of="$LAB/faults" oflag=seek_bytes seek=1 bs=2047 conv=notrunc status=none
	# shellcheck disable=SC2059
	printf "\\$(printf %o $((fault_generation + 33)))" | dd of="$LAB/faults" bs=1 conv=notrunc status=none
}

faults_injected()
{
	od -An -v -t u8 -j 2048 -N 128 -w8 "$LAB/faults" | awk '{n += $1} END {print n}'
}

pool_begin()
{
	POOL_BR=$1
	ns_add pool
}

# The words for ip, and the world's line.
pool_start()
{
	local name=$1 n=$2 mac
	printf -v mac '02:42:0b:00:%02x:%02x' $((n / 250)) $((n % 250))
	# shellcheck disable=SC2153
	pool_ip "link add v-$name type veth peer name p-$name address $mac netns $LAB_ID-pool"
	pool_ip "link set v-$name master $POOL_BR up"
	CT_WORLD+=("name: $name, service: pool, namespace: shop, interfaces: [{veth: v-$name, network: $POOL_BR, mac: \"$mac\", ips: [10.77.$((100 + n / 250)).$((n % 250))]}]")
}

pool_stop()
{
	pool_ip "link del v-$1"
	ct_forget "$1"
}

# shellcheck disable=SC2086
pool_ip()
{
	if [ -n "${POOL_FD:-}" ]; then
		echo "$1" >&"$POOL_FD"
	else
		ns "$NODE" ip $1
	fi
}

# Links and the world file follow each other in no fixed order, as with a runtime. One ip for all: a process for each
# would be slower than the churn.
churn_begin()
{
	local pause
	pause=$(awk -v n="$1" 'BEGIN {print 0.9 / n}')
	: >"$LAB/churning"
	: >"$LAB/churned"
	(
		trap - EXIT
		exec {POOL_FD}> >(ns "$NODE" ip -force -batch -)
		n=0
		while [ -e "$LAB/churning" ]; do
			n=$((n % 5000 + 1))
			[ $((n % 3)) -eq 0 ] || pool_start "c$n" "$n"
			[ "$n" -le 8 ] || pool_stop "c$((n - 8))"
			world_write
			[ $((n % 3)) -ne 0 ] || pool_start "c$n" "$n"
			echo "$n" >>"$LAB/churned"
			sleep "$pause"
		done
		for ((i = n > 8 ? n - 7 : 1; i <= n; i++)); do pool_stop "c$i"; done
		world_write
	) >"$LAB/churn.out" 2>&1 &
	CHURN_PID=$!
	LAB_PIDS+=("$CHURN_PID")
}

churn_end()
{
	rm -f "$LAB/churning"
	wait_until 30 pid_gone "$CHURN_PID"
}

world_stands()
{
	vw "$1" status --format json | jq -e --argjson n "${#CT_WORLD[@]}" '.error == null and .runtime.connected and
		.counts.workloads == $n and .counts.enforced == $n' >/dev/null
}

settled()
{
	wait_until "${2:-30}" world_stands "$1" && return
	vw "$1" status --format json | jq -c '[.error, .runtime, .counts, [.workloads[] | select(.state != "enforced")]]'
	return 1
}

kernel_is()
{
	ns "$NODE" "$KERNELCHECK" "$LAB/$1/run"
}
