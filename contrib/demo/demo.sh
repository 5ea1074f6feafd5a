#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# make demo: a real Docker Engine in a network namespace of its own, four services on two networks, the
# agent with policies/demo, and a list of connections, each tried and held against what the policies
# say. Exit code 0 only when all behaved. Everything it made is removed, also after Ctrl-C.
cd "$(dirname "$0")/../.." || exit 2
. tests/lib/lib.sh
. tests/lib/engine.sh

HOST_FRONT=172.30.1.1 HOST_BACK=172.30.2.1 HOST_BACK6=fd77:2::1
NODE4=192.0.2.1 NODE6=2001:db8:1::1 OUTSIDE4=192.0.2.2 OUTSIDE6=2001:db8:1::2
declare -A A=([web]=172.30.1.10 [api]=172.30.1.11 [api2]=172.30.2.11 [api6]=fd77:2::11
	[db]=172.30.2.12 [db6]=fd77:2::12)

if [ -t 1 ]; then
	bold=$'\e[1m' green=$'\e[32m' red=$'\e[31m' dim=$'\e[2m' off=$'\e[0m'
else
	bold='' green='' red='' dim='' off=''
fi

say()
{
	printf '%s\n' "$bold$*$off"
}

die()
{
	printf '%s\n' "demo: $*" >&2
	exit 2
}

# What failed is shown, what worked is not.
step()
{
	say "==> $1"
	shift
	"$@" >"$LAB/step.out" 2>&1 || {
		cat "$LAB/step.out" >&2
		exit 2
	}
}

networks()
{
	dk network create --subnet 172.30.1.0/24 --opt com.docker.network.bridge.name=br-front front &&
		dk network create --ipv6 --subnet 172.30.2.0/24 --subnet fd77:2::/64 \
			--opt com.docker.network.bridge.name=br-back back &&
		ext_add outside "$OUTSIDE4/24" "$NODE4" "$OUTSIDE6/64" "$NODE6"
}

service()
{
	local name=$1
	shift
	dk create --name "$name" --label "vethwall.service=$name" --label vethwall.namespace=shop "$@"
}

services()
{
	service web --network front --ip "${A[web]}" -p 8080:80 "$IMAGE" \
		netprobe serve tcp:80 &&
		service api --network front --ip "${A[api]}" "$IMAGE" \
			netprobe serve tcp:8080 tcp:9090 udp:8125 &&
		dk network connect --ip "${A[api2]}" --ip6 "${A[api6]}" back api &&
		service db --network back --ip "${A[db]}" --ip6 "${A[db6]}" -p 15432:5432 "$IMAGE" \
			netprobe serve tcp:5432 udp:5432 &&
		service batch --network back --ip 172.30.2.13 --ip6 fd77:2::13 "$IMAGE" \
			netprobe serve tcp:9000 &&
		dk start web api db batch &&
		serve node tcp:22 tcp:9100 udp:53 && serve outside udp:514 tcp:443
}

agent()
{
	mkdir -p "$LAB/agent"
	echo "dns: [$HOST_FRONT, $HOST_BACK, \"$HOST_BACK6\"]" >"$LAB/agent/vethwall.yaml"
	agent_start agent node --runtime "docker:$LAB/engine/docker.sock" --policies policies/demo
}

