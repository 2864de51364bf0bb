"""How far a site's input is complete: the event time up to which nothing more is expected.

Takes the greatest event time that a site sent in any family and the time of day, gives the site's watermark. Pure:
``now_ms`` is an argument. Called by ``agents.watch`` once a second; ``core.windows`` says what is due at a watermark.

Source: Akidau et al., "The Dataflow Model", VLDB 2015, sections 1.3 (watermarks) and 2.3 (they are sometimes too fast:
what comes behind one is late, not lost); allowed lateness as in Apache Beam.
"""

from streams.core.clocks import AHEAD_MS
from streams.core.days import MINUTE_MS

OUT_OF_ORDERNESS_MS = 2 * MINUTE_MS  # gates of one site may be this far apart without any of them being late
ALLOWED_LATENESS_MS = 15 * MINUTE_MS  # scanners upload in quarter-hour bursts when the Wi-Fi drops
IDLE_MS = 5 * MINUTE_MS  # a live site that says nothing has nothing older than this to say
CREDIBLE_AHEAD_MS = AHEAD_MS


def is_credible(occurred_ms: int, received_ms: int, *, replay: bool) -> bool:
    """Whether an event's time may move its site's watermark; one far ahead would close windows that still fill.

    Args:
        occurred_ms: event time, epoch ms, UTC, as the gateway corrected it.
        received_ms: when the gateway accepted it, epoch ms, UTC.
        replay: the site runs on its events' clock, which is believed whatever it says.
    """
    return replay or occurred_ms <= received_ms + CREDIBLE_AHEAD_MS


def of_site(
    stood_ms: int | None, occurred_ms: int | None, received_ms: int | None, counted_ms: int, *, replay: bool
) -> int | None:
    """A site's watermark from what it said last.

    A record's ``received_ms`` is its writer's word: at a live site none is believed that lies ahead of the time of day,
    nor a watermark that such a record moved before.

    Args:
        stood_ms: where it stood, ``None`` if it has none; a replayed site has no other than its events'.
        occurred_ms, received_ms: greatest event and ingest time of the site, ``None`` if it was never heard.
        counted_ms: everything appended until then is counted; an idle live site follows it.
        replay: the site runs on its events' clock.
    """
    if replay:
        return advance(None, occurred_ms, counted_ms, replay=True)
    believed = min(received_ms or 0, counted_ms)
    if occurred_ms is not None and not is_credible(occurred_ms, believed, replay=False):
        occurred_ms = None
    if stood_ms is not None and stood_ms > counted_ms + CREDIBLE_AHEAD_MS:
        stood_ms = None
    return advance(stood_ms, occurred_ms, counted_ms, replay=False)


def advance(stood_ms: int | None, greatest_ms: int | None, now_ms: int, *, replay: bool) -> int | None:
    """A site's watermark now.

    Args:
        stood_ms: where it stood, epoch ms, UTC; ``None`` if it has none.
        greatest_ms: greatest credible event time of the site in any family; ``None`` if nothing was heard.
        now_ms: time of day, epoch ms, UTC.
        replay: the site runs on its events' clock: the time of day does not move it.

    Returns:
        Epoch ms, UTC, never below ``stood_ms``, whatever a clock or a store that went back says; ``None`` for a replay
        site that was never heard.
    """
    reached = [] if stood_ms is None else [stood_ms]
    if greatest_ms is not None:
        reached.append(greatest_ms - OUT_OF_ORDERNESS_MS)
    if not replay:
        reached.append(now_ms - IDLE_MS)
    return max(reached, default=None)
