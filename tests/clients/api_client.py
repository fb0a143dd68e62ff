"""Runs every call of the published argus-api-client against a server.

usage: api_client.py URL VERSION SOURCE_TOKEN USER_TOKEN
"""

import sys
from datetime import datetime, timedelta, timezone

from pyargus.client import Client
from pyargus.models import STATELESS, Event, Incident
from pyargus.time import LOCAL_INFINITY
from simple_rest_client.exceptions import AuthError, NotFoundError

RUN = datetime.now(timezone.utc).strftime("%H%M%S%f")


def main(url: str, version: str, source_token: str, user_token: str) -> None:
    root = f"{url}/api/{version}"
    source, user = Client(root, source_token, timeout=10), Client(root, user_token, timeout=10)
    start = datetime.now(timezone.utc).replace(microsecond=123456) - timedelta(hours=1)

    created = post_and_get(source, start, version)
    update(source, user, created)
    resolve_and_restart(source, created)
    acknowledge(source, user, created)
    list_pages(source, user, start)
    stateless(source, start)
    low_level(source, user, created, version)
    heartbeat(source, user, version)
    missing(source)
    strangers(root)
    print(f"pyargus against {version}: every call works")


def post_and_get(source: Client, start: datetime, version: str) -> Incident:
    posted = source.post_incident(
        Incident(
            start_time=start,
            end_time=LOCAL_INFINITY,
            source_incident_id=f"{RUN}-1",
            details_url="/device/1",
            description="The fan of oslo-sw1 has failed",
            level=2,
            ticket_url="https://tickets.example.org/1",
            tags={"host": "oslo-sw1.example.org", "problem_type": "fan"},
            metadata={"slot": 1} if version == "v2" else None,
        )
    )
    assert posted.pk > 0
    assert posted.start_time == start, (posted.start_time, start)
    assert posted.end_time == LOCAL_INFINITY
    assert (posted.open, posted.acked, posted.stateful) == (True, False, True)
    assert posted.level == 2
    assert posted.source.type == "pyargus"
    assert sorted(posted.tags.allitems()) == [("host", "oslo-sw1.example.org"), ("problem_type", "fan")]
    if version == "v2":
        assert posted.metadata == {"slot": 1}
    got = source.get_incident(posted.pk)
    assert got == posted, (got, posted)
    return posted


def update(source: Client, user: Client, incident: Incident) -> None:
    changed = source.update_incident(
        Incident(pk=incident.pk, level=1, description="Worse", tags={"host": "oslo-sw1.example.org", "room": "1"})
    )
    assert (changed.level, changed.description) == (1, "Worse")
    assert dict(changed.tags.allitems()) == {"host": "oslo-sw1.example.org", "room": "1"}
    assert changed.ticket_url == incident.ticket_url
    # The client sends an empty list of tags when it was given none: its own tags go.
    assert list(source.update_incident(Incident(pk=incident.pk, level=3)).tags.allitems()) == []
    assert user.get_incident(incident.pk).level == 3


def resolve_and_restart(source: Client, incident: Incident) -> None:
    at = datetime.now(timezone.utc).replace(microsecond=654321) - timedelta(minutes=1)
    end = source.resolve_incident(incident, description="Fan replaced", timestamp=at)
    assert (end.type, end.timestamp, end.description, end.incident) == ("END", at, "Fan replaced", incident.pk)
    assert source.get_incident(incident.pk).open is False
    assert source.get_incident(incident.pk).end_time == at
    restart = source.restart_incident(incident.pk, description="It failed again")
    assert restart.type == "RES"
    assert source.get_incident(incident.pk).open is True
    other = source.post_incident_event(
        incident.pk, Event(timestamp=datetime.now(timezone.utc), type="OTH", description="first line\nsecond line")
    )
    assert other.description == "first line\nsecond line"
    events = source.get_incident_events(incident)
    assert {"STA", "CHI", "END", "RES", "OTH"} <= {event.type for event in events}
    assert all(isinstance(event.received, datetime) and event.actor for event in events)
    sta = [event for event in events if event.type == "STA"]
    assert len(sta) == 1 and sta[0].timestamp == incident.start_time
    retrieved = source.api.events.retrieve(incident.pk, other.pk)
    assert Event.from_json(retrieved.body) == other


