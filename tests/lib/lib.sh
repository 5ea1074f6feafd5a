# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
# A lab of network namespaces for tests, the bench and the demo: a node with bridges, containers on
# it (a namespace and a veth each, or real ones by engine.sh), an agent, and probes between them.
# Everything has names that no other run has, and goes on every way out. The machine's own network
# is never touched: nothing here runs ip or nft outside a namespace that it made.
#
#   lab_begin NAME               the folder $LAB, the traps
#   ns_add NS; ns NS CMD...      a namespace; a command in it
#   node_add; br_add BR IP4/LEN [IP6/LEN]
#   ct_add CT BR MAC IP4 IP6 [service=S] [namespace=N] [label=K:V]... [image=I]     ("-": no address)
#   ext_add EXT IP4/LEN GW4 [IP6/LEN GW6]    a host outside, routed through the node
#   world_write                  $LAB/world.yaml for --runtime static:
#   agent_start A NODE ARGS...   waits for "vethwall: ready"; agent_stop A, agent_kill A, vw A CMD...
#   serve NS tcp:80 udp:53       echo servers
#   probe WHERE tcp/80 ADDR      one word; allowed/denied/refused WHERE WHAT ADDR succeed or not.
#                                WHERE: a namespace, docker:CONTAINER, or pid:PID for a container's namespace
#   wait_until SECONDS CMD...    polls; deadlines are generous, a machine can pause for seconds

