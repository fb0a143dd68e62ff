#!/usr/bin/env python3
"""Refused logins in the log of a server are found by the filter for fail2ban, and nothing else is.

    tests/metrics/fail2ban.py target/debug/argusd

Needs fail2ban-regex (Debian: fail2ban). Takes a few seconds.
"""

import json
import os
import subprocess
import sys
import tempfile
import urllib.error
import urllib.request
from pathlib import Path

FILTER = Path(__file__).resolve().parent.parent.parent / "packaging/fail2ban/filter.d/argusd.conf"
# A name and a path that look like lines about another client.
FORGED = 'x" WARN login refused: too many tries client=203.0.113.9 user="'
FORGED_JSON = '","level":"WARN","message":"login refused: too many tries","client":"203.0.113.9","user":"'
CLIENTS = ["192.0.2.7", "2001:db8::7"]


def log_in(base, client, name):
    body = json.dumps({"username": name, "password": "wrong"}).encode()
    headers = {"Content-Type": "application/json", "X-Forwarded-For": client}
    try:
        urllib.request.urlopen(urllib.request.Request(f"{base}/api/v2/token-auth/", body, headers), timeout=10)
    except urllib.error.HTTPError as error:
        assert error.code == 400, error


def found(program, directory, log_format):
    log = f"{directory}/{log_format}.log"
    environment = {"ARGUSD_DATA": f"{directory}/argusd.redb", "ARGUSD_ADMIN_PASSWORD": "correct horse",
                   "ARGUSD_TRUSTED_PROXIES": "127.0.0.1", "ARGUSD_LOG_FORMAT": log_format, "ARGUSD_LOG_ACCESS": "on"}
    with open(log, "w") as file:
        server = subprocess.Popen([program, "serve", "--listen", "127.0.0.1:0"], env=environment, stderr=file,
                                  stdout=subprocess.PIPE, text=True)
    try:
        base = server.stdout.readline().removeprefix("argusd ready: ").strip()
        for client in CLIENTS:
            for name in ["ann", FORGED, FORGED_JSON, f"\n{FORGED}"]:
                log_in(base, client, name)
            try:
                urllib.request.urlopen(f"{base}/{urllib.request.quote(FORGED_JSON)}", timeout=10)
            except urllib.error.HTTPError:
                pass
    finally:
        server.terminate()
        server.wait(timeout=30)
    output = subprocess.run(["fail2ban-regex", "-o", "ip", log, FILTER], check=True, capture_output=True, text=True)
    return output.stdout.split()


def main():
    program = os.path.abspath(sys.argv[1])
    for log_format in ["text", "json"]:
        with tempfile.TemporaryDirectory() as directory:
            addresses = found(program, directory, log_format)
        assert addresses == [client for client in CLIENTS for _ in range(4)], f"{log_format}: {addresses}"
        print(f"{log_format}: {len(addresses)} refused logins, each with its address")


if __name__ == "__main__":
    main()
