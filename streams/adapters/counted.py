"""What a figure that is no headcount is made of: counts per hour, minute or day, live and in history side by side.

Posts, guestbook entries, actions and page views are sums of hours; the sessions of a zone and the tickets of a day are
counts of distinct ones, which no sum gives. Live state says in the same step what it counts and up to which offset;
history is asked for the events up to there, by the rules of counting. Single events are in history, by the SQL of
``snippets``. No pseudonym is read. Called by ``console.why``.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from streams.adapters import evidence, history, live_figure, live_keys
from streams.adapters.evidence_rows import Limits
from streams.adapters.redis_client import reading
from streams.config import Settings
from streams.core import today
from streams.core.clocks import LATE_MS
from streams.core.days import HOUR_MS, MINUTE_MS, hours_between
from streams.core.partitions import partition_of
from streams.core.questions import Question, WrongQuestion
from streams.topology import (
    AGENTS,
    GUESTBOOK_ENTRY,
    PARTITIONS,
    POSITION_UPDATE,
    SOCIAL_POST,
    TICKET_SCAN,
    VISITOR_ACTION,
    WEB_TRAFFIC,
    Family,
)

Unit = Literal["hour", "minute", "day"]
MINUTES = 60  # of sessions that are told, the last before the site's clock


@dataclass(frozen=True, slots=True)
class Kind:
    """One such figure.

    Attributes:
        metrics: its counts in live state; of two the figure is the first divided by the second.
        family: what it is counted from.
        events: view with one row per event, and the columns of it that say most.
        amounts: what history counts, one aggregate over ``events`` per metric.
        view: view with the sums, and its columns.
    """

    name: str
    unit: Unit
    metrics: tuple[str, ...]
    family: Family
    events: str
    columns: tuple[str, ...]
    amounts: tuple[str, ...]
    view: str
    sums: tuple[str, ...]


_GUESTBOOK = (GUESTBOOK_ENTRY, "v_guestbook_entries", ("rating", "language"))
KINDS = {
    kind.name: kind
    for kind in (
        Kind("voice.entries", "hour", ("guestbook_entries",), *_GUESTBOOK, ("count()",), "v_guestbook", ("entries",)),
        Kind(
            "voice.ratings", "hour", ("guestbook_ratings",), *_GUESTBOOK, ("count(rating)",), "v_guestbook",
            ("ratings",),
        ),
        Kind(
            "voice.mean_rating", "hour", ("guestbook_rating_sum", "guestbook_ratings"), *_GUESTBOOK,
            ("ifNull(sum(rating), 0)", "count(rating)"), "v_guestbook", ("rating_sum", "ratings"),
        ),
        Kind(
            "voice.posts", "hour", ("social_posts",), SOCIAL_POST, "v_social_posts", ("network", "language"),
            ("count()",), "v_social", ("posts",),
        ),
        Kind(
            "actions", "hour", ("actions",), VISITOR_ACTION, "v_visitor_actions", ("action", "item_id"),
            ("count()",), "v_actions", ("action", "actions"),
        ),
        Kind(
            "web.page_views", "hour", ("web_page_views",), WEB_TRAFFIC, "v_web_reports", ("page_views", "robots"),
            ("sum(page_views)",), "v_web", ("page_views",),
        ),
        Kind(
            "sessions", "minute", ("sessions",), POSITION_UPDATE, "v_positions", ("zone_id",),
            ("max(sessions)",), "v_presence", ("zone_id", "sessions"),
        ),
        Kind(
            "tickets", "day", ("tickets",), TICKET_SCAN, "v_scans", ("gate_id", "outcome", "direction"),
            ("max(tickets)",), "v_tickets_day", ("tickets", "repeats"),
        ),
    )
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Part:
    """An hour, minute or day; ``live`` and ``history`` hold one amount per metric of the kind."""

    start_ms: int
    live: tuple[int, ...]
    history: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Parts:
    """What a figure is made of.

    Attributes:
        parts: ascending; hours and minutes without anything in both are left out.
        shown: place of the part that the figure is, of those that are no sum; ``None``: nothing was measured lately.
        counted: whether live state counts at all, or is empty.
        missing: records that are counted and have not landed yet.
    """

    question: Question
    kind: Kind
    parts: tuple[Part, ...]
    shown: int | None
    counted: bool
    missing: int

    @property
    def live(self) -> tuple[int, ...]:
        """The figure's amounts as live state has them."""
        return self._of([part.live for part in self.parts])

    @property
    def history(self) -> tuple[int, ...]:
        """The same as history has them."""
        return self._of([part.history for part in self.parts])

    def _of(self, amounts: list[tuple[int, ...]]) -> tuple[int, ...]:
        if self.kind.unit != "hour":
            return (0,) if self.shown is None else amounts[self.shown]
        return tuple(map(sum, zip(*amounts, strict=True))) if amounts else (0,) * len(self.kind.metrics)

    @property
    def exact(self) -> bool:
        """Whether both must be equal: distinct tickets are an estimate while they are live."""
        return self.kind.name != "tickets"

    @property
    def equal(self) -> bool:
        """Whether live state and history say the same, part by part."""
        return self.counted and (not self.exact or all(part.live == part.history for part in self.parts))


