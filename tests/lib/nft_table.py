# SPDX-License-Identifier: GPL-2.0-or-later
"""nft_table.py LISTING BYTECODE: a table of ours in a form that can be compared, whoever has filled
it. LISTING is what `nft list table` says: sets, chains and why each rule stands there. BYTECODE is of
`nft --debug=netlink list table`: what the kernel has of each rule, and elements byte for byte.

Left out is what packets and owners change, and what nft adds to rules: it asks for the family (`meta
protocol ip`), which the chains that lead there have done, and of what a veth sends whether it came
by an Ethernet device; and it wants single bytes in network order."""
import re
import sys

READINGS = re.compile(r"@[fd][46]_\d+$")  # sets that packets fill
FAMILY = re.compile(r"\[ meta load protocol => reg 1 \]\n\[ cmp eq reg 1 0x0000(0008|dd86) \]\n")
ETHERNET = re.compile(r"\[ meta load iiftype => reg 1 \]\n\[ cmp eq reg 1 0x00000001 \]\n")
ORDER = re.compile(r"\[ byteorder reg \d+ = hton\(reg \d+, 2, 1\) \]\n")
NO_RANGE = re.compile(r"element (0{8} )+ : 1 ")  # nft begins ranges with the end of none


def listing(lines):
    elements = False
    for line in lines[1:]:
        elements = elements or "elements = {" in line
        why = re.search(r'comment ".*"', line)
        if not elements and not line.startswith("\tflags"):
            yield "\t\t" + why.group() if why else line.rstrip()
        elements = elements and "}" not in line


def bytecode(lines):
    """One entry a rule, in order, and one an element, sorted: (where, what)."""
    rules, elements, where = [], [], ""
    for line in lines:
        head = re.match(r"netdev vethwall (\S+)", line)
        if head:
            where = head.group(1)
            rules.append((where, []))
        elif line.startswith("  [ "):
            rules[-1][1].append(re.sub(r"pkts \d+ bytes \d+", "", line.strip()) + "\n")
        elif "element " in line and not READINGS.match(where):
            if not NO_RANGE.match(line.strip()):
                elements.append(f"{where} {line.strip()}")
    for where, code in rules:
        text = ORDER.sub("", "".join(code))
        if not where.startswith("eg_"):
            text = ETHERNET.sub("", FAMILY.sub("", text))
        if code:
            yield where + "\n" + text
    yield from sorted(elements)


for reader, path in zip((listing, bytecode), sys.argv[1:]):
    with open(path, encoding="ascii") as f:
        print("\n".join(reader(f.readlines())))
