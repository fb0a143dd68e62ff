#!/usr/bin/env python3
"""Measures deciding and sending, and prints a Markdown table: see docs/PERFORMANCE.md.

Needs Python 3.9+, wrk, and a release build. The mail server is a process of this script that takes everything.
"""

import argparse
import asyncio
import json
import multiprocessing
import os
import socket
import tempfile
import time
from pathlib import Path

import run
from run import Client, Server, row, say

API = "/api/v2/notificationprofiles"
EVERY_DAY = [{"days": [1, 2, 3, 4, 5, 6, 7], "all_day": True}]


class Sink(asyncio.Protocol):
    """One connection of a mail server that takes everything and notes when."""

    def __init__(self, state):
        self.state, self.buffer, self.in_data = state, b"", False

    def connection_made(self, transport):
        self.transport = transport
        transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        transport.write(b"220 sink\r\n")

    def data_received(self, data):
        self.buffer += data
        while True:
            end = b"\r\n.\r\n" if self.in_data else b"\r\n"
            before, found, rest = self.buffer.partition(end)
            if not found:
                return
            self.buffer = rest
            if self.in_data:
                self.in_data = False
                count, first, last = self.state
                now = time.time()
                count.value += 1
                first.value = first.value or now
                last.value = now
                self.transport.write(b"250 taken\r\n")
            elif before.upper().startswith(b"EHLO"):
                self.transport.write(b"250-sink\r\n250 8BITMIME\r\n")
            elif before.upper() == b"DATA":
                self.in_data = True
                self.transport.write(b"354 go on\r\n")
            else:
                self.transport.write(b"250 fine\r\n")


def serve_mail(port, state):
    async def serve():
        loop = asyncio.get_running_loop()
        server = await loop.create_server(lambda: Sink(state), sock=port)
        await server.serve_forever()

    asyncio.run(serve())


class MailServer:
    def __init__(self):
        listener = socket.create_server(("127.0.0.1", 0), backlog=512)
        self.port = listener.getsockname()[1]
        self.count, self.first, self.last = (multiprocessing.Value(kind, 0) for kind in ("L", "d", "d"))
        state = (self.count, self.first, self.last)
        self.process = multiprocessing.Process(target=serve_mail, args=(listener, state), daemon=True)
        self.process.start()

    def forget(self):
        self.count.value, self.first.value, self.last.value = 0, 0, 0


def settings(mail, storm_limit):
    """Of all servers that are started from now on."""
    os.environ.update(EMAIL_HOST="127.0.0.1", EMAIL_PORT=str(mail.port), ARGUSD_STORM_LIMIT=storm_limit)


def site(binary, folder, name, mail, storm_limit="0"):
    settings(mail, storm_limit)
    server = Server(binary, str(folder / f"{name}.redb"))
    server.start()
    token = server.command("source", "create", "bench", "--type", "bench", "--token")
    return server, token


def created(client, path, body):
    status, answer = client.post(f"{API}/{path}", body)
    assert status == 201, answer
    return json.loads(answer)["pk"]


def person(server, name):
    server.command("user", "create", name, "--email", f"{name}@example.org")
    return Client(server, server.command("token", "create", name))


def profile(client, name, criteria, destination):
    slots = json.loads(client.get(f"{API}/timeslots/")[1])
    found = created(client, "filters/", {"name": name, "filter": criteria})
    created(client, "", {"timeslot": slots[0]["pk"], "filters": [found], "destinations": [destination], "name": name})


def with_profiles(server, count):
    """Spread over ten people; two match every incident, the others other hosts, sources and levels."""
    for number in range(10):
        client = person(server, f"user{number}")
        destination = json.loads(client.get(f"{API}/destinations/")[1])[0]["pk"]
        for index in range(number, count, 10):
            if index < 2:
                criteria = {"maxlevel": 5}
            else:
                criteria = [{"tags": [f"host=other{index}"]}, {"sourceSystemIds": [1_000 + index]},
                            {"tags": ["problem_type=linkDown", f"host=none{index}"]}][index % 3]
            profile(client, f"p{index}", criteria, destination)


def post_costs(binary, folder, mail, rounds, seconds):
    """The same posts with no profile and with a thousand, in turn, so that both meet the same machine."""
    sites = {}
    for count in (0, 1_000):
        server, token = site(binary, folder, f"posts{count}", mail, "30")
        with_profiles(server, count)
        sites[count] = (server, token)
    ratios = {}
    for connections in (1, 32):
        rates = {0: [], 1_000: []}
        for turn in range(rounds):
            for count, (server, token) in sites.items():
                script = folder / "post.lua"
                script.write_text(run.POST_SCRIPT % f"{connections}-{turn}-{time.time_ns()}")
                rate, _, bad = run.wrk(server, token, "/api/v2/incidents/", connections, seconds, script)
                assert not bad
                rates[count].append(rate)
        for count, figures in rates.items():
            row(f"durable POST with {count:,} profiles, {connections} connections", "", figures, "/s", 0)
        ratios[connections] = [none / many for none, many in zip(*rates.values())]
    for connections, figures in ratios.items():
        row(f"a POST with 1,000 profiles of which 2 match costs, {connections} connections", "≤ 1.3 times", figures,
            " times", 2)
    for server, _ in sites.values():
        server.stop()


def one_burst(server, token, mail):
    """Seconds until all incidents were posted, the first mail was handed over, and all of them were."""
    for number in range(10):
        client = person(server, f"user{number}")
        profile(client, "all", {"maxlevel": 5}, json.loads(client.get(f"{API}/destinations/")[1])[0]["pk"])
    mail.forget()
    began = time.time()
    client = Client(server, token)
    for number in range(1_000):
        body = {"start_time": "2026-11-22T00:00:00Z", "end_time": "infinity", "source_incident_id": str(number),
                "level": 3, "description": f"burst {number}", "tags": [{"tag": "host=a"}, {"tag": "site=b"}]}
        status, answer = client.post("/api/v2/incidents/", body)
        assert status == 201, answer
    posted = time.time() - began
    while mail.count.value < 10_000 and time.time() - began < 120:
        time.sleep(0.02)
    assert mail.count.value == 10_000, mail.count.value
    return posted, mail.first.value - began, mail.last.value - began


def burst(binary, folder, mail, rounds):
    totals, firsts, posts = [], [], []
    for turn in range(rounds):
        server, token = site(binary, folder, f"burst{turn}", mail)
        posted, first, last = one_burst(server, token, mail)
        posts.append(posted)
        firsts.append(first)
        totals.append(last)
        server.stop()
    row("burst of 1,000 incidents × 10 e-mail destinations: posted one after the other in", "", posts, " s", 2)
    row("… the first mail handed over after", "≤ 1 s", firsts, " s", 3)
    row("… all 10,000 mails handed over after", "≤ 20 s", totals, " s", 2)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("binary", nargs="?", default="target/release/argusd")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=int, default=6)
    options = parser.parse_args()
    binary = str(Path(options.binary).resolve())
    mail = MailServer()
    with tempfile.TemporaryDirectory(dir=Path.cwd()) as folder:
        folder = Path(folder)
        say("a burst of mails")
        burst(binary, folder, mail, options.rounds)
        say("posting with profiles")
        post_costs(binary, folder, mail, options.rounds, options.seconds)
    print("\n| what | target | measured |\n|---|---|---|")
    for what, target, text in run.ROWS:
        print(f"| {what} | {target} | {text} |")


if __name__ == "__main__":
    main()
