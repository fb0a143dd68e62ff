#!/usr/bin/env python3
"""Damaged data files: no hang, no panic, no lot of memory, and no copy that passes `check` and is not the original.

Usage: damage.py ARGUSD [--files 200] [--seed 1] [--jobs 2] [--incidents 2000] [--only NUMBER] [--keep]

Makes a data file with the program, then damages copies of it: flipped bits, zeroed pages, swapped pages, garbage. Each
goes through `check`, `backup`, `serve` with requests and a backup while it serves, and `serve` and `check` on the copies.
Nothing is sent anywhere. The same seed makes the same damage.
"""

import argparse
import concurrent.futures
import http.client
import json
import os
import random
import re
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from pathlib import Path

PAGE = 4096
TIMEOUT = 30
MEMORY_ABOVE = 200 << 20
FORBIDDEN = re.compile(rb"panicked|stack backtrace|RUST_BACKTRACE|memory allocation of|overflowed its stack")
PASSWORD = "damage password"
ENVIRONMENT = {"PATH": os.environ.get("PATH", ""), "ARGUSD_ADMIN_PASSWORD": PASSWORD, "TIME_ZONE": "UTC"}


class Failure(Exception):
    pass


class Run:
    """A process with a time limit, its peak of memory, and what it said."""

    def __init__(self, command, log):
        self.name = command[1] if len(command) > 1 else "?"
        self.log = log
        self.out = open(log, "wb")
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=self.out, env=ENVIRONMENT,
                                        stdin=subprocess.DEVNULL, cwd=os.path.dirname(log))
        self.timed_out = False
        self.timer = threading.Timer(TIMEOUT, self.give_up)
        self.timer.start()

    def give_up(self):
        self.timed_out = True
        self.process.kill()

    def end(self):
        text = self.process.stdout.read()
        _, status, usage = os.wait4(self.process.pid, 0)
        self.process.returncode = os.waitstatus_to_exitcode(status)
        self.timer.cancel()
        self.out.close()
        self.process.stdout.close()
        self.peak = usage.ru_maxrss << 10
        self.said = text + Path(self.log).read_bytes()
        if self.timed_out:
            raise Failure(f"{self.name} hung")
        if self.process.returncode < 0:
            raise Failure(f"{self.name} ended by signal {-self.process.returncode}: {self.said[-500:]!r}")
        if FORBIDDEN.search(self.said):
            raise Failure(f"{self.name} panicked: {self.said[-1500:]!r}")
        return self.process.returncode


class Site:
    """One data file in a directory of its own."""

    def __init__(self, binary, folder, normal):
        self.binary, self.folder, self.normal = binary, folder, normal
        self.peaks = {}

    def run(self, *arguments, data=None):
        run = Run([self.binary, *arguments, "--data", str(data or self.folder / "argusd.redb")], self.folder / "log")
        code = run.end()
        self.memory(arguments[0], run.peak)
        return code, run.said

    def memory(self, name, peak):
        self.peaks[name] = max(peak, self.peaks.get(name, 0))
        if self.normal and peak > self.normal[name] + MEMORY_ABOVE:
            raise Failure(f"{name} took {peak >> 20} MiB, {self.normal[name] >> 20} MiB are normal")

    def serve(self, use, data=None):
        """Starts a server, uses it, stops it; `None` if it refused to start with a sentence."""
        run = Run([self.binary, "serve", "--listen", "127.0.0.1:0", "--data",
                   str(data or self.folder / "argusd.redb")], self.folder / "log")
        line = run.process.stdout.readline().decode()
        match = re.match(r"argusd ready: http://([^:]+):(\d+)$", line.strip())
        if not match:
            code = run.end()
            if code != 1 or b"argusd: " not in run.said:
                raise Failure(f"serve ended with {code} and no sentence: {run.said[-500:]!r}")
            self.memory("serve", run.peak)
            return None
        try:
            result = use(match[1], int(match[2]))
        finally:
            run.process.send_signal(signal.SIGTERM)
            code = run.end()
        if code not in (0, 1) or (code == 1 and b"argusd: " not in run.said):
            raise Failure(f"serve ended with {code}: {run.said[-500:]!r}")
        self.memory("serve", run.peak)
        return result


def request(host, port, method, path, token, body=None):
    connection = http.client.HTTPConnection(host, port, timeout=TIMEOUT)
    connection.request(method, path, body and json.dumps(body),
                       {"Authorization": f"Token {token}", "Content-Type": "application/json"})
    response = connection.getresponse()
    text = response.read()
    connection.close()
    if response.status not in (200, 201, 204, 400, 404, 500, 503):
        raise Failure(f"{method} {path}: {response.status} {text[:200]!r}")
    return response.status, text


