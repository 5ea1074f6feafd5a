# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
# What the engine tests have in common: an engine, two networks, policies for a small shop and the agent.
#
#   shop_begin NAME [DOCKERD ARGS...]    networks one (10.88.1.0/24, fd88:1::/64) and two (10.88.2.0/24)
#   policy NAME <<END                    a file of $LAB/policies
#   ct NAME SERVICE DOCKER-RUN-ARGS...   runs a container of namespace shop; SERVICE "-": no label
#   enforced NAME N                      waits until N interfaces of it are enforced and no other is there
#   status JQ-FILTER                     the agent's status, raw output
#   received NAME                        what a container that runs `netprobe count` has counted

shop_begin()
{
	local why
	why=$(engine_missing)
	[ -n "$why" ] || command -v jq >/dev/null || why="jq is not installed"
	[ -z "$why" ] || skip_all "$why"
	lab_begin "$1"
	shift
	mkdir -p "$LAB/policies"
	{
		node_add && engine_start node "$@" && image_import &&
			dk network create --ipv6 --subnet 10.88.1.0/24 --subnet fd88:1::/64 one &&
			dk network create --subnet 10.88.2.0/24 two
	} >"$LAB/shop.out" 2>&1 && return
	sed 's/^/# /' "$LAB/shop.out"
	echo "Bail out! the engine could not be set up"
	exit 1
}

shop_agent()
{
	agent_start agent node --runtime "docker:$LAB/engine/docker.sock" --policies "$LAB/policies"
}

policy()
{
	cat >"$LAB/policies/$1.yaml"
}

# A policy of one service, in flow style: service_policy NAME SERVICE "ingress: [...]" ...
service_policy()
{
	local name=$1 service=$2
	shift 2
	{
		echo "apiVersion: vethwall/v1"
		echo "kind: ServicePolicy"
		echo "metadata: {name: $name, namespace: shop}"
		echo "spec:"
		echo "  service: $service"
		printf '  %s\n' "$@"
	} | policy "$name"
}

ct()
{
	local name=$1 service=(--label "vethwall.service=$2")
	[ "$2" != - ] || service=()
	shift 2
	dk run -d --name "$name" --label vethwall.namespace=shop "${service[@]}" "$@"
}

status()
{
	vw agent status --format json | jq -r "$1"
}

status_is()
{
	local got
	got=$(status "$1")
	[ "$got" = "$2" ] || { echo "status $1: $got"; return 1; }
}

enforced()
{
	wait_until "$DEADLINE" status_is ".workloads[] | select(.name == \"$1\") |
		[.state, (.interfaces | length), ([.interfaces[].state] | unique | join(\",\"))] | join(\" \")" \
		"enforced $2 enforced"
}

received()
{
	local before
	before=$(dk logs "$1" | grep -c '^received')
	dk kill -s USR1 "$1" >/dev/null
	wait_until 20 received_again "$1" "$before" || return
	dk logs "$1" | awk '/^received/ {n = $2} END {print n}'
}

received_again()
{
	[ "$(dk logs "$1" | grep -c '^received')" -gt "$2" ]
}
