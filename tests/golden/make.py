"""Writes the golden data files: one file that lives through four releases, kept after each of them.

usage: make.py DIRECTORY BINARY BINARY BINARY BINARY

The binaries are those of the releases in RELEASES (README.md says how to build them). DIRECTORY must not exist; the
files and what the steps left behind are written there. All that listens and connects is on the loopback device.
"""

import http.client
import http.server
import json
import pathlib
import re
import shutil
import subprocess
import sys
import threading
import time
import urllib.parse

RELEASES = ["1-incidents", "2-profiles", "3-pages", "4-rules"]
LISTEN = 18098
SINK = 18099
PASSWORD = "not-a-secret-golden"
TOKENS = {name: byte * 20 for name, byte in {"admin": "ad", "alice": "a1", "stan": "57", "nav": "0a", "argus": "a5"}.items()}
EMAIL, HOOK, SPARE = ("0817d973-398e-41d7-9cd2-61cdb7ef41a%d" % n for n in (1, 2, 3))
V1, V2, NATIVE = "/api/v1", "/api/v2", "/argusd/v1"
PROFILES = V2 + "/notificationprofiles"
ICINGA = "/icinga-issue/notifications/api/v1"
# Environment variables, since the first release knows fewer keys of the settings file.
SETTINGS = {
    "PATH": "/usr/bin:/bin", "ARGUSD_ADMIN_PASSWORD": PASSWORD, "ARGUSD_LOG": "warn", "TIME_ZONE": "Europe/Oslo",
    "ARGUS_INDELIBLE_INCIDENTS": "off", "ARGUSD_STORM_LIMIT": "4", "EMAIL_HOST": "127.0.0.1", "EMAIL_PORT": "18097",
}


def uuid(number):
    return "1817d973-398e-41d7-9cd2-%012d" % number


class Sink(http.server.BaseHTTPRequestHandler):
    """Says what its path names: /200, /404, /503."""

    def do_POST(self):
        self.rfile.read(int(self.headers.get("content-length", 0)))
        self.send_response(int(self.path.split("/")[1]))
        self.end_headers()
        self.wfile.write(b"the sink says so")

    def log_message(self, *_):
        pass