def five_requests(host, port, tokens):
    token, source = tokens
    body = {"start_time": "2026-01-01T00:00:00Z", "tags": [{"tag": "host=a"}], "description": "after the damage"}
    statuses = [request(host, port, *what)[0] for what in (
        ("GET", "/api/v2/incidents/?page_size=200", token),
        ("GET", "/api/v2/incidents/?tags=location=oslo&search=interface", token),
        ("GET", "/api/v2/incidents/7/events/", token),
        ("POST", "/api/v2/incidents/", source, body),
        ("GET", "/api/v2/notificationprofiles/", token),
    )]
    return statuses


def make_original(binary, folder, incidents):
    """A file with records of all kinds, closed cleanly."""
    site = Site(binary, folder, None)
    said = b""
    for arguments in (["demo", "--seed", "7"], ["generate", str(incidents), "--seed", "7"],
                      ["source", "create", "probe", "--type", "probe", "--token"]):
        code, said = site.run(*arguments)
        if code != 0:
            raise Failure(f"{arguments}: {said!r}")
    source = said.decode().strip().splitlines()[-1]
    token = site.run("token", "create", "admin")[1].decode().strip().splitlines()[-1]

    def use(host, port):
        def must(method, path, body=None, token=token):
            status, text = request(host, port, method, path, token, body)
            if status >= 300:
                raise Failure(f"{method} {path}: {status} {text[:300]!r}")
            return json.loads(text) if text else None

        profiles = "/api/v2/notificationprofiles/"
        slot = must("POST", f"{profiles}timeslots/", {"name": "always", "time_recurrences": [
            {"days": [1, 2, 3, 4, 5, 6, 7], "start": "00:00:00", "end": "23:59:59"}]})
        every = must("POST", f"{profiles}filters/", {"name": "all", "filter": {"open": True}})
        # No mail server is set, or nobody answers: its messages wait.
        target = must("POST", f"{profiles}destinations/",
                      {"media": "email", "settings": {"email_address": "somebody@example.org"}})
        must("POST", profiles, {"name": "told", "timeslot": slot["pk"], "filters": [every["pk"]],
                                "destinations": [target["pk"]], "active": True})
        for pk in range(2, 60):
            request(host, port, "POST", f"/api/v2/incidents/{pk}/acks/", token,
                    {"event": {"timestamp": "2026-01-02T00:00:00Z", "description": f"ack {pk}"}})
            request(host, port, "PATCH", f"/api/v2/incidents/{pk}/", token, {"tags": [{"tag": f"changed={pk}"}]})
            request(host, port, "POST", f"/api/v2/incidents/{pk}/events/", token,
                    {"timestamp": "2026-01-02T00:00:00Z", "type": "OTH", "description": "words " * 40})
        for number in range(40):
            must("POST", "/api/v2/incidents/", {
                "start_time": "2026-01-03T00:00:00Z", "tags": [{"tag": f"host=h{number}"}],
                "description": f"one that somebody is told of {number}", "source_incident_id": f"s{number}",
                "metadata": {"big": "m" * 9000 if number % 10 == 0 else ""}}, source)

    site.serve(use)
    code, said = site.run("check")
    if code != 0:
        raise Failure(f"the original is not sound: {said!r}")
    return token, source


# Reads the rows of a sound file: redb's format 3.

def rows_of(path):
    data = Path(path).read_bytes()
    god = data[9]
    slot = 64 if god & 1 == 0 else 192
    if not data[slot + 1]:
        return {}

    def place(number):
        order = number >> 59
        index = number & (0xFFFFF >> order)
        region = (number >> 20) & 0xFFFFF
        start = PAGE + region * (PAGE << 20) + index * (PAGE << order)
        return data[start:start + (PAGE << order)]

    def leaves(number, key, value):
        page = place(number)
        count, = struct.unpack_from("<H", page, 2)
        if page[0] == 2:
            for child in range(count + 1):
                yield from leaves(struct.unpack_from("<Q", page, 8 + 16 * (count + 1) + 8 * child)[0], key, value)
            return
        at = 4
        if key is None:
            key_ends = struct.unpack_from(f"<{count}I", page, at)
            at += 4 * count
        if value is None:
            value_ends = struct.unpack_from(f"<{count}I", page, at)
            at += 4 * count
        if key is not None:
            key_ends = [at + key * (n + 1) for n in range(count)]
        if value is not None:
            value_ends = [key_ends[-1] + value * (n + 1) for n in range(count)]
        key_at, value_at = at, key_ends[-1]
        for key_end, value_end in zip(key_ends, value_ends):
            yield page[key_at:key_end], page[value_at:value_end]
            key_at, value_at = key_end, value_end

    tables = {}
    for name, description in leaves(struct.unpack_from("<Q", data, slot + 8)[0], None, None):
        root = struct.unpack_from("<Q", description, 10)[0] if description[9] else None
        width = [struct.unpack_from("<I", description, at + 1)[0] if description[at] else None for at in (42, 47)]
        tables[name.decode()] = {} if root is None else dict(leaves(root, *width))
    return tables