# FROM TO WHAT ADDRESS EXPECTED WHY. FROM: a service, or node or outside.
connections()
{
	cat <<-END
	# on one bridge
	web      api           tcp/8080   ${A[api]}      allowed  web calls api
	web      api           ping       ${A[api]}      allowed  and may ping it
	web      api           tcp/9090   ${A[api]}      denied   another port of the same container
	web      api           udp/8125   ${A[api]}      denied   another protocol
	api      web           tcp/80     ${A[web]}      denied   the other way round
	api      db            tcp/5432   ${A[db]}       allowed  queries
	api      db            tcp/5432   ${A[db6]}      allowed  queries, IPv6
	api      db            ping       ${A[db6]}      denied   no rule for ping, IPv6
	batch    db            tcp/5432   ${A[db]}       denied   same network, not allowed
	batch    db            tcp/5432   ${A[db6]}      denied   nor by IPv6
	batch    db            udp/5432   ${A[db6]}      denied   nor by UDP
	batch    db            ping       ${A[db]}       denied   nor by ping
	db       api           tcp/8080   ${A[api2]}     denied   db begins nothing
	db       api           ping       ${A[api6]}     denied   nor by ping, IPv6
	# across to the host
	web      node          udp/53     $HOST_FRONT    allowed  names
	api      node          udp/53     $HOST_BACK6    allowed  names, IPv6
	db       node          udp/53     $HOST_BACK     denied   not even names
	web      node          tcp/22     $HOST_FRONT    denied   the node's own services
	batch    node          tcp/9100   $HOST_BACK     allowed  metrics
	batch    node          tcp/9100   $HOST_BACK6    allowed  metrics, IPv6
	batch    node          tcp/22     $HOST_BACK6    denied   the node's own services, IPv6
	batch    node          ping       $HOST_BACK     denied   no rule for ping
	node     web           tcp/80     ${A[web]}      allowed  anyone may
	node     db            tcp/5432   ${A[db]}       denied   the node is not api
	# to a published port, and outside
	outside  web           tcp/8080   $NODE4         allowed  pages for everyone
	outside  web           tcp/8080   $NODE6         allowed  and by IPv6
	outside  db            tcp/15432  $NODE4         denied   published by mistake, walled all the same
	batch    web           tcp/8080   $NODE4         allowed  web by its published port
	api      web           tcp/8080   $NODE4         denied   what may not be reached directly
	db       web           tcp/8080   $HOST_BACK     denied   may not be reached through the node
	batch    outside       udp/514    $OUTSIDE4      allowed  log lines
	batch    outside       tcp/443    $OUTSIDE4      denied   nothing else leaves
	web      outside       udp/514    $OUTSIDE4      denied   nor from web
	END
}

try_one()
{
	local from=$1 to=$2 what=$3 addr=$4 want=$5 word seen mark where
	shift 5
	case $from in node | outside) where=$from ;; *) where=docker:$from ;; esac
	if [ "$want" = allowed ]; then
		allowed "$where" "$what" "$addr" >"$LAB/try.out"
	else
		denied "$where" "$what" "$addr" >"$LAB/try.out"
	fi
	word=$(tail -n 1 "$LAB/try.out")
	word=${word##*: }
	if [ "$word" = passed ]; then seen=allowed; else seen=denied; fi
	case $word in passed | refused | reset | closed | silent | timeout | unreachable) ;; *) seen=trouble ;; esac
	tried=$((tried + 1))
	if [ "$seen" = "$want" ]; then mark="${green}ok$off"; else mark="${red}WRONG$off" wrong=$((wrong + 1)); fi
	[ "$word" != passed ] || word=
	printf '  %-8s %-8s %-10s %-14s %-8s %-21s %s  %s\n' "$from" "$to" "$what" "$addr" "$want" \
		"$seen${word:+ ($word)}" "$mark" "$dim$*$off"
}

try_all()
{
	local line words
	tried=0 wrong=0
	printf '  %s%-8s %-8s %-10s %-14s %-8s %-21s%s\n' "$bold" from to what address expected observed "$off"
	while read -r line <&3; do
		case $line in
		'#'*) printf '  %s\n' "$dim${line#\# }$off" ;;
		*) read -ra words <<<"$line" && try_one "${words[@]}" ;;
		esac
	done 3< <(connections)
}

why=$(engine_missing)
[ -z "$why" ] || die "$why"
[ -x "$VETHWALL" ] || die "$VETHWALL is not built"

lab_begin demo
step "a Docker Engine of its own, in network namespace $LAB_ID-node" node_add
step "    starting it" engine_start node
step "    image: busybox and a probe" image_import
step "networks: front (IPv4) and back (IPv4 and IPv6), and a host outside" networks
step "the agent, with policies/demo" agent
step "services: web and api on front; api, db and batch on back" services
say "==> status"
vw agent status || true
say "==> connections"
try_all
say "==> denied flows"
sleep 1 # a flow's record is written within a second of its first packet
vw agent flows
say "==> stopping the agent"
agent_stop agent >"$LAB/step.out" 2>&1 || {
	cat "$LAB/step.out"
	wrong=$((wrong + 1))
}
if [ "$wrong" -eq 0 ]; then
	say "${green}all $tried connections behaved as the policies say$off"
else
	say "${red}$wrong of $tried did not behave as the policies say$off"
fi
[ "$wrong" -eq 0 ]
