"""Runs the published glues of Zabbix and Zino against a server. Stand-ins take the place of Zabbix and Zino.

usage: glues.py URL ZABBIX_TOKEN ZINO_TOKEN USER_TOKEN
"""

import asyncio
import sys
from datetime import datetime, timedelta

import zinoargus
import zinolib
from pyargus.client import Client
from pyargus.time import LOCAL_INFINITY
from zabbixargus.argus_client import ArgusClient, DuplicateIncidentError
from zabbixargus.config import Config
from zabbixargus.reconciler import reconcile
from zinoargus.config.models import Configuration


class Zabbix:
    """What the reconciliation asks Zabbix for."""

    def __init__(self, problems):
        self.problems = problems

    async def get_problems_with_hosts(self, *, resolve_hostgroups=True):
        return self.problems

    async def problem_exists(self, eventid):
        return any(problem["eventid"] == eventid for problem in self.problems)


def problem(eventid, name):
    return {
        "eventid": eventid,
        "objectid": "17",
        "severity": "4",
        "clock": str(int(datetime.now().timestamp()) - 60),
        "name": name,
        "tags": [{"tag": "Component Type", "value": "disk"}],
        "hosts": [{"hostid": "1", "host": "db1.example.org"}],
        "hostgroups": ["Databases"],
    }


async def zabbix(url, token):
    config = Config(argus={"url": f"{url}/api/v2", "token": token}, zabbix={"url": "http://127.0.0.1:1/", "token": "x"})
    argus, run = ArgusClient(config.argus), datetime.now().strftime("%H%M%S%f")
    first, second = problem(f"{run}1", "Disk is full"), problem(f"{run}2", "Load is high")
    await reconcile(Zabbix([first, second]), argus, config)
    found = await argus.get_open_incidents()
    assert {first["eventid"], second["eventid"]} <= set(found), found
    incident = found[first["eventid"]]
    assert (incident.level, incident.description, incident.open) == (2, "Disk is full", True), incident
    assert incident.end_time == LOCAL_INFINITY, incident.end_time
    assert ("component_type", "disk") in incident.tags.allitems(), incident.tags

    # Nothing is posted twice, and the glue knows why it was refused.
    await reconcile(Zabbix([first, second]), argus, config)
    assert len(await argus.get_open_incidents()) == len(found)
    try:
        await argus.create_incident_from_problem(
            description="again", source_incident_id=first["eventid"], level=2, tags=[("host", "db1")]
        )
    except DuplicateIncidentError:
        pass
    else:
        raise AssertionError("a second incident was made for the same problem")

    # What Zabbix no longer has is closed.
    await reconcile(Zabbix([second]), argus, config)
    assert set(await argus.get_open_incidents()) & {first["eventid"], second["eventid"]} == {second["eventid"]}
    await argus.resolve_by_source_id(second["eventid"])
    closed = await argus.get_incident_by_source_id(second["eventid"])
    assert not closed.open, closed
    print("zabbix-argus-glue 0.1.2: posted, found again, refused as duplicates and closed")


class Case(dict):
    """A case of Zino, by key and by attribute."""

    __getattr__ = dict.__getitem__

    @property
    def _caseid(self):
        return self["id"]


class Zino:
    """The cases of Zino, and what the glue changes in them."""

    def __init__(self, cases):
        self.cases = {case.id: case for case in cases}
        self.history = {case.id: [entry(case.opened, "state change embryonic -> open (monitor)")] for case in cases}
        self.states = []

    def cases_iter(self):
        return iter(self.cases.values())

    def get_history(self, case):
        return list(self.history[case])

    def add_history(self, case, text):
        self.history[case].append(entry(datetime.now().replace(microsecond=0), "argus", text, user="argus"))

    def set_state(self, case, state):
        self.states.append((case, state))


def entry(date, header, *log, user="monitor"):
    return {"date": date, "header": header, "log": list(log), "user": user}


def zino(url, token, user_token):
    opened = datetime.now().replace(microsecond=0) - timedelta(hours=1)
    number = int(opened.timestamp()) % 1_000_000 * 10
    case = Case(
        id=number, type=zinolib.caseType.REACHABILITY, router="oslo-gw1.example.org", priority=500, opened=opened,
        state="open",
    )
    server = Zino([case])
    server.history[number].append(entry(opened + timedelta(minutes=1), "monitor", "line one", "line two"))
    zinoargus._config = Configuration(
        argus={"url": f"{url}/api/v2", "token": token, "timeout": 10},
        zino={"server": "127.0.0.1", "user": "argus", "secret": "x"},
        sync={"acknowledge": {"setstate": "working"}, "ticket": {"enable": True}},
    )
    zinoargus._zino, zinoargus._argus = server, zinoargus.get_argus_client(zinoargus._config.argus)
    incidents, cases = zinoargus.synchronize_all_cases()
    incident = incidents[number]
    assert incident.open and incident.description == "oslo-gw1.example.org is not reachable", incident
    events = list(zinoargus._argus.get_incident_events(incident))
    assert sorted(event.type for event in events) == ["OTH", "STA"], events
    assert any(event.description == "monitor\nline one\nline two" for event in events), events

    # The history is not posted again, because the times of events come back as they were sent.
    zinoargus.synchronize_case_history(case, incident)
    assert len(list(zinoargus._argus.get_incident_events(incident))) == 2
    # After a restart it finds the incident again.
    incidents, cases = zinoargus.synchronize_all_cases()
    assert incidents[number].pk == incident.pk

    # What people do reaches Zino.
    person = Client(f"{url}/api/v2", user_token, timeout=10)
    ack = {"timestamp": datetime.now().astimezone().isoformat(), "description": "I'm on it."}
    assert person.api.acknowledgements.create(incident.pk, body=ack).status_code == 201
    ticket = {"ticket_url": "https://tickets.example.org/7"}
    assert person.api.incidents.set_ticket_url(incident.pk, body=ticket).status_code == 200
    zinoargus.refresh_argus_incidents(incidents, cases)
    assert (number, "working") in server.states, server.states
    notes = [line for it in server.history[number] for line in it["log"]]
    assert "I'm on it. (admin)" in notes, notes
    assert "Ticket https://tickets.example.org/7 added by Argus user admin" in notes, notes

    # Zino closes the case, at the time that its history has.
    ended = opened + timedelta(minutes=30)
    server.history[number] = [it for it in server.history[number] if it["user"] == "monitor"]
    server.history[number].append(entry(ended, "state change open -> closed (monitor)"))
    zinoargus.close_argus_incident(incidents[number], case)
    closed = zinoargus._argus.get_incident(incident.pk)
    assert not closed.open and closed.end_time == ended.replace(tzinfo=zinoargus.MY_TZINFO), closed
    print("zino-argus-glue 0.5.1: synchronized, acknowledged and closed")


if __name__ == "__main__":
    base, zabbix_token, zino_token, person_token = sys.argv[1:]
    asyncio.run(zabbix(base, zabbix_token))
    zino(base, zino_token, person_token)
