#!/usr/bin/env python3
"""Compares two builds of argusd on the same machine, in turn, and prints a Markdown table: see docs/PERFORMANCE.md.

Needs Python 3.9+, wrk, and two release builds. The baseline makes the data files once; each run of either build starts
on a fresh copy. A figure is marked where the medians differ by more than a tenth and by more than the spread, which is
the larger one of both builds' distances between lowest and highest. Exits with 1 if the candidate is slower somewhere.

With --folder the data files and all figures are kept there. Another call with the same folder then measures only the
groups named by --only again, and prints one table of all.
"""

import argparse
import concurrent.futures
import contextlib
import json
import os
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import traceback
from pathlib import Path

import contacts
import notify
import pages
import run
import streams
from pages import PASSWORD, Session
from run import Client, Server, say

SIDES = ("baseline", "candidate")

# Those of the first line share one copy of the large file, in this order.
ON_LARGE = ["start", "read", "filters", "search", "pages", "live", "post", "bulk", "backup"]
GROUPS = [*ON_LARGE, "empty", "generate", "tokens", "maintenance", "profiles", "contacts", "notify"]

# From so many runs on the spread says something.
RUNS_TO_JUDGE = 3

USERS, TOKENS_EACH = 1_000, 5
WINDOWS, WINDOW_FILTERS = 10_000, 50
CONTACTS, CONTACT_GROUPS = 4_000, 200
BULK = 10_000
GENERATED = 100_000
PROFILES = 1_000
LIVE_SECONDS = 10


class Figures:
    """By group and name, the values of both sides. They are written down after each run."""

    def __init__(self, path):
        self.path = path
        self.groups = json.loads(path.read_text()) if path.exists() else {}

    def forget(self, group):
        self.groups.pop(group, None)

    def add(self, group, side, what, value, unit, digits=2, more_is_better=False, allowed=1.0):
        """`allowed`: how many times as long as before it may take."""
        say(f"  {side:>9} | {what} | {value:,.{digits}f}{unit}")
        figure = self.groups.setdefault(group, {}).setdefault(what, {
            "unit": unit, "digits": digits, "more_is_better": more_is_better, "allowed": allowed, **{name: [] for name in SIDES}})
        figure[side].append(value)
        self.path.write_text(json.dumps(self.groups, ensure_ascii=False, indent=1))

    def table(self):
        """The lines of the table, and what is slower."""
        lines, slower = ["| what | baseline | candidate | ratio | |", "|---|---|---|---|---|"], []
        for group in GROUPS:
            for what, figure in self.groups.get(group, {}).items():
                mark = ""
                before, after = (figure[side] for side in SIDES)
                ratio = statistics.median(after) / statistics.median(before) if before and after else None
                if ratio is not None:
                    mark = judge(figure, ratio)
                if mark == "**slower**":
                    slower.append(what)
                texts = [written(figure, side) for side in SIDES] + ["" if ratio is None else f"{ratio:.2f}", mark]
                lines.append(f"| {what} | {' | '.join(texts)} |")
        return lines, slower


def judge(figure, ratio):
    before, after = (figure[side] for side in SIDES)
    if min(len(before), len(after)) < RUNS_TO_JUDGE:
        return ""
    distance = abs(statistics.median(after) - statistics.median(before))
    spread = max(max(values) - min(values) for values in (before, after))
    if abs(ratio - 1) <= 0.1 or distance <= spread:
        return ""
    if (ratio > 1) == figure["more_is_better"]:
        return "faster" if figure["unit"] != " MB" else "less"
    times = 1 / ratio if figure["more_is_better"] else ratio
    return "slower, as allowed" if times <= figure["allowed"] else "**slower**"


def written(figure, side):
    values = sorted(figure[side])
    if not values:
        return "none"
    digits, unit = figure["digits"], figure["unit"]
    text = f"{statistics.median(values):,.{digits}f}{unit}"
    return text + (f" ({values[0]:,.{digits}f} to {values[-1]:,.{digits}f})" if len(values) > 1 else "")


