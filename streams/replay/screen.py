"""What a replay shows while it runs and when it is done.

The bar goes to stderr, so that the counts on stdout can be read by a machine.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from streams.replay.recording import RecordingError, opened
from streams.replay.recordings import Recording
from streams.replay.run import Played, Say

_LISTED = 50  # unreadable lines named on the screen; --json has all


class Screen:
    """A progress bar fed by ``seen``, with room for sentences above it."""

    def __init__(self, recording: Recording, lines: int, progress: Progress) -> None:
        self._progress = progress
        self._lines = lines
        self._task = progress.add_task(recording.name, total=lines, rate="", time="")

    def say(self, sentence: str) -> None:
        """A line above the bar."""
        self._progress.console.print(sentence, markup=False, highlight=False)

    def seen(self, played: Played) -> None:
        """Move the bar."""
        elapsed_s = self._progress.tasks[self._task].elapsed or 0.0
        rate = f"{played.accepted / elapsed_s:,.0f} events/s" if elapsed_s > 0 else ""
        self._progress.update(self._task, completed=played.line, rate=rate, time=played.time)

    def done(self) -> None:
        """The last lines may hold nobody."""
        self._progress.update(self._task, completed=self._lines)


@contextmanager
def bar(recording: Recording, path: Path) -> Iterator[Screen]:
    """Rows of the file, events per second and the current event time."""
    with Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.completed:,.0f}/{task.total:,.0f} rows"),
        TextColumn("{task.fields[rate]}"),
        TextColumn("{task.fields[time]}"),
        TimeElapsedColumn(),
        console=Console(stderr=True),
    ) as progress:
        yield Screen(recording, sum(map(count_lines, recording.files(path))), progress)


def count_lines(path: Path) -> int:
    """Lines of a file, header and unfinished last line included; 0 if it cannot be read, which its reader will say."""
    try:
        with opened(path) as file:
            return sum(1 for _ in file)
    except RecordingError:
        return 0


def report(recording: Recording, played: Played, elapsed_s: float, say: Say, *, day: date | None = None) -> None:
    """The final counts, the recording's own totals, each line that was left out, and what was invented."""
    rate = f", {played.accepted / elapsed_s:,.0f} events/s" if elapsed_s > 0 else ""
    again = f", requests sent again: {played.resent}" if played.resent else ""
    say(f"{recording.name} → {recording.where}: {played.accepted:,} events accepted in {elapsed_s:.1f} s{rate}{again}")
    for family, events in played.families.items():
        say(f"  {events:,} {family}")
    for sentence in totals(recording, played):
        say(f"  {sentence}")
    say(f"{len(played.unreadable):,} unreadable lines")
    for fault in played.unreadable[:_LISTED]:
        say(f"  line {fault.line}: {fault.reason}")
    if len(played.unreadable) > _LISTED:
        say(f"  … and {len(played.unreadable) - _LISTED:,} more (--json lists them)")
    if recording.note:
        say(recording.note)
    if day is not None:
        say(f"Replayed as if it had begun on {day}: the days are moved, the times of day are its own.")


def totals(recording: Recording, played: Played) -> Iterator[str]:
    """The recording's own totals: ``1 entries + 2 exits = 3 scans``, and what belongs to no sum, one by one."""
    parts = () if recording.sum is None else recording.sum.parts
    if recording.sum is not None:
        terms = " + ".join(f"{played.counts[part]:,} {part}" for part in parts)
        yield f"{terms} = {sum(played.counts[part] for part in parts):,} {recording.sum.whole}"
    for name, count in played.counts.items():
        if name not in parts:
            yield f"{count:,} {name}"
