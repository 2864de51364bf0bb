"""Who may send: one API key for now, compared in constant time."""

import hmac

from streams.errors import RejectedEvent


def is_known(authorization: str | None, dev_key: str) -> bool:
    """Whether the header carries the key."""
    scheme, _, given = (authorization or "").partition(" ")
    return scheme.lower() == "bearer" and hmac.compare_digest(given.strip().encode(), dev_key.encode())


def check(authorization: str | None, dev_key: str) -> None:
    """Let the bearer of the key pass.

    Raises:
        RejectedEvent: ``unknown-key``, status 401.
    """
    if is_known(authorization, dev_key):
        return
    detail = "send the header «Authorization: Bearer KEY»; musee up prints the key of this machine"
    raise RejectedEvent("unknown-key", detail, status=401)
