#!/usr/bin/env python3
"""Backups in a loop while 200 incidents a second are posted.

Every copy passes `check` as another user on a read-only mount, where its checksum stays the same; it is restored into a
fresh server, which has every incident that was acknowledged before the backup began. The 99th percentile of the time that
a post takes at most doubles in comparison with the time before the backups.

Usage: backup_under_load.py ARGUSD [--minutes 5] [--rate 200] [--baseline 60] [--folder DIRECTORY]

Needs root for the mount and for the other user. Copies are kept until they were verified, after the load: some gigabytes.
"""

import argparse
import hashlib
import http.client
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

WORKERS = 8
NOBODY = "65534"


def start(binary, data):
    process = subprocess.Popen([binary, "--data", data, "--listen", "127.0.0.1:0"], stdout=subprocess.PIPE, text=True,
                               stderr=subprocess.DEVNULL, env=dict(os.environ, ARGUSD_ADMIN_PASSWORD="backup password"))
    match = re.match(r"argusd ready: http://([^:]+):(\d+)$", process.stdout.readline().strip())
    return process, match[1], int(match[2])


class Load:
    """Posts at a steady rate, and remembers what was acknowledged and how long it took."""

    def __init__(self, host, port, token, rate):
        self.host, self.port, self.token, self.rate = host, port, token, rate
        self.acknowledged, self.seconds, self.errors = [], [], []
        self.stop, self.lock = threading.Event(), threading.Lock()
        self.threads = [threading.Thread(target=self.post, args=(worker,)) for worker in range(WORKERS)]

    def post(self, worker):
        try:
            connection, sent, began = http.client.HTTPConnection(self.host, self.port, timeout=60), 0, time.monotonic()
            while not self.stop.is_set():
                due = began + (sent + worker / WORKERS) * WORKERS / self.rate
                time.sleep(max(0.0, due - time.monotonic()))
                name = f"{worker}-{sent}"
                body = json.dumps({"start_time": "2026-01-01T00:00:00Z", "tags": [{"tag": f"worker={worker}"}],
                                   "description": f"incident {name}", "source_incident_id": name})
                at = time.monotonic()
                connection.request("POST", "/api/v2/incidents/", body, {
                    "Authorization": f"Token {self.token}", "Content-Type": "application/json"})
                response = connection.getresponse()
                answer = json.loads(response.read())
                assert response.status == 201, (response.status, answer)
                with self.lock:
                    self.acknowledged.append((answer["pk"], name))
                    self.seconds.append(time.monotonic() - at)
                sent += 1
        except Exception as error:  # Reported at the end, so that the other threads go on.
            self.errors.append(repr(error))

    def snapshot(self):
        with self.lock:
            return list(self.acknowledged)

    def take_seconds(self):
        with self.lock:
            seconds, self.seconds = self.seconds, []
        return sorted(seconds)


def quantile(seconds, share):
    return seconds[min(len(seconds) - 1, int(len(seconds) * share))] * 1000


def checksum(path):
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def check_read_only(program, copy, mount):
    """Checks a copy as nobody on a read-only mount of its directory."""
    before = checksum(copy)
    os.chmod(copy, 0o644)
    script = (f'mount --bind "{copy.parent}" "{mount}" && mount -o remount,ro,bind "{mount}" && cd / && '
              f'! touch "{mount}/x" 2>/dev/null && '
              f'exec setpriv --reuid={NOBODY} --regid={NOBODY} --clear-groups "{program}" check "{mount}/{copy.name}"')
    checked = subprocess.run(["unshare", "--mount", "sh", "-c", script], capture_output=True, text=True)
    assert checked.returncode == 0 and checked.stdout == "all is well\n", (copy, checked)
    assert checksum(copy) == before, f"{copy} was changed"
    assert os.listdir(copy.parent) == [copy.name], os.listdir(copy.parent)