class Desk:
    """A release at work on the data file, and calls of its API and its command line."""

    def __init__(self, directory, binary):
        self.directory, self.binary, self.server = directory, binary, None
        self.flags = ["--data", str(directory / "golden.redb")]

    def start(self, send=True):
        command = [self.binary, *self.flags, "--listen", "127.0.0.1:%d" % LISTEN, "serve"]
        environment = {**SETTINGS, "ARGUSD_SEND_NOTIFICATIONS": "on" if send else "off"}
        self.server = subprocess.Popen(command, cwd=self.directory, env=environment)
        for _ in range(600):
            try:
                self.call("GET", "/.still-alive/")
                return
            except ConnectionRefusedError:
                time.sleep(0.1)
        raise SystemExit("the server does not start")

    def stop(self):
        self.server.terminate()
        self.server.wait(60)

    def cli(self, *words, stdin=""):
        command = [self.binary, *self.flags, *words]
        run = subprocess.run(command, cwd=self.directory, env=SETTINGS, input=stdin, capture_output=True, text=True)
        if run.returncode:
            raise SystemExit("%s: %s" % (words, run.stdout + run.stderr))
        return run.stdout.strip()

    def call(self, method, path, body=None, who=None, headers=()):
        connection = http.client.HTTPConnection("127.0.0.1", LISTEN, timeout=30)
        headers = {"Host": "argus.test", **dict(headers)}
        if who:
            headers["Authorization"] = "Token " + TOKENS.get(who, who)
        if body is not None and not isinstance(body, str):
            body = json.dumps(body)
            headers["Content-Type"] = "application/json"
        connection.request(method, path, body, headers)
        reply = connection.getresponse()
        return reply.status, reply.headers, reply.read().decode()

    def done(self, method, path, body=None, who="admin", headers=()):
        status, _, text = self.call(method, path, body, who, headers)
        if status not in (200, 201, 204):
            raise SystemExit("%s %s %s: %d %s" % (method, path, body, status, text))
        return json.loads(text) if text and text[0] in "[{" else text

    def made(self, path, body, who="admin"):
        return self.done("POST", path, body, who)["pk"]

    # What is done again and again.

    def incident(self, start, who="nav", **fields):
        body = {"start_time": start, "end_time": "infinity", "level": 3, "tags": [{"tag": "host=a.example.org"}], **fields}
        return self.made(V2 + "/incidents/", body, who)

    def event(self, incident, kind, at, who="nav", text=""):
        body = {"type": kind, "timestamp": at, "description": text}
        return self.made("%s/incidents/%d/events/" % (V2, incident), body, who)

    def ack(self, incident, at, who="alice", expiration=None):
        body = {"timestamp": at, "description": "seen", "expiration": expiration}
        return self.made("%s/incidents/%d/acks/" % (V2, incident), body, who)

    def timeslot(self, name, who="alice", recurrences=None):
        if recurrences is None:
            recurrences = [{"days": [1, 2, 3, 4, 5, 6, 7], "all_day": True}]
        return self.made(PROFILES + "/timeslots/", {"name": name, "time_recurrences": recurrences}, who)

    def filter(self, name, blob, who="alice", **fields):
        return self.made(PROFILES + "/filters/", {"name": name, "filter": blob, **fields}, who)

    def destination(self, media, settings, label, who="alice"):
        return self.made(PROFILES + "/destinations/", {"media": media, "settings": settings, "label": label}, who)

    def profile(self, name, timeslot, filters, destinations, who="alice", active=True):
        body = {"name": name, "timeslot": timeslot, "filters": filters, "destinations": destinations, "active": active}
        return self.made(PROFILES + "/", body, who)

    def hook(self, status, label, who="alice", **settings):
        url = "http://127.0.0.1:%d/%d/%s" % (SINK, status, urllib.parse.quote(label))
        return self.destination("webhook", {"destination_url": url, **settings}, label, who)

    def contact(self, number, **fields):
        addresses = {"email": "c%d@example.org" % number}
        body = {"id": uuid(number), "full_name": "Contact %d" % number, "default_channel": EMAIL, "addresses": addresses}
        self.done("PUT", "%s/contacts/%s" % (ICINGA, uuid(number)), {**body, **fields})

    def group(self, number, **fields):
        body = {"id": uuid(number), "name": "Group %d" % number, **fields}
        self.done("PUT", "%s/contactgroups/%s" % (ICINGA, uuid(number)), body)

    def channel(self, ident, name, kind, config):
        words = ["channel", "create", "--name", name, "--type", kind, "--id", ident, "--config", "-"]
        self.cli(*words, stdin=json.dumps(config))

    def messages(self):
        """How many there are in which state, by incident."""
        page = self.done("GET", NATIVE + "/deliveries/?page_size=1000")
        return page["results"] if isinstance(page, dict) else page

    def until(self, what, is_so):
        for _ in range(1200):
            if is_so():
                return
            time.sleep(0.1)
        raise SystemExit("it never came to this: " + what)

    def settled(self, count, state):
        found = lambda: len([row for row in self.messages() if row["state"] == state])
        self.until("%d messages %s" % (count, state), lambda: found() >= count)

    def session(self, username, password=PASSWORD):
        """Logs in on the pages; a function that sends forms."""
        agent = {"User-Agent": "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"}
        cookies = {}

        def send(method, path, fields=None):
            headers = {**agent, "Cookie": "; ".join("%s=%s" % pair for pair in cookies.items())}
            body = None
            if fields is not None:
                csrf = next(value for name, value in cookies.items() if "csrf" in name.lower())
                body = urllib.parse.urlencode({"csrf": csrf, **fields}, doseq=True)
                headers["Content-Type"] = "application/x-www-form-urlencoded"
            status, answered, text = self.call(method, path, body, headers=headers)
            for cookie in answered.get_all("Set-Cookie") or []:
                name, value = cookie.split(";")[0].split("=", 1)
                cookies[name] = value
            if status not in (200, 303):
                raise SystemExit("%s %s: %d %s" % (method, path, status, re.sub(r"<[^>]*>", "", text)[-2000:]))
            return text

        send("GET", "/accounts/login/")
        send("POST", "/accounts/login/", {"next": "/incidents/", "username": username, "password": password})
        return send


