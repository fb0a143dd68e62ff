"""What several attacks do: ask for the same large answer over many connections, of which half are not read to the end."""

import socket
import time

from harness import ADDRESSES


def attack(attacker, token, path, connections):
    def ask(number):
        me = attacker.another(token=token)
        if number % 2:
            hold(me, path, token)
            return
        while me.left() > 0:
            status, _ = me.call("answer", "GET", path, keep=False)
            if status != 200:
                time.sleep(0.1)

    attacker.together(connections, ask)


def hold(attacker, path, token):
    """Reads the first bytes of one answer, and then nothing more until the deadline."""
    with socket.socket() as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        sock.settimeout(max(0.5, attacker.left()))
        try:
            sock.bind((ADDRESSES[0], 0))
            sock.connect(attacker.address)
            sock.sendall(f"GET {path} HTTP/1.1\r\nHost: hostile\r\nAuthorization: Token {token}\r\n\r\n".encode())
            status = int(sock.recv(15).split()[1])
        except (OSError, IndexError, ValueError):
            status = 0
        attacker.count("answer that is not read", status)
        time.sleep(max(0.0, attacker.left()))
