# SPDX-License-Identifier: GPL-2.0-or-later
"""Frames of our own making: what carries a marker is sent somewhere and looked for elsewhere, on the wire of any
network namespace. Beside packet_lab.py, which has the namespaces."""
import re
import socket
import time

ETH_P_ALL = 3
SOL_PACKET, PACKET_ADD_MEMBERSHIP, PACKET_MR_PROMISC, PACKET_OUTGOING = 263, 1, 1, 4
SO_RCVBUFFORCE = 33
BUFFER = 64 << 20
MARKER = re.compile(rb"VW(\d{5})!")
# A path here is done within the sender's call, or a little later on another CPU.
QUIET = 0.4


def marker(number):
    return b"VW%05d!" % number


class Tap:
    """All that arrives at a device of the namespace that the process is in. Not what leaves by it: a victim's answer
    quotes what it got."""

    def __init__(self, device):
        self.sock = socket.socket(socket.AF_PACKET, socket.SOCK_RAW | socket.SOCK_NONBLOCK, socket.htons(ETH_P_ALL))
        self.sock.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, BUFFER)
        self.sock.bind((device, ETH_P_ALL))
        index = socket.if_nametoindex(device)
        request = index.to_bytes(4, "little") + PACKET_MR_PROMISC.to_bytes(2, "little") + bytes(10)
        self.sock.setsockopt(SOL_PACKET, PACKET_ADD_MEMBERSHIP, request)

    def frames(self):
        """What came since the last time."""
        out = []
        while True:
            try:
                data, address = self.sock.recvfrom(65536)
            except BlockingIOError:
                return out
            if address[2] != PACKET_OUTGOING:
                out.append(data)

    def markers(self):
        return {int(n) for frame in self.frames() for n in MARKER.findall(frame)}


class Wire:
    """Sends frames as they are, out of a device of the namespace that the process is in."""

    def __init__(self, device):
        self.sock = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
        self.sock.bind((device, 0))

    def send(self, frame):
        self.sock.send(bytes(frame))


def seen(taps, send):
    """Where each marker was seen that send() sent: {tap name: numbers}."""
    for tap in taps.values():
        tap.frames()
    send()
    time.sleep(QUIET)
    return {name: tap.markers() for name, tap in taps.items()}
