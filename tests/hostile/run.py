#!/usr/bin/env python3
"""Attacks a server from the position of a normal user or of a stranger, and prints what it cost: see docs/PERFORMANCE.md.

Needs Python 3.9+ and a release build. Each attack gets a fresh server on a free port of 127.0.0.1. While it lasts, another
source creates 20 incidents a second. It passes if the server's resident memory stays within 512 MB, the 99th percentile
of these creates within 100 ms, and all of them succeed. Exits with 1 if one does not pass.
"""

import argparse
import importlib
import sys
import traceback
from pathlib import Path

import harness
from harness import say

# One module each.
ATTACKS = ["nothing", "profiles", "metadata", "bulk_memory", "unread_bodies", "password_guesses", "large_filters",
           "source_types", "many_tokens", "bulk_writers", "thousand_streams", "five_thousand_streams", "large_events",
           "large_pages", "large_lists"]


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("binary")
    parser.add_argument("--only", choices=ATTACKS, action="append", help="may be repeated")
    parser.add_argument("--seconds", type=float, default=30, help="of each attack")
    parser.add_argument("--limit", type=int, default=4096, help="MB above which the server is killed to save the machine")
    options = parser.parse_args()
    harness.raise_file_limit()
    binary = str(Path(options.binary).resolve())
    rows, failed = [], False
    for name in options.only or ATTACKS:
        say(f"{name} …")
        try:
            outcome = harness.carry_out(importlib.import_module(name), binary, options.seconds, options.limit)
            row, failed = outcome.row(), failed or bool(outcome.judge())
        except (Exception, SystemExit) as error:  # noqa: BLE001 - the other attacks are still worth their figures
            traceback.print_exc()
            row, failed = f"| {name} | | | | | {type(error).__name__}: {error} | FAIL |", True
        say(row)
        rows.append(row)
    print("\n".join([harness.HEAD, *rows]))
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
