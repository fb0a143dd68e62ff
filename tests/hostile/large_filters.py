"""One plain user with 600 public filters of 200 tags with 990 characters each, and what everybody else has to load."""

NAME = "600 public filters of 200 × 990 characters"

API = "/api/v2/notificationprofiles/filters/"
FILTERS, TAGS, LENGTH = 600, 200, 990
PAGE_LIMIT = 2_000_000


def prepare(site):
    return [(site.mallory,)]


def attack(attacker, token):
    """Where so large a filter is refused, with half the tags from then on."""
    me, made, tags, refused = attacker.another(token=token), 0, TAGS, 0
    while made < FILTERS and refused < 10 and me.left() > 0:
        blob = {"tags": [f"host={made}-{tag}-".ljust(LENGTH, "x") for tag in range(tags)]}
        status, _ = me.call("filter", "POST", API, {"name": f"f{made}", "public": True, "filter": blob})
        if status == 201:
            made += 1
        elif tags > 1:
            tags //= 2
        else:
            refused += 1
    if made:
        attacker.notes.append(f"{made} filters, the last one of {tags} tags")


def observe(site):
    """Sizes of what a colleague sees."""
    pages = {path: site.page_size(path, username="colleague") for path in ("/incidents/", "/notifications/filters/")}
    pages[API] = site.page_size(API, token=site.colleague)
    problems = [f"{path} over {PAGE_LIMIT / 1e6:.0f} MB" for path, size in pages.items() if size > PAGE_LIMIT and path != API]
    return [f"{path} of a colleague {size / 1e6:,.2f} MB" for path, size in pages.items()], problems
