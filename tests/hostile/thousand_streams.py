"""1,000 live streams of one user that does not read them, and bulks beside them."""

import bulk
import silent_streams

NAME = "1,000 streams that are not read, and a bulk of 100,000 ids"
INCIDENTS = bulk.INCIDENTS


def prepare(site):
    return silent_streams.prepare(site, 1_000)


attack = silent_streams.attack
