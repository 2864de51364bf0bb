"""Device clocks: how far what a device says about time is believed.

Skew is the gateway's receipt minus the device's own ``sent_at``, stamped at each try. Pure.
"""

from typing import Literal

from streams.core.days import MINUTE_MS

Trust = Literal["SYNCED", "DRIFTING", "UNSYNCED", "UNKNOWN"]

AHEAD_MS = 5 * MINUTE_MS  # a live site's event may be this far ahead of the gateway
_SYNCED_MS = 5 * MINUTE_MS
_DRIFTING_MS = 24 * 60 * MINUTE_MS


def trust(sent_ms: int | None, received_ms: int) -> Trust:
    """How far the clock of the device that sent at ``sent_ms`` is believed; ``UNKNOWN`` if it did not say."""
    if sent_ms is None:
        return "UNKNOWN"
    skew_ms = abs(received_ms - sent_ms)
    if skew_ms <= _SYNCED_MS:
        return "SYNCED"
    return "DRIFTING" if skew_ms <= _DRIFTING_MS else "UNSYNCED"
