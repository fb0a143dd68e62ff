"""Lists without pages over 100,000 incidents: the open ones of version 1, and those of a profile that matches all."""

import json

import answers
from harness import Client

NAME = "lists without pages over 100,000 incidents, 8 connections"
INCIDENTS = 100_000

API = "/api/v2/notificationprofiles"


def prepare(site):
    client = Client(site.server, site.mallory)

    def create(path, body):
        status, answer = client.post(f"{API}/{path}", body)
        if status != 201:
            raise SystemExit(f"{status} {answer[:200]!r}")
        return json.loads(answer)["pk"]

    slot = json.loads(client.get(f"{API}/timeslots/")[1])[0]["pk"]
    everything = create("filters/", {"name": "all", "filter": {"maxlevel": 5}})
    profile = create("", {"name": "all", "timeslot": slot, "filters": [everything], "destinations": [], "active": False})
    return [(site.mallory, "/api/v1/incidents/open/", 4), (site.mallory, f"{API}/{profile}/incidents/", 4)]


attack = answers.attack
