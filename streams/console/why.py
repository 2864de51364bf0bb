"""Why this number: what stands behind a figure of a site, asked of both stores beside the feed.

Takes what an address asks for, gives the answer or what is wrong with the question; ``/v1/why/{site_id}`` is the same
as ``musee why --json``, a page of events at a time. The page of it is ``console.pages.why``.
"""

import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import NamedTuple, TypeVar
from zoneinfo import ZoneInfo

from starlette.requests import Request
from starlette.responses import Response

from streams.adapters import counted, evidence, live_figure, snippets
from streams.adapters.counted import KINDS, Parts
from streams.adapters.evidence_rows import Limits
from streams.adapters.history import RefusedQuery
from streams.config import Settings
from streams.console.answers import document, problem, unknown_site
from streams.console.feed import Feed
from streams.console.reader import NotReadError, Reader
from streams.core import questions
from streams.core.answer_document import Document
from streams.core.answer_document import document as told
from streams.core.answers import Answer
from streams.core.evidence import Said
from streams.core.listing import Listing, listing
from streams.core.questions import Question, WrongQuestion
from streams.core.sites import Site
from streams.errors import Unavailable

PATIENCE_S = 2.0  # for rows that have not landed: a page is waited for
LIMITS = Limits(rows=100_000, answer_s=15.0)  # of so many the loop is late by 0.2 s at most, on a busy machine
ATTENDANCE = ("inside", "entries", "exits", "denied")
FIGURES = (*ATTENDANCE, *KINDS)
MOST = 1_000  # events or corrections in one answer
DEFAULT = 200
AGAIN_S = 3

_EPOCH_MS = re.compile(r"[0-9]{1,15}", re.ASCII)
_LONGEST = 2_000  # of what an answer repeats

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Asked:
    """What an address asks for, as it stands there; ``None``: it does not say."""

    figure: str
    gate: str | None
    zone: str | None
    start: str | None
    end: str | None
    before: str | None
    limit: int


class Found(NamedTuple):
    """An answer, and when it was asked for."""

    asked: Asked
    question: Question
    answer: Answer | Parts
    read_ms: int


def read_address(request: Request, default: int = DEFAULT) -> Asked:
    """What was asked; empty fields of a form are none. Raises ``WrongQuestion``."""
    query = {name: value for name, value in request.query_params.items() if value != ""}
    gate = query.get("gate")
    figure = query.get("figure", "inside" if gate is None else "entries")
    if figure not in FIGURES:
        said = f"figure={figure[:_LONGEST]}: no figure is called so; there are: {', '.join(FIGURES)}"
        raise WrongQuestion("unknown-figure", said, known=FIGURES, figure=figure)
    if figure == "inside" and gate is not None:
        raise WrongQuestion("not-of-a-part", "inside: it is of the whole site or of a zone", figure=figure)
    typed = query.get("limit", str(default))
    if not re.fullmatch(r"[0-9]{1,6}", typed, re.ASCII) or not 1 <= int(typed) <= MOST:
        raise WrongQuestion("not-a-limit", f"limit={typed[:_LONGEST]}: 1 to {MOST} is expected", typed=typed)
    start, end = _moment(query.get("from")), _moment(query.get("to"))
    return Asked(figure, gate, query.get("zone"), start, end, query.get("before"), int(typed))


def _moment(typed: str | None) -> str | None:
    """Epoch ms as a time in UTC, which is what people type; anything else as it is."""
    if typed is None or not _EPOCH_MS.fullmatch(typed):
        return typed
    at_ms = int(typed)
    if at_ms % 60_000:
        raise WrongQuestion("not-a-minute", f"{typed}: a whole minute is expected, in epoch ms", typed=typed)
    try:
        return f"{datetime.fromtimestamp(at_ms / 1000, UTC):%Y-%m-%dT%H:%MZ}"
    except (ValueError, OverflowError, OSError):
        raise WrongQuestion("no-such-time", f"{typed}: there is no such time", typed=typed) from None


