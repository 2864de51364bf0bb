"""A check in words, and for machines.

Plain lines of fixed width, so that they survive a pipe. Called by ``musee check``.
"""

from collections.abc import Iterable, Iterator
from itertools import groupby

from streams.check import cells, recordings
from streams.check.cells import Compared

_SAMPLE = 3  # days shown of each place when not all are asked for
_LISTED = 200  # differences named one by one; --json has all
_WIDTHS = {"file": 7, "redis": 7, "clickhouse": 10}


def lines(result: recordings.Result, *, everything: bool) -> Iterator[str]:
    """The report, line by line.

    Args:
        result: of the check.
        everything: each place and day instead of a sample.
    """
    rule, counted = result.rule, result.counted
    yield (
        f"{rule.recording}: {counted.lines:,} lines, {len(counted.unreadable)} unreadable, "
        f"{len(counted.days)} business days in the file (site {rule.site_id}, {rule.zone})"
    )
    if counted.unreadable:
        yield f"unreadable lines: {', '.join(map(str, counted.unreadable[:_LISTED]))}"
    yield ""
    yield _heading()
    yield from _rows(cells.totals(result.compared))
    yield ""
    if everything:
        yield from _rows(result.compared)
    else:
        yield f"The first {_SAMPLE} days of each (--all prints every day):"
        yield from _rows(_sample(result.compared))
    yield ""
    offsets, rows = result.landed_offsets, result.landed_rows
    yield f"landed: {offsets:,} distinct (partition, offset) in {rows:,} rows of musee.ticket_scan"
    yield from _verdict(result)


def _verdict(result: recordings.Result) -> Iterator[str]:
    differences = result.differences
    for one in differences[:_LISTED]:
        yield f"DIFFERENT  {one}"
    if len(differences) > _LISTED:
        yield f"DIFFERENT  … and {len(differences) - _LISTED:,} more (--json lists them)"
    for cell in result.strange:
        yield f"STRANGE    redis {cell}"
    count = len(differences) + len(result.strange)
    yield f"{count:,} difference{'' if count == 1 else 's'} in {len(result.compared):,} cells"


def _heading() -> str:
    groups = "".join(f"  {metric:>7}{'':<19}" for metric in cells.METRICS).rstrip()
    names = "".join("  " + " ".join(f"{name:>{width}}" for name, width in _WIDTHS.items()) for _ in cells.METRICS)
    return f"{'':<45}{groups}\n{'place':<34} {'day':<10}{names}"


def _rows(compared: Iterable[Compared]) -> Iterator[str]:
    """One line per place and day; a place's metrics side by side, each as file, Redis, ClickHouse."""
    for (place, name, day), group in groupby(compared, key=lambda one: one.cell[:3]):
        by_metric = {one.cell.metric: one for one in group}
        figures = "".join(_figures(by_metric.pop(metric, None)) for metric in cells.METRICS)
        others = "".join(f"  {metric}:{_figures(one)}" for metric, one in by_metric.items())
        yield f"{place + ' ' + name:<34} {day:<10}{figures}{others}".rstrip()


def _figures(one: Compared | None) -> str:
    values = one[1:] if one is not None else (0, 0, 0)
    return "  " + " ".join(f"{value:>{width}}" for value, width in zip(values, _WIDTHS.values(), strict=True))


def _sample(compared: list[Compared]) -> list[Compared]:
    chosen: list[Compared] = []
    for _, group in groupby(compared, key=lambda one: one.cell[:2]):
        of_place = list(group)
        days = sorted({one.cell.day for one in of_place})[:_SAMPLE]
        chosen += [one for one in of_place if one.cell.day in days]
    return chosen


def document(result: recordings.Result, *, everything: bool, explain: bool) -> dict[str, object]:
    """The same for machines; ``cells`` only if everything is asked for."""
    rule, counted = result.rule, result.counted
    told: dict[str, object] = {
        "recording": rule.recording,
        "site": rule.site_id,
        "agree": result.agree,
        "lines": counted.lines,
        "unreadable": counted.unreadable,
        "days": len(counted.days),
        "totals": [_plain(one) for one in cells.totals(result.compared)],
        "compared": len(result.compared),
        "differences": [_plain(one) for one in result.differences],
        "strange": result.strange,
        "landed": {"rows": result.landed_rows, "offsets": result.landed_offsets},
    }
    if everything:
        told["cells"] = [_plain(one) for one in result.compared]
    if explain:
        told["explain"] = recordings.explain(rule)
    return told


def _plain(one: Compared) -> dict[str, object]:
    return {**one.cell._asdict(), "file": one.file, "redis": one.redis, "clickhouse": one.clickhouse}
