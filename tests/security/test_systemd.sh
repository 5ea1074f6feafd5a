# SPDX-License-Identifier: GPL-2.0-or-later
# The unit file under a real systemd: PID 1 of namespaces of its own, with a /dev, /etc and /var of its
# own, in the lab node's network. What `make install` brings is what runs there: it starts inside the
# unit's sandbox, is watched, reloads, comes back after kill -9 with its walls standing all the while.
. tests/lib/tap.sh
. tests/lib/lib.sh

SYSTEMD=/lib/systemd/systemd
# The build that operators install, also while the sanitizers' is tested.
PLAIN=${BUILD%/san}
# Where the machine has its cgroup v2 tree, alone or beside v1.
cgroup_mount()
{
	awk '{for (i = 7; i <= NF; i++) if ($i == "-" && $(i + 1) == "cgroup2") {print $5; exit}}' /proc/self/mountinfo
}
# Why systemd cannot run here, or nothing.
systemd_missing()
{
	local why root
	why=$(lab_missing jq systemctl systemd-analyze journalctl)
	[ -z "$why" ] || { echo "$why"; return; }
	[ -x "$SYSTEMD" ] || { echo "systemd is not installed"; return; }
	[ -x "$PLAIN/vethwall" ] || { echo "$PLAIN/vethwall is not built"; return; }
	root=$(cgroup_mount)
	[ -n "$root" ] || { echo "no cgroup v2 is mounted"; return; }
	mkdir "$root/vw-try-$$" 2>/dev/null || { echo "no cgroup can be made"; return; }
	rmdir "$root/vw-try-$$"
	unshare --fork --pid --mount --uts --ipc --cgroup --mount-proc sh -c 'mount -t tmpfs t /mnt && mkdir /mnt/u /mnt/w &&
		mount -t overlay -o lowerdir=/etc,upperdir=/mnt/u,workdir=/mnt/w o /etc' 2>/dev/null ||
		echo "no overlay can be mounted"
}
why=$(systemd_missing)
[ -z "$why" ] || skip_all "$why"

lab_begin systemd
INST=$LAB/inst
CG=''
SD_PID=''

sd_clean()
{
	[ -z "$SD_PID" ] || kill_hard "$SD_PID"
	[ -n "$CG" ] || return 0
	wait_until 20 grep -q 'populated 0' "$CG/cgroup.events"
	find "$CG" -depth -type d -exec rmdir {} +
}
LAB_ON_END+=(sd_clean)

install_it()
{
	env -u MAKEFLAGS -u MAKEOVERRIDES -u MFLAGS make -s -o "$PLAIN/vethwall" BUILD="$PLAIN" SAN= DESTDIR="$INST" PREFIX=/usr/local install
}

# Runs as the parent of PID 1, in all namespaces but the process one. Nothing that is mounted here is seen
# outside, and nothing of the machine's is written: upper layers and devices are on a tmpfs.
cat >"$LAB/pid1.sh" <<'END'
set -eu
lab=$1
mount --make-rprivate /
mkdir "$lab/sd"
mount -t tmpfs tmpfs "$lab/sd"
for d in etc var usr/local; do
	mkdir -p "$lab/sd/up/$d" "$lab/sd/work/$d"
	mount -t overlay -o "lowerdir=/$d,upperdir=$lab/sd/up/$d,workdir=$lab/sd/work/$d" overlay "/$d"
