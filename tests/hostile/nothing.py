"""No attack, for comparison."""

import time

NAME = "no attack"


def prepare(site):
    return [()]


def attack(attacker):
    time.sleep(attacker.left() / 2)
