"""All 2,000 events of an incident with 49,000 characters each, asked for over 16 connections."""

import threading

import answers
from harness import Client

NAME = "2,000 events of 49 kB, 16 connections"

EVENTS, LENGTH = 2_000, 49_000


def prepare(site):
    pk = site.create(description="many events")
    path = f"/api/v2/incidents/{pk}/events/"

    def post(worker):
        client = Client(site.server, site.mallory)
        for number in range(worker, EVENTS, 4):
            status, answer = client.post(path, {"type": "OTH", "description": f"{number} ".ljust(LENGTH, "x")})
            if status != 201:
                raise SystemExit(f"{status} {answer[:200]!r}")

    workers = [threading.Thread(target=post, args=(worker,)) for worker in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    # So that nothing of this is measured.
    site.restart()
    return [(site.mallory, path, 16)]


attack = answers.attack
