# SPDX-License-Identifier: GPL-2.0-or-later
# The rooms, held to what docs/architecture.md says: who includes whom, who links what, and that core
# and codec stay pure. Looks at the #include lines and at the symbols of the built archives.
. tests/lib/tap.sh
BUILD=${BUILD:-build}

# A room and everything it stands on.
declare -A below=(
	[base]="base"
	[core]="base core"
	[codec]="base core codec"
	[io]="base core codec io"
	[agent]="base core codec io agent"
	[cli]="base core codec io agent cli"
)
# The room that each offered header belongs to.
declare -A room_of
for h in addr cleanup diag log vec version; do room_of[$h]=base; done
for h in guard output_settings world policy ruleset compile verdict plan change connectivity review graph flow link settings limits lint explain seen suggest; do room_of[$h]=core; done
for h in codec openmetrics dns note pcapng packet_text explain_json connectivity_json sources applied world_json plan_file seen_json nft_event; do room_of[$h]=codec; done
for h in loop links nft denied runtime capture store chain image_watch history output metrics_port sandbox nft_monitor; do room_of[$h]=io; done

# Libraries by their header, and who may not include them. log.h: library rooms return errors.
declare -A refused=(
	[base]='<(yaml|jansson|pcap|curl/.*|libmnl/.*|libnftnl/.*|md5|sha2)\.h>'
	[core]='<(yaml|jansson|pcap|curl/.*|libmnl/.*|libnftnl/.*|md5|sha2|sys/socket|fcntl|sys/epoll|time)\.h>|"vethwall/log\.h"'
	[codec]='<(pcap|curl/.*|fcntl|sys/epoll|time)\.h>|"vethwall/log\.h"'
	[io]='"vethwall/(log|plan|verdict)\.h"'
	[agent]='"cli/'
	[cli]='^$'
)

includes_downwards()
{
	local room=$1 file inc owner bad=0
	while IFS=: read -r file inc; do
		inc=${inc#*\"}
		inc=${inc%%\"*}
		case $inc in
		vethwall/*) inc=${inc#vethwall/} owner=${room_of[${inc%.h}]:-} ;;
		*/*) owner=${inc%%/*} ;;
		*) owner=$room ;;
		esac
		if [ -z "$owner" ]; then
			echo "$file: $inc belongs to no room: list it in tests/lint/test_layers.sh"
			bad=1
		elif [[ " ${below[$room]} " != *" $owner "* ]]; then
			echo "$file includes $inc of $owner"
			bad=1
		fi
	done < <(grep -HE '^[[:space:]]*#[[:space:]]*include[[:space:]]*"' "src/$room"/*.[ch])
	grep -HE '^[[:space:]]*#[[:space:]]*include' "src/$room"/*.[ch] |
		grep -E "${refused[$room]}" && bad=1
	return "$bad"
}

# An offered header may itself include only what its room may.
offered_downwards()
{
	local file name inc owner bad=0
	while IFS=: read -r file inc; do
		name=$(basename "$file" .h)
		owner=${room_of[$name]:-}
		inc=${inc#*vethwall/}
		inc=${inc%%.h*}
		if [ -z "$owner" ] || [[ " ${below[$owner]} " != *" ${room_of[$inc]:-?} "* ]]; then
			echo "$file (${owner:-no room}) includes $inc (${room_of[$inc]:-no room})"
			bad=1
		fi
	done < <(grep -HE '#[[:space:]]*include "vethwall/' include/vethwall/*.h)
	return "$bad"
}

# What the room's objects call must not be defined in a room above.
calls_downwards()
{
	local room=$1 r bad=0
	nm -u "$BUILD/$room.a" 2>/dev/null | awk '$1 == "U" {print $2}' | sort -u >"$tmp/used"
	for r in base core codec io agent cli; do
		[[ " ${below[$room]} " == *" $r "* ]] && continue
		nm --defined-only "$BUILD/$r.a" 2>/dev/null | awk 'NF == 3 && $2 ~ /[TDBRV]/ {print $3}' |
			sort -u >"$tmp/defined"
		if comm -12 "$tmp/used" "$tmp/defined" | grep -v '^__'; then
			echo "are defined in $r and used in $room"
			bad=1
		fi
	done
	return "$bad"
}

# No descriptors, clock, environment, randomness, log, output or exit. Strings may be built with
# open_memstream, so fprintf and fclose themselves are fine; stdout and stderr are not.
impure='socket|bind|connect|accept4?|open(64|at|at64|dir)?|close|read|readv|write|writev|pread64|pwrite64'
impure="$impure|recv|recvfrom|recvmsg|send|sendto|sendmsg|ioctl|poll|ppoll|select|epoll_.*|fcntl(64)?"
impure="$impure|f(d|re)?open(64)?|stdout|stderr|stdin|(__)?v?printf(_chk)?|puts|putchar|perror|syslog|vw_log.*"
impure="$impure|clock_gettime|gettimeofday|time|localtime(_r)?|gmtime|getenv|secure_getenv|setenv"
impure="$impure|s?rand(om)?|getrandom|arc4random.*|exit|_exit|abort|fork|exec.*|system|popen|signal|sigaction"
impure="$impure|pthread_.*|mmap|stat|fstat|lstat|access|unlink|rename|getpid|getuid|sleep|usleep|nanosleep"
impure="$impure|mnl_socket_.*|if_nametoindex|if_indextoname|curl_.*|pcap_.*"

pure()
{
	! nm -u -A "$BUILD/$1.a" | awk '{print $NF, $1}' | grep -E "^($impure)(@[^ ]*)? "
}

tmp=$(mktemp -d "${TMPDIR:-/tmp}/layers.XXXXXX")
trap 'rm -rf "$tmp"' EXIT

for room in base core codec io agent cli; do
	t "$room includes only what it stands on" includes_downwards "$room"
	t "$room calls only what it stands on" calls_downwards "$room"
done
t "offered headers include only what their room may" offered_downwards
t "core is pure" pure core
t "codec is pure" pure codec
tap_done
