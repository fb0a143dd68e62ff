#!/usr/bin/env python3
"""A clock that is set, forward and back, while the server runs and between two runs: nothing waits for it.

Usage: clock.py ARGUSD. Needs libfaketime (Debian: apt-get install faketime); without it the test is skipped, but with CI
set it fails. Each step of the clock gets a server of its own, all at once; takes about two minutes.
"""

import concurrent.futures
import glob
import http.client
import json
import os
import re
import socketserver
import subprocess
import sys
import tempfile
import threading
import time
from datetime import datetime, timedelta, timezone
from pathlib import Path

HOUR, DAY = 3600, 86400
STEPS = [-30 * DAY, -DAY, -HOUR, -60, 60, HOUR, DAY, 30 * DAY]
# The first retry comes after 8 to 12 seconds, and a destination that failed is left alone for 4 to 6.
RETRY = 12
# For a machine that is busy with all the servers.
SLACK = 10
HEARTBEAT = 60
# Silence is noticed 10 seconds after the heartbeat was due, by a look every 15.
SILENCE = HEARTBEAT + 10 + 15
PROFILES = "/api/v2/notificationprofiles"


class Sink(socketserver.ThreadingTCPServer):
    """A mail server that turns recipients away for now, or takes what comes and notes subjects and when."""

    daemon_threads = True
    allow_reuse_address = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Session)
        self.busy, self.refused, self.taken = False, 0, []
        threading.Thread(target=self.serve_forever, daemon=True).start()


class Session(socketserver.StreamRequestHandler):
    def handle(self):
        self.say("220 sink")
        while line := self.rfile.readline():
            verb = line.decode("latin-1").strip().upper()
            if verb.startswith("EHLO"):
                self.say("250-sink\r\n250 8BITMIME")
            elif verb.startswith("RCPT") and self.server.busy:
                self.server.refused += 1
                self.say("451 try again later")
            elif verb == "DATA":
                self.say("354 go on")
                mail = []
                while (part := self.rfile.readline()) not in (b".\r\n", b""):
                    mail.append(part.decode("utf-8", "replace"))
                self.server.taken.append("".join(mail))
                self.say("250 taken")
            elif verb == "QUIT":
                self.say("221 bye")
                return
            else:
                self.say("250 fine")

    def say(self, text):
        self.wfile.write(text.encode() + b"\r\n")


