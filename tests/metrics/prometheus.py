#!/usr/bin/env python3
"""Scrapes a server with Prometheus, and asks Prometheus each expression of the example alerts and of the dashboard.

    tests/metrics/prometheus.py target/debug/argusd

Needs prometheus and promtool (Debian: prometheus). `promtool check metrics` and `promtool check rules` have to be silent,
and each expression has to return data; of an alert that is the expression without its comparison. Takes about 20 seconds.
"""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.parse
import urllib.request
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
RULES = ROOT / "packaging/prometheus/argusd.rules.yml"
DASHBOARD = ROOT / "packaging/grafana/argusd.json"
PATIENCE = 60


def free_port():
    with socket.socket() as it:
        it.bind(("127.0.0.1", 0))
        return it.getsockname()[1]


def call(url, token=None, body=None):
    headers = {"Content-Type": "application/json"}
    if token:
        headers["Authorization"] = f"Token {token}"
    data = None if body is None else json.dumps(body).encode()
    try:
        with urllib.request.urlopen(urllib.request.Request(url, data, headers), timeout=10) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def mail_server():
    """Accepts every mail. Returns its port."""
    listener = socket.create_server(("127.0.0.1", 0))

    def serve(connection):
        with connection, connection.makefile("rwb") as stream:
            def say(text):
                stream.write(text + b"\r\n")
                stream.flush()
            say(b"220 test")
            in_data = False
            for line in stream:
                line = line.rstrip(b"\r\n")
                if in_data:
                    if line == b".":
                        in_data = False
                        say(b"250 ok")
                elif line.upper() == b"DATA":
                    in_data = True
                    say(b"354 go on")
                elif line.upper() == b"QUIT":
                    return say(b"221 bye")
                else:
                    say(b"250 ok")

    def accept():
        while True:
            threading.Thread(target=serve, args=(listener.accept()[0],), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    return listener.getsockname()[1]


class Load(threading.Thread):
    """Posts incidents, asks for what does not exist, and sends wrong passwords, until it is stopped."""

    def __init__(self, base, token):
        super().__init__(daemon=True)
        self.base, self.token, self.stopped = base, token, threading.Event()

    def run(self):
        number = 0
        while not self.stopped.is_set():
            number += 1
            incident = {"start_time": "2026-01-02T03:04:05Z", "end_time": "infinity", "level": number % 5 + 1,
                        "source_incident_id": str(number), "description": f"Incident {number}", "tags": [{"tag": "a=b"}]}
            call(f"{self.base}/api/v2/incidents/", self.token, incident)
            call(f"{self.base}/nowhere/{number}/")
            if number % 20 == 0:
                call(f"{self.base}/api/v2/token-auth/", None, {"username": "admin", "password": "wrong"})
            time.sleep(0.05)


def prepare(program, directory, environment):
    def run(*arguments):
        return subprocess.run([program, *arguments], env=environment, cwd=directory, check=True, capture_output=True,
                              text=True).stdout.strip()
    run("user", "create", "anna", "--email", "anna@example.org")
    return run("token", "create", "anna"), run("source", "create", "load", "--type", "test", "--token")


def subscribe(base, token):
    api = f"{base}/api/v2/notificationprofiles"
    first = lambda what: json.loads(call(f"{api}/{what}/", token)[1])[0]["pk"]
    status, answer = call(f"{api}/filters/", token, {"name": "all", "filter": {"open": True}})
    assert status == 201, answer
    profile = {"name": "all", "timeslot": first("timeslots"), "filters": [json.loads(answer)["pk"]],
               "destinations": [first("destinations")], "active": True}
    status, answer = call(f"{api}/", token, profile)
    assert status == 201, answer


def silent(arguments, text=None):
    done = subprocess.run(arguments, input=text, capture_output=True, text=True)
    # `check rules` says that it succeeded on standard output.
    complaints = done.stderr.strip()
    assert done.returncode == 0 and not complaints, f"{arguments}: {complaints or done.stdout}"


def expressions():
    """Yields where each expression is, and the expression without the comparison at its end."""
    for expression in re.findall(r"^ *expr: (.+)$", RULES.read_text(), re.MULTILINE):
        yield RULES.name, re.sub(r" (==|!=|>=|<=|>|<) [0-9.e* ]+$", "", expression)
    for panel in json.loads(DASHBOARD.read_text())["panels"]:
        for target in panel["targets"]:
            expression = target["expr"].replace("$__rate_interval", "20s").replace("$instance", ".*")
            yield f"{DASHBOARD.name}: {panel['title']}", expression


def query(base, expression):
    status, answer = call(f"{base}/api/v1/query?{urllib.parse.urlencode({'query': expression})}")
    assert status == 200, f"{expression}: {answer}"
    # A quantile of nothing is not a number.
    return [it for it in json.loads(answer)["data"]["result"] if it["value"][1] != "NaN"]


def main():
    program = os.path.abspath(sys.argv[1])
    silent(["promtool", "check", "rules", str(RULES)])
    processes = []
    with tempfile.TemporaryDirectory() as directory:
        environment = {"ARGUSD_DATA": f"{directory}/argusd.redb", "ARGUSD_ADMIN_PASSWORD": "correct horse",
                       "EMAIL_HOST": "127.0.0.1", "EMAIL_PORT": str(mail_server()), "TIME_ZONE": "UTC"}
        try:
            with open(f"{directory}/log", "w") as log:
                server = subprocess.Popen([program, "serve", "--listen", "127.0.0.1:0"], env=environment, cwd=directory,
                                          stdout=subprocess.PIPE, stderr=log, text=True)
            processes.append(server)
            base = server.stdout.readline().removeprefix("argusd ready: ").strip()
            anna, source = prepare(program, directory, environment)
            subscribe(base, anna)
            Path(directory, "backups").mkdir(exist_ok=True)
            subprocess.run([program, "backup", f"{directory}/backups/argusd-2026-01-02T0304Z.redb"], env=environment,
                           check=True, capture_output=True)
            load = Load(base, source)
            load.start()

            port = free_port()
            config = {"global": {"scrape_interval": "2s"}, "rule_files": [str(RULES)],
                      "scrape_configs": [{"job_name": "argusd", "static_configs": [{"targets": [base[7:]]}]}]}
            # JSON is YAML.
            Path(directory, "prometheus.yml").write_text(json.dumps(config))
            with open(f"{directory}/prometheus.log", "w") as log:
                processes.append(subprocess.Popen(
                    ["prometheus", f"--config.file={directory}/prometheus.yml", f"--storage.tsdb.path={directory}/tsdb",
                     f"--web.listen-address=127.0.0.1:{port}"], cwd=directory, stdout=log, stderr=log))
            prometheus = f"http://127.0.0.1:{port}"

            # For answers with a server error.
            Path(directory, "argusd.redb").rename(f"{directory}/moved")
            time.sleep(2)
            Path(directory, "moved").rename(f"{directory}/argusd.redb")
            wanted, deadline = list(expressions()), time.monotonic() + PATIENCE
            missing = wanted
            while missing and time.monotonic() < deadline:
                time.sleep(2)
                try:
                    missing = [(place, it) for place, it in missing if not query(prometheus, it)]
                except OSError:
                    pass
            status, metrics = call(f"{base}/metrics")
            assert status == 200, metrics
            silent(["promtool", "check", "metrics"], metrics)
            alerts = json.loads(call(f"{prometheus}/api/v1/rules")[1])["data"]["groups"][0]["rules"]
            for alert in alerts:
                assert alert["health"] in ("ok", "unknown"), alert
            load.stopped.set()
            for place, expression in missing:
                print(f"no data: {place}: {expression}", file=sys.stderr)
            series = sum(not line.startswith("#") for line in metrics.splitlines())
            print(f"{len(wanted) - len(missing)} of {len(wanted)} expressions return data, {len(alerts)} alerts, "
                  f"{series} series in {len(metrics)} bytes")
            return 1 if missing else 0
        finally:
            for process in reversed(processes):
                process.send_signal(signal.SIGTERM)
                process.wait(timeout=30)


if __name__ == "__main__":
    sys.exit(main())
