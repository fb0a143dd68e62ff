#!/usr/bin/env python3
"""Measures argusd against its targets and prints a Markdown table: see docs/PERFORMANCE.md.

Needs Python 3.9+, wrk, and a release build. Everything happens in one scratch folder, on loopback. Figures are
medians of the rounds, with the lowest and the highest in brackets.
"""

import argparse
import http.client
import json
import os
import re
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

ROWS = []


def row(what, target, figures, unit="", digits=1):
    figures = sorted(figures)
    middle = statistics.median(figures)
    text = f"{middle:,.{digits}f}{unit}"
    if len(figures) > 1:
        text += f" ({figures[0]:,.{digits}f} to {figures[-1]:,.{digits}f})"
    ROWS.append((what, target, text))
    print(f"{what} | {target} | {text}", flush=True)
    return middle


def say(text):
    print(text, file=sys.stderr, flush=True)


class Server:
    """A running argusd."""

    def __init__(self, binary, data):
        self.binary, self.data = binary, data
        self.process = None

    def start(self):
        """Returns the seconds to the ready line, and to the first correct answer."""
        began = time.perf_counter()
        environment = dict(os.environ, ARGUSD_ADMIN_PASSWORD="benchmark password")
        self.process = subprocess.Popen(
            [self.binary, "serve", "--data", self.data, "--listen", "127.0.0.1:0"],
            stdout=subprocess.PIPE, stderr=open(f"{self.data}.log", "ab"), text=True, env=environment)
        line = self.process.stdout.readline()
        ready = time.perf_counter() - began
        match = re.match(r"argusd ready: http://([^:]+):(\d+)$", line.strip())
        if not match:
            raise SystemExit(f"no ready line but {line!r}, see {self.data}.log")
        self.host, self.port = match[1], int(match[2])
        return ready

    def first_answer(self, token, path="/api/v2/incidents/?page_size=1&open=true"):
        began = time.perf_counter()
        while True:
            status, body = Client(self, token).get(path)
            if status == 200 and json.loads(body)["results"]:
                return time.perf_counter() - began

    def stop(self, how=signal.SIGTERM):
        began = time.perf_counter()
        self.process.send_signal(how)
        self.process.wait(60)
        return time.perf_counter() - began

    def resident_mb(self):
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(re.search(r"VmRSS:\s+(\d+)", status)[1]) / 1024

    def cpu_seconds(self):
        """By the clock of the process: exact, where the ticks in /proc miss short work that begins with a timer."""
        return time.clock_gettime((~self.process.pid << 3) | 2)

    def command(self, *arguments, said=""):
        return subprocess.run([self.binary, *arguments, "--data", self.data], check=True, text=True, input=said,
                              capture_output=True).stdout.strip()


class Client:
    """One kept-alive connection."""

    def __init__(self, server, token):
        self.connection = http.client.HTTPConnection(server.host, server.port, timeout=60)
        self.headers = {"Authorization": f"Token {token}"}

    def get(self, path):
        self.connection.request("GET", path, headers=self.headers)
        response = self.connection.getresponse()
        return response.status, response.read()

    def post(self, path, body):
        self.connection.request("POST", path, json.dumps(body), {**self.headers, "Content-Type": "application/json"})
        response = self.connection.getresponse()
        return response.status, response.read()

    def timed(self, path, times):
        """Milliseconds of each request."""
        taken = []
        for _ in range(times):
            began = time.perf_counter()
            status, body = self.get(path)
            taken.append((time.perf_counter() - began) * 1000)
            if status != 200:
                raise SystemExit(f"{path}: {status} {body[:200]!r}")
        return taken


def sync_rate(folder):
    """Synced 4 KiB writes a second: what a durable commit cannot go below."""
    path = folder / "sync-rate"
    with open(path, "wb", buffering=0) as file:
        file.write(b"x" * 4096)
        count, began = 0, time.perf_counter()
        while time.perf_counter() - began < 2:
            os.pwrite(file.fileno(), b"y" * 4096, 0)
            os.fdatasync(file.fileno())
            count += 1
        rate = count / (time.perf_counter() - began)
    path.unlink()
    return rate


