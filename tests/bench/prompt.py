# SPDX-License-Identifier: GPL-2.0-or-later
"""How soon a refused flow is in the log: `prompt.py LOG ADDRESS FLOWS` sends one datagram each to as many ports and prints
the milliseconds from each to its line in LOG, which anybody could be following. It looks 2,000 times a second."""
import random
import socket
import sys
import time

LOOK_S = 0.0005
DEADLINE_S = 10
FIRST_PORT = 20000


def appears(log, port, end):
    """Whether the line of PORT does before END; what else is there is skipped."""
    wanted, tail = b'"dest_port":%d,' % port, b""
    while time.monotonic() < end:
        tail += log.read()
        if wanted in tail:
            return True
        tail = tail[tail.rfind(b"\n") + 1:]
        time.sleep(LOOK_S)
    return False


def main():
    path, address, flows = sys.argv[1], sys.argv[2], int(sys.argv[3])
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    with open(path, "rb") as log:
        for port in range(FIRST_PORT, FIRST_PORT + flows):
            log.seek(0, 2)
            time.sleep(random.uniform(0.05, 0.15))
            begin = time.monotonic()
            s.sendto(b"prompt", (address, port))
            if not appears(log, port, begin + DEADLINE_S):
                sys.exit("port %d is not in the log" % port)
            print("%.3f" % ((time.monotonic() - begin) * 1e3))


main()