def acknowledge(source: Client, user: Client, incident: Incident) -> None:
    now = datetime.now(timezone.utc).isoformat()
    body = {"timestamp": now, "description": "On it", "event": {"timestamp": now, "description": "On it"}}
    created = user.api.acknowledgements.create(incident.pk, body=body)
    assert created.status_code == 201
    acks = source.get_incident_acknowledgements(incident)
    assert [ack.event.description for ack in acks] == ["On it"]
    assert acks[0].expiration is None and acks[0].event.type == "ACK" and acks[0].event.actor == "admin"
    retrieved = source.api.acknowledgements.retrieve(incident.pk, acks[0].pk)
    assert retrieved.body["pk"] == acks[0].pk
    assert source.get_incident(incident.pk).acked is True


def list_pages(source: Client, user: Client, start: datetime) -> None:
    wanted = set()
    # All start at the same moment, so that only the keys tell them apart.
    for number in range(7):
        posted = source.post_incident(
            Incident(start_time=start, source_incident_id=f"{RUN}-page-{number}", tags={"run": RUN})
        )
        wanted.add(posted.pk)
    listed = [incident.pk for incident in user.get_incidents(tags=f"run={RUN}", open=True, page_size=2)]
    assert len(listed) == 7 and set(listed) == wanted, listed
    mine = [incident.pk for incident in source.get_my_incidents(tags=f"run={RUN}", page_size=3)]
    assert mine == listed, mine
    assert list(user.get_my_incidents()) == []
    one = list(source.get_my_incidents(open=True, source_incident_id=f"{RUN}-page-3"))
    assert len(one) == 1
    source.resolve_incident(one[0])
    assert len(list(source.get_incidents(tags=f"run={RUN}", open=False))) == 1


def stateless(source: Client, start: datetime) -> None:
    posted = source.post_incident(Incident(start_time=start, end_time=STATELESS, description="A single point in time"))
    assert posted.end_time is STATELESS and (posted.stateful, posted.open) == (False, False)
    assert source.get_incident(posted.pk) == posted


def low_level(source: Client, user: Client, incident: Incident, version: str) -> None:
    answer = user.api.incidents.set_ticket_url(incident.pk, body={"ticket_url": "https://tickets.example.org/2"})
    assert answer.status_code == 200
    assert user.get_incident(incident.pk).ticket_url == "https://tickets.example.org/2"
    if version == "v1":
        open_pks = [row["pk"] for row in user.api.incidents.list_open().body]
        unacked = [row["pk"] for row in user.api.incidents.list_open_unacked().body]
        assert incident.pk in open_pks and incident.pk not in unacked
    else:
        # Broken in the client itself: it asks for a login token, then looks for a key that is not there.
        answer = source.api.tokens.refresh()
        assert answer.status_code == 200 and len(answer.body["token"]) == 64


def heartbeat(source: Client, user: Client, version: str) -> None:
    if version == "v1":
        return
    assert source.supports_heartbeat() is True
    source.send_heartbeat()
    try:
        user.send_heartbeat()
    except AuthError:
        pass
    else:
        raise AssertionError("a heartbeat of somebody who is no source was taken")


def strangers(root: str) -> None:
    stranger = Client(root, "0" * 40)
    try:
        stranger.get_incident(1)
    except AuthError as error:
        assert error.response.status_code == 401
    else:
        raise AssertionError("a stranger was let in")


def missing(source: Client) -> None:
    try:
        source.get_incident(10**9)
    except NotFoundError:
        return
    raise AssertionError("an incident that is not there was found")


if __name__ == "__main__":
    main(*sys.argv[1:])
