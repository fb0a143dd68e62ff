"""One plain user who creates 5,000 source types with names of 1,000 characters over four connections.

Everybody else's list page has all of them in a menu.
"""

NAME = "5,000 source types of 1,000 characters"

API = "/api/v2/incidents/source-types/"
TYPES, LENGTH, WORKERS = 5_000, 1_000, 4
PAGE_LIMIT = 2_000_000


def prepare(site):
    return [(site.mallory,)]


def attack(attacker, token):
    """Where so long a name is refused, with half as long ones from then on."""
    lengths = []

    def create(worker):
        me, made, length, refused = attacker.another(token=token), 0, LENGTH, 0
        while made < TYPES / WORKERS and refused < 10 and me.left() > 0:
            status, _ = me.call("type", "POST", API, {"name": f"type{worker}-{made}-".ljust(length, "x")})
            if status == 201:
                made += 1
            elif length > 20:
                length //= 2
            else:
                refused += 1
        lengths.append(length)

    attacker.together(WORKERS, create)
    attacker.notes.append(f"the last names have {min(lengths, default=0)} characters")


def observe(site):
    size = site.page_size("/incidents/", username="colleague")
    problems = [f"/incidents/ over {PAGE_LIMIT / 1e6:.0f} MB"] if size > PAGE_LIMIT else []
    return [f"/incidents/ of a colleague {size / 1e6:,.2f} MB"], problems