def first(desk):
    """Incidents with events of each type; users, tokens, sources, timeslots, filters."""
    # Creates the data file.
    desk.cli("generate", "0")
    for words in (
        ["source", "create", "nav", "--type", "nav", "--base-url", "https://nav.example.org/app/"],
        ["source", "create", "zabbix", "--type", "zabbix"],
        ["user", "create", "alice", "--email", "alice@example.org", "--first-name", "Alice", "--last-name", "Ål"],
        ["user", "create", "stan", "--staff", "--email", "stan@example.org"],
        ["user", "create", "bob", "--email", "bob@example.org"],
        ["user", "create", "gone", "--superuser"],
    ):
        desk.cli(*words)
    for user in ("alice", "stan", "bob", "admin"):
        desk.cli("user", "password", user, stdin=PASSWORD)
    for user, token in TOKENS.items():
        desk.cli("token", "create", user, "--value", token, "--expires", "never")
    desk.cli("token", "create", "bob", "--value", "b0" * 20, "--expires", "3650")
    desk.cli("token", "create", "gone", "--value", "60" * 20, "--expires", "never")
    desk.start()
    login(desk)
    desk.done("POST", V2 + "/incidents/source-types/", {"name": "unused"}, "stan")
    desk.done("PATCH", V2 + "/incidents/sources/3/", {"name": "zabbix, renamed"})
    desk.done("POST", V2 + "/incidents/sources/heartbeat/", {}, "nav")

    shut = desk.incident(
        "2026-10-01T08:00:00+02:00", source_incident_id="shut", description="Fan of oslo-sw1 failed", level=2,
        details_url="device/1", metadata={"slot": 1, "text": "æøå"}, tags=[{"tag": "host=oslo-sw1"}, {"tag": "room=1"}],
    )
    desk.ack(shut, "2026-10-01T08:05:00Z", expiration="2026-10-02T08:00:00Z")
    ack = desk.ack(shut, "2026-10-01T08:06:00Z", who="stan")
    desk.done("PATCH", "%s/incidents/%d/acks/%d/" % (V2, shut, ack), {"expiration": "2090-01-01T00:00:00Z"}, "stan")
    desk.event(shut, "OTH", "2026-10-01T08:10:00Z", who="alice", text="Spare part ordered\nsecond line")
    desk.event(shut, "END", "2026-10-01T09:00:00Z", text="Fan replaced")
    desk.event(shut, "RES", "2026-10-01T10:00:00Z", text="again")
    desk.event(shut, "CLO", "2026-10-01T11:00:00Z", who="alice", text="done")
    desk.event(shut, "REO", "2026-10-01T12:00:00Z", who="alice", text="not done")
    desk.event(shut, "CLO", "2026-10-01T13:00:00Z", who="stan")

    edited = desk.incident("2026-10-02T08:00:00Z", source_incident_id="edited", details_url="https://elsewhere.example.org/x")
    desk.done("PATCH", "%s/incidents/%d/" % (V2, edited), {"level": 1, "tags": [{"tag": "host=b"}, {"tag": "owner=x"}]}, "nav")
    desk.done("PATCH", "%s/incidents/%d/" % (V2, edited), {"description": "Now with words"}, "nav")
    desk.done("PUT", "%s/incidents/%d/ticket_url/" % (V2, edited), {"ticket_url": "https://tickets.example.org/1"}, "alice")
    desk.made("%s/incidents/%d/acks/" % (V1, edited), {"event": {"timestamp": "2026-10-02T09:00:00Z"}}, "alice")
    tag = "%s/incidents/%d/tags/" % (V2, edited)
    desk.done("POST", tag, {"tag": "by=stan"}, "stan")
    desk.done("POST", tag, {"tag": "by=mistake"}, "stan")
    desk.done("DELETE", tag + "by=mistake/", who="stan")

    desk.incident("2026-10-03T08:00:00Z", end_time=None, description="Stateless", level=5)
    desk.incident("2026-10-04T08:00:00Z", end_time="2026-10-04T09:00:00Z", description="Ended before it was posted")
    desk.incident("2026-10-05T08:00:00Z", description="Open, nobody is on it", level=1, tags=[])
    gone = desk.incident("2026-10-06T08:00:00Z", source_incident_id="deleted")
    desk.done("DELETE", "%s/incidents/%d/" % (V2, gone), who="admin")
    desk.cli("incident", "create", "--description", "Test", "--level", "4", "--tag", "site=hq")

    always = desk.timeslot("Always mine")
    desk.done("PATCH", "%s/timeslots/%d/" % (PROFILES, always), {"name": "Always, renamed"}, "alice")
    parts = [{"days": [1, 2], "start": "08:00:00", "end": "16:00:00"}, {"days": [7], "start": "10:00:00", "end": "11:30:30"}]
    desk.timeslot("Office hours", recurrences=parts)
    unused = desk.timeslot("Unused")
    desk.done("DELETE", "%s/timeslots/%d/" % (PROFILES, unused), who="alice")
    desk.filter("All of nav", {"sourceSystemIds": [2]})
    blob = {"sourceSystemIds": [2, 3], "tags": ["host=a.example.org"], "open": True, "acked": False, "stateful": True,
            "maxlevel": 4, "source_types": ["nav"], "event_types": ["STA", "ACK"], "hide_closed_acked": True}
    full = desk.filter("Each criterion", blob, public=True)
    desk.done("PATCH", "%s/filters/%d/" % (PROFILES, full), {"name": "Each criterion, renamed"}, "alice")
    unused = desk.filter("Deleted", {"open": True}, "stan")
    desk.done("DELETE", "%s/filters/%d/" % (PROFILES, unused), who="stan")
    desk.cli("user", "deactivate", "gone")
    desk.stop()


