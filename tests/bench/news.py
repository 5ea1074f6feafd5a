# SPDX-License-Identifier: GPL-2.0-or-later
"""From a flow's first packet to its line in the log. news.py LOG DESTINATION FLOWS: sends one datagram each,
to ports 20000 and up, and prints the milliseconds until the log has a record of it, one a line."""
import socket
import sys
import time

PAUSE = 0.1  # between flows, so that each is news of its own
GIVE_UP = 10


def wait_for(log, needle):
    end = time.monotonic() + GIVE_UP
    text = b""
    while time.monotonic() < end:
        text += log.read()
        if needle in text:
            return time.monotonic()
        time.sleep(0.0005)
    sys.exit("no record of " + needle.decode())


def main(path, destination, flows):
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    with open(path, "rb", buffering=0) as log:
        log.seek(0, 2)
        for i in range(flows):
            begin = time.monotonic()
            s.sendto(b"x", (destination, 20000 + i))
            print((wait_for(log, b'"dest_port":%d,' % (20000 + i)) - begin) * 1000)
            time.sleep(PAUSE)


main(sys.argv[1], sys.argv[2], int(sys.argv[3]))
