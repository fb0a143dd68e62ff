#!/usr/bin/env python3
"""Measures the web pages and prints a Markdown table: see docs/PERFORMANCE.md.

Needs Python 3.9+ and a release build; for the browser also Selenium, Chromium and ChromeDriver (`CHROME` and `CHROMEDRIVER`
name other programs than those in `PATH`). Everything happens in one scratch folder, on loopback. Figures are medians of the
rounds, with the lowest and the highest in brackets.
"""

import argparse
import collections
import gzip
import html
import http.client
import json
import os
import re
import shutil
import statistics
import subprocess
import tempfile
import time
import urllib.parse
from pathlib import Path

import patches
import run
import streams
from run import Client, Server, row, say

PASSWORD = "benchmark password"

# Without words and tags.
VIEWS = {
    "open": "open=true",
    "everything": "open=any",
    "closed": "open=false",
    "open, nobody is on it": "open=true&acked=false",
    "acked": "acked=true",
    "closed or acked hidden": "hide_closed_acked=true",
    "level 1": "level=1",
    "open, levels 1 and 2": "open=true&level=1&level=2",
    "one source": "source={source}",
    "three sources": "source={source}&source={second}&source={third}",
    "one type of sources": "source_type={kind}",
    "with a ticket": "ticket=true",
    "open without a ticket": "open=true&ticket=false",
    "stateless": "stateful=false",
    "within a day": "frame=24h",
    "within a month, level 1": "frame=30d&level=1",
    "longer than a day": "longer=1440",
    "was reopened": "event_type=REO",
    "much at once": "open=false&acked=false&level=2&level=3&source={source}&ticket=false&longer=10&event_type=END",
    "nothing matches": "open=true&frame=1h&event_type=REO&ticket=true&level=5",
}

SORTS = ["start", "-id", "id", "level", "-level", "-end", "end", "source", "source_type", "ticket"]

# All that look into the text index; `{tag}` and `{other}` are two hosts, `{many}` is a tag that many have.
TEXTS = {
    "a tag": "tags={tag}",
    "two values of a tag": "tags={tag}&tags={other}",
    "a tag of many": "tags={many}",
    "open with a tag of many": "open=true&tags={many}",
    "a word": "q=interface",
    "two words": "q=link+down",
    "a rare word": "q=nosuchword",
    "key=value in the search box": "q={tag}",
    "#id": "q=%231000",
}


class Session(Client):
    """A browser that is logged in, as far as the server can tell."""

    def __init__(self, server, username, password=PASSWORD):
        self.connection = http.client.HTTPConnection(server.host, server.port, timeout=60)
        self.headers = {"Accept": "text/html"}
        self.get("/accounts/login/")
        fields = {"csrf": self.cookies["csrftoken"], "username": username, "password": password}
        self.form("/accounts/login/", fields)
        self.csrf, self.cookie = self.cookies["csrftoken"], f"sessionid={self.cookies['sessionid']}"
        self.headers = {"Accept": "text/html", "Accept-Encoding": "gzip", "Cookie": self.cookie}

    def get(self, path):
        self.connection.request("GET", path, headers=self.headers)
        response = self.connection.getresponse()
        self.take_cookies(response)
        return response.status, response.read()

    def canonical(self, path):
        """The address that the server redirects to where a query has another order than its own."""
        self.connection.request("GET", path, headers=self.headers)
        response = self.connection.getresponse()
        response.read()
        return response.getheader("Location") if response.status == 303 else path

    def form(self, path, fields):
        headers = {**self.headers, "Content-Type": "application/x-www-form-urlencoded"}
        headers.setdefault("Cookie", f"csrftoken={fields['csrf']}")
        self.connection.request("POST", path, urllib.parse.urlencode(fields, doseq=True), headers)
        response = self.connection.getresponse()
        response.read()
        if response.status != 303:
            raise SystemExit(f"{path}: {response.status}")
        self.take_cookies(response)

    def prefer(self, **preferences):
        self.form("/user/preferences/", {"csrf": self.csrf, **preferences})

    def take_cookies(self, response):
        self.cookies = getattr(self, "cookies", {})
        for name, value in response.getheaders():
            if name.lower() == "set-cookie":
                key, _, rest = value.partition("=")
                self.cookies[key] = rest.split(";")[0]


