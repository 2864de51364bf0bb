"""A check in words, and for machines.

Plain lines of fixed width, so that they survive a pipe. Called by ``musee check``.
"""

from collections.abc import Iterable, Iterator
from itertools import groupby, islice

from streams.check import cells, recordings, witnesses
from streams.check.cells import Compared

_SAMPLE = 3  # times shown of each place when not all are asked for
_PLACES = 15  # and places
_LISTED = 200  # differences named one by one; --json has all
_TIMES = {"day": "days", "hour": "hours", "minute": "minutes"}


def lines(result: recordings.Result, *, everything: bool) -> Iterator[str]:
    """The report, line by line.

    Args:
        result: of the check.
        everything: each place and time instead of a sample.
    """
    rule, counted = result.rule, result.counted
    first, *more = rule.said(counted)
    yield f"{rule.recording}: {first}"
    yield from more
    where = f"site {result.sites[0]}" if len(result.sites) == 1 else f"{len(result.sites)} sites"
    yield f"({where}, clock of {rule.zone}, {'business days' if rule.grain == 'day' else 'UTC'} below)"
    if counted.unreadable:
        yield f"unreadable lines: {', '.join(counted.unreadable_names[:_LISTED])}"
    yield ""
    yield _row("place", "when", "metric", "file", "redis", "clickhouse")
    yield from _rows(cells.totals(result.compared))
    yield ""
    if everything:
        yield from _rows(result.compared)
    else:
        yield f"The first {_SAMPLE} {_TIMES[rule.grain]} of each (--all prints every one):"
        yield from _sample(result.compared)
    yield ""
    for fact in result.facts:
        yield str(fact)
    offsets, rows = result.landed_offsets, result.landed_rows
    yield f"landed: {offsets:,} distinct (partition, offset) in {rows:,} rows of musee.{rule.table}"
    yield from _verdict(result)


def _verdict(result: recordings.Result) -> Iterator[str]:
    differences = result.differences
    for one in differences[:_LISTED]:
        yield f"DIFFERENT  {one}"
    if len(differences) > _LISTED:
        yield f"DIFFERENT  … and {len(differences) - _LISTED:,} more (--json lists them)"
    for fact in result.wrong_facts:
        yield f"DIFFERENT  {fact}"
    for cell in result.strange:
        yield f"STRANGE    redis {cell}"
    unaccounted = sum(one.file == 0 and one.redis == one.clickhouse for one in differences)
    if unaccounted:
        yield (
            f"In {unaccounted:,} of them both stores agree and the file has nothing: it was replayed as another "
            f"day too (--as), or somebody else sent events to the site."
        )
    count = result.complaints
    yield f"{count:,} difference{'' if count == 1 else 's'} in {len(result.compared):,} cells"


def _row(place: str, when: str, metric: str, *values: object) -> str:
    file, redis, clickhouse = values
    return f"{place:<34} {when:<16} {metric:<20} {file:>8} {redis:>8} {clickhouse:>10}"


def _rows(compared: Iterable[Compared]) -> Iterator[str]:
    for cell, *values in compared:
        yield _row(f"{cell.place} {cell.name}", cell.when, cell.metric, *values)


def _sample(compared: list[Compared]) -> Iterator[str]:
    """The first times of the first places; how many places are left out is said."""
    places = [list(group) for _, group in groupby(compared, key=lambda one: one.cell[:2])]
    for of_place in islice(places, _PLACES):
        times = sorted({one.cell.when for one in of_place})[:_SAMPLE]
        yield from _rows(one for one in of_place if one.cell.when in times)
    if len(places) > _PLACES:
        yield f"… and {len(places) - _PLACES} more places"


def document(result: recordings.Result, *, everything: bool, explain: bool) -> dict[str, object]:
    """The same for machines; ``cells`` only if everything is asked for."""
    rule, counted = result.rule, result.counted
    told: dict[str, object] = {
        "recording": rule.recording,
        "sites": result.sites,
        "agree": result.agree,
        "said": list(rule.said(counted)),
        "lines": counted.lines,
        "events": counted.events,
        "unreadable": counted.unreadable_names,
        "days": len(counted.days),
        "totals": [_plain(one) for one in cells.totals(result.compared)],
        "compared": len(result.compared),
        "differences": [_plain(one) for one in result.differences],
        "facts": [{"name": fact.name, "file": fact.file, "clickhouse": fact.clickhouse} for fact in result.facts],
        "strange": result.strange,
        "landed": {"rows": result.landed_rows, "offsets": result.landed_offsets},
    }
    if everything:
        told["cells"] = [_plain(one) for one in result.compared]
    if explain:
        told["explain"] = witnesses.explain(rule, result.sites)
    return told


def _plain(one: Compared) -> dict[str, object]:
    return {**one.cell._asdict(), "file": one.file, "redis": one.redis, "clickhouse": one.clickhouse}
