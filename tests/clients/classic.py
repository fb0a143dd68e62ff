"""Runs argus-api-client 0.4.3 against version 1: what the glues for Prometheus do with each alert.

usage: classic.py URL SOURCE_TOKEN
"""

import sys
from datetime import datetime, timedelta, timezone

from pyargus.client import Client
from pyargus.models import Event, Incident

RUN = datetime.now(timezone.utc).strftime("%H%M%S%f")


def main(url: str, token: str) -> None:
    client = Client(f"{url}/api/v1", token, timeout=10)
    start = datetime.now(timezone.utc).replace(microsecond=0) - timedelta(minutes=5)
    posted = client.post_incident(
        Incident(
            start_time=start,
            end_time=datetime.max,
            source_incident_id=f"alert-{RUN}",
            description="InstanceDown",
            level=2,
            tags={"host": "web1.example.org", "alertname": "InstanceDown"},
        )
    )
    assert posted.open and posted.stateful, posted
    # The same alert comes again as long as it fires.
    for level in (3, 1):
        again = next(client.get_my_incidents(open=True, source_incident_id=f"alert-{RUN}"))
        changed = client.update_incident(Incident(pk=again.pk, level=level, tags={"host": "web1.example.org"}))
        assert (changed.pk, changed.level) == (posted.pk, level), changed
        event = client.post_incident_event(again, Event(timestamp=datetime.now(timezone.utc), type="OTH", description="again"))
        assert event.description == "again"
    client.resolve_incident(posted, description="resolved", timestamp=datetime.now(timezone.utc))
    assert not client.get_incident(posted.pk).open
    print("pyargus 0.4.3 against v1: an alert was posted, repeated and resolved")


if __name__ == "__main__":
    main(*sys.argv[1:])
