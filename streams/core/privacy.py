"""Pseudonyms: which key serves which purpose and period, and how an identifier becomes one.

The gateway calls this before anything else sees the identifier. A key belongs to one organisation, one purpose and one
period; destroying it unlinks every pseudonym made with it. Keys come from ``adapters.keys``.
"""

import hashlib
import hmac
import unicodedata
from datetime import UTC, datetime
from typing import Literal

PSEUDONYM_BYTES = 16

Period = Literal["month", "day"]


def normalise(identifier: str) -> str:
    """The identifier as two systems would agree on it: NFKC, upper case, no blanks or dashes unless all are dashes."""
    text = unicodedata.normalize("NFKC", identifier)
    bare = "".join(sign for sign in text if not sign.isspace() and unicodedata.category(sign) != "Pd")
    return (bare or text).upper()


def period(at_ms: int, length: Period = "month") -> str:
    """Name of the month or day (UTC) that contains ``at_ms``, e.g. ``2015-02``, ``2015-02-03``: what a key serves."""
    day = datetime.fromtimestamp(at_ms / 1000, UTC).date().isoformat()
    return day if length == "day" else day[:7]


def pseudonym(key: bytes, identifier: str) -> str:
    """32 hex digits: HMAC-SHA256 of the normalised identifier, cut to 16 bytes.

    Source: RFC 2104; truncation to half the hash length as its section 5 allows.
    """
    digest = hmac.new(key, normalise(identifier).encode(), hashlib.sha256).digest()
    return digest[:PSEUDONYM_BYTES].hex()
