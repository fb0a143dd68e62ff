#!/usr/bin/env python3
"""A sync of contacts and groups over the contact API: three passes, and lists and writes beside many contacts.

usage: contacts.py [ARGUSD] [CONTACTS] [GROUPS]

Starts the program on a scratch file, writes everything with PUT over 16 connections, again the same, and a third time with
a tenth changed or deleted; after each pass the list has to be exactly what was wanted. Prints rates.
"""

import json
import multiprocessing
import os
import pathlib
import socket
import subprocess
import sys
import tempfile
import threading
import time
import uuid

PROCESSES, CONNECTIONS = 2, 8
BASE = "/icinga-current/notifications/api/v1"
SPACE = uuid.UUID("0817d973-398e-41d7-9cd2-61cdb7ef41a0")


class Connection:
    def __init__(self, address, token):
        host, port = address.rsplit(":", 1)
        self.socket = socket.create_connection((host, int(port)))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.file = self.socket.makefile("rb")
        self.head = f"HTTP/1.1\r\nHost: bench\r\nAuthorization: Bearer {token}\r\nContent-Type: application/json\r\n"

    def call(self, method, path, body=b""):
        request = f"{method} {BASE}{path} {self.head}Content-Length: {len(body)}\r\n\r\n"
        self.socket.sendall(request.encode() + body)
        status = int(self.file.readline().split()[1])
        length, chunked = 0, False
        while (line := self.file.readline()) != b"\r\n":
            name, _, value = line.decode().partition(":")
            if name.lower() == "content-length":
                length = int(value)
            elif name.lower() == "transfer-encoding":
                chunked = "chunked" in value
        if not chunked:
            return status, self.file.read(length) if length else b""
        parts = []
        while (size := int(self.file.readline(), 16)) > 0:
            parts.append(self.file.read(size))
            self.file.readline()
        self.file.readline()
        return status, b"".join(parts)


def identifier(kind, number):
    return str(uuid.uuid5(SPACE, f"{kind} {number}"))


def desired(contacts, groups, channel, version):
    """Path -> body; in version 1 every twentieth is changed and every other twentieth is gone."""
    wanted = {}
    for number in range(groups):
        if version and number % 20 == 1:
            continue
        name = f"Group {number}" + (" (renamed)" if version and number % 20 == 0 else "")
        wanted[f"/contact-groups/{identifier('group', number)}"] = {"id": identifier("group", number), "name": name}
    for number in range(contacts):
        if version and number % 20 == 1:
            continue
        members = [group for group in (number % groups, number * 7 % groups) if not (version and group % 20 == 1)]
        contact = identifier("contact", number)
        wanted[f"/contacts/{contact}"] = {
            "id": contact,
            "full_name": f"Contact {number}" + (" (changed)" if version and number % 20 == 0 else ""),
            "username": f"user{number}",
            "default_channel": channel,
            "groups": sorted({identifier("group", group) for group in members}),
            "addresses": {"email": f"user{number}@example.org"},
        }
    return wanted


def worker(address, token, jobs, results):
    counts, lock = {}, threading.Lock()

    def run(own):
        connection = Connection(address, token)
        for method, path, body in own:
            status, _ = connection.call(method, path, body)
            with lock:
                counts[status] = counts.get(status, 0) + 1

    threads = [threading.Thread(target=run, args=(jobs[index::CONNECTIONS],)) for index in range(CONNECTIONS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    results.put(counts)


def carry_out(address, token, what, jobs):
    results, counts = multiprocessing.Queue(), {}
    started = time.monotonic()
    processes = [
        multiprocessing.Process(target=worker, args=(address, token, jobs[index::PROCESSES], results))
        for index in range(PROCESSES)
    ]
    for process in processes:
        process.start()
    for _ in processes:
        for status, count in results.get().items():
            counts[status] = counts.get(status, 0) + count
    for process in processes:
        process.join()
    took = time.monotonic() - started
    print(f"{what}: {len(jobs)} in {took:.2f} s, {len(jobs) / took:.0f}/s, {counts}", flush=True)
    return counts


def puts(wanted, kind):
    return [("PUT", path, json.dumps(body).encode()) for path, body in wanted.items() if path.startswith(kind)]


def check(connection, wanted):
    """The list has to be what was wanted."""
    for kind in ("/contacts", "/contact-groups"):
        _, body = connection.call("GET", kind)
        rows = {f"{kind}/{row['id']}": row for row in json.loads(body)["data"]}
        expected = {path: body for path, body in wanted.items() if path.startswith(f"{kind}/")}
        assert rows.keys() == expected.keys(), f"{kind}: {len(rows)} instead of {len(expected)}"
        for path, body in expected.items():
            assert all(rows[path][name] == value for name, value in body.items()), (rows[path], body)
        if kind == "/contact-groups":
            members = {path: set() for path in expected}
            for path, body in wanted.items():
                for group in body.get("groups", []):
                    members[f"/contact-groups/{group}"].add(body["id"])
            assert all(set(rows[path]["users"]) == users for path, users in members.items())


def resident(pid):
    for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS"):
            return int(line.split()[1]) // 1024
    return 0


def main():
    program = sys.argv[1] if len(sys.argv) > 1 else "target/release/argusd"
    contacts = int(sys.argv[2]) if len(sys.argv) > 2 else 10_000
    groups = int(sys.argv[3]) if len(sys.argv) > 3 else 500
    folder = tempfile.TemporaryDirectory(dir=os.environ.get("BENCH_DIR", "."))
    data = f"{folder.name}/argusd.redb"
    environment = {"ARGUSD_DATA": data, "ARGUSD_LISTEN": "127.0.0.1:0", "ARGUSD_ADMIN_PASSWORD": "correct horse"}
    say = lambda *args: subprocess.run([program, *args], env=environment, check=True, capture_output=True, text=True)
    server = subprocess.Popen([program, "serve"], env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    try:
        address = server.stdout.readline().strip().removeprefix("argusd ready: http://")
        token = say("token", "create", "admin").stdout.strip()
        channel = say("channel", "create", "--name", "Mail", "--type", "email").stdout.strip()
        first, third = (desired(contacts, groups, channel, version) for version in (0, 1))
        for name, wanted in (("first pass", first), ("second pass", first), ("third pass", third)):
            carry_out(address, token, f"{name}, groups", puts(wanted, "/contact-groups/"))
            carry_out(address, token, f"{name}, contacts", puts(wanted, "/contacts/"))
            gone = [("DELETE", path, b"") for path in first if path not in wanted]
            if gone:
                carry_out(address, token, f"{name}, deletions", gone)
            # A fresh one: the server ends connections that were idle for long.
            check(Connection(address, token), wanted)
        connection = Connection(address, token)
        before = resident(server.pid)
        started = time.monotonic()
        for _ in range(5):
            _, body = connection.call("GET", "/contacts")
        took = (time.monotonic() - started) / 5
        print(f"list: {len(body)} bytes in {took:.3f} s; resident {before} MB before, {resident(server.pid)} MB after")
        print("check:", say("check").stdout.strip())
    finally:
        server.terminate()
        server.wait()


if __name__ == "__main__":
    main()
