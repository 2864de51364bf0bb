"""Chance that can be had again: a generator for what it is for, the same on every machine.

Each question has a generator of its own, so that one more question changes the answers to no other.
"""

import random


def of(*parts: object) -> random.Random:
    """The generator that belongs to ``parts``, e.g. seed, day, site and purpose."""
    return random.Random("|".join(map(str, parts)))  # noqa: S311 - museums, not secrets
