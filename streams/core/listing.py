"""A page of the events behind a figure, newest first.

A page is named by the event that it begins after, not by a number: so what is listed stays what it is while newer
events keep coming. Pure. Called by ``console.why``.
"""

import re
from bisect import bisect_left
from dataclasses import dataclass

from streams.core.evidence import Account, Scan, Step
from streams.core.questions import WrongQuestion

_CURSOR = re.compile(r"([0-9]{1,15})_([0-9A-Za-z-]{1,64})", re.ASCII)


@dataclass(frozen=True, slots=True)
class Listing:
    """Some events of all there are.

    Attributes:
        steps: newest first.
        total: how many there are.
        newer_than: how many are newer than these.
        older: names the page after this one, ``None`` if there is none.
        newer: names the page before this one; empty for the newest, ``None`` if this is it.
    """

    steps: tuple[Step, ...]
    total: int
    newer_than: int
    older: str | None
    newer: str | None


def listing(account: Account, limit: int, before: str | None = None) -> Listing:
    """The ``limit`` newest events, or those before the one that ``before`` names.

    Raises:
        WrongQuestion: ``before`` is no such name. One that names an event of elsewhere is: it has a time.
    """
    scans = [step for step in account.steps if isinstance(step.record, Scan)]
    order = [_order(step) for step in scans]
    end = len(scans)
    if before is not None:
        named = _CURSOR.fullmatch(before)
        if named is None:
            raise WrongQuestion("not-a-page", f"before={before}: no page is called so", typed=before)
        end = bisect_left(order, (int(named[1]), named[2]))
    start = max(0, end - limit)
    newer = None
    if end < len(scans):
        newer = _name(scans[end + limit]) if end + limit < len(scans) else ""
    older = _name(scans[start]) if start > 0 else None
    return Listing(tuple(reversed(scans[start:end])), len(scans), len(scans) - end, older, newer)


def _order(step: Step) -> tuple[int, str]:
    return step.at_ms, step.record.event_id if step.record is not None else ""


def _name(step: Step) -> str:
    at_ms, event_id = _order(step)
    return f"{at_ms}_{event_id}"