class Prepared:
    """The data files that the baseline made, once for each folder."""

    def __init__(self, binary, folder, incidents):
        self.binary, self.folder, self.incidents = binary, folder, incidents
        self.notes_path = folder / "prepared.json"
        self.notes = json.loads(self.notes_path.read_text()) if self.notes_path.exists() else {}
        if self.notes.setdefault("incidents", incidents) != incidents:
            raise SystemExit(f"the files in {folder} hold {self.notes['incidents']} incidents")

    def copy(self, name, prepare, incidents):
        """A fresh copy of the file of that name; makes it first if needed. Returns its path and its notes."""
        original = self.folder / f"{name}.redb"
        if name not in self.notes:
            say(f"making {name}.redb")
            for path in self.folder.glob(f"{name}.redb*"):
                remove(path)
            generate(self.binary, incidents, original)
            server = Server(self.binary, str(original))
            server.start()
            try:
                self.notes[name] = prepare(server)
                # Else each copy would begin with building the text index.
                run.wait_until_indexed(server, self.notes[name]["reader"])
            finally:
                server.stop()
            self.notes_path.write_text(json.dumps(self.notes))
        for path in self.folder.glob("copy.redb*"):
            remove(path)
        for path in self.folder.glob(f"{name}.redb*"):
            if path.suffix != ".log" and not path.is_socket():
                target = self.folder / f"copy{path.name[len(name):]}"
                subprocess.run(["cp", "-a", "--reflink=auto", str(path), str(target)], check=True)
        # So that nothing of this is written while something is measured.
        os.sync()
        return str(self.folder / "copy.redb"), self.notes[name]


def remove(path):
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink()


def generate(binary, count, path):
    subprocess.run([binary, "generate", str(count), "--data", str(path)], check=True, capture_output=True,
                   env=dict(os.environ, ARGUSD_ADMIN_PASSWORD=PASSWORD))


def ordinary(server):
    return {"reader": server.command("token", "create", "admin"),
            "writer": server.command("source", "create", "bench", "--type", "bench", "--token")}


def with_accounts(server):
    """A thousand users with five tokens each."""
    def account(number):
        server.command("user", "create", f"user{number}")
        token = server.command("token", "create", f"user{number}")
        client = Client(server, token)
        for _ in range(TOKENS_EACH - 1):
            expect(200, client.post("/api/v2/auth/token/login/", {}))
        return token

    notes = ordinary(server)
    notes["tokens"] = in_parallel(4, account, range(USERS))
    return notes


def with_maintenance(server):
    """Ten thousand windows, of which fifty are running and fifty lie ahead."""
    notes = ordinary(server)
    client = Client(server, notes["reader"])
    found = [json.loads(expect(201, client.post("/api/v2/notificationprofiles/filters/", {
        "name": f"filter {number}", "filter": {"tags": [f"host=maintained{number}"]}})))["pk"]
        for number in range(WINDOW_FILTERS)]
    now = time.time()

    def window(number):
        ended = number >= 100
        begin = now - number * 6_000 if ended else now + (-3_600 if number < 50 else 86_400 * 30)
        end = begin + 5_000 if ended else begin + 86_400 * 20
        expect(201, local_client(server, notes["reader"]).post("/api/v2/plannedmaintenance/", {
            "start_time": stamp(begin), "end_time": stamp(end), "description": f"window {number}",
            "filters": [found[number % WINDOW_FILTERS], found[number * 7 % WINDOW_FILTERS]]}))

    in_parallel(16, window, range(WINDOWS))
    return notes


def with_profiles(server):
    notify.with_profiles(server, PROFILES)
    return ordinary(server)


CLIENTS = {}


def local_client(server, token):
    """One connection for each thread."""
    key = threading.get_ident(), server.port
    if key not in CLIENTS:
        CLIENTS[key] = Client(server, token)
    return CLIENTS[key]


def in_parallel(workers, work, numbers):
    with concurrent.futures.ThreadPoolExecutor(workers) as pool:
        return list(pool.map(work, numbers))


def stamp(seconds):
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds))


def expect(wanted, answer):
    status, body = answer
    if status != wanted:
        raise SystemExit(f"{status} {body[:200]!r}")
    return body