class Server:
    """The program over a data file of its own, with a clock that can be set."""

    def __init__(self, binary, library, directory):
        self.binary, self.sink, self.process = binary, Sink(), None
        self.offset = Path(directory) / "offset"
        self.data = str(Path(directory) / "argusd.redb")
        self.log = open(Path(directory) / "log", "ab")
        self.env = dict(
            os.environ, LD_PRELOAD=library, FAKETIME_TIMESTAMP_FILE=str(self.offset), FAKETIME_NO_CACHE="1",
            DONT_FAKE_MONOTONIC="1", FAKETIME_DONT_FAKE_MONOTONIC="1", NO_FAKE_STAT="1",
            ARGUSD_ADMIN_PASSWORD="clock password", EMAIL_HOST="127.0.0.1",
            EMAIL_PORT=str(self.sink.server_address[1]), DEFAULT_FROM_EMAIL="argus@example.org",
            ARGUSD_STORM_LIMIT="0")
        self.set_clock(0)

    def set_clock(self, seconds):
        new = self.offset.with_suffix(".new")
        new.write_text(f"{seconds:+d}\n")
        new.replace(self.offset)
        self.seconds = seconds

    def now(self):
        """As the server sees it."""
        return datetime.now(timezone.utc) + timedelta(seconds=self.seconds)

    def run(self, *args):
        done = subprocess.run([self.binary, *args, "--data", self.data], env=self.env, capture_output=True, text=True)
        assert done.returncode == 0, (args, done.stderr)
        return done.stdout.strip()

    def start(self):
        self.process = subprocess.Popen([self.binary, "serve", "--data", self.data, "--listen", "127.0.0.1:0"],
                                        stdout=subprocess.PIPE, stderr=self.log, text=True, env=self.env)
        match = re.match(r"argusd ready: http://([^:]+):(\d+)$", self.process.stdout.readline().strip())
        assert match, "the server did not get ready"
        self.address = match[1], int(match[2])

    def stop(self):
        if self.process:
            self.process.terminate()
            status = self.process.wait(60)
            self.process = None
            assert status == 0, status

    def kill(self):
        if self.process:
            self.process.kill()
            self.process.wait()
        self.sink.shutdown()
        self.sink.server_close()
        self.log.close()

    def request(self, method, path, token, body=None):
        connection = http.client.HTTPConnection(*self.address, timeout=30)
        connection.request(method, path, body and json.dumps(body),
                           {"Authorization": f"Token {token}", "Content-Type": "application/json"})
        response = connection.getresponse()
        text = response.read()
        connection.close()
        return response.status, json.loads(text) if text else None

    def done(self, status, method, path, token, body=None):
        got, answer = self.request(method, path, token, body)
        assert got == status, (method, path, got, answer)
        return answer

    def post_incident(self, token, description):
        body = {"start_time": self.now().isoformat(), "description": description, "tags": []}
        return self.done(201, "POST", "/api/v2/incidents/", token, body)["pk"]

    def heartbeat_incidents(self, token):
        path = "/api/v2/incidents/?tags=problem_type=missing_heartbeat&page_size=10"
        return len(self.done(200, "GET", path, token)["results"])


def wait(what, seconds, check):
    deadline = time.monotonic() + seconds
    while not check():
        assert time.monotonic() < deadline, f"not within {seconds} s: {what}"
        time.sleep(0.2)


def prepare(server):
    """People, a source that is watched, and tokens: a source's for ever, an administrator's for two weeks."""
    # Creates the data file.
    server.run("generate", "0")
    server.run("source", "create", "tester", "--type", "test")
    server.run("source", "change", "tester", "--heartbeat", str(HEARTBEAT))
    source = server.run("token", "create", "tester", "--expires", "never")
    server.run("user", "create", "ann", "--email", "ann@example.org")
    ann = server.run("token", "create", "ann", "--expires", "never")
    passing = server.run("token", "create", "admin", "--expires", "14")
    server.start()
    done = lambda path, body: server.done(201, "POST", f"{PROFILES}/{path}", ann, body)["pk"]
    every_day = [{"days": [1, 2, 3, 4, 5, 6, 7], "all_day": True}]
    # Not about the server's own incidents, which come at other times.
    sources = server.done(200, "GET", "/api/v2/incidents/sources/", ann)
    tester = [found["pk"] for found in sources if found["name"] == "tester"]
    filter_pk = done("filters/", {"name": "all", "filter": {"sourceSystemIds": tester}})
    timeslot = done("timeslots/", {"name": "always", "time_recurrences": every_day})
    destination = server.done(200, "GET", f"{PROFILES}/destinations/", ann)[0]["pk"]
    done("", {"timeslot": timeslot, "filters": [filter_pk], "destinations": [destination]})
    return source, ann, passing


def check_token(server, token, seconds):
    """Two weeks are over only as long as the clock says so, and the first to use the token hears why."""
    if seconds <= 14 * DAY:
        server.done(200, "GET", "/api/v2/auth/user/", token)
        return
    for text in ["Token has expired.", "Invalid token.", "Invalid token."]:
        assert server.done(401, "GET", "/api/v2/auth/user/", token) == {"detail": text}


def arrives(server, *descriptions):
    for text in descriptions:
        wait(f"mail about {text}", RETRY + SLACK, lambda: any(text in mail for mail in server.sink.taken))


