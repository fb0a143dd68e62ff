"""One plain user who creates 5,500 login tokens, over four connections."""

import time

NAME = "5,500 login tokens of one user"

TOKENS, WORKERS = 5_500, 4


def prepare(site):
    return [(site.mallory,)]


def attack(attacker, token):
    took = []

    def log_in(_):
        me, made, refused = attacker.another(token=token), 0, 0
        while made < TOKENS / WORKERS and refused < 100 and me.left() > 0:
            began = time.monotonic()
            status, _ = me.call("login", "POST", "/api/v2/auth/token/login/")
            if status == 200:
                made += 1
                took.append((time.monotonic() - began) * 1000)
            else:
                refused += 1

    attacker.together(WORKERS, log_in)
    some = min(100, len(took))
    if some:
        first, last = (sum(part) / some for part in (took[:some], took[-some:]))
        attacker.notes.append(f"the first {some} tokens took {first:.2f} ms each, the last {some} {last:.2f} ms")
