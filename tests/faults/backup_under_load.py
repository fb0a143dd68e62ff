#!/usr/bin/env python3
"""Backups in a loop under a steady load: every copy passes `check` and holds what was acknowledged before its start.

Usage: backup_under_load.py ARGUSD [SECONDS [POSTS_PER_SECOND]]
"""

import http.client
import json
import os
import re
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path


def start(binary, data):
    process = subprocess.Popen([binary, "--data", data, "--listen", "127.0.0.1:0"], stdout=subprocess.PIPE, text=True,
                               env=dict(os.environ, ARGUSD_ADMIN_PASSWORD="backup password"))
    match = re.match(r"argusd ready: http://([^:]+):(\d+)$", process.stdout.readline().strip())
    return process, match[1], int(match[2])


def main():
    binary = str(Path(sys.argv[1]).resolve())
    seconds = float(sys.argv[2]) if len(sys.argv) > 2 else 120
    rate = float(sys.argv[3]) if len(sys.argv) > 3 else 200
    with tempfile.TemporaryDirectory(prefix="argusd-backup-") as folder:
        data = f"{folder}/live.redb"
        process, host, port = start(binary, data)
        token = subprocess.run([binary, "source", "create", "backup", "--type", "backup", "--token", "--data", data],
                               check=True, capture_output=True, text=True).stdout.strip()
        acknowledged, stop, lock = [], threading.Event(), threading.Lock()

        def post(worker, workers=4):
            connection, sent, began = http.client.HTTPConnection(host, port, timeout=30), 0, time.monotonic()
            while not stop.is_set():
                name = f"{worker}-{sent}"
                connection.request("POST", "/api/v2/incidents/", json.dumps(
                    {"start_time": "2026-01-01T00:00:00Z", "tags": [{"tag": f"worker={worker}"}],
                     "description": f"incident {name}", "source_incident_id": name}),
                    {"Authorization": f"Token {token}", "Content-Type": "application/json"})
                response = connection.getresponse()
                body = json.loads(response.read())
                assert response.status == 201, (response.status, body)
                with lock:
                    acknowledged.append((body["pk"], name))
                sent += 1
                time.sleep(max(0.0, began + sent * workers / rate - time.monotonic()))

        threads = [threading.Thread(target=post, args=(worker,)) for worker in range(4)]
        for thread in threads:
            thread.start()
        began, copies = time.monotonic(), 0
        while time.monotonic() - began < seconds:
            with lock:
                before = list(acknowledged)
            copy = f"{folder}/copy{copies}.redb"
            subprocess.run([binary, "backup", copy, "--data", data], check=True)
            subprocess.run([binary, "check", "--data", copy], check=True, stdout=subprocess.DEVNULL)
            verify(binary, copy, token, before)
            for path in Path(folder).glob("copy*"):
                subprocess.run(["rm", "-rf", str(path)], check=True)
            copies += 1
        stop.set()
        for thread in threads:
            thread.join()
        process.terminate()
        assert process.wait(30) == 0
        print(f"{copies} copies, {len(acknowledged)} incidents in {time.monotonic() - began:.0f} s: all complete and sound")


def verify(binary, copy, token, before):
    process, host, port = start(binary, copy)
    try:
        connection, held, path = http.client.HTTPConnection(host, port, timeout=30), {}, "/api/v2/incidents/?page_size=5000"
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
        process.wait(30)


if __name__ == "__main__":
    main()