done
cp -R "$lab/inst/." /
rm -rf /etc/systemd/system/* /var/log/journal
cat >/etc/systemd/system/lab.target <<X
[Unit]
Description=What the test needs of a system
Wants=systemd-journald.service
X
mkdir -p "$lab/sd/dev/shm" "$lab/sd/dev/pts" "$lab/sd/run/lock"
for d in null zero full random urandom tty; do
	touch "$lab/sd/dev/$d"
	mount --bind "/dev/$d" "$lab/sd/dev/$d"
done
touch "$lab/sd/dev/console" "$lab/sd/dev/kmsg"
mount --bind /dev/null "$lab/sd/dev/console"
mount --bind /dev/null "$lab/sd/dev/kmsg"
ln -s /proc/self/fd "$lab/sd/dev/fd"
ln -s pts/ptmx "$lab/sd/dev/ptmx"
mount -t tmpfs tmpfs /sys/fs/cgroup
mount -t cgroup2 cgroup2 /sys/fs/cgroup
mount --bind /proc/sys /proc/sys
mount -o remount,bind,ro /proc/sys
mount --rbind "$lab/sd/dev" /dev
mount -t tmpfs tmpfs /run
mkdir -p /run/lock
mount -t tmpfs tmpfs /tmp
export container=other
exec /lib/systemd/systemd --unit=lab.target --show-status=no --log-target=journal
END

systemd_start()
{
	local root
	root=$(cgroup_mount)
	CG=$root/$LAB_ID
	mkdir "$CG" || { CG=; return 1; }
	# shellcheck disable=SC2016
	setsid nsenter --net="/run/netns/$LAB_ID-node" sh -c 'echo $$ >"$1/cgroup.procs" &&
		exec unshare --fork --kill-child --pid --mount --uts --ipc --cgroup --mount-proc sh "$2/pid1.sh" "$2"' \
		sh "$CG" "$LAB" >"$LAB/systemd.out" 2>&1 </dev/null &
	SD_PID=$!
	wait_until "$DEADLINE" pid1_is_up && return
	cat "$LAB/systemd.out"
	return 1
}
pid1()
{
	cat "/proc/$SD_PID/task/$SD_PID/children"
}
pid1_is_up()
{
	pid_gone "$SD_PID" && return
	[ -n "$(pid1)" ] && sd systemctl is-active lab.target
}
# A command in the system that systemd runs.
sd()
{
	local p
	p=$(pid1)
	nsenter --target "${p%% *}" --mount --pid --ipc --uts --net "$@"
}
unit()
{
	sd systemctl show vethwall.service --property="$1" --value
}
unit_is()
{
	local v
	v=$(unit "$1")
	echo "$1 is $v"
	[ "$v" = "$2" ]
}
started_again()
{
	[ "$(unit NRestarts)" -ge 1 ] && unit_is SubState running
}
journal()
{
	sd journalctl -q --no-pager -o json -u vethwall.service
}
journal_has()
{
	journal | jq -e -s --arg w "$1" 'any(.[]; .MESSAGE | tostring | contains($w))' >/dev/null
}
exposure()
{
	local n
	n=$(systemd-analyze --no-pager --offline=true security "$INST/usr/local/lib/systemd/system/vethwall.service" |
		sed -n 's/.*exposure level for vethwall.service: \([0-9.]*\).*/\1/p')
	echo "exposure $n"
	awk -v n="$n" 'BEGIN {exit !(n != "" && n < 2.0)}'
}
verified()
{
	local out
	out=$(sd systemd-analyze verify vethwall.service 2>&1 | grep -F vethwall.service)
	echo "$out"
	[ -z "$out" ]
}

node_add
br_add br0 10.77.0.1/24 fd77::1/64
ct_add api br0 02:42:0a:4d:00:0b 10.77.0.11 fd77::b namespace=shop
ct_add web br0 02:42:0a:4d:00:0a 10.77.0.10 fd77::a namespace=shop
ct_add db br0 02:42:0a:4d:00:0c 10.77.0.12 fd77::c namespace=shop
world_write
serve db tcp:5432 tcp:80

t "it is installed" install_it
t "systemd-analyze security says less than 2.0" exposure
mkdir -p "$INST/etc/vethwall/policies"
cp "$LAB/world.yaml" "$INST/etc/vethwall/world.yaml"
cat >"$INST/etc/vethwall/vethwall.yaml" <<END
runtime: static:/etc/vethwall/world.yaml
END
policy()
{
	cat <<-END
		apiVersion: vethwall/v1
		kind: ServicePolicy
		metadata: {name: db, namespace: shop}
		spec: {service: db, ingress: [{from: [{service: $1}], ports: [tcp/5432]}]}
	END
}
policy api >"$INST/etc/vethwall/policies/db.yaml"

t "systemd runs" systemd_start
if [ "$tap_failed" -ne 0 ]; then
	tap_done
	exit
fi
t "the unit file has no mistake that systemd sees" verified
# `start` of a unit of Type=notify returns when the agent has said READY=1.
t "the unit starts" sd systemctl start vethwall.service
t "and runs" unit_is SubState running
if [ "$tap_failed" -ne 0 ]; then
	journal | jq -r '.MESSAGE | tostring' | tail -n 40 | sed 's/^/# /'
	tap_done
	exit
