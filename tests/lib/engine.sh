# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
# A real Docker Engine of our own inside a namespace of the lab (see lib.sh): its own data, sockets,
# bridges and firewall rules, beside whatever engine the machine has. `ip netns exec` would hide the
# cgroups and dockerd would not start, so nsenter it is.
#
#   engine_start NS [DOCKERD ARGS...]; engine_stop; engine_restart [ARGS...]; engine_kill
#   dk ARGS...             the docker client on it
#   image_import           vethwall-demo:latest: busybox and netprobe
#   ct_pid CONTAINER; ct_ip CONTAINER NETWORK; ct_ip6 CONTAINER NETWORK

IMAGE=vethwall-demo:latest
ENGINE_NS=
ENGINE_PID=

# Prints why no engine can run here, or nothing.
engine_missing()
{
	local why tool
	why=$(lab_missing dockerd docker iptables)
	[ -z "$why" ] || { echo "$why"; return; }
	for tool in /bin/busybox "$NETPROBE"; do
		[ -x "$tool" ] || { echo "$tool is missing"; return; }
	done
	grep -q '^memory' /proc/cgroups || echo "no cgroups"
}

dk()
{
	DOCKER_CONFIG=$LAB/engine/client docker -H "unix://$LAB/engine/docker.sock" "$@"
}

engine_start()
{
	local d=$LAB/engine
	ENGINE_NS=$1
	shift
	mkdir -p "$d/client"
	# The default key file would be the machine's own.
	echo "{\"deprecated-key-path\": \"$d/key.json\"}" >"$d/daemon.json"
	LAB_ON_END+=(engine_clean)
	engine_launch "$@"
}

# An engine that was killed leaves its containerd, and the next one would wait for that in vain.
engine_launch()
{
	local try d=$LAB/engine
	kill_wait_matching "$d/exec/containerd/containerd.toml"
	for try in 1 2 3; do
		rm -f "$d/pid" "$d/exec/containerd/containerd.pid"
		setsid nsenter --net="/run/netns/$LAB_ID-$ENGINE_NS" dockerd --config-file "$d/daemon.json" \
			--data-root "$d/data" --exec-root "$d/exec" -H "unix://$d/docker.sock" \
			--pidfile "$d/pid" "$@" >>"$d/log" 2>&1 </dev/null &
		ENGINE_PID=$!
		wait_until "$DEADLINE" engine_settled
		if engine_up; then
			return 0
		fi
		kill_wait "$ENGINE_PID"
		echo "# engine: start $try failed" >&2
	done
	echo "the engine did not start:"
	tail -n 30 "$d/log"
	return 1
}

engine_up()
{
	[ "$(curl -s -m 5 --unix-socket "$LAB/engine/docker.sock" http://d/_ping)" = OK ]
}

engine_settled()
{
	engine_up || pid_gone "$ENGINE_PID"
}

engine_stop()
{
	kill_wait "$ENGINE_PID"
}

engine_kill()
{
	kill_hard "$ENGINE_PID"
}

engine_restart()
{
	engine_stop
	engine_launch "$@"
}

# Everything goes: containers, engine, its containerd and shims, its mounts.
engine_clean()
{
	local d=$LAB/engine ids p
	# An engine that a test killed is the best one to remove what it left running.
	engine_up || engine_launch >/dev/null
	mapfile -t ids < <(dk ps -aq 2>/dev/null)
	[ ${#ids[@]} -eq 0 ] || dk rm -f "${ids[@]}" >/dev/null 2>&1
	kill_wait "$ENGINE_PID"
	for p in $(pids_matching "$d/exec"); do
		pkill -9 -P "$p"
		kill_wait "$p"
	done
	mount_points "$d" | while read -r m; do
		umount -l "$m"
	done
}

# Processes that have TEXT, a path of ours, in their command line. (docker-proxy has none, but ends
# with its dockerd.)
pids_matching()
{
	local p
	for p in /proc/[0-9]*; do
		case $({ tr '\0' ' ' <"$p/cmdline"; } 2>/dev/null) in
		*"$1"*) echo "${p#/proc/}" ;;
		esac
	done
}

kill_wait_matching()
{
	# shellcheck disable=SC2046
	kill_wait $(pids_matching "$1")
}

# Deepest first.
mount_points()
{
	awk -v d="$1/" 'index($5, d) == 1 {print $5}' /proc/self/mountinfo | sort -r
}

image_import()
{
	local r=$LAB/rootfs a
	mkdir -p "$r/bin" "$r/etc" "$r/tmp" "$r/proc" "$r/sys" "$r/dev"
	cp /bin/busybox "$NETPROBE" "$r/bin/"
	for a in $(/bin/busybox --list); do
		[ "$a" = busybox ] || ln -sf busybox "$r/bin/$a"
	done
	tar -C "$r" -c . | dk import - "$IMAGE" >/dev/null
}

ct_pid()
{
	dk inspect -f '{{.State.Pid}}' "$1"
}

ct_ip()
{
	dk inspect -f "{{(index .NetworkSettings.Networks \"$2\").IPAddress}}" "$1"
}

ct_ip6()
{
	dk inspect -f "{{(index .NetworkSettings.Networks \"$2\").GlobalIPv6Address}}" "$1"
}