def live_through(binary, library, step, restart):
    with tempfile.TemporaryDirectory(prefix="argusd-clock-") as directory:
        server = Server(binary, library, directory)
        try:
            tell(server, step, restart)
            server.stop()
            assert server.run("check") == "all is well"
        except BaseException:
            server.log.flush()
            sys.stderr.write(Path(directory, "log").read_text()[-3000:])
            raise
        finally:
            server.kill()


def tell(server, step, restart):
    source, ann, passing = prepare(server)
    start = server.now()

    # What has just failed is tried again, and what is new leaves, whatever the clock says.
    server.sink.busy = True
    first = server.post_incident(source, "the first one")
    wait("an attempt", SLACK, lambda: server.sink.refused > 0)
    expiration = (start + timedelta(hours=2)).isoformat()
    server.done(201, "POST", f"/api/v2/incidents/{first}/acks/", ann,
                {"event": {"timestamp": server.now().isoformat(), "description": ""}, "expiration": expiration})
    time.sleep(0.5)
    if restart:
        server.stop()
    server.set_clock(step)
    server.sink.busy = False
    if restart:
        server.start()
    server.post_incident(source, "the second one")
    heard = time.monotonic()
    arrives(server, "the first one", "the second one")

    # Acknowledgements and tokens are over when the clock says so.
    acked = server.done(200, "GET", f"/api/v2/incidents/{first}/", ann)["acked"]
    assert acked == (server.now() < start + timedelta(hours=2)), acked
    check_token(server, passing, step)

    # A source that was heard of is not missed because the clock was set, but is when it is silent.
    while time.monotonic() < heard + 20:
        assert server.heartbeat_incidents(ann) == 0
        time.sleep(1)
    wait("silence is noticed", heard + SILENCE + SLACK - time.monotonic(), lambda: server.heartbeat_incidents(ann) == 1)

    # And the other way round.
    server.sink.busy, server.sink.refused = True, 0
    server.post_incident(source, "the third one")
    wait("an attempt", SLACK, lambda: server.sink.refused > 0)
    time.sleep(0.5)
    if restart:
        server.stop()
    server.set_clock(0)
    server.sink.busy = False
    if restart:
        server.start()
    server.post_incident(source, "the fourth one")
    arrives(server, "the third one", "the fourth one")
    check_token(server, passing, 0)
    assert server.done(200, "GET", f"/api/v2/incidents/{first}/", ann)["acked"]
    counts = [sum(text in mail for mail in server.sink.taken)
              for text in ["the first one", "the second one", "the third one", "the fourth one"]]
    # An event about an acknowledgement names the incident as well.
    assert counts[0] in (1, 2) and counts[1:] == [1, 1, 1], counts
    print(f"{step:+d} s {'between two runs' if restart else 'while running'}: fine", flush=True)


def main():
    binary = str(Path(sys.argv[1]).resolve())
    libraries = sorted(glob.glob("/usr/lib/*/faketime/libfaketimeMT.so.1"))
    if not libraries:
        message = "libfaketime is not installed: apt-get install faketime"
        if os.environ.get("CI"):
            sys.exit(message)
        print(f"not run: {message}")
        return
    began = time.monotonic()
    chosen = [int(step) for step in sys.argv[2:]] or STEPS
    cases = [(step, restart) for step in chosen for restart in (False, True)]
    with concurrent.futures.ThreadPoolExecutor(len(cases)) as pool:
        futures = {pool.submit(live_through, binary, libraries[0], *case): case for case in cases}
        failed = [(futures[future], error) for future in concurrent.futures.as_completed(futures)
                  if (error := future.exception())]
    for (step, restart), error in failed:
        print(f"FAILED {step:+d} s {'between two runs' if restart else 'while running'}: {error!r}", file=sys.stderr)
    print(f"{len(cases) - len(failed)} of {len(cases)} in {time.monotonic() - began:.0f} s")
    sys.exit(bool(failed))


if __name__ == "__main__":
    main()
