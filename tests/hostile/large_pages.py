"""A page of 300 incidents with a megabyte of metadata each, asked for over eight connections."""

import answers

NAME = "300 incidents with 1 MB of metadata, 8 connections"

INCIDENTS_MADE, BYTES = 300, 1_000_000


def prepare(site):
    for number in range(INCIDENTS_MADE):
        site.create(description="large", metadata={"text": f"{number} ".ljust(BYTES, "x")})
    # So that nothing of this is measured.
    site.restart()
    return [(site.mallory, "/api/v2/incidents/?page_size=5000", 8)]


attack = answers.attack