def wrk(server, token, path, connections, seconds, script=None):
    """Requests a second, latencies in ms by percentile, errors."""
    threads = 1 if connections < 32 else 2
    command = ["wrk", f"-t{threads}", f"-c{connections}", f"-d{seconds}s", "--latency", "--timeout", "10s",
               "-H", f"Authorization: Token {token}"]
    if script:
        command += ["-s", str(script)]
    out = subprocess.run([*command, f"http://{server.host}:{server.port}{path}"], check=True, text=True,
                         capture_output=True).stdout
    scale = {"us": 0.001, "ms": 1, "s": 1000, "m": 60000}
    latencies = {int(m[1]): float(m[2]) * scale[m[3]] for m in re.finditer(r"(\d+)%\s+([\d.]+)(us|ms|s|m)\b", out)}
    bad = re.search(r"Non-2xx or 3xx responses: (\d+)", out)
    return float(re.search(r"Requests/sec:\s+([\d.]+)", out)[1]), latencies, int(bad[1]) if bad else 0


def allocated(path):
    path = Path(path)
    if path.is_dir():
        return sum(allocated(child) for child in path.iterdir())
    return path.stat().st_blocks * 512


POST_SCRIPT = """
local host = 0
local id = tostring({}):sub(8)
request = function()
  host = host + 1
  local body = string.format('{"start_time": "%%s.%%06dZ", "end_time": "infinity", ' ..
    '"source_incident_id": "%%s-%%s-%%d", "details_url": "/event/%%d", "level": %%d, ' ..
    '"description": "Interface ge-0/0/%%d on router%%d went down", "tags": [{"tag": "host=router%%d.example.org"}, ' ..
    '{"tag": "interface=ge-0/0/%%d"}, {"tag": "problem_type=linkDown"}, {"tag": "location=room %%d"}, {"tag": "vlan=%%d"}]}',
    os.date("!%%Y-%%m-%%dT%%H:%%M:%%S"), host %% 1000000, "%s", id, host, host, host %% 5 + 1, host %% 48, host %% 900, host %% 900, host %% 48, host %% 40, host %% 4000)
  return wrk.format("POST", "/api/v2/incidents/", {["Content-Type"] = "application/json", ["Authorization"] = wrk.headers["Authorization"]}, body)
end
"""


def post_rates(server, token, folder, rounds, seconds):
    targets = {1: ("≥ 500/s, p50 ≤ 2 ms", 50), 32: ("≥ 5,000/s, p99 ≤ 25 ms", 99), 128: ("≥ 10,000/s", 99)}
    for connections, (target, percentile) in targets.items():
        rates, latencies = [], []
        for turn in range(rounds):
            script = folder / "post.lua"
            script.write_text(POST_SCRIPT % f"{connections}-{turn}-{time.time_ns()}")
            rate, latency, bad = wrk(server, token, "/api/v2/incidents/", connections, seconds, script)
            if bad:
                raise SystemExit(f"{bad} refused posts")
            rates.append(rate)
            latencies.append(latency[percentile])
        row(f"durable POST, {connections} connections", target, rates, "/s", 0)
        row(f"durable POST, {connections} connections, p{percentile}", target, latencies, " ms", 2)


def page_rates(server, token, rounds, seconds):
    _, body = Client(server, token).get("/api/v2/incidents/?page_size=1")
    one = json.loads(body)["results"][0]["pk"]
    for what, path, target in [
        ("open page of 100", "/api/v2/incidents/?open=true&page_size=100", "≥ 2,000/s"),
        ("open page of 10", "/api/v2/incidents/?open=true&page_size=10", "≥ 12,000/s"),
        ("one incident", f"/api/v2/incidents/{one}/", "≥ 25,000/s"),
    ]:
        row(f"{what}, 32 connections", target, [wrk(server, token, path, 32, seconds)[0] for _ in range(rounds)], "/s", 0)


FILTERS = [
    "", "open=true", "open=false", "acked=true", "acked=false", "open=true&acked=false", "stateful=false",
    "ticket=true", "level__lte=1", "level__lte=3", "source__id__in=2", "source__id__in=2,3,4", "source__type__in=nav",
    "open=true&level__lte=2", "tags=problem_type=linkDown", "tags={tag}", "tags={tag},{other}",
    "start_time__gte={late}", "start_time__lte={early}", "end_time__isnull=true", "duration__gte=600",
    "hide_closed_acked=true", "source_incident_id={sid}", "id__in=5,500,5000", "start_time__lte={early}&acked=true&level__lte=1",
]


