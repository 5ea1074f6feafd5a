# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
# What the parts of the bench have in common: numbers, the table, and many veths at once. Namespaces
# and agents are those of tests/lib/lib.sh, and go on every way out.
#
#   heading TEXT; row WHAT FIGURE BESIDE    lines of the table
#   median; percentile P          of numbers on stdin, one a line
#   ratio A B                     A / B with two digits
#   scaled FORMAT N [DIVISOR]
#   veths PREFIX FROM TO          on br0 of $NODE, their peers in one namespace
#   world_lines PREFIX FROM TO    the same for a world file

heading()
{
	printf '\n%s\n' "$1"
	printf '  %-44s %14s   %s\n' "" "figure" "beside it"
}

row()
{
	printf '  %-44s %14s   %s\n' "$1" "$2" "${3:-}"
}

percentile()
{
	sort -g | awk -v p="$1" '{v[NR] = $1} END {i = int((NR * p + 99) / 100); print v[i < 1 ? 1 : i]}'
}

median()
{
	percentile 50
}

ratio()
{
	awk -v a="$1" -v b="$2" 'BEGIN {if (b > 0) printf "%.2f", a / b; else print "-"}'
}

scaled()
{
	awk -v f="$1" -v n="$2" -v d="${3:-1}" 'BEGIN {printf f, n / d}'
}

quiet_node()
{
	node_add "$1" && ns "$1" sysctl -qw net.ipv6.conf.all.disable_ipv6=1 \
		net.ipv6.conf.default.disable_ipv6=1 net.bridge.bridge-nf-call-iptables=0 \
		net.bridge.bridge-nf-call-ip6tables=0 net.bridge.bridge-nf-call-arptables=0
}

# Address number N of 10.77.0.0/16, from 10.77.1.0 on.
addr_of()
{
	echo "10.77.$((1 + $1 / 250)).$((1 + $1 % 250))"
}

mac_of()
{
	printf '02:42:0a:4d:%02x:%02x' $((1 + $1 / 250)) $((1 + $1 % 250))
}

# World lines of containers FROM..TO-1 of $NODE; service and labels by number, so that policies differ.
world_lines()
{
	local i
	for ((i = $2; i < $3; i++)); do
		echo "  - {name: $1$i, service: s$((i % 100)), interfaces: [{veth: $1$i, network: br0, mac: \"$(mac_of "$i")\", ips: [$(addr_of "$i")]}]}"
	done
}

# Veths PREFIX<FROM>..PREFIX<TO-1> on br0, their peers in namespace park-NODE.
veths()
{
	local i
	[ -e "/run/netns/$LAB_ID-park-$NODE" ] || {
		ns_add "park-$NODE" && ns "park-$NODE" sysctl -qw net.ipv6.conf.default.disable_ipv6=1
	} || return
	for ((i = $2; i < $3; i++)); do
		echo "link add $1$i type veth peer name p$i address $(mac_of "$i") netns $LAB_ID-park-$NODE"
		echo "link set $1$i master br0 up"
	done | ns "$NODE" ip -batch - || return
	for ((i = $2; i < $3; i++)); do
		echo "link set p$i up"
	done | ns "park-$NODE" ip -batch -
}

# What the kernel tells in node NODE, to $LAB/watch-NODE.out.
watch_start()
{
	bg "watch-$1" "$1" "$WATCH"
	wait_until "$DEADLINE" grep -qs ready "$LAB/watch-$1.out"
}