# What a server changes by itself while it serves.
CHANGING = {"name_to_meta", "name_to_counter", "source_id_to_last_seen", "hash_to_token", "message_id_to_message",
            "due_message", "dead_message", "incident_message", "user_id_to_preferences", "version",
            "event_id_to_near_misses", "rule_id_to_overflow"}


def difference(original, copy, served):
    for name, rows in original.items():
        if name == "name_to_meta" or (served and name in CHANGING):
            continue
        there = copy.get(name)
        if there is None:
            return f"table {name} is missing"
        if served:
            lost = [key for key, value in rows.items() if there.get(key) != value]
            if lost:
                return f"table {name}: {len(lost)} rows are lost or differ, the first is {lost[0].hex()}"
        elif rows != there:
            return f"table {name} differs"
    return None


def damage(data, rng):
    """Damages the bytes in place; says how."""
    pages = [page for page in range(len(data) // PAGE) if any(data[page * PAGE:page * PAGE + 64])]
    kind = rng.choice(["flip", "flip", "few flips", "many flips", "zero", "swap", "garbage", "header", "half"])

    def at(page):
        return slice(page * PAGE, (page + 1) * PAGE)

    if kind in ("flip", "few flips", "many flips"):
        for _ in range({"flip": 1, "few flips": rng.randint(2, 8), "many flips": rng.randint(20, 200)}[kind]):
            place = rng.choice(pages) * PAGE + rng.randrange(PAGE)
            data[place] ^= 1 << rng.randrange(8)
    elif kind == "header":
        for _ in range(rng.randint(1, 3)):
            data[rng.randrange(320)] ^= 1 << rng.randrange(8)
    elif kind == "swap":
        one, other = rng.sample(pages[1:], 2)
        data[at(one)], data[at(other)] = data[at(other)], data[at(one)]
    else:
        for page in rng.sample(pages[1:], rng.randint(1, 4)):
            if kind == "zero":
                data[at(page)] = bytes(PAGE)
            elif kind == "garbage":
                # Half of it looks like a page that it could be.
                start = bytes([rng.choice([1, 2]), 0]) if rng.random() < 0.5 else b""
                data[at(page)] = (start + rng.randbytes(PAGE))[:PAGE]
            else:
                data[at(page)] = data[at(page)][:PAGE // 2] + bytes(PAGE // 2)
    return kind


def one(binary, work, original_bytes, original_rows, tokens, normal, seed, number, keep):
    rng = random.Random(f"{seed}:{number}")
    folder = Path(tempfile.mkdtemp(prefix=f"damaged-{number}-", dir=work))
    outcome = Counter()
    kind = "?"
    try:
        data = bytearray(original_bytes)
        kind = damage(data, rng)
        path, copy, second = folder / "argusd.redb", folder / "copy.redb", folder / "second.redb"
        path.write_bytes(data)
        # Without the index all records are read at the start, and a server refuses more often.
        if rng.random() < 0.75:
            shutil.copytree(work / "original" / "argusd.redb.search", folder / "argusd.redb.search")
        site = Site(binary, folder, normal)

        code, said = site.run("check")
        if code not in (0, 1) or not said.strip():
            raise Failure(f"check: {code} {said!r}")
        is_changed = path.read_bytes() != data
        path.write_bytes(data)
        outcome["found by check" if code else "not found by check"] += 1

        copy.write_bytes(b"the old copy")
        code, said = site.run("backup", str(copy))
        if code == 0:
            outcome["copied"] += 1
            if site.run("check", data=copy)[0] == 0:
                wrong = difference(original_rows, rows_of(copy), False)
                if wrong:
                    raise Failure(f"the copy passes check, but {wrong}")
                outcome["copy is the original"] += 1
            else:
                raise Failure("backup made a copy that does not pass check")
        else:
            outcome["backup refused"] += 1
            if not said.strip() or copy.read_bytes() != b"the old copy":
                raise Failure(f"a backup that failed left something else: {said!r}")
        if (folder / "copy.redb.partial").exists():
            raise Failure("a partial copy was left")

        def use(host, port):
            statuses = five_requests(host, port, tokens)
            return statuses, site.run("backup", str(second))[0]

        served = site.serve(use)
        if served is None:
            outcome["serve refused"] += 1
        else:
            statuses, code = served
            outcome["served"] += 1
            outcome["requests with 5xx"] += sum(status >= 500 for status in statuses)
            if code == 0:
                if site.run("check", data=second)[0] == 0:
                    wrong = difference(original_rows, rows_of(second), True)
                    if wrong:
                        raise Failure(f"the copy of the running server passes check, but {wrong}")
                    outcome["live copy holds the original"] += 1
                else:
                    raise Failure("the copy of the running server does not pass check")
            else:
                outcome["live backup refused"] += 1
        good = next((it for it in (copy, second) if it.exists() and it.stat().st_size > PAGE), None)
        if good is not None and rng.random() < 0.25:
            # A sound copy has to be as good as the original.
            statuses = site.serve(lambda host, port: five_requests(host, port, tokens), data=good)
            if statuses is None or any(status >= 500 for status in statuses):
                raise Failure(f"serve on the copy: {statuses}")
            outcome["served copies"] += 1
        if is_changed:
            raise Failure("check changed the file")
        peaks = site.peaks
    except Failure as failure:
        return number, kind, outcome, {}, str(failure)
    except Exception as error:  # Anything else is a failure as well, and has to be seen.
        return number, kind, outcome, {}, f"{type(error).__name__}: {error}"
    finally:
        if not keep:
            shutil.rmtree(folder, ignore_errors=True)
    return number, kind, outcome, peaks, None


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("binary")
    parser.add_argument("--files", type=int, default=200)
    parser.add_argument("--seed", default="1")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--incidents", type=int, default=2000)
    parser.add_argument("--only", type=int)
    parser.add_argument("--keep", action="store_true", help="leave the damaged files where they are")
    parser.add_argument("--work", help="where to work; memory is best")
    options = parser.parse_args()
    binary = str(Path(options.binary).resolve())
    where = options.work or ("/dev/shm" if os.access("/dev/shm", os.W_OK) else None)
    work = Path(tempfile.mkdtemp(prefix="argusd-damage-", dir=where))
    began = time.monotonic()
    failures, outcomes, peaks = [], Counter(), {}
    try:
        folder = work / "original"
        folder.mkdir()
        tokens = make_original(binary, folder, options.incidents)
        path = folder / "argusd.redb"
        original = path.read_bytes()
        rows = rows_of(path)
        print(f"seed {options.seed}: the original has {len(original) >> 10} KiB, {len(rows)} tables, "
              f"{sum(map(len, rows.values()))} rows, empty: {sorted(name for name, them in rows.items() if not them)}")
        # What is normal: the same with the sound file.
        normal = {}
        sound = Site(binary, folder, None)
        sound.run("check")
        sound.run("backup", str(folder / "copy.redb"))
        if difference(rows, rows_of(folder / "copy.redb"), False):
            raise Failure("the copy of the sound file is not the original")
        shutil.copy(folder / "copy.redb", folder / "served.redb")
        sound.serve(lambda host, port: five_requests(host, port, tokens), data=folder / "served.redb")
        normal = dict(sound.peaks)
        print("normal peaks:", {name: f"{peak >> 20} MiB" for name, peak in normal.items()})
        numbers = [options.only] if options.only is not None else range(options.files)
        with concurrent.futures.ProcessPoolExecutor(options.jobs) as pool:
            running = [pool.submit(one, binary, work, original, rows, tokens, normal, options.seed, number,
                                   options.keep) for number in numbers]
            for done in concurrent.futures.as_completed(running):
                number, kind, outcome, took, failure = done.result()
                outcomes.update(outcome)
                outcomes[f"damage: {kind}"] += 1
                for name, peak in took.items():
                    peaks[name] = max(peak, peaks.get(name, 0))
                if failure:
                    failures.append(number)
                    print(f"FAILED: --seed {options.seed} --only {number} ({kind}): {failure}", flush=True)
    finally:
        if options.keep:
            print(f"kept in {work}")
        else:
            shutil.rmtree(work, ignore_errors=True)
    for name, count in sorted(outcomes.items()):
        print(f"{count:6} {name}")
    print("peaks:", {name: f"{peak >> 20} MiB" for name, peak in peaks.items()})
    print(f"{len(failures)} failures, {time.monotonic() - began:.0f} s")
    sys.exit(1 if failures else 0)


if __name__ == "__main__":
    main()
