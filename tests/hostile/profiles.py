"""One plain user with as many profiles as allowed, each with all of 200 large filters.

Then that user changes something every second.
"""

import json
import time

NAME = "1,000 profiles × 200 filters × 200 tags, then changes"

API = "/api/v2/notificationprofiles"
FILTERS, TAGS, PROFILES = 200, 200, 1_000
REFUSALS = 10


# The peak of memory is that since the server started.
COUNTS_PREPARATION = True


def prepare(site):
    """No event is decided meanwhile, so that it goes as fast as it can."""
    me = site.attacker(60, site.mallory)
    slot = json.loads(me.call("read", "GET", f"{API}/timeslots/")[1])[0]["pk"]
    filters = fill(FILTERS, TAGS, lambda number, size: me.call("filter", "POST", f"{API}/filters/", {
        "name": f"f{number}", "filter": {"tags": [f"host=f{number}t{tag}" for tag in range(size)]}}))
    profiles = fill(PROFILES, len(filters), lambda number, size: me.call("profile", "POST", f"{API}/", {
        "name": f"p{number}", "timeslot": slot, "filters": filters[:size], "destinations": []}))
    return [(site.mallory, filters, profiles)]


def attack(attacker, token, filters, profiles):
    me, number = attacker.another(token=token), 0
    me.call("all profiles", "GET", f"{API}/", keep=False)
    while me.left() > 0:
        number += 1
        if number % 3 == 0 and profiles:
            me.call("switch", "PATCH", f"{API}/{profiles[number % len(profiles)]}/", {"active": number % 2 == 0})
        elif number % 3 == 1 and filters:
            me.call("change", "PATCH", f"{API}/filters/{filters[number % len(filters)]}/", {"name": f"changed {number}"})
        else:
            me.call("timeslot", "POST", f"{API}/timeslots/", {"name": f"t{number}", "time_recurrences": []})
        time.sleep(min(1.0, max(0.0, me.left())))


def fill(wanted, size, create):
    """Creates as many as are let through; where one is refused, with half the size from then on. Returns their keys."""
    made, refused = [], 0
    while len(made) < wanted and refused < REFUSALS:
        status, answer = create(len(made), size)
        if status == 201:
            made.append(json.loads(answer)["pk"])
        elif size > 1:
            size //= 2
        else:
            refused += 1
    return made
