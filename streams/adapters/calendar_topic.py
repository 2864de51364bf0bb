"""The ``site-calendar`` topic: the compacted truth of when each site is open.

Agents follow it; ``musee calendar apply`` and ``musee sites apply`` write it.
"""

from collections.abc import Iterable
from dataclasses import asdict
from datetime import date
from typing import Any

from streams.adapters import avro, registry
from streams.adapters.producer import Outgoing, Producer
from streams.adapters.reference_topic import ReferenceTopic
from streams.core.calendar import Calendar, ExceptionalDay, Stretch
from streams.topology import SITE_CALENDAR


def encode(calendar: Calendar, updated_at_ms: int) -> bytes:
    """A calendar as a framed value."""
    week = [
        {"weekday": number, **asdict(stretch)}
        for number, stretches in enumerate(calendar.week, start=1)
        for stretch in stretches
    ]
    exceptions = [
        {"day": one.day.isoformat(), "hours": [asdict(stretch) for stretch in one.hours], "reason": one.reason}
        for one in calendar.exceptions
    ]
    record = {
        "site_id": calendar.site_id,
        "week": week,
        "exceptions": exceptions,
        "grace_min": calendar.grace_min,
        "updated_at": updated_at_ms,
    }
    return avro.encode(registry.by_name(SITE_CALENDAR.schema), record)


def decode(value: bytes) -> Calendar:
    """The calendar in a framed value; ``ValueError`` with a stable reason if it is not sound."""
    record = avro.decode(value, SITE_CALENDAR.name)
    week: list[list[Stretch]] = [[] for _ in range(7)]
    for one in record["week"]:
        if not 1 <= one["weekday"] <= 7:
            raise ValueError("invalid")
        week[one["weekday"] - 1].append(_stretch(one))
    exceptions = tuple(
        ExceptionalDay(_day(one["day"]), tuple(sorted(map(_stretch, one["hours"]))), one["reason"])
        for one in record["exceptions"]
    )
    return Calendar(record["site_id"], tuple(tuple(sorted(day)) for day in week), exceptions, record["grace_min"])


def _stretch(said: dict[str, Any]) -> Stretch:
    if not 0 <= said["opens_min"] < said["closes_min"] <= 36 * 60:
        raise ValueError("invalid")
    return Stretch(said["opens_min"], said["closes_min"])


def _day(said: str) -> date:
    try:
        return date.fromisoformat(said)
    except ValueError:
        raise ValueError("invalid") from None


async def publish(producer: Producer, calendars: Iterable[Calendar], updated_at_ms: int) -> None:
    """Write ``calendars`` to the topic; ``Unavailable`` if Kafka does not take them."""
    records = [Outgoing(one.site_id, encode(one, updated_at_ms)) for one in calendars]
    await producer.write(SITE_CALENDAR.topic, records)


async def read(servers: str, within_s: float = 15.0) -> dict[str, Calendar]:
    """All calendars as they are now; ``Unavailable`` if Kafka does not give them in time."""
    return await CalendarTopic(servers).once(within_s)


class CalendarTopic(ReferenceTopic[Calendar]):
    """All calendars, read from the topic and followed; ``known`` is by site."""

    def __init__(self, servers: str) -> None:
        super().__init__(servers, SITE_CALENDAR, _named)


def _named(value: bytes) -> tuple[str, Calendar]:
    calendar = decode(value)
    return calendar.site_id, calendar