def values(client):
    """What the filters name, from the data as it is."""
    _, body = client.get("/api/v2/incidents/?open=true&page_size=100")
    some = json.loads(body)["results"]
    late = some[0]["start_time"].replace("+", "%2B")
    hosts = sorted({tag["tag"] for incident in some for tag in incident["tags"]}, key=len, reverse=True)
    return {"tag": hosts[0].replace("=", "%3D"), "other": hosts[1].replace("=", "%3D"), "late": late,
            "early": "2026-02-01T00:00:00Z", "sid": some[0]["source_incident_id"]}


def filter_medians(client, known, requests):
    """By pattern, milliseconds of the first page of ten and of the count."""
    medians = {}
    for pattern in FILTERS:
        query = pattern.format(**known)
        page = statistics.median(client.timed(f"/api/v2/incidents/?page_size=10&{query}", requests))
        count = statistics.median(client.timed(f"/api/v2/incidents/?count=1&{query}", requests))
        medians[pattern] = page, count
    return medians


def filters(server, token, rounds):
    client = Client(server, token)
    known = values(client)
    worst_page, worst_count, slowest = [], [], ("", 0.0)
    for _ in range(rounds):
        medians = filter_medians(client, known, 15)
        for pattern, (page, _) in medians.items():
            slowest = max(slowest, (pattern, page), key=lambda pair: pair[1])
        worst_page.append(max(page for page, _ in medians.values()))
        worst_count.append(max(count for _, count in medians.values()))
    row(f"filters, first page of 10, 1 connection: p50 of the slowest of {len(FILTERS)} ({slowest[0] or 'none'})",
        "p50 ≤ 5 ms", worst_page, " ms", 2)
    row("count, p50 of the slowest filter", "≤ 10 ms", worst_count, " ms", 2)
    first, hundredth = [], []
    for _ in range(rounds):
        path = "/api/v2/incidents/?page_size=100&acked=false"
        first.append(statistics.median(client.timed(path, 15)))
        for _ in range(99):
            _, body = client.get(path)
            following = json.loads(body)["next"]
            path = following[following.index("/api/"):]
        hundredth.append(statistics.median(client.timed(path, 15)))
    row("page 1 of 100 rows, acked=false", "page 100 as quick as page 1", first, " ms", 2)
    row("page 100 of 100 rows, acked=false", "page 100 as quick as page 1", hundredth, " ms", 2)


WORDS = ["interface", "down", "router", "bgp", "temperature", "unreachable", "ge-0/0/1", "power", "fan", "disk",
         "latency", "timeout", "core", "link flapping", "nosuchword", "oslo", "certificate", "10.0."]


def search_medians(client, requests):
    """Milliseconds of the first page of ten for each word."""
    return [statistics.median(client.timed(f"/api/v2/incidents/?page_size=10&search={word.replace(' ', '+')}", requests))
            for word in WORDS]


def searches(server, token, rounds):
    client = Client(server, token)
    medians, worst = [], []
    for _ in range(rounds):
        taken = search_medians(client, 7)
        medians.append(statistics.median(taken))
        worst.append(max(taken))
    row(f"search over all history, p50 over {len(WORDS)} searches", "p50 ≤ 25 ms", medians, " ms", 2)
    row("search, the slowest of them", "-", worst, " ms", 2)


