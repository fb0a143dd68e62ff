"""What several attacks do: one event for each of 100,000 incidents, in as few requests as the server allows."""

import time

INCIDENTS = 100_000


def attack(attacker, token):
    """In a loop until the deadline; where so many at once are refused, with half as many from then on."""
    me, size, first = attacker.another(token=token), INCIDENTS, 1
    while me.left() > 0:
        ids = list(range(first, min(first + size, INCIDENTS + 1)))
        status, _ = me.call("bulk", "POST", "/api/v2/incidents/events/bulk/",
                            {"ids": ids, "event": {"type": "OTH", "description": "again"}}, keep=False)
        first = first + size if first + size <= INCIDENTS else 1
        if status in (400, 413) and size > 100:
            size, first = size // 2, 1
        elif status in (0, 429, 503):
            time.sleep(0.1)