def restore(binary, copy, fresh, token, before):
    shutil.rmtree(fresh, ignore_errors=True)
    fresh.mkdir()
    data = str(fresh / "argusd.redb")
    subprocess.run([binary, "restore", str(copy), "--data", data], check=True, stdout=subprocess.DEVNULL)
    process, host, port = start(binary, data)
    try:
        connection, held = http.client.HTTPConnection(host, port, timeout=120), {}
        path = "/api/v2/incidents/?page_size=5000"
        while path:
            connection.request("GET", path, headers={"Authorization": f"Token {token}"})
            response = connection.getresponse()
            body = json.loads(response.read())
            assert response.status == 200, body
            held.update((row["pk"], row["source_incident_id"]) for row in body["results"])
            path = body["next"] and body["next"][body["next"].index("/api/"):]
        lost = [name for pk, name in before if held.get(pk) != name]
        assert not lost, f"{len(lost)} of {len(before)} acknowledged incidents are missing in {copy}: {lost[:5]}"
    finally:
        process.terminate()
        process.wait(60)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("binary")
    parser.add_argument("--minutes", type=float, default=5)
    parser.add_argument("--rate", type=float, default=200)
    parser.add_argument("--baseline", type=float, default=60, help="seconds without backups")
    parser.add_argument("--folder", default=None)
    options = parser.parse_args()
    binary = str(Path(options.binary).resolve())
    with tempfile.TemporaryDirectory(prefix="argusd-backup-", dir=options.folder) as folder:
        folder = Path(folder)
        folder.chmod(0o755)
        data, mount = str(folder / "live" / "live.redb"), folder / "mount"
        for directory in ("live", "mount"):
            (folder / directory).mkdir()
        # Another user has to be able to run it.
        program = folder / "argusd"
        shutil.copy(binary, program)
        process, host, port = start(binary, data)
        token = subprocess.run([binary, "source", "create", "backup", "--type", "backup", "--token", "--data", data],
                               check=True, capture_output=True, text=True).stdout.strip()
        load = Load(host, port, token, options.rate)
        for thread in load.threads:
            thread.start()
        time.sleep(5)
        load.take_seconds()
        time.sleep(options.baseline)
        quiet = load.take_seconds()
        copies, took, began = [], [], time.monotonic()
        while time.monotonic() - began < options.minutes * 60 and not load.errors:
            directory = folder / f"copy{len(copies)}"
            directory.mkdir()
            directory.chmod(0o755)
            before, at = load.snapshot(), time.monotonic()
            subprocess.run([binary, "backup", str(directory / "copy.redb"), "--data", data], check=True)
            took.append(time.monotonic() - at)
            copies.append((directory / "copy.redb", before))
        loaded, elapsed = load.take_seconds(), time.monotonic() - began
        load.stop.set()
        for thread in load.threads:
            thread.join()
        process.terminate()
        assert process.wait(60) == 0
        assert not load.errors, load.errors
        print(f"{len(copies)} backups in {elapsed:.0f} s, {min(took):.2f} to {max(took):.2f} s each, the last "
              f"{copies[-1][0].stat().st_size / 1e6:.1f} MB; {len(load.acknowledged)} incidents acknowledged, "
              f"{len(loaded) / elapsed:.0f}/s during the backups", flush=True)
        for name, seconds in (("without backups", quiet), ("with backups", loaded)):
            print(f"{name}: {len(seconds)} posts, ms: " + ", ".join(
                f"{label} {quantile(seconds, share):.1f}" for label, share in
                (("p50", .5), ("p90", .9), ("p99", .99), ("max", 1))), flush=True)
        for number, (copy, before) in enumerate(copies):
            check_read_only(program, copy, mount)
            restore(binary, copy, folder / "fresh", token, before)
            shutil.rmtree(copy.parent)
            if number % 10 == 9:
                print(f"{number + 1} verified", flush=True)
        print(f"all {len(copies)} copies are sound and complete")
        ratio = quantile(loaded, .99) / quantile(quiet, .99)
        print(f"p99 with backups is {ratio:.2f} times that without")
        return 0 if ratio <= 2 else 1


if __name__ == "__main__":
    sys.exit(main())