def login(desk):
    """Tokens that come from a password, and from another token."""
    password = {"username": "bob", "password": PASSWORD}
    desk.done("POST", V2 + "/token-auth/", password, None)
    desk.done("POST", V2 + "/auth/token/login/", password, None)
    desk.done("POST", V2 + "/auth/token/login/", {}, "stan")


def second(desk):
    """Profiles, destinations, maintenance, messages; contacts, groups and channels."""
    desk.channel(EMAIL, "Mail", "email", {"user": "argus", "password": "not-a-secret-mail", "host": "127.0.0.1", "port": "18097",
                                         "sender_mail": "argus@example.org"})
    desk.channel(HOOK, "Hook", "webhook", {"url": "http://127.0.0.1:%d/200/not-a-secret-hook" % SINK})
    desk.start()
    slots = {slot["name"]: slot["pk"] for slot in desk.done("GET", PROFILES + "/timeslots/", who="alice")}
    always = slots["Always, renamed"]
    of_nav = desk.filter("For profiles", {"sourceSystemIds": [2], "maxlevel": 5})
    taken = desk.hook(200, "taken", secret="not-a-secret-key")
    refused = desk.hook(404, "refused")
    busy = desk.hook(503, "busy")
    desk.destination("slack", {"destination_url": "https://hooks.slack.example.org/services/not/a/secret"}, "chat")
    desk.destination("ntfy", {"destination_url": "http://127.0.0.1:%d/golden" % SINK, "token": "not-a-secret"}, "push")
    number = desk.destination("sms", {"phone_number": "+4767676767"}, "phone")
    mail = desk.destination("email", {"email_address": "alice.golden@example.org"}, "mail")
    left = desk.hook(200, "deleted later")
    never = desk.timeslot("Never", recurrences=[])
    desk.profile("Told", always, [of_nav], [taken, refused, busy, mail])
    desk.profile("Covered", always, [of_nav], [taken])
    desk.profile("Never open", never, [of_nav], [taken])
    desk.profile("Leads nowhere", always, [of_nav], [])
    desk.profile("Switched off", always, [of_nav], [number], active=False)
    leads = desk.profile(None, always, [of_nav], [left])
    desk.profile("Reported", always, [desk.filter("Own", {"sourceSystemIds": [1]})], [taken, refused])
    dropped = desk.profile("Deleted", always, [of_nav], [number])
    desk.done("DELETE", "%s/%d/" % (PROFILES, dropped), who="alice")

    plans = V2 + "/plannedmaintenance/"
    quiet = desk.filter("Quiet host", {"tags": ["host=quiet"]}, "stan")
    window = {"filters": [quiet], "start_time": "2026-10-01T00:00:00Z"}
    desk.made(plans, {**window, "end_time": "2090-01-01T00:00:00Z", "description": "Long, and under way"}, "stan")
    desk.made(plans, {**window, "start_time": "2089-01-01T00:00:00Z", "end_time": "infinity"}, "stan")
    over = desk.made(plans, {**window, "end_time": "2089-10-02T00:00:00Z", "description": "Edited"}, "stan")
    desk.done("PATCH", "%s%d/" % (plans, over), {"end_time": "2088-10-03T00:00:00Z", "description": "Edited, it ends sooner"}, "stan")
    gone = desk.made(plans, {**window, "start_time": "2089-01-01T00:00:00Z"}, "stan")
    desk.done("DELETE", "%s%d/" % (plans, gone), who="stan")

    told = desk.incident("2026-10-11T08:00:00Z", source_incident_id="told", description="Everybody is told")
    desk.settled(2, "delivered")
    desk.settled(1, "dead")
    tags = [{"tag": "host=a.example.org"}, {"tag": "since=the-decision"}]
    desk.done("PATCH", "%s/incidents/%d/" % (V2, told), {"tags": tags, "level": 4}, "nav")
    desk.event(told, "END", "2026-10-11T09:00:00Z", text="It is over")
    desk.incident("2026-10-12T08:00:00Z", tags=[{"tag": "host=quiet"}], description="In maintenance")
    desk.incident("2026-10-13T08:00:00Z", who="argus", tags=[{"tag": "destination_id=%d" % taken}], description="About a destination")
    desk.settled(4, "delivered")
    desk.done("PATCH", "%s/%d/" % (PROFILES, leads), {"destinations": [], "name": "Led somewhere"}, "alice")
    desk.done("DELETE", "%s/destinations/%d/" % (PROFILES, left), who="alice")
    desk.done("PATCH", "%s/destinations/%d/" % (PROFILES, mail), {"label": "mail, renamed"}, "alice")

    desk.group(901)
    desk.group(902, origin="directory")
    desk.group(903)
    for member in range(1, 6):
        desk.contact(member, groups=[uuid(901)], username="c%d" % member, origin="directory")
    desk.contact(6, default_channel=HOOK, addresses={}, full_name="By hook")
    desk.contact(7, full_name="Deleted")
    desk.contact(1, groups=[uuid(901), uuid(902)], username="alice", addresses={"email": "alice.golden@example.org"})
    desk.done("DELETE", "%s/contacts/%s" % (ICINGA, uuid(7)))
    desk.done("DELETE", "%s/contactgroups/%s" % (ICINGA, uuid(903)))
    desk.stop()

    desk.start(send=False)
    desk.incident("2026-10-14T08:00:00Z", source_incident_id="off", description="Sending is switched off")
    login(desk)
    desk.stop()


