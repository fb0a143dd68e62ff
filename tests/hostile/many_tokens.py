"""One plain user who makes 5,500 login tokens, each with the token that there was before."""

import time

NAME = "5,500 login tokens of one user"

TOKENS = 5_500


def prepare(site):
    return [(site.mallory,)]


def attack(attacker, token):
    me, made, refused, took = attacker.another(token=token), 0, 0, []
    while made < TOKENS and refused < 100 and me.left() > 0:
        began = time.monotonic()
        status, _ = me.call("login", "POST", "/api/v2/auth/token/login/")
        if status == 200:
            made += 1
            took.append((time.monotonic() - began) * 1000)
        else:
            refused += 1
    some = min(100, len(took))
    if some:
        first, last = (sum(part) / some for part in (took[:some], took[-some:]))
        attacker.notes.append(f"{made:,} tokens, the first {some} in {first:.2f} ms each, the last in {last:.2f} ms")