def parts(
    settings: Settings, name: str, question: Question, now_ms: int, *, patience_s: float, limits: Limits
) -> Parts:
    """Ask both stores.

    Args:
        settings: where they are.
        name: one of ``KINDS``.
        question: site and interval; the zone of ``sessions``.
        now_ms: time of day, which is the clock of a site that is not replayed.
        patience_s: how long rows that were counted and have not landed are waited for.
        limits: what it may cost.

    Raises:
        WrongQuestion: there is no such figure, or it is not of a gate or zone.
        Unavailable: Redis, Kafka or ClickHouse is away.
    """
    kind = KINDS[name]
    if question.gate_id is not None or (question.zone_id is not None) != (name == "sessions"):
        wanted = "name its zone: it is of one zone" if name == "sessions" else "it is of the whole site"
        raise WrongQuestion("not-of-a-part", f"{name}: {wanted}", figure=name)
    live = _live(settings, kind, question, now_ms)
    home = partition_of(question.site.site_id, PARTITIONS)
    upto = -1 if live.upto is None else live.upto
    missing, _ = evidence.landed(settings, home, {kind.family.topic: upto}, patience_s)
    told = _history(settings, kind, question, live.span, upto, limits)
    nothing = (0,) * len(kind.metrics)
    starts = sorted({*live.amounts, *told})
    found = tuple(Part(at, live.amounts.get(at, nothing), told.get(at, nothing)) for at in starts)
    shown = starts.index(live.shown_ms) if live.shown_ms in starts else None
    return Parts(question, kind, found, shown, live.upto is not None, missing)


@dataclass(frozen=True, slots=True)
class _Live:
    """Amounts by the start of their part; ``shown_ms`` is the one that is the figure."""

    upto: int | None
    amounts: Mapping[int, tuple[int, ...]]
    span: tuple[int, int]
    shown_ms: int | None = None


