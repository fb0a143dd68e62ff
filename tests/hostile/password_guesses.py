"""Wrong passwords from 49 addresses, while people who know theirs log in from another one.

Guesses come at 20 a second first, and then as fast as they are answered. They try six people, six contact syncs and the
administrator. People and syncs logged in once before from 127.0.0.1, and do so again meanwhile.
"""

import base64
import time
import urllib.parse

from harness import ADDRESSES, PASSWORD, PERSON

NAME = "guessed passwords from 49 addresses"

GUESSES_A_SECOND = 20
PEOPLE = [f"person{number}" for number in range(6)]
SYNCS = [f"sync{number}" for number in range(6)]
NAMES = [*PEOPLE, *SYNCS, "admin"]
CONTACTS = "/icinga-current/notifications/api/v1/contacts"
# The value of the cookie has to be that of the field.
FORM = {"Content-Type": "application/x-www-form-urlencoded", "Cookie": "csrftoken=x"}


def prepare(site):
    for name in PEOPLE:
        site.user(name)
    for name in SYNCS:
        site.user(name, "--grant", "notifications/api/v1")
    return [("guesser", ADDRESSES[half::2], half) for half in (0, 1)] + [(PERSON, [*PEOPLE, *SYNCS], 0)]


def attack(attacker, what, names, half):
    if what == "guesser":
        attacker.together(len(names), lambda number: guess(attacker, names[number], number, half))
    else:
        log_in(attacker, names)


def guess(attacker, address, number, half):
    me, turn, began = attacker.another(source_address=address), number, time.monotonic()
    every, steady = len(ADDRESSES) / GUESSES_A_SECOND, attacker.left() / 2
    # The first logins of their owners come before.
    time.sleep(3 + every * (2 * number + half) / len(ADDRESSES))
    while me.left() > 0:
        turn += 1
        name, password = NAMES[turn % len(NAMES)], f"guess {number} {turn}"
        if turn % 3 == 0:
            me.call("guess, token-auth", "POST", "/api/v2/token-auth/", {"username": name, "password": password})
        elif turn % 3 == 1:
            me.call("guess, Basic", "GET", CONTACTS, headers=basic(name, password))
        else:
            me.call("guess, login page", "POST", "/accounts/login/", form(name, password), FORM)
        if time.monotonic() - began < steady:
            time.sleep(min(every, max(0.0, me.left())))


def log_in(attacker, names):
    """The right password, in three ways in turn; each must let its owner in at the first try."""
    me, slowest = attacker.another(source_address="127.0.0.1"), {}

    def check(what, good, status, began):
        me.count(what, status)
        slowest[what] = max(slowest.get(what, 0.0), time.monotonic() - began)
        problem = f"right password refused: {what}"
        if status != good and problem not in attacker.problems:
            attacker.problems.append(problem)

    for name in names:
        began = time.monotonic()
        check("before the attack", 200, token_auth(me, name), began)
    time.sleep(max(0.0, min(4.0, me.left())))
    turn, unused = 0, [name for name in names if name in SYNCS]
    while me.left() > 2:
        name, began = names[turn % len(names)], time.monotonic()
        if turn % 3 == 0 and unused:
            # Each once: afterwards the password is believed for a minute without being checked.
            headers = basic(unused.pop(), PASSWORD)
            check("right password, Basic", 200, me.call(PERSON, "GET", CONTACTS, headers=headers)[0], began)
        elif turn % 3 == 1:
            check("right password, token-auth", 200, token_auth(me, name), began)
        else:
            check("right password, login page", 303, login_page(me, name), began)
        turn += 1
        time.sleep(min(1.0, max(0.0, me.left())))
    attacker.notes += [f"{what}: {seconds:.2f} s at most" for what, seconds in slowest.items()]
    elsewhere = attacker.another(source_address="127.0.0.99")
    attacker.notes.append(f"right password from a new address: {token_auth(elsewhere, names[0])}")


def token_auth(me, name):
    return me.call(PERSON, "POST", "/api/v2/token-auth/", {"username": name, "password": PASSWORD})[0]


def login_page(me, name):
    return me.call(PERSON, "POST", "/accounts/login/", form(name, PASSWORD), FORM)[0]


def form(username, password):
    return urllib.parse.urlencode({"csrf": "x", "username": username, "password": password}).encode()


def basic(username, password):
    text = base64.b64encode(f"{username}:{password}".encode()).decode()
    return {"Authorization": f"Basic {text}", "Accept": "application/json"}
