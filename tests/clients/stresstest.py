"""Runs the stresstest command that ships with argus-server against a server, bulk acknowledgement included.

usage: stresstest.py URL SOURCE_TOKEN [SECONDS]

The command needs Django, but none of Argus' settings and no database.
"""

import io
import sys

import httpx
from django.conf import settings
from django.core.management import call_command

settings.configure()

from argus.dev.management.commands.stresstest import Command  # noqa: E402  it reads the settings


def main(url: str, token: str, seconds: str = "3") -> None:
    before = count(url, token)
    out, err = io.StringIO(), io.StringIO()
    call_command(Command(stdout=out, stderr=err), url, token, seconds=int(seconds), workers=8, bulk=True)
    print(out.getvalue(), end="")
    assert not err.getvalue(), err.getvalue()
    assert "Stresstest completed" in out.getvalue()
    created = count(url, token) - before
    acked = count(url, token, acked="true")
    assert created > 0 and acked == created, (created, acked)
    print(f"{created} incidents created, verified and acknowledged")


def count(url: str, token: str, **filters: str) -> int:
    params = {"tags": "problem_type=stresstest", "count": "1", **filters}
    answer = httpx.get(f"{url}/api/v2/incidents/", params=params, headers={"Authorization": f"Token {token}"})
    answer.raise_for_status()
    return answer.json()["count"]


if __name__ == "__main__":
    main(*sys.argv[1:])
