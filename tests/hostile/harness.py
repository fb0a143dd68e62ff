"""A fresh server for one attack, its memory, and a bystander who creates incidents meanwhile.

Attackers and the bystander are processes of their own, so that none of them slows down another one's measurement.
"""

import collections
import http.client
import json
import multiprocessing
import os
import queue
import re
import resource
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "bench"))

from pages import PASSWORD, Session  # noqa: E402
from run import Client, Server, say  # noqa: E402,F401

PROCESSES = multiprocessing.get_context("spawn")

# What an attack must not exceed.
PEAK_MB = 512
CREATE_P99_MS = 100

BYSTANDER_RATE = 20
SETTLE_SECONDS = 15

# Everything that the server must not hold up is waited for no longer than this.
BYSTANDER_TIMEOUT = 30

# Attackers come from these, everybody else from 127.0.0.1.
ADDRESSES = [f"127.0.0.{last}" for last in range(2, 51)]

# The first argument of a job that is no attacker's, and runs at normal priority.
PERSON = "person"


def raise_file_limit():
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


class Site:
    """A server on a scratch file of its own, with an administrator, a plain user and a source."""

    def __init__(self, binary, folder, incidents=0):
        self.data = str(Path(folder) / "hostile.redb")
        self.server = Server(binary, self.data)
        self.counts = collections.Counter()
        if incidents:
            subprocess.run([binary, "generate", str(incidents), "--data", self.data], check=True, capture_output=True,
                           env=dict(os.environ, ARGUSD_ADMIN_PASSWORD=PASSWORD))
        self.server.start()
        self.admin = self.server.command("token", "create", "admin")
        self.mallory = self.user("mallory")
        self.colleague = self.user("colleague")
        self.source = self.server.command("source", "create", "target", "--type", "target", "--token")
        self.bystander = self.server.command("source", "create", "bystander", "--type", "bystander", "--token")

    def user(self, name, *arguments):
        """A user with a password; returns a token."""
        self.server.command("user", "create", name, "--password-file", "-", *arguments, said=PASSWORD)
        return self.server.command("token", "create", name)

    def create(self, **fields):
        """An incident of the source that is attacked; returns its key."""
        body = {"start_time": "2026-11-01T00:00:00Z", "tags": [{"tag": "host=target"}], **fields}
        status, answer = Client(self.server, self.source).post("/api/v2/incidents/", body)
        if status != 201:
            raise SystemExit(f"{status} {answer[:200]!r}")
        return json.loads(answer)["pk"]

    def attacker(self, seconds, token):
        """Somebody who prepares an attack; what they are answered counts, too."""
        attacker = Attacker((self.server.host, self.server.port), time.monotonic() + seconds, token)
        attacker.counts = self.counts
        return attacker

    def restart(self):
        self.stop()
        self.server.start()

    def stop(self):
        """Stops it cleanly, or else kills it; returns whether it stopped cleanly."""
        if self.server.process.poll() is not None:
            return self.server.process.returncode == 0
        self.server.process.send_signal(signal.SIGTERM)
        try:
            return self.server.process.wait(30) == 0
        except subprocess.TimeoutExpired:
            self.server.process.kill()
            self.server.process.wait()
            return False

    def panics(self):
        return Path(f"{self.data}.log").read_text(errors="replace").count("panicked")

    def cookie(self, username):
        return Session(self.server, username).cookie

    def page_size(self, path, token=None, username=None):
        """Bytes of an answer, uncompressed, without keeping it."""
        headers = {"Authorization": f"Token {token}"} if token else {"Cookie": self.cookie(username)}
        connection = http.client.HTTPConnection(self.server.host, self.server.port, timeout=30)
        connection.request("GET", path, headers=headers)
        response = connection.getresponse()
        # Lists redirect to the address of the view that their user had last.
        if response.status == 303:
            response.read()
            connection.request("GET", response.getheader("Location"), headers=headers)
            response = connection.getresponse()
        size = 0
        while chunk := response.read(1 << 20):
            size += len(chunk)
        if response.status != 200:
            raise SystemExit(f"{path}: {response.status}")
        return size


class Memory(threading.Thread):
    """Samples the resident memory of the server every 50 ms, and kills the server above the limit."""

    def __init__(self, process, limit_mb, forget_peak):
        super().__init__(daemon=True)
        self.process, self.limit_mb = process, limit_mb
        self.peak = self.last = 0.0
        self.killed = False
        self.ended = threading.Event()
        if forget_peak:
            Path(f"/proc/{process.pid}/clear_refs").write_text("5")

    def run(self):
        while not self.ended.is_set():
            try:
                status = Path(f"/proc/{self.process.pid}/status").read_text()
            except OSError:
                return
            found = {name: int(value) / 1024 for name, value in re.findall(r"(VmRSS|VmHWM):\s+(\d+)", status)}
            if not found:
                return
            self.last = found["VmRSS"]
            self.peak = max(self.peak, found["VmHWM"], self.last)
            if self.last > self.limit_mb:
                self.killed = True
                self.process.kill()
                return
            self.ended.wait(0.05)