fi
t "what is allowed passes" allowed api tcp/5432 10.77.0.12
t "what is denied does not" denied web tcp/5432 10.77.0.12

# 0 stands for none, and kill would take it for everybody.
main_pid()
{
	local p
	p=$(unit MainPID)
	[ "$p" -gt 1 ] && echo "$p"
}
signal()
{
	local p
	p=$(main_pid) && sd kill "$1" "$p"
}
confined()
{
	sd cat "/proc/$(main_pid)/status" | grep -E '^(Cap[A-Z][a-z]*|NoNewPrivs|Seccomp|Uid):' | tee "$LAB/confined"
	# CAP_NET_ADMIN is bit 12 (linux/capability.h).
	grep -q '^CapEff:.0000000000001000$' "$LAB/confined" && grep -q '^CapBnd:.0000000000001000$' "$LAB/confined" &&
		grep -q '^NoNewPrivs:.1$' "$LAB/confined" && grep -q '^Seccomp:.2$' "$LAB/confined"
}
t "it has one capability, and no way to more" confined
status_is()
{
	local out
	out=$(sd vethwall status --format json) && jq -e "$1" <<<"$out" && return
	jq . <<<"$out"
	return 1
}
t "its own sandbox stands inside the unit's" status_is '.sandbox | .capabilities and .seccomp'
t "status is healthy" status_is .healthy

in_log()
{
	sd vethwall flows --format json | jq -e -s 'any(.[]; .dest_port == 5432 and .workload == "shop/db")' >/dev/null
}
t "what was denied is in the log" wait_until "$DEADLINE" in_log

# The watchdog. A stopped agent does not ping: systemd has to notice, and what it then does is seen by
# NRestarts. WatchdogTimestamp moves with each ping.
pinged()
{
	[ "$(unit WatchdogTimestampMonotonic)" -gt "$1" ]
}
quicker()
{
	sd mkdir -p /etc/systemd/system/vethwall.service.d &&
		sd sh -c 'printf "[Service]\nWatchdogSec=2\n" >/etc/systemd/system/vethwall.service.d/test.conf' &&
		sd systemctl daemon-reload && sd systemctl restart vethwall.service
}
t "with a quicker watchdog" quicker
t "it pings" wait_until "$DEADLINE" pinged "$(unit WatchdogTimestampMonotonic)"
t "and again" wait_until "$DEADLINE" pinged "$(unit WatchdogTimestampMonotonic)"

reload()
{
	policy web | sd tee /etc/vethwall/policies/db.yaml >/dev/null && sd systemctl reload vethwall.service
}
t "systemctl reload" reload
t "the new policy holds: web may" allowed web tcp/5432 10.77.0.12
t "and api may not" denied api tcp/5432 10.77.0.12
t "it is still the same process" unit_is NRestarts 0

t "it is stopped, as if it hung" signal -STOP
t "walls hold" denied api tcp/5432 10.77.0.12
t "systemd restarts what does not ping" wait_until "$DEADLINE" started_again
t "for the watchdog" journal_has watchdog
t "walls hold after it" denied api tcp/5432 10.77.0.12

killed_restarted()
{
	local n
	n=$(unit NRestarts)
	signal -KILL || return
	# Nothing passes from the first instant on, whoever is there.
	while [ "$(unit NRestarts)" -le "$n" ] || ! unit_is SubState running; do
		denied api tcp/5432 10.77.0.12 || return
		[ "$((killed_tries += 1))" -lt 100 ] || return
	done
}
killed_tries=0
t "kill -9: started again, and nothing passed meanwhile" killed_restarted
note "probes while it was away: $killed_tries"
t "what is allowed passes" allowed web tcp/5432 10.77.0.12

refused_calls()
{
	! journal | jq -r '.MESSAGE | tostring' | grep -iE 'not permitted|permission denied|read-only|bad system call|SYSCALL'
}
t "nothing was refused by the unit's sandbox" refused_calls
t "the journal has the agent's own words" journal_has "vethwall: ready"
stop_keeps()
{
	sd systemctl stop vethwall.service && unit_is Result success && unit_is ExecMainStatus 0
}
t "it stops in order" stop_keeps
t "and the walls stay" denied api tcp/5432 10.77.0.12
tap_done