def third(desk):
    """Pages with sessions, tokens with notes and preferences; rules."""
    desk.start()
    login(desk)
    page = desk.session("alice")
    page("POST", "/user/preferences/", {"theme": "dark", "date_format": "RFC5322", "time_zone": "Asia/Tokyo", "density": "compact",
                                        "page_size": "50", "about_noise": "1", "sound": "on"})
    page("GET", "/incidents/?open=yes&maxlevel=4")
    page("POST", "/user/tokens/", {"note": "dashboard", "days": "never"})
    page("POST", "/user/details/", {"first_name": "Alice", "last_name": "Golden", "email": "alice@example.org"})
    always = desk.timeslot("All the time, for rules", "admin")
    every = desk.filter("Of nav, for rules", {"sourceSystemIds": [2]}, "admin", public=True)
    to_group = [{"group": uuid(901)}, {"contact": uuid(6), "channel": HOOK}]
    desk.made(NATIVE + "/rules/", {"name": "Group and hook", "timeslot": always, "filters": [every], "recipients": to_group})
    desk.incident("2026-10-21T08:00:00Z", source_incident_id="by rule", description="Contacts are told", level=2)
    desk.settled(5, "delivered")
    desk.stop()


def fourth(desk):
    """The rest: summaries, contacts left out, all that can be edited or deleted."""
    desk.start()
    login(desk)
    desk.session("stan")("POST", "/user/preferences/", {"theme": "light", "density": "comfortable"})
    page = desk.session("alice")
    page("POST", "/user/tokens/", {"note": "by hand", "days": "365"})

    slots = {slot["name"]: slot["pk"] for slot in desk.done("GET", PROFILES + "/timeslots/")}
    filters = {it["name"]: it["pk"] for it in desk.done("GET", PROFILES + "/filters/")}
    always, every = slots["All the time, for rules"], filters["Of nav, for rules"]
    never = desk.timeslot("Never, for rules", "admin", [])
    rules = NATIVE + "/rules/"
    rule = {"timeslot": always, "filters": [every]}
    desk.channel(SPARE, "Spare", "email", {"host": "127.0.0.1", "port": "18097", "sender_mail": "spare@example.org"})
    to_group = [{"group": uuid(901)}]
    desk.made(rules, {**rule, "name": "The group again", "recipients": to_group})
    desk.made(rules, {**rule, "name": "By the spare channel", "recipients": [{"contact": uuid(2), "channel": SPARE}]})
    desk.made(rules, {**rule, "name": "Never open", "timeslot": never, "recipients": to_group})
    desk.made(rules, {**rule, "name": "Nobody", "recipients": []})
    desk.made(rules, {**rule, "name": "Switched off", "recipients": to_group, "active": False})
    desk.channel(uuid(904), "Mail of the server", "email", {})
    own = desk.filter("Own, for rules", {"sourceSystemIds": [1]}, "admin")
    desk.made(rules, {**rule, "name": "Own incidents", "filters": [own], "recipients": [{"contact": uuid(2), "channel": uuid(904)}]})
    alone = desk.made(rules, {**rule, "name": "Loses its contact", "recipients": [{"contact": uuid(5)}]})
    gone = desk.made(rules, {**rule, "name": "Deleted", "recipients": to_group})
    desk.done("PATCH", "%s%d/" % (rules, alone), {"name": "Lost its contact"})
    desk.done("DELETE", "%s%d/" % (rules, gone))

    desk.incident("2026-11-01T08:00:00Z", source_incident_id="crowd", description="More contacts than one event tells", level=1)
    desk.incident("2026-11-02T08:00:00Z", tags=[{"tag": "host=quiet"}], description="In maintenance, with rules")
    desk.incident("2026-11-03T08:00:00Z", who="argus", tags=[{"tag": "medium=email"}], description="About a medium")
    storm = desk.hook(200, "storm", "stan")
    only = desk.filter("Storm", {"tags": ["storm=yes"]}, "stan")
    desk.profile("Storm", desk.timeslot("Stan's", "stan"), [only], [storm], "stan")
    for number in range(8):
        desk.incident("2026-11-04T08:00:0%dZ" % number, tags=[{"tag": "storm=yes"}], description="Storm %d" % number)
    desk.settled(3, "gathered")
    desk.until("a summary is sent", lambda: any(row.get("summary_of") and row["state"] == "delivered" for row in desk.messages()))

    many = [row["pk"] for row in desk.done("GET", V2 + "/incidents/?page_size=5&open=true", who="stan")["results"]]
    at = "2026-11-05T08:00:00Z"
    desk.done("POST", V2 + "/incidents/acks/bulk/", {"ids": many[:2], "ack": {"timestamp": at, "description": "both"}}, "stan")
    desk.done("POST", V2 + "/incidents/events/bulk/", {"ids": many[2:4], "event": {"type": "CLO", "timestamp": at}}, "stan")
    desk.done("POST", V2 + "/incidents/ticket_url/bulk/", {"ids": many[:3], "ticket_url": "https://tickets.example.org/2"}, "stan")
    dead = next(row["pk"] for row in desk.messages() if row["state"] == "dead")
    desk.done("POST", "%s/deliveries/%d/retry/" % (NATIVE, dead))
    desk.until("it failed again", lambda: any(row["pk"] == dead and row["state"] == "dead" for row in desk.messages()))

    desk.contact(2, full_name="Contact 2, renamed", username="c2", groups=[uuid(901)], addresses={"email": "two@example.org"})
    desk.group(902, name="Group 902, renamed")
    desk.done("DELETE", "%s/contacts/%s" % (ICINGA, uuid(5)))
    desk.done("PATCH", "%s/channels/%s/" % (NATIVE, HOOK), {"name": "Hook, renamed"})
    desk.done("DELETE", "%s/channels/%s/" % (NATIVE, SPARE))
    phone = desk.made(V1 + "/auth/phone-number/", {"phone_number": "+4790000001"}, "alice")
    desk.made(V1 + "/auth/phone-number/", {"phone_number": "+4790000002"}, "alice")
    desk.done("DELETE", "%s/auth/phone-number/%d/" % (V1, phone), who="alice")
    desk.cli("user", "change", "bob", "--active", "false", "--grant", "notifications/api/v1")
    desk.done("PATCH", V2 + "/incidents/sources/3/", {"base_url": "https://zabbix.example.org/"})
    tokens = json.loads(desk.cli("token", "list", "--user", "alice", "--json"))
    desk.cli("token", "revoke", str(tokens[-1]["pk"]))
    desk.stop()
    desk.start(send=False)
    desk.incident("2026-11-06T08:00:00Z", description="Sending is switched off, with rules")
    desk.stop()
    desk.cli("source", "change", "zabbix, renamed", "--heartbeat", "3600")


def keep(desk, name):
    desk.cli("check")
    kept = desk.directory / (name + ".redb")
    shutil.copyfile(desk.directory / "golden.redb", kept)
    print("%s: %d KiB" % (name, kept.stat().st_size >> 10))


def main(directory, *binaries):
    directory = pathlib.Path(directory).resolve()
    directory.mkdir(parents=True)
    sink = http.server.ThreadingHTTPServer(("127.0.0.1", SINK), Sink)
    threading.Thread(target=sink.serve_forever, daemon=True).start()
    for name, step, binary in zip(RELEASES, (first, second, third, fourth), binaries, strict=True):
        desk = Desk(directory, str(pathlib.Path(binary).resolve()))
        try:
            step(desk)
        finally:
            if desk.server and desk.server.poll() is None:
                desk.server.kill()
        keep(desk, name)


if __name__ == "__main__":
    if len(sys.argv) != 2 + len(RELEASES):
        sys.exit(__doc__)
    main(*sys.argv[1:])
