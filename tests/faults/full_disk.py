#!/usr/bin/env python3
"""A disk that fills up: clear errors, reads go on, writing resumes by itself, nothing acknowledged is lost.

Usage: full_disk.py ARGUSD. Mounts a small tmpfs, so it has to run as root (or under `unshare -rm`).
"""

import http.client
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path


def start(binary, data):
    process = subprocess.Popen([binary, "--data", data, "--listen", "127.0.0.1:0"], stdout=subprocess.PIPE, text=True,
                               env=dict(os.environ, ARGUSD_ADMIN_PASSWORD="full disk password"))
    match = re.match(r"argusd ready: http://([^:]+):(\d+)$", process.stdout.readline().strip())
    return process, match[1], int(match[2])


def request(connection, method, path, token, body=None):
    connection.request(method, path, body and json.dumps(body),
                       {"Authorization": f"Token {token}", "Content-Type": "application/json"})
    response = connection.getresponse()
    text = response.read()
    return response.status, json.loads(text) if text else None


def incident(number):
    return {"start_time": "2026-01-01T00:00:00Z", "tags": [{"tag": f"number={number}"}],
            "description": f"incident {number} " + "x" * 20_000, "source_incident_id": str(number)}


def main():
    binary = str(Path(sys.argv[1]).resolve())
    disk = tempfile.mkdtemp(prefix="argusd-full-disk-")
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64m", "tmpfs", disk], check=True)
    process = None
    try:
        data = f"{disk}/argusd.redb"
        process, host, port = start(binary, data)
        token = subprocess.run([binary, "source", "create", "disk", "--type", "disk", "--token", "--data", data],
                               check=True, capture_output=True, text=True).stdout.strip()
        connection = http.client.HTTPConnection(host, port, timeout=30)
        ballast = Path(disk) / "ballast"
        ballast.write_bytes(b"b" * (16 << 20))
        acknowledged, refused = {}, []
        for number in range(10_000):
            status, body = request(connection, "POST", "/api/v2/incidents/", token, incident(number))
            if status == 201:
                acknowledged[body["pk"]] = number
            else:
                refused.append((status, body))
                if len(refused) >= 20:
                    break
        assert refused, "the disk never filled up"
        assert all(status == 507 and "disk is full" in body["detail"] for status, body in refused), refused
        print(f"{len(acknowledged)} acknowledged, then 507: {refused[0][1]}")

        # What is left by somebody else's data, to the last byte.
        with open(Path(disk) / "filler", "wb", buffering=0) as filler:
            try:
                while True:
                    filler.write(b"f" * 65536)
            except OSError:
                pass
        for number in range(20_000, 20_010):
            status, body = request(connection, "POST", "/api/v2/incidents/", token, incident(number))
            assert status == 507, (status, body)
        for pk, number in list(acknowledged.items())[:50]:
            status, body = request(connection, "GET", f"/api/v2/incidents/{pk}/", token)
            assert status == 200 and body["source_incident_id"] == str(number), (status, body)
        status, body = request(connection, "GET", "/api/v2/incidents/?page_size=10&tags=number=5", token)
        assert status == 200 and len(body["results"]) == 1, (status, body)
        print("reads go on")

        # Nothing is lost by a stop, so it is no failure.
        process.terminate()
        assert process.wait(30) == 0, process.returncode
        process, host, port = start(binary, data)
        connection = http.client.HTTPConnection(host, port, timeout=30)
        print("stopped and started with a full disk")

        ballast.unlink()
        (Path(disk) / "filler").unlink()
        deadline = time.monotonic() + 10
        while True:
            status, body = request(connection, "POST", "/api/v2/incidents/", token, incident(30_000))
            if status == 201:
                acknowledged[body["pk"]] = 30_000
                break
            assert time.monotonic() < deadline, (status, body)
            time.sleep(0.1)
        print("writing resumed by itself")

        process.kill()
        process.wait()
        process, host, port = start(binary, data)
        connection = http.client.HTTPConnection(host, port, timeout=30)
        for pk, number in acknowledged.items():
            status, body = request(connection, "GET", f"/api/v2/incidents/{pk}/", token)
            assert status == 200 and body["source_incident_id"] == str(number), (pk, status, body)
        process.terminate()
        assert process.wait(30) == 0
        process = None
        subprocess.run([binary, "check", "--data", data], check=True)
        print("nothing acknowledged is lost")
    finally:
        if process:
            process.kill()
            process.wait()
        subprocess.run(["umount", "-l", disk], check=True)
        os.rmdir(disk)


if __name__ == "__main__":
    main()