def stand_by(address, token, pipe):
    """Creates incidents at a fixed rate over one connection until it is told to stop.

    Each is timed from the moment when it was due, not from when it was sent: a server that stops for ten seconds
    delays all that were due within them.
    """
    connection, records, began, number = None, [], time.monotonic(), 0
    headers = {"Authorization": f"Token {token}", "Content-Type": "application/json"}
    while not pipe.poll(max(0.0, began + number / BYSTANDER_RATE - time.monotonic())):
        due, status = began + number / BYSTANDER_RATE, 0
        number += 1
        body = {"start_time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()), "end_time": "infinity", "level": 3,
                "source_incident_id": str(number), "description": f"Bystander's incident {number}",
                "tags": [{"tag": "host=bystander"}, {"tag": f"number={number}"}]}
        try:
            connection = connection or connect(address, BYSTANDER_TIMEOUT)
            connection.request("POST", "/api/v2/incidents/", json.dumps(body), headers)
            response = connection.getresponse()
            response.read()
            status = response.status
        except (OSError, http.client.HTTPException):
            connection = None
            time.sleep(0.05)
        records.append((due, (time.monotonic() - due) * 1000, status))
    now = time.monotonic()
    # Those that were due in the meantime and could not even be sent.
    while (due := began + number / BYSTANDER_RATE) < now - 1 / BYSTANDER_RATE:
        records.append((due, (now - due) * 1000, 0))
        number += 1
    pipe.send(records)


def connect(address, timeout, source_address="127.0.0.1"):
    connection = http.client.HTTPConnection(*address, timeout=timeout, source_address=(source_address, 0))
    connection.connect()
    connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return connection


