"""What two attacks do: live streams of one user that nobody reads, and a bulk beside them."""

import socket
import time
import urllib.parse

import bulk
from harness import ADDRESSES


def prepare(site, count):
    cookie = site.cookie("mallory")
    return [("streams", cookie, count // 2), ("streams", cookie, count - count // 2), ("bulk", site.mallory, 0)]


def attack(attacker, what, secret, count):
    if what == "bulk":
        # The streams come first.
        time.sleep(min(5.0, attacker.left() / 3))
        bulk.attack(attacker, secret)
    else:
        open_streams(attacker, secret, count)


def open_streams(attacker, cookie, count):
    """Reads the head of each answer, and then nothing until the deadline. Refused ones are counted and not tried again."""
    path = "/live/?" + urllib.parse.urlencode([("list", "v~~open=true")])
    request = f"GET {path} HTTP/1.1\r\nHost: hostile\r\nCookie: {cookie}\r\nAccept: text/event-stream\r\n\r\n".encode()
    held = []
    for number in range(count):
        if attacker.left() <= 0:
            break
        try:
            sock = socket.socket()
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            sock.settimeout(max(0.5, min(5.0, attacker.left())))
            sock.bind((ADDRESSES[number % len(ADDRESSES)], 0))
            sock.connect(attacker.address)
            sock.sendall(request)
            status = int(sock.recv(15).split()[1])
        except (OSError, IndexError, ValueError):
            status = 0
        attacker.count("stream", status)
        if status == 200:
            held.append(sock)
        else:
            sock.close()
    time.sleep(max(0.0, attacker.left()))
    for sock in held:
        sock.close()