class Table:
    """The medians of each path, and of those in a group the slowest."""

    def __init__(self, session, rounds, requests):
        self.session, self.rounds, self.requests = session, rounds, requests
        self.slowest = {}

    def measure(self, group, what, path):
        path = self.session.canonical(path)
        status, body = self.session.get(path)
        if status != 200:
            raise SystemExit(f"{path}: {status}")
        rounds = [self.session.timed(path, self.requests) for _ in range(self.rounds)]
        medians = sorted(statistics.median(taken) for taken in rounds)
        late = statistics.median(statistics.quantiles(taken, n=20)[18] for taken in rounds)
        say(f"{group:>10} | {what:<26} | p50 {statistics.median(medians):7.2f} ms | p95 {late:7.2f} ms | "
            f"{len(body) / 1024:5.1f} KiB | {count_rows(body)} rows")
        if statistics.median(medians) > statistics.median(self.slowest.get(group, ([0.0], 0.0, ""))[0]):
            self.slowest[group] = (medians, late, what)
        return len(body)

    def report(self, group, what, target):
        medians, late, name = self.slowest[group]
        row(f"{what}: p50 of the slowest, which is “{name}”", target, medians, " ms", 2)
        row("… its p95", "", [late], " ms", 2)


def text(body):
    return gzip.decompress(body).decode() if body[:2] == b"\x1f\x8b" else body.decode()


def count_rows(body):
    return text(body).count('<tr id="i')


def values(client):
    """What the views name, from the data as it is."""
    _, body = client.get("/api/v2/incidents/?open=true&page_size=100")
    some = json.loads(body)["results"]
    sources = {incident["source"]["pk"]: incident["source"]["type"]["name"] for incident in some}
    tags = collections.Counter(tag["tag"] for incident in some for tag in incident["tags"])
    hosts = sorted(tag for tag in tags if tag.startswith("host="))
    first, second, third, *_ = [*sources, *sources, *sources]
    return {"source": first, "second": second, "third": third, "kind": urllib.parse.quote(sources[first]),
            "tag": urllib.parse.quote(hosts[0]), "other": urllib.parse.quote(hosts[-1]), "many": urllib.parse.quote(tags.most_common(1)[0][0])}


def lists(server, token, rounds, requests):
    session = Session(server, "admin")
    session.prefer(page_size=100)
    known = values(Client(server, token))
    table = Table(session, rounds, requests)
    sizes = {}
    for what, pattern in VIEWS.items():
        query = pattern.format(**known)
        sizes[what] = table.measure("page", what, f"/incidents/?{query}")
        table.measure("facets", what, f"/incidents/facets/?{query}")
    for sort in SORTS:
        for what in ("open", "everything", "closed"):
            table.measure("sorted", f"{what} by {sort}", f"/incidents/?{VIEWS[what]}&sort={sort}")
    for sort in ("", "&sort=level", "&sort=-end", "&sort=source"):
        path = f"/incidents/?open=any{sort}"
        for page in range(2, 101):
            _, body = session.get(path)
            path = html.unescape(re.search(r'rel="next" href="([^"]+)"', text(body))[1])
            if page in (2, 100):
                table.measure("deep", f"page {page}{sort}", path)
    for what, pattern in TEXTS.items():
        query = pattern.format(**known)
        table.measure("text", what, f"/incidents/?{query}")
        table.measure("text facets", what, f"/incidents/facets/?{query}")
    table.report("page", f"list page of 100 rows, {len(VIEWS)} filters without text", "≤ 10 ms")
    table.report("facets", "facet counts of the same, loaded after", "")
    table.report("sorted", "list page sorted by another column, three filters", "≤ 10 ms")
    table.report("deep", "pages 2 and 100, in four orders", "≤ 10 ms")
    table.report("text", f"list page with tags or words, {len(TEXTS)} filters", "")
    table.report("text facets", "facet counts of the same, loaded after", "")
    largest = max(sizes, key=sizes.get)
    row(f"transferred with 100 rows, compressed: the largest, which is “{largest}”", "≤ 40 KB", [sizes[largest] / 1000], " KB", 1)
    session.prefer(columns=["id", "start", "age", "end", "status", "acked", "level", "source", "source_type", "description",
                            "tags", "ticket", "maintenance", "last_event"])
    _, body = session.get("/incidents/?open=true")
    row("… with all fourteen columns", "", [len(body) / 1000], " KB", 1)


