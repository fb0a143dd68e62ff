"""Four users who each add an event to 100,000 incidents at once, again and again."""

import bulk

NAME = "bulk of 100,000 ids by four clients"
INCIDENTS = bulk.INCIDENTS


def prepare(site):
    return [(site.mallory,)] + [(site.user(f"helper{number}"),) for number in range(3)]


attack = bulk.attack