class Why:
    """Asks, a few at a time."""

    def __init__(self, settings: Settings, feed: Feed) -> None:
        self._settings = settings
        self._feed = feed
        self._reader = Reader()

    async def ask(self, site_id: str, asked: Asked, tell: Callable[[Found], T]) -> T:
        """What ``tell``, in the same thread, makes of what stands behind a figure: there may be much of it.

        Raises:
            KeyError: no such site.
            WrongQuestion: no such figure.
            Unavailable, RefusedQuery: a store is away, or says no.
            NotReadError: too many ask, or it takes too long.
        """
        site = self._feed.site(site_id)
        return await self._reader.read(lambda: tell(_find(self._settings, site, asked)))

    async def api(self, request: Request) -> Response:
        """``GET /v1/why/{site_id}?figure=&gate=&zone=&from=&to=&limit=&before=``."""
        site_id = request.path_params["site_id"]
        try:
            return document(await self.ask(site_id, read_address(request), _document))
        except KeyError:
            return unknown_site(site_id[:_LONGEST], self._feed.known)
        except WrongQuestion as wrong:
            status = 404 if wrong.code.startswith("unknown-") else 400
            return problem(status, str(wrong)[:_LONGEST], code=wrong.code, known=wrong.known[:MOST])
        except (Unavailable, RefusedQuery, NotReadError) as away:
            response = problem(503, str(away)[:_LONGEST], code=failure(away))
            response.headers["Retry-After"] = str(AGAIN_S)
            return response


def failure(away: Exception) -> str:
    """Stable code of why there is no answer: ``redis``, ``kafka``, ``clickhouse`` are away; ``busy``, ``slow``."""
    match away:
        case Unavailable():
            return away.dependency
        case NotReadError():
            return "busy" if away.busy else "slow"
        case _:
            return "clickhouse"


def _find(settings: Settings, site: Site, asked: Asked) -> Found:
    now_ms = time.time_ns() // 1_000_000
    clock = live_figure.clock(settings, site.site_id)
    question = questions.ask(
        site, clock.occurred_ms, now_ms, gate=asked.gate, zone=asked.zone, start=asked.start, end=asked.end, dashes=""
    )
    answer: Answer | Parts
    if asked.figure in KINDS:
        answer = counted.parts(settings, asked.figure, question, now_ms, patience_s=PATIENCE_S, limits=LIMITS)
    else:
        answer = evidence.answer(settings, question, patience_s=PATIENCE_S, limits=LIMITS)
    return Found(asked, question, answer, now_ms)


def listed(found: Answer, asked: Asked) -> Listing:
    """The events that are asked for."""
    return listing(found.account, asked.limit, asked.before)


def sql(found: Found) -> Mapping[str, str]:
    """Statements to copy."""
    if isinstance(found.answer, Parts):
        return snippets.counted(found.answer.kind, found.question)
    return snippets.attendance(found.question)


def _document(found: Found) -> Document:
    asked = {"asked": found.asked.figure, "as_of_ms": found.read_ms}
    if isinstance(found.answer, Parts):
        return asked | _parts(found, found.answer)
    events = listed(found.answer, found.asked)
    said = [step for step in found.answer.account.steps if isinstance(step.record, Said)]
    begun = [step for step in found.answer.account.steps if step.record is None]
    return {
        **asked,
        **told(found.answer, [*events.steps, *reversed(said[-MOST:]), *reversed(begun)]),
        "total": {"events": events.total, "corrections": len(said), "windows": len(found.answer.windows)},
        "limit": found.asked.limit,
        "older": events.older,
        "newer": events.newer,
        "sql": dict(sql(found)),
    }


def _parts(found: Found, parts: Parts) -> Document:
    question, kind = found.question, parts.kind
    zone = ZoneInfo(question.site.time_zone)

    def at(at_ms: int) -> str:
        return datetime.fromtimestamp(at_ms / 1000, zone).isoformat(timespec="milliseconds")

    def amounts(numbers: tuple[int, ...]) -> dict[str, int]:
        return dict(zip(kind.metrics, numbers, strict=True))

    return {
        "site": question.site.site_id,
        "zone": question.zone_id,
        "from": at(question.start_ms),
        "to": at(question.end_ms),
        "so_far": question.so_far,
        "figure": amounts(parts.live),
        "sum": amounts(parts.history),
        "equal": parts.equal,
        "estimate": not parts.exact,
        "counted": parts.counted,
        "not_landed": parts.missing,
        "unit": kind.unit,
        "at": None if parts.shown is None else at(parts.parts[parts.shown].start_ms),
        "parts": [
            {"start": at(part.start_ms), "live": amounts(part.live), "history": amounts(part.history)}
            for part in parts.parts
        ],
        "topic": kind.family.topic,
        "table": f"musee.{kind.family.table}",
        "sql": dict(sql(found)),
    }