def live(server, token, writer, rounds, seconds):
    sessions = []
    for number, preset in enumerate(streams.COLUMNS):
        name = f"watcher{number}"
        server.command("user", "create", name, "--password-file", "-", said=PASSWORD)
        session = Session(server, name)
        session.prefer(page_size=100, columns=preset)
        sessions.append(session.cookie)
    run.wait_until_indexed(server, token)
    streams.send(server, writer, 5)
    outcomes, costs = [], []
    for _ in range(rounds):
        alone, _ = streams.cost(server, seconds, lambda: streams.send(server, writer, seconds))
        say(f"50 incidents/s without streams: {alone:.1f} % of a core")
        with streams.Watchers(server, sessions) as watchers:
            together, sent = streams.cost(server, seconds, lambda: streams.send(server, writer, seconds))
            outcome = watchers.judge(sent)
        say(f"… with {streams.COUNT} streams: {together:.1f} %; {outcome}")
        outcomes.append(outcome)
        costs.append((alone, together))
    what = f"{streams.COUNT} open lists, {streams.RATE} incidents/s for {seconds} s: from the sender's 201 to the row"
    row(f"{what}, p50", "", [outcome["p50"] for outcome in outcomes], " ms", 0)
    row("… p99", "", [outcome["p99"] for outcome in outcomes], " ms", 0)
    row("… the latest", "≤ 500 ms", [outcome["max"] for outcome in outcomes], " ms", 0)
    run.ROWS.append(("… rows that had to come and came", "all", " ".join(
        f"{outcome['came']:,} of {outcome['expected']:,}" for outcome in outcomes)))
    row("… pushed in a second", "", [outcome["bytes"] / seconds / 1000 for outcome in outcomes], " KB", 0)
    row("server without open lists", "", [alone for alone, _ in costs], " % of a core", 1)
    row("… with them", "", [together for _, together in costs], " % of a core", 1)
    row("… so pushing takes", "≤ 25 %", [together - alone for alone, together in costs], " % of a core", 1)


def weights():
    """What browsers load besides the page, as it lies in the repository."""
    top = Path(__file__).resolve().parents[2]

    def kilobytes(folder, ending):
        return [sum(path.stat().st_size for path in (top / folder).rglob(f"*{ending}")) / 1024]

    row("own scripts", "≤ 30 KiB", kilobytes("web/js", ".js"), " KiB", 1)
    row("scripts of others", "≤ 60 KiB", kilobytes("assets/vendor", ".js"), " KiB", 1)
    row("style sheets", "≤ 50 KiB", kilobytes("web/css", ".css"), " KiB", 1)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--argusd", default="target/release/argusd")
    parser.add_argument("--incidents", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--requests", type=int, default=50, help="of each page in each round")
    parser.add_argument("--seconds", type=int, default=60, help="of each live load")
    parser.add_argument("--only", choices=["lists", "live", "browser", "sizes"], action="append")
    parser.add_argument("--folder", help="where to work; on a real file system")
    parser.add_argument("--data", help="a copy of this file, instead of generating one")
    options = parser.parse_args()
    wanted = options.only or ["lists", "live", "browser", "sizes"]
    if "sizes" in wanted:
        weights()
    if set(wanted) - {"sizes"}:
        folder = Path(tempfile.mkdtemp(prefix="argusd-bench-", dir=options.folder))
        try:
            measure(options, wanted, folder)
        finally:
            shutil.rmtree(folder, ignore_errors=True)
    print("\n| what | target | measured |\n|---|---|---|")
    for what in run.ROWS:
        print("| " + " | ".join(what) + " |")


def measure(options, wanted, folder):
    binary, data = str(Path(options.argusd).resolve()), str(folder / "pages.redb")
    if options.data:
        for path in Path(options.data).parent.glob(Path(options.data).name + "*"):
            copy = shutil.copytree if path.is_dir() else shutil.copy
            copy(path, data + path.name[len(Path(options.data).name):])
    else:
        subprocess.run([binary, "generate", str(options.incidents), "--data", data], check=True,
                       env=dict(os.environ, ARGUSD_ADMIN_PASSWORD=PASSWORD))
    server = Server(binary, data)
    server.start()
    try:
        token = server.command("token", "create", "admin")
        writer = server.command("source", "create", "bench", "--type", "bench", "--token")
        if "lists" in wanted:
            say("waiting for the text index")
            run.wait_until_indexed(server, token)
            lists(server, token, options.rounds, options.requests)
        if "live" in wanted:
            live(server, token, writer, options.rounds, options.seconds)
        if "browser" in wanted:
            patches.measure(server, token, writer, PASSWORD, options.seconds)
        row("resident after all of this", "", [server.resident_mb()], " MB", 0)
    finally:
        server.stop()


if __name__ == "__main__":
    main()