class Attacker:
    """One connection of an attacker that counts what it was answered. Nothing is done after the deadline."""

    def __init__(self, address, deadline, token=None, cookie=None, source_address=ADDRESSES[0]):
        self.address, self.deadline, self.source_address = address, deadline, source_address
        self.headers = {"Authorization": f"Token {token}"} if token else {"Cookie": cookie} if cookie else {}
        self.connection = None
        self.counts, self.lock = collections.Counter(), threading.Lock()
        self.notes, self.problems = [], []

    def left(self):
        return self.deadline - time.monotonic()

    def another(self, token=None, cookie=None, source_address=ADDRESSES[0]):
        """A connection beside this one, whose answers are counted together with it."""
        other = Attacker(self.address, self.deadline, token, cookie, source_address)
        other.counts, other.lock = self.counts, self.lock
        return other

    def count(self, what, status):
        with self.lock:
            self.counts[what, status] += 1

    def call(self, what, method, path, body=None, headers=(), keep=True):
        """Returns status and body, or 0 where there was no answer; counts it as `what`. Long bodies need not be kept."""
        if self.left() <= 0:
            return 0, b""
        headers = {**self.headers, **dict(headers)}
        if body is not None and not isinstance(body, bytes):
            body, headers["Content-Type"] = json.dumps(body).encode(), "application/json"
        try:
            if self.connection is None:
                self.connection = connect(self.address, max(0.5, self.left()), self.source_address)
            self.connection.sock.settimeout(max(0.5, self.left()))
            self.connection.request(method, path, body, headers)
            response = self.connection.getresponse()
            answer = b""
            if keep:
                answer = response.read()
            else:
                while response.read(1 << 20) and self.left() > 0:
                    pass
            status = response.status
            if response.will_close or not response.isclosed():
                self.close()
        except (OSError, http.client.HTTPException):
            self.close()
            status, answer = 0, b""
            time.sleep(0.01)
        self.count(what, status)
        return status, answer

    def close(self):
        if self.connection is not None:
            self.connection.close()
            self.connection = None

    def together(self, count, work):
        """Runs `work(number)` in so many threads of this process."""
        threads = [threading.Thread(target=work, args=(number,), daemon=True) for number in range(count)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(max(1.0, self.left() + 2))


def attack_process(function, address, deadline, arguments, results):
    os.nice(0 if arguments[:1] == (PERSON,) else 19)
    raise_file_limit()
    # Who is asked to end reports what there is so far.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit())
    attacker = Attacker(address, deadline)
    try:
        function(attacker, *arguments)
    finally:
        results.put((attacker.counts, attacker.notes, attacker.problems))


class Outcome:
    """What one attack did to the server and to the bystander."""

    def __init__(self, name):
        self.name = name
        self.peak = self.after = 0.0
        self.records, self.counts = [], collections.Counter()
        self.notes, self.problems = [], []

    def judge(self):
        """All that is wrong, in words."""
        wrong = list(self.problems)
        if self.peak > PEAK_MB:
            wrong.append(f"peak over {PEAK_MB} MB")
        if self.percentile(0.99) > CREATE_P99_MS:
            wrong.append(f"p99 over {CREATE_P99_MS} ms")
        if self.failed():
            wrong.append("failed creates")
        return wrong

    def failed(self):
        return sum(status != 201 for _, _, status in self.records)

    def percentile(self, part):
        waits = sorted(wait for _, wait, _ in self.records)
        return waits[min(len(waits) - 1, int(len(waits) * part))] if waits else 0.0

    def answers(self):
        groups = collections.defaultdict(list)
        for (what, status), count in sorted(self.counts.items(), key=str):
            groups[what].append(f"{count:,} × {status or 'no answer'}")
        return "; ".join([f"{what}: {', '.join(found)}" for what, found in groups.items()] + self.notes)

    def row(self):
        wrong = self.judge()
        waits = [wait for _, wait, _ in self.records]
        middle = statistics.median(waits) if waits else 0.0
        return (f"| {self.name} | {self.peak:,.0f} MB | {self.after:,.0f} MB | {middle:,.1f} / {self.percentile(0.99):,.0f} / "
                f"{max(waits, default=0):,.0f} ms | {self.failed()} of {len(waits)} | {self.answers()} | "
                f"{'FAIL: ' + ', '.join(wrong) if wrong else 'PASS'} |")


HEAD = ("| attack | peak resident | 15 s later | create p50 / p99 / max | failed creates | what the attacker was answered | |\n"
        "|---|---|---|---|---|---|---|")


def carry_out(attack, binary, seconds, limit_mb):
    """Prepares a site, runs the attackers of the module for so many seconds, and says what came of it."""
    outcome = Outcome(attack.NAME)
    with tempfile.TemporaryDirectory(prefix="argusd-hostile-") as folder:
        site = Site(binary, folder, getattr(attack, "INCIDENTS", 0))
        try:
            arguments = attack.prepare(site)
            address = (site.server.host, site.server.port)
            with Bystander(address, site.bystander) as bystander:
                memory = Memory(site.server.process, limit_mb, not getattr(attack, "COUNTS_PREPARATION", False))
                memory.start()
                deadline = time.monotonic() + seconds
                attackers = Attackers(attack.attack, address, deadline, arguments)
                while attackers.running() and memory.is_alive() and time.monotonic() < deadline + 10:
                    time.sleep(0.05)
                attackers.collect(outcome)
                outcome.counts.update(site.counts)
                ended = time.monotonic()
                # What is still being done for the attackers delays the bystander, too.
                time.sleep(0 if memory.killed else 5)
                outcome.records = bystander.records()
            if memory.killed or site.server.process.poll() is not None:
                outcome.problems.append(f"killed above {limit_mb:,} MB" if memory.killed else "the server is gone")
            else:
                time.sleep(max(0.0, ended + SETTLE_SECONDS - time.monotonic()))
                if hasattr(attack, "observe"):
                    notes, problems = attack.observe(site)
                    outcome.notes += notes
                    outcome.problems += problems
                memory.ended.set()
            memory.join()
            outcome.peak, outcome.after = memory.peak, memory.last
            if not memory.killed and not site.stop():
                outcome.problems.append("did not stop cleanly")
            if site.panics():
                outcome.problems.append("panics in the log")
        finally:
            site.stop()
    return outcome


class Bystander:
    def __init__(self, address, token):
        self.pipe, other = PROCESSES.Pipe()
        self.process = PROCESSES.Process(target=stand_by, args=(address, token, other), daemon=True)

    def __enter__(self):
        self.process.start()
        return self

    def records(self):
        self.pipe.send("stop")
        return self.pipe.recv() if self.pipe.poll(BYSTANDER_TIMEOUT + 5) else []

    def __exit__(self, *_):
        self.process.join(1)
        if self.process.is_alive():
            self.process.kill()


class Attackers:
    """The processes of one attack. `jobs` has the arguments of each."""

    def __init__(self, function, address, deadline, jobs):
        self.results = PROCESSES.Queue()
        self.processes = [PROCESSES.Process(target=attack_process, args=(function, address, deadline, job, self.results),
                                            daemon=True) for job in jobs]
        for process in self.processes:
            process.start()

    def running(self):
        return any(process.is_alive() for process in self.processes)

    def collect(self, outcome):
        """What all of them have to say; those that still run are ended."""
        for process in self.processes:
            if process.is_alive():
                process.terminate()
        for process in self.processes:
            process.join(3)
            if process.is_alive():
                process.kill()
                outcome.counts["attacker killed", 0] += 1
            process.join()
        try:
            while True:
                counts, notes, problems = self.results.get(timeout=0.5)
                outcome.counts.update(counts)
                outcome.notes += notes
                outcome.problems += problems
        except queue.Empty:
            pass
