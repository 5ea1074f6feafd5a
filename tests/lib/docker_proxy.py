# SPDX-License-Identifier: GPL-2.0-or-later
"""docker_proxy.py LISTEN ENGINE MODE_FILE: stands between an agent and a real engine's socket and does
what the file says, read anew for each connection and each second:

  pass      hands everything through
  gone      refuses: connections that stand are cut, new ones are closed at once
  hang      takes requests and never answers; streams that stand fall silent
  slow      a byte every 5 ms
  garbage   bytes that are no HTTP
  lies      HTTP 200 and JSON that is not what was asked for
  broken    HTTP 500
  deep      HTTP 200 and JSON nested without end
  flood     HTTP 200 and a body of gigabytes, as fast as it is taken
  drip      HTTP 200, a length of a gigabyte, and silence after the first bytes
  cut       hands through, but closes after 100 bytes of the answer
"""
import os
import socket
import sys
import threading
import time

LISTEN, ENGINE, MODE = sys.argv[1:4]
CHUNK = 65536
OK = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"


def mode():
    try:
        with open(MODE, encoding="ascii") as f:
            return f.read().strip()
    except OSError:
        return "gone"


def stay(c, was):
    """Until the mode changes or the client leaves."""
    c.settimeout(0.2)
    while mode() == was:
        try:
            if not c.recv(CHUNK):
                return
        except TimeoutError:
            pass


def flood(c):
    c.sendall(OK + b"Transfer-Encoding: chunked\r\n\r\n")
    piece = b"x" * CHUNK
    while mode() == "flood":
        c.sendall(b"%x\r\n%s\r\n" % (len(piece), piece))


def answer(c, how):
    """What is no engine's."""
    c.recv(CHUNK)
    if how == "garbage":
        c.sendall(os.urandom(4096) + b"\r\n\r\n" + os.urandom(4096))
    elif how == "lies":
        body = b'{"message": [null, {"Id": 5, "Names": {}}], "Id": "\\u0000../../etc"}\n'
        c.sendall(OK + b"Content-Length: %d\r\n\r\n" % len(body) + body)
    elif how == "broken":
        c.sendall(b"HTTP/1.1 500 Internal Server Error\r\nContent-Length: 0\r\n\r\n")
    elif how == "deep":
        body = b"[" * 1000000 + b"\n"
        c.sendall(OK + b"Content-Length: %d\r\n\r\n" % len(body) + body)
    elif how == "flood":
        flood(c)
    elif how == "drip":
        c.sendall(OK + b"Content-Length: 1000000000\r\n\r\n[{")
        stay(c, how)
    elif how == "hang":
        stay(c, how)


def pump(a, b, began):
    """From a to b while the mode allows it."""
    sent = 0
    a.settimeout(0.2)
    while True:
        now = mode()
        if now == "gone" or (now == "cut" and began and sent >= 100):
            break
        if now in ("hang", "drip"):
            time.sleep(0.1)
            continue
        try:
            data = a.recv(100 if now == "cut" else CHUNK)
        except TimeoutError:
            continue
        if not data:
            break
        if now == "slow" and began:
            for i in range(len(data)):
                b.sendall(data[i : i + 1])
                time.sleep(0.005)
                if mode() != "slow":
                    b.sendall(data[i + 1 :])
                    break
        else:
            b.sendall(data)
        sent += len(data)
    for s in (a, b):
        try:
            s.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass


def serve(c):
    now = mode()
    try:
        if now not in ("pass", "slow", "cut"):
            if now != "gone":
                answer(c, now)
            return
        with socket.socket(socket.AF_UNIX) as e:
            e.connect(ENGINE)
            up = threading.Thread(target=pump, args=(c, e, False), daemon=True)
            up.start()
            pump(e, c, True)
            up.join()
    except OSError:
        pass
    finally:
        c.close()


with socket.socket(socket.AF_UNIX) as listener:
    listener.bind(LISTEN)
    listener.listen(64)
    print("ready", flush=True)
    while True:
        threading.Thread(target=serve, args=(listener.accept()[0],), daemon=True).start()
