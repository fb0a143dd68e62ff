"""Open lists without a browser: streams that note when which row came, and a sender of incidents beside them."""

import asyncio
import json
import multiprocessing
import statistics
import threading
import time
import urllib.parse

from run import Client

RATE = 50
COUNT = 100

# One user each.
COLUMNS = [
    ["level", "status", "start", "age", "source", "description", "ticket"],
    ["id", "start", "status", "level", "description", "tags"],
    ["level", "start", "source", "source_type", "description", "tags", "ticket", "maintenance", "last_event"],
    ["id", "status", "acked", "level", "source", "description"],
    ["level", "status", "start", "age", "end", "source", "description", "tags"],
]

# Views, and which of the incidents that `body` makes belong to them.
VIEWS = [
    ("open=true", lambda n: True),
    ("open=any", lambda n: True),
    ("open=true&acked=false", lambda n: True),
    ("hide_closed_acked=true", lambda n: True),
    ("open=true&ticket=false&sort=level", lambda n: True),
    ("open=true&source_type=bench", lambda n: True),
    ("open=true&frame=24h&stateful=true", lambda n: True),
    ("open=true&level=1", lambda n: n % 5 == 0),
    ("open=true&level=1&level=2", lambda n: n % 5 < 2),
    ("level=3&level=4&level=5", lambda n: n % 5 > 1),
    ("tags=site%3D3", lambda n: n % 10 == 3),
    ("open=true&tags=site%3D3&tags=site%3D4", lambda n: n % 10 in (3, 4)),
    ("open=true&q=site%3D7&level=3", lambda n: n % 10 == 7),
    ("q=powder", lambda n: n % 4 == 0),
    ("open=true&q=gunpowder", lambda n: n % 8 == 0),
    ("open=false", lambda n: False),
    ("acked=true", lambda n: False),
    ("open=true&longer=60", lambda n: False),
    ("open=true&ticket=true", lambda n: False),
    ("open=true&event_type=REO", lambda n: False),
]


def body(n):
    what = "gunpowder" if n % 8 == 0 else "powder" if n % 4 == 0 else "flour"
    tags = [f"host=mill{n % 300}.example.org", f"site={n % 10}", f"interface=ge-0/0/{n % 48}", "problem_type=dust"]
    return {"start_time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()), "end_time": "infinity", "level": n % 5 + 1,
            "source_incident_id": f"stream-{time.time_ns()}", "details_url": f"/dust/{n}",
            "description": f"Too much {what} in the air of mill{n % 300}: line {n} stopped", "tags": [{"tag": tag} for tag in tags]}


def send(server, writer, seconds, more=None):
    """So many incidents a second; returns number, key and moment of the 201 of each. `more(n)` is called beside each."""
    client, sent, began = Client(server, writer), [], time.monotonic()
    for n in range(RATE * seconds):
        if (early := began + n / RATE - time.monotonic()) > 0:
            time.sleep(early)
        status, answer = client.post("/api/v2/incidents/", body(n))
        done = time.monotonic()
        if status != 201:
            raise SystemExit(f"{status} {answer[:200]!r}")
        sent.append((n, json.loads(answer)["pk"], done))
        if more:
            more(n)
    return sent


def cost(server, seconds, work):
    """Percent of a core that the server takes for it, and what it returns."""
    time.sleep(2)
    before, began = server.cpu_seconds(), time.monotonic()
    outcome = work()
    return (server.cpu_seconds() - before) / max(seconds, time.monotonic() - began) * 100, outcome


async def listen(number, address, cookie, query, notes):
    reader, writer = await asyncio.open_connection(*address, limit=1 << 20)
    path = "/live/?" + urllib.parse.urlencode([("list", f"v~~{query}")])
    writer.write(f"GET {path} HTTP/1.1\r\nHost: bench\r\nCookie: {cookie}\r\nAccept: text/event-stream\r\n"
                 "Accept-Encoding: gzip\r\n\r\n".encode())
    head = await reader.readuntil(b"\r\n\r\n")
    if b" 200 " not in head.splitlines()[0]:
        raise SystemExit(f"/live/: {head!r}")
    pending = b""
    while size := int(await reader.readuntil(b"\r\n"), 16):
        data = await reader.readexactly(size + 2)
        came = time.monotonic()
        notes["bytes"] += size
        *events, pending = (pending + data[:-2]).split(b"\n\n")
        for event in events:
            fields = dict(line.split(b": ", 1) for line in event.split(b"\n") if b": " in line)
            if fields.get(b"event") == b"hello":
                notes["open"] += 1
            elif fields.get(b"event") == b"rows":
                for key, _ in json.loads(fields[b"data"])["rows"]:
                    notes["came"].setdefault((number, key), came)
            elif fields.get(b"event") in (b"refresh", b"end"):
                notes["refreshes"] += 1


def watch(address, cookies, pipe):
    notes = {"bytes": 0, "open": 0, "refreshes": 0, "came": {}}

    async def all_of_them():
        tasks = []
        for number in range(COUNT):
            query, _ = VIEWS[number % len(VIEWS)]
            cookie = cookies[number // len(VIEWS) % len(cookies)]
            tasks.append(asyncio.create_task(listen(number, address, cookie, query, notes)))
        while notes["open"] < COUNT:
            for task in tasks:
                if task.done():
                    task.result()
            await asyncio.sleep(0.02)
        pipe.send("open")
        await asyncio.to_thread(pipe.recv)
        for task in tasks:
            task.cancel()

    asyncio.run(all_of_them())
    pipe.send(notes)


class Watchers:
    """The streams, in a process of their own."""

    def __init__(self, server, cookies):
        self.pipe, other = multiprocessing.Pipe()
        self.process = multiprocessing.Process(target=watch, args=((server.host, server.port), cookies, other), daemon=True)

    def __enter__(self):
        self.process.start()
        self.pipe.recv()
        return self

    def __exit__(self, *_):
        self.process.terminate()

    def judge(self, sent):
        """How long each row took to each stream that had to get it."""
        time.sleep(3)
        self.pipe.send("enough")
        notes = self.pipe.recv()
        waits, expected = [], 0
        for number in range(COUNT):
            _, belongs = VIEWS[number % len(VIEWS)]
            for n, key, done in sent:
                came = notes["came"].get((number, key))
                if belongs(n):
                    expected += 1
                    if came is not None:
                        waits.append(max(0.0, came - done) * 1000)
                elif came is not None:
                    raise SystemExit(f"{key} does not belong to {VIEWS[number % len(VIEWS)][0]}")
        if notes["refreshes"]:
            raise SystemExit("a stream said that there was too much")
        return {"p50": statistics.median(waits), "p99": statistics.quantiles(waits, n=100)[98], "max": max(waits),
                "came": len(waits), "expected": expected, "bytes": notes["bytes"]}


class Sender(threading.Thread):
    """Sends beside something else that is waited for."""

    def __init__(self, server, writer, seconds, more):
        super().__init__(daemon=True)
        self.work = lambda: send(server, writer, seconds, more)
        self.sent = None

    def run(self):
        self.sent = self.work()