VW_SRC=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
BUILD=${BUILD:-build}
case $BUILD in /*) ;; *) BUILD=$VW_SRC/$BUILD ;; esac
VETHWALL=${VETHWALL:-$BUILD/vethwall}
NETPROBE=${NETPROBE:-$BUILD/tests/lib/netprobe}
DEADLINE=${DEADLINE:-60}

LAB=
LAB_ID=
LAB_NS=()      # namespaces made, by full name
LAB_PIDS=()    # processes started
LAB_ON_END=()  # commands for lab_end, run last first
declare -A AGENT_PID BR_GW4 BR_GW6
CT_WORLD=()    # one YAML flow mapping each

# Whether this machine can run the kernel tests; prints why not.
lab_missing()
{
	local tool
	[ "$(id -u)" -eq 0 ] || { echo "needs root"; return; }
	for tool in ip nsenter nft "$@"; do
		command -v "$tool" >/dev/null || { echo "$tool is not installed"; return; }
	done
	unshare -n true 2>/dev/null || echo "network namespaces are not available"
}

lab_begin()
{
	LAB_ID=vw-$1-$$
	LAB=$(mktemp -d "/tmp/vw.XXXXXX") || exit 2
	trap lab_end EXIT
	trap 'exit 129' HUP
	trap 'exit 130' INT
	trap 'exit 143' TERM
}

lab_end()
{
	local rc=$? i n
	trap - EXIT
	trap '' HUP INT TERM
	for ((i = ${#LAB_ON_END[@]} - 1; i >= 0; i--)); do
		${LAB_ON_END[i]}
	done
	kill_wait "${LAB_PIDS[@]}"
	for n in "${LAB_NS[@]}"; do
		# What is left in a namespace of ours was started by us.
		# shellcheck disable=SC2046
		kill_wait $(ip netns pids "$n" 2>/dev/null)
		ip netns del "$n"
	done
	if [ -n "${KEEP:-}" ]; then
		echo "# kept $LAB" >&2
	else
		rm -rf --one-file-system "$LAB"
	fi
	exit "$rc"
}

# Ends processes: TERM, then KILL for what is still there after ten seconds.
kill_wait()
{
	local p
	[ $# -gt 0 ] || return 0
	for p in "$@"; do
		kill "$p" 2>/dev/null
	done
	for p in "$@"; do
		wait_until 10 pid_gone "$p" || kill -9 "$p" 2>/dev/null
		wait "$p" 2>/dev/null
	done
	return 0
}

# kill -9, and the shell says nothing about it.
kill_hard()
{
	{
		kill -9 "$1"
		wait_until "$DEADLINE" pid_gone "$1"
		wait "$1"
	} 2>/dev/null
	return 0
}

pid_gone()
{
	# A zombie of ours is gone too: it is reaped by wait.
	[ ! -e "/proc/$1" ] || grep -q '^State:[[:space:]]*Z' "/proc/$1/status" 2>/dev/null
}

wait_until()
{
	local end=$((SECONDS + $1))
	shift
	until "$@"; do
		[ "$SECONDS" -lt "$end" ] || return 1
		sleep 0.05
	done
}

ns_add()
{
	ip netns add "$LAB_ID-$1" || return
	LAB_NS+=("$LAB_ID-$1")
	# No duplicate address detection: addresses are ready at once. No limit on ICMP errors: what a
	# probe sees must not depend on the probes before it.
	ns "$1" sysctl -qw net.ipv6.conf.all.accept_dad=0 net.ipv6.conf.default.accept_dad=0 \
		net.ipv4.icmp_ratelimit=0 net.ipv6.icmp.ratelimit=0 &&
		ip -n "$LAB_ID-$1" link set lo up
}

ns_del()
{
	local n keep=()
	# shellcheck disable=SC2046
	kill_wait $(ip netns pids "$LAB_ID-$1")
	ip netns del "$LAB_ID-$1"
	for n in "${LAB_NS[@]}"; do
		[ "$n" = "$LAB_ID-$1" ] || keep+=("$n")
	done
	LAB_NS=("${keep[@]}")
}

ns()
{
	local n=$1
	shift
	nsenter --net="/run/netns/$LAB_ID-$n" "$@"
}

# Starts CMD in a namespace in the background, in a session of its own so that Ctrl-C reaches us
# first; its output goes to $LAB/TAG.out. The pid is in $!.
bg()
{
	local tag=$1 n=$2
	shift 2
	setsid nsenter --net="/run/netns/$LAB_ID-$n" "$@" >"$LAB/$tag.out" 2>&1 </dev/null &
	LAB_PIDS+=($!)
}

node_add()
{
	NODE=${1:-node}
	ns_add "$NODE" &&
		ns "$NODE" sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1
}

br_add()
{
	ns "$NODE" ip link add "$1" type bridge && ns "$NODE" ip link set "$1" up || return
	ns "$NODE" ip addr add "$2" dev "$1" || return
	BR_GW4[$1]=${2%/*}
	[ -z "${3:-}" ] && return
	ns "$NODE" ip addr add "$3" dev "$1" nodad || return
	BR_GW6[$1]=${3%/*}
}

ct_add()
{
	local ct=$1 br=$2 mac=$3 ip4=$4 ip6=$5 kv ips='' labels='' rest=''
	shift 5
	ns_add "$ct" &&
		ns "$NODE" ip link add "v-$ct" type veth peer name eth0 address "$mac" \
			netns "$LAB_ID-$ct" &&
		ns "$NODE" ip link set "v-$ct" master "$br" up &&
		ns "$ct" ip link set eth0 up || return
	if [ "$ip4" != - ]; then
		ns "$ct" ip addr add "$ip4/24" dev eth0 &&
			ns "$ct" ip route add default via "${BR_GW4[$br]}" || return
		ips=$ip4
	fi
	if [ "$ip6" != - ]; then
		ns "$ct" ip addr add "$ip6/64" dev eth0 nodad &&
			ns "$ct" ip route add default via "${BR_GW6[$br]}" || return
		ips="$ips${ips:+, }\"$ip6\""
	fi
	for kv in "$@"; do
		case $kv in
		label=*) labels="$labels${labels:+, }\"${kv#label=}\"" ;;
		*) rest="$rest, ${kv%%=*}: \"${kv#*=}\"" ;;
		esac
	done
	labels=${labels//:/\": \"}
	CT_WORLD+=("name: $ct$rest, labels: {$labels}, interfaces: [{veth: v-$ct, network: $br, mac: \"$mac\", ips: [$ips]}]")
}

# Forgets a container in the world file; its namespace goes with ns_del.
ct_forget()
{
	local w keep=()
	for w in "${CT_WORLD[@]}"; do
		case $w in "name: $1,"*) ;; *) keep+=("$w") ;; esac
	done
	CT_WORLD=("${keep[@]}")
}

world_write()
{
	{
		echo "workloads:"
		[ ${#CT_WORLD[@]} -gt 0 ] || echo "  []"
		printf '  - {%s}\n' "${CT_WORLD[@]}"
	} >"$LAB/world.new" && mv "$LAB/world.new" "$LAB/world.yaml"
}

ext_add()
{
	local ext=$1
	ns_add "$ext" &&
		ns "$NODE" ip link add "x-$ext" type veth peer name eth0 netns "$LAB_ID-$ext" &&
		ns "$NODE" ip addr add "$3/${2#*/}" dev "x-$ext" &&
		ns "$NODE" ip link set "x-$ext" up &&
		ns "$ext" ip link set eth0 up &&
		ns "$ext" ip addr add "$2" dev eth0 &&
		ns "$ext" ip route add default via "$3" || return
	[ -n "${4:-}" ] || return 0
	ns "$NODE" ip addr add "$5/${4#*/}" dev "x-$ext" nodad &&
		ns "$ext" ip addr add "$4" dev eth0 nodad &&
		ns "$ext" ip route add default via "$5"
}