def _live(settings: Settings, kind: Kind, question: Question, now_ms: int) -> _Live:
    site, home = question.site.site_id, partition_of(question.site.site_id, PARTITIONS)
    start_ms, end_ms = question.start_ms, question.end_ms
    clock_ms = now_ms
    if question.site.replay:
        clock_ms = live_figure.clock(settings, site).occurred_ms or now_ms
    if kind.unit == "minute":
        end_ms = min(end_ms, clock_ms // MINUTE_MS * MINUTE_MS)
        start_ms = max(min(start_ms, end_ms), end_ms - MINUTES * MINUTE_MS)
    else:
        start_ms = -(-start_ms // HOUR_MS) * HOUR_MS  # an hour belongs to what its start belongs to
    hours = hours_between(start_ms, end_ms)
    with reading(settings.redis_url) as client:
        pipe = client.pipeline(transaction=True)
        pipe.hget(live_keys.fence(home), live_keys.fence_field(AGENTS, kind.family.topic))
        if kind.unit == "day":
            for sketch in live_keys.uniques(home, site, question.day_of(question.end_ms - 1).isoformat()):
                pipe.pfcount(sketch)
        for hour in hours if kind.unit == "hour" else ():
            pipe.hmget(live_keys.hours(home, site, hour), kind.metrics)
        for hour in hours if kind.unit == "minute" else ():
            pipe.hgetall(live_keys.presence(home, site, hour))
        fence, *answers = pipe.execute()
    upto = None if fence is None else int(fence)
    if kind.unit == "day":
        day = question.bounds_of(question.end_ms - 1)
        return _Live(upto, {day[0]: (sum(map(int, answers)),)}, day, day[0])
    if kind.unit == "hour":
        sums = {start_ms + place * HOUR_MS: tuple(int(one or 0) for one in told) for place, told in enumerate(answers)}
        return _Live(upto, {at: amounts for at, amounts in sums.items() if any(amounts)}, (start_ms, end_ms))
    seen = {}
    for place, told in enumerate(answers, start_ms // HOUR_MS):
        for field, sessions in told.items():
            zone, minute = field.rsplit("|", 1)
            at_ms = place * HOUR_MS + int(minute) * MINUTE_MS
            if zone == question.zone_id and start_ms <= at_ms < end_ms:
                seen[at_ms] = (int(sessions),)
    presence = {(question.zone_id or "", at // MINUTE_MS): amounts[0] for at, amounts in seen.items()}
    shown = today.shown_minute(presence, end_ms)
    return _Live(upto, seen, (start_ms, end_ms), None if shown is None else shown * MINUTE_MS)


_AT = "fromUnixTimestamp64Milli({{{name}:Int64}}, 'UTC')"
_START, _END = _AT.format(name="start"), _AT.format(name="end")
_COUNTED = """\
SELECT toUnixTimestamp(toStartOfHour(occurred_at)) AS hour, {amounts}
FROM musee.{events}
WHERE site_id = {{site:String}} AND NOT test AND occurred_at >= {start} AND occurred_at < {end}
  AND ({{replay:UInt8}} OR date_diff('ms', occurred_at, received_at) <= {{late:Int64}})
  AND event_id IN (SELECT event_id FROM musee.{table}
                   WHERE site_id = {{site:String}} AND _partition = {{home:Int32}}
                     AND _offset <= {{upto:Int64}})
GROUP BY hour"""
_PRESENCE = f"""\
SELECT toUnixTimestamp(ts_utc), max(sessions)
FROM musee.v_presence
WHERE site_id = {{site:String}} AND zone_id = {{zone:String}} AND ts_utc >= {_START} AND ts_utc < {_END}
GROUP BY ts_utc"""  # noqa: S608 - names of ours
_TICKETS = """\
SELECT max(tickets) FROM musee.v_tickets_day WHERE site_id = {site:String} AND local_date = {day:Date}"""


def _history(
    settings: Settings, kind: Kind, question: Question, span: tuple[int, int], upto: int, limits: Limits
) -> dict[int, tuple[int, ...]]:
    site = question.site
    params: dict[str, object] = {"site": site.site_id, "start": span[0], "end": span[1]}
    if kind.unit == "day":
        params["day"] = question.day_of(question.end_ms - 1)
        rows = history.query(settings, _TICKETS, params, answer_s=limits.answer_s)
        return {span[0]: (int(rows[0][0] or 0),)} if rows else {}
    if kind.unit == "minute":
        params["zone"] = question.zone_id
        sql = _PRESENCE
    else:
        home = partition_of(site.site_id, PARTITIONS)
        params |= {"home": home, "upto": upto, "replay": int(site.replay), "late": LATE_MS}
        amounts, table = ", ".join(kind.amounts), kind.family.table
        sql = _COUNTED.format(amounts=amounts, events=kind.events, table=table, start=_START, end=_END)
    rows = history.query(settings, sql, params, answer_s=limits.answer_s)
    return {int(row[0]) * 1000: tuple(int(one or 0) for one in row[1:]) for row in rows}
