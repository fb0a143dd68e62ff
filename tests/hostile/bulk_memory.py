"""One plain user who adds an event to 100,000 incidents at once, again and again."""

import bulk

NAME = "bulk of 100,000 ids in a loop"
INCIDENTS = bulk.INCIDENTS


def prepare(site):
    return [(site.mallory,)]


attack = bulk.attack