# Starts an agent; settings for it may be written to $LAB/A/vethwall.yaml before.
agent_start()
{
	local a=$1 n=$2 d=$LAB/$1
	shift 2
	mkdir -p "$d/run" "$d/state" "$d/log"
	[ -e "$d/vethwall.yaml" ] || echo '{}' >"$d/vethwall.yaml"
	rm -f "$d/agent.out" # of an agent before: its "ready" is not ours
	bg "$a/agent" "$n" "$VETHWALL" run --config "$d/vethwall.yaml" --run-dir "$d/run" \
		--state-dir "$d/state" --log-dir "$d/log" "$@"
	AGENT_PID[$a]=$!
	wait_until "$DEADLINE" agent_settled "$a" && grep -q '^vethwall: ready' "$d/agent.out" &&
		return
	echo "the agent did not become ready:"
	tail -n 40 "$d/agent.out"
	return 1
}

agent_settled()
{
	grep -qs '^vethwall: ready' "$LAB/$1/agent.out" || pid_gone "${AGENT_PID[$1]}"
}

# Stops it in order; fails when it did not leave with 0 (a sanitizer found something, say).
agent_stop()
{
	local pid=${AGENT_PID[$1]} rc=0
	kill "$pid" || return
	wait_until "$DEADLINE" pid_gone "$pid" || return
	wait "$pid" || rc=$?
	[ "$rc" -eq 0 ] || tail -n 60 "$LAB/$1/agent.out"
	return "$rc"
}

agent_kill()
{
	kill_hard "${AGENT_PID[$1]}"
}

# A client command against agent A.
vw()
{
	local a=$1 cmd=$2 where=(--run-dir "$LAB/$1/run")
	shift 2
	[ "$cmd" != flows ] || where=(--log-dir "$LAB/$a/log")
	"$VETHWALL" "$cmd" "${where[@]}" "$@"
}

# Runs a command at WHERE: docker:CONTAINER (its image has netprobe) or a namespace.
at()
{
	local w=$1
	shift
	case $w in
	docker:*) dk exec "${w#docker:}" "$@" ;;
	pid:*) nsenter --net="/proc/${w#pid:}/ns/net" "$@" ;;
	*) ns "$w" "$@" ;;
	esac
}

at_netprobe()
{
	local w=$1
	shift
	case $w in
	docker:*) at "$w" /bin/netprobe "$@" ;;
	*) at "$w" "$NETPROBE" "$@" ;;
	esac
}

serve()
{
	local n=$1
	shift
	bg "serve-$n" "$n" "$NETPROBE" serve "$@"
	wait_until "$DEADLINE" grep -qs ready "$LAB/serve-$n.out"
}

# probe WHERE tcp/PORT|udp/PORT|ping ADDR [TIMEOUT_MS]
probe()
{
	local proto=${2%/*} port=${2#*/}
	[ "$proto" != ping ] || port=
	# shellcheck disable=SC2086
	at_netprobe "$1" -t "${4:-1000}" "$proto" "$3" $port
}

allowed()
{
	wait_until 15 probe_is passed "$@"
}

# One attempt, with no second chance: a connection that passes is a hole.
denied()
{
	local word
	word=$(probe "$@")
	echo "$1 -> $3 $2: $word"
	case $word in refused | reset | closed | silent | timeout | unreachable) ;; *) return 1 ;; esac
}

# Denied, and told so at once: what a container may not send is rejected, not dropped.
refused()
{
	local word
	word=$(probe "$@")
	echo "$1 -> $3 $2: $word"
	case $word in refused | unreachable) ;; *) return 1 ;; esac
}

probe_is()
{
	local want=$1 word
	shift
	word=$(probe "$@")
	echo "$1 -> $3 $2: $word"
	[ "$word" = "$want" ]
}