class Run:
    """One run of one side."""

    def __init__(self, options, prepared, figures, mail, side, turn):
        self.options, self.prepared, self.figures, self.mail = options, prepared, figures, mail
        self.side, self.turn = side, turn
        self.binary = str(Path(getattr(options, side)).resolve())
        self.folder = prepared.folder

    def add(self, *figure, **properties):
        self.figures.add(self.group, self.side, *figure, **properties)

    def go(self, groups):
        large = [group for group in ON_LARGE if group in groups]
        if large:
            with self.noting("large file"), self.server("large", ordinary, self.prepared.incidents) as server:
                for group in large:
                    self.measure(group, server)
        for group in GROUPS:
            if group in groups and group not in large:
                self.measure(group)

    def measure(self, group, *arguments):
        self.group = group
        with self.noting(group):
            getattr(self, group)(*arguments)

    @contextlib.contextmanager
    def noting(self, what):
        """Notes an error as a problem and goes on: the other groups are still worth their figures."""
        try:
            yield
        except (Exception, SystemExit) as error:  # noqa: BLE001
            traceback.print_exc()
            self.options.problems.append(f"{self.side}, {what}: {error}")

    @contextlib.contextmanager
    def server(self, name, prepare, incidents):
        """This side's server on a copy of that file."""
        data, self.notes = self.prepared.copy(name, prepare, incidents)
        server = Server(self.binary, data)
        server.start()
        try:
            server.first_answer(self.notes["reader"])
            yield server
        finally:
            if server.process.poll() is None:
                server.stop()

    def start(self, server):
        reader = self.notes["reader"]
        server.stop()
        self.add("start after a clean stop, to the first correct answer", server.start() + server.first_answer(reader), " s")
        server.stop(signal.SIGKILL)
        self.add("start after `kill -9`, to the first correct answer", server.start() + server.first_answer(reader), " s")

    def read(self, server):
        run.wait_until_indexed(server, self.notes["reader"])
        _, body = Client(server, self.notes["reader"]).get("/api/v2/incidents/?page_size=1")
        one = json.loads(body)["results"][0]["pk"]
        for what, path in [("open page of 100", "/api/v2/incidents/?open=true&page_size=100"),
                           ("open page of 10", "/api/v2/incidents/?open=true&page_size=10"),
                           ("one incident", f"/api/v2/incidents/{one}/")]:
            rate, _, bad = run.wrk(server, self.notes["reader"], path, 32, self.options.seconds)
            if bad:
                raise SystemExit(f"{path}: {bad} refused")
            self.add(f"{what}, 32 connections", rate, "/s", 0, True)

    def filters(self, server):
        client = Client(server, self.notes["reader"])
        medians = run.filter_medians(client, run.values(client), 5)
        page, count = (max(figures) for figures in zip(*medians.values()))
        self.add(f"first page of 10, p50 of the slowest of {len(medians)} filters", page, " ms")
        self.add("count, p50 of the slowest filter", count, " ms")

    def search(self, server):
        run.wait_until_indexed(server, self.notes["reader"])
        taken = run.search_medians(Client(server, self.notes["reader"]), 5)
        self.add(f"search, p50 over {len(taken)} searches", statistics.median(taken), " ms")
        self.add("search, p50 of the slowest of them", max(taken), " ms")

    def pages(self, server):
        session = Session(server, "admin")
        session.prefer(page_size=100)
        known = pages.values(Client(server, self.notes["reader"]))
        for what, path in (("list page of 100 rows", "/incidents/"), ("facet counts", "/incidents/facets/")):
            views = [session.canonical(f"{path}?{pattern.format(**known)}") for pattern in pages.VIEWS.values()]
            taken = [statistics.median(session.timed(view, 5)) for view in views]
            self.add(f"{what}, p50 of the slowest of {len(taken)} views", max(taken), " ms")
            self.add(f"{what}, p50 over all views", statistics.median(taken), " ms")

    def load(self, server, what, connections):
        script = self.folder / "post.lua"
        script.write_text(run.POST_SCRIPT % f"{self.side}-{connections}-{time.time_ns()}")
        rate, latency, bad = run.wrk(server, self.notes["writer"], "/api/v2/incidents/", connections,
                                     self.options.seconds, script)
        if bad:
            raise SystemExit(f"{bad} refused posts")
        return f"{what}, {connections} connection{'' if connections == 1 else 's'}", rate, latency

    def live(self, server):
        """Open lists while incidents come in."""
        cookies = []
        for number, preset in enumerate(streams.COLUMNS):
            server.command("user", "create", f"watcher{number}", "--password-file", "-", said=PASSWORD)
            session = Session(server, f"watcher{number}")
            session.prefer(page_size=100, columns=preset)
            cookies.append(session.cookie)
        run.wait_until_indexed(server, self.notes["reader"])
        with streams.Watchers(server, cookies) as watchers:
            percent, sent = streams.cost(server, LIVE_SECONDS,
                                         lambda: streams.send(server, self.notes["writer"], LIVE_SECONDS))
            outcome = watchers.judge(sent)
        if outcome["came"] != outcome["expected"]:
            raise SystemExit(f"{outcome['came']} of {outcome['expected']} rows came")
        what = f"{streams.COUNT} open lists, {streams.RATE} incidents/s"
        for figure, key in (("p50", "p50"), ("p99", "p99"), ("the latest", "max")):
            self.add(f"{what}: from the 201 to the row, {figure}", outcome[key], " ms", 0)
        self.add(f"{what}: processor time of the server", percent, " % of a core", 1)

    def post(self, server):
        for connections in (1, 32, 128):
            what, rate, latency = self.load(server, "durable POST", connections)
            self.add(what, rate, "/s", 0, True)
            for percentile in (50, 99):
                self.add(f"{what}: p{percentile}", latency[percentile], " ms")
        self.add("resident after reading and posting", server.resident_mb(), " MB", 0)

    def bulk(self, server):
        count = min(BULK, self.prepared.incidents)
        client, began = Client(server, self.notes["reader"]), time.perf_counter()
        expect(201, client.post("/api/v2/incidents/acks/bulk/", {
            "ids": list(range(1, count + 1)), "ack": {"timestamp": stamp(time.time()), "description": "seen"}}))
        self.add(f"bulk acknowledgement of {count:,} incidents", time.perf_counter() - began, " s", allowed=2.0)

    def backup(self, server):
        copy = self.folder / "backup.redb"
        began = time.perf_counter()
        server.command("backup", str(copy))
        self.add("`backup` while the server runs", time.perf_counter() - began, " s", allowed=2.0)
        remove(copy)
        self.add("resident after bulk and backup", server.resident_mb(), " MB", 0)
        server.stop()
        began = time.perf_counter()
        server.command("check")
        self.add("`check`", time.perf_counter() - began, " s")

    def fresh(self, name):
        for path in self.folder.glob(f"{name}.redb*"):
            remove(path)
        return str(self.folder / f"{name}.redb")

    def empty(self):
        server = Server(self.binary, self.fresh("empty"))
        server.start()
        server.stop()
        self.add("empty store: start", server.start(), " s", 3)
        time.sleep(1)
        self.add("empty store: resident", server.resident_mb(), " MB", 0)
        server.stop()

    def generate(self):
        count, data, began = min(GENERATED, self.prepared.incidents), self.fresh("generated"), time.perf_counter()
        generate(self.binary, count, data)
        self.add(f"`generate` {count:,}", count / (time.perf_counter() - began), "/s", 0, True)

    def small(self):
        return min(20_000, self.prepared.incidents)

    def tokens(self):
        with self.server("accounts", with_accounts, self.small()) as server:
            client, taken, began = Client(server, ""), [], time.perf_counter()
            while time.perf_counter() - began < self.options.seconds:
                # Each user gets a few only, as there may be a limit.
                client.headers = {"Authorization": f"Token {self.notes['tokens'][len(taken) % USERS]}"}
                at = time.perf_counter()
                expect(200, client.post("/api/v2/auth/token/login/", {}))
                taken.append((time.perf_counter() - at) * 1000)
            what = f"login token with {USERS * TOKENS_EACH:,} tokens and {USERS:,} users"
            self.add(f"{what}, 1 connection", len(taken) / sum(taken) * 1000, "/s", 0, True)
            self.add("… its p50", statistics.median(taken), " ms")

    def maintenance(self):
        with self.server("maintenance", with_maintenance, self.small()) as server:
            session = Session(server, "admin")
            session.prefer(page_size=100, columns=["id", "start", "status", "level", "description", "maintenance"])
            what = f"with {WINDOWS:,} maintenance windows"
            self.add(f"list page of 100 rows {what}, p50", statistics.median(session.timed("/incidents/?open=true", 30)), " ms")
            writer, admin = Client(server, self.notes["writer"]), Client(server, self.notes["reader"])
            self.add(f"POST {what}, p50", statistics.median(self.posts(writer, 100)), " ms")
            changed = []
            for number in range(20):
                expect(201, admin.post("/api/v2/notificationprofiles/filters/", {"name": f"new {number}", "filter": {}}))
                changed += self.posts(writer, 1)
            self.add(f"first POST after a change of a filter {what}, p50", statistics.median(changed), " ms")

    def profiles(self):
        notify.settings(self.mail(), "30")
        with self.server("profiles", with_profiles, self.small()) as server:
            for connections in (1, 32):
                what, rate, _ = self.load(server, f"durable POST with {PROFILES:,} profiles of which 2 match", connections)
                self.add(what, rate, "/s", 0, True)

    def posts(self, client, count):
        taken = []
        for _ in range(count):
            body = {"start_time": stamp(time.time()), "end_time": "infinity", "source_incident_id": str(time.time_ns()),
                    "level": 3, "description": "interface went down", "tags": [{"tag": "host=a"}, {"tag": "site=b"}]}
            at = time.perf_counter()
            expect(201, client.post("/api/v2/incidents/", body))
            taken.append((time.perf_counter() - at) * 1000)
        return taken

    def contacts(self):
        server = Server(self.binary, self.fresh("contacts"))
        server.start()
        try:
            address, token = f"{server.host}:{server.port}", server.command("token", "create", "admin")
            channel = server.command("channel", "create", "--name", "Mail", "--type", "email")
            wanted = contacts.desired(CONTACTS, CONTACT_GROUPS, channel, 0)
            with contextlib.redirect_stdout(sys.stderr):
                contacts.carry_out(address, token, "groups", contacts.puts(wanted, "/contact-groups/"))
                for what in ("new", "unchanged"):
                    jobs, began = contacts.puts(wanted, "/contacts/"), time.perf_counter()
                    counts = contacts.carry_out(address, token, f"contacts that are {what}", jobs)
                    took = time.perf_counter() - began
                    if any(status >= 300 for status in counts):
                        raise SystemExit(f"contacts: {counts}")
                    self.add(f"PUT of {CONTACTS:,} contacts that are {what}, 16 connections", len(jobs) / took, "/s", 0, True)
        finally:
            server.stop()

    def notify(self):
        server, token = notify.site(self.binary, self.folder, Path(self.fresh("notify")).stem, self.mail())
        try:
            posted, first, last = notify.one_burst(server, token, self.mail())
        finally:
            server.stop()
        self.add("burst of 1,000 incidents × 10 e-mail destinations, all posted", posted, " s")
        self.add("… the first mail handed over after", first, " s", 3)
        self.add("… all 10,000 mails handed over after", last, " s")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("baseline")
    parser.add_argument("candidate")
    parser.add_argument("--runs", type=int, default=5, help="of each build, in turn")
    parser.add_argument("--seconds", type=int, default=3, help="of each load")
    parser.add_argument("--incidents", type=int, default=1_000_000)
    parser.add_argument("--only", choices=GROUPS, action="append", help="may be repeated")
    parser.add_argument("--folder", help="where to work and to keep everything; on a real file system")
    options = parser.parse_args()
    options.problems = []
    groups = options.only or GROUPS
    if not shutil.which("wrk"):
        raise SystemExit("wrk is needed")
    folder = Path(options.folder or tempfile.mkdtemp(prefix="argusd-compare-"))
    folder.mkdir(parents=True, exist_ok=True)
    try:
        figures = compare(options, folder.resolve(), groups)
    finally:
        if not options.folder:
            shutil.rmtree(folder, ignore_errors=True)
    lines, slower = figures.table()
    print("\n".join(lines))
    for problem in options.problems:
        print(f"\nfailed: {problem}")
    sys.exit(1 if slower or options.problems else 0)


def compare(options, folder, groups):
    prepared = Prepared(str(Path(options.baseline).resolve()), folder, options.incidents)
    figures, mail_servers = Figures(folder / "figures.json"), []

    def mail():
        if not mail_servers:
            mail_servers.append(notify.MailServer())
        return mail_servers[0]

    for group in groups:
        figures.forget(group)
    for turn in range(options.runs):
        for side in SIDES:
            began = time.perf_counter()
            Run(options, prepared, figures, mail, side, turn).go(groups)
            say(f"run {turn + 1} of {options.runs}, {side}: {time.perf_counter() - began:.0f} s")
    for path in folder.iterdir():
        if path.name.startswith(("copy.", "empty.", "generated.", "contacts.", "notify.")):
            remove(path)
    return figures


if __name__ == "__main__":
    main()
