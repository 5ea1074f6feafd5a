# SPDX-License-Identifier: GPL-2.0-or-later
# What compiler and linker were asked for is in the program that operators install: read from the
# binary itself, not from the flags.
. tests/lib/tap.sh

BUILD=${BUILD:-build}
# Not the sanitizers' build, which is hardened by them.
BIN=${BUILD%/san}/vethwall
command -v objdump >/dev/null || skip_all "binutils is not installed"
[ -x "$BIN" ] || skip_all "$BIN is not built"
! nm -D "$BIN" | grep -q __asan_init || skip_all "$BIN is built with sanitizers only"

W=$(mktemp -d /tmp/vw.XXXXXX) || exit 2
trap 'rm -rf "$W"' EXIT
readelf -hldW "$BIN" >"$W/elf" 2>&1
nm -D "$BIN" >"$W/nm"
objdump -d --no-show-raw-insn "$BIN" >"$W/code"

count()
{
	local n
	n=$(grep -cE "$2" "$W/$1")
	echo "$n"
	[ "$n" -ge "$3" ]
}
absent()
{
	! grep -E "$2" "$W/$1"
}
t "it is position independent" count elf '^ *Type: *DYN' 1
t "relocations are read-only after start" count elf 'GNU_RELRO' 1
t "all of them, bound at start" count elf 'FLAGS_1.*NOW|BIND_NOW' 1
t "no relocation is in code" absent elf 'TEXTREL'
t "the stack is not executable" count elf 'GNU_STACK .* RW +0x' 1
t "no segment is writable and executable" absent elf '(LOAD|GNU_STACK) .* RWE '
t "libraries are not looked for in odd places" absent elf 'RPATH|RUNPATH'
t "stacks are protected" count code 'call.*__stack_chk_fail' 100
t "libc's functions are the checked ones" count nm ' U __[a-z]+_chk' 5
case $(uname -m) in
x86_64)
	t "indirect branches land on their targets only" count code 'endbr64' 1000
	# A large frame is touched page by page (gcc -fstack-clash-protection).
	t "stacks do not jump over their guard" count code 'or[a-z]* +\$0x0,(0x[0-9a-f]+)?\(%rsp\)' 5
	;;
*) skip "another machine" "control flow and stack clash protection" ;;
esac
tap_done