def pollers(server, token, writer, seconds):
    """50 clients poll the open list every 2 s while 50 incidents a second come in."""
    taken, failed, stop = [], [], threading.Event()

    def poll(delay):
        time.sleep(delay)
        client = Client(server, token)
        while not stop.is_set():
            began = time.perf_counter()
            try:
                status, _ = client.get("/api/v2/incidents/?open=true")
                (taken if status == 200 else failed).append((time.perf_counter() - began) * 1000)
            except OSError:
                failed.append(0)
            stop.wait(max(0.0, 2 - (time.perf_counter() - began)))

    def write():
        client, sent, began = Client(server, writer), 0, time.perf_counter()
        while not stop.is_set():
            status, _ = client.post("/api/v2/incidents/", {
                "start_time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()), "tags": [{"tag": "host=poll"}],
                "description": f"polled {sent}", "source_incident_id": f"poll-{time.time_ns()}"})
            if status != 201:
                failed.append(0)
            sent += 1
            stop.wait(max(0.0, began + sent / 50 - time.perf_counter()))

    threads = [threading.Thread(target=poll, args=(n / 25,)) for n in range(50)] + [threading.Thread(target=write)]
    for thread in threads:
        thread.start()
    time.sleep(seconds)
    stop.set()
    for thread in threads:
        thread.join()
    ROWS.append(("50 pollers every 2 s, 50 incidents/s", "every poll answered", f"{len(taken)} of {len(taken) + len(failed)}"))
    row("50 pollers, p99", "p99 ≤ 50 ms", [statistics.quantiles(taken, n=100)[98]], " ms", 1)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--argusd", default="target/release/argusd")
    parser.add_argument("--incidents", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=int, default=8, help="of each load")
    parser.add_argument("--folder", help="where to work; on a real file system")
    parser.add_argument("--keep", action="store_true", help="leave the data there")
    options = parser.parse_args()
    if not shutil.which("wrk"):
        raise SystemExit("wrk is needed")
    binary = str(Path(options.argusd).resolve())
    folder = Path(tempfile.mkdtemp(prefix="argusd-bench-", dir=options.folder))
    rounds, seconds = options.rounds, options.seconds
    try:
        row("synced 4 KiB writes of this disk", "-", [sync_rate(folder) for _ in range(rounds)], "/s", 0)

        starts, memory = [], []
        for turn in range(rounds):
            empty = Server(binary, str(folder / f"empty{turn}.redb"))
            empty.start()
            empty.stop()
            starts.append(empty.start())
            time.sleep(1)
            memory.append(empty.resident_mb())
            empty.stop()
        row("empty store: start", "≤ 0.3 s", starts, " s", 3)
        row("empty store: resident", "≤ 60 MB", memory, " MB", 0)

        data = str(folder / "bench.redb")
        began = time.perf_counter()
        subprocess.run([binary, "generate", str(options.incidents), "--data", data], check=True,
                       env=dict(os.environ, ARGUSD_ADMIN_PASSWORD="benchmark password"))
        row("generate", "≥ 25,000/s", [options.incidents / (time.perf_counter() - began)], "/s", 0)

        server = Server(binary, data)
        say("first start builds the text index")
        server.start()
        reader = server.command("token", "create", "admin")
        writer = server.command("source", "create", "bench", "--type", "bench", "--token")
        wait_until_indexed(server, reader)
        size = sum(allocated(path) for path in folder.iterdir() if path.name.startswith("bench.redb"))
        row("disk an incident, indexes included", "≤ 1.2 KB", [size / options.incidents / 1000], " KB", 2)

        clean, killed, stops = [], [], []
        for _ in range(rounds):
            stops.append(server.stop())
            clean.append(server.start() + server.first_answer(reader))
            server.stop(signal.SIGKILL)
            killed.append(server.start() + server.first_answer(reader))
        row("start after a clean stop, to the first correct answer", "≤ 1 s", clean, " s", 2)
        row("start after kill -9, to the first correct answer", "≤ 5 s", killed, " s", 2)
        wait_until_indexed(server, reader)

        page_rates(server, reader, rounds, seconds)
        filters(server, reader, rounds)
        searches(server, reader, rounds)
        pollers(server, reader, writer, 40)
        post_rates(server, writer, folder, rounds, seconds)
        row("resident after all this", "≤ 512 MB", [server.resident_mb()], " MB", 0)
        server.stop()
    finally:
        if not options.keep:
            shutil.rmtree(folder, ignore_errors=True)
    print("\n| what | target | measured |\n|---|---|---|")
    for what in ROWS:
        print("| " + " | ".join(what) + " |")


def wait_until_indexed(server, token):
    """Until the text index answers in a time that a scan could not reach."""
    client = Client(server, token)
    for _ in range(600):
        if min(client.timed("/api/v2/incidents/?count=1&search=nosuchword", 3)) < 20:
            return
        time.sleep(1)
    raise SystemExit("the text index is not ready after ten minutes")


if __name__ == "__main__":
    main()
