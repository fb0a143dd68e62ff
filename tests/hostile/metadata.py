"""One plain user who changes the metadata of one incident, a megabyte each time, over eight connections."""

import json

NAME = "PATCH of 1 MB of metadata, 8 connections"


def prepare(site):
    pk = site.create(description="large")
    return [(site.mallory, pk)]


def attack(attacker, token, pk):
    def change(worker):
        me, number = attacker.another(token=token), 0
        while me.left() > 0:
            number += 1
            text = f"{worker}-{number} ".ljust(32, "x") * 31_000
            body = json.dumps({"metadata": {"text": text}}).encode()
            me.call("change", "PATCH", f"/api/v2/incidents/{pk}/", body, {"Content-Type": "application/json"})

    attacker.together(8, change)
