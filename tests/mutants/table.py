"""The mutants: what each breaks, and the text that does it."""

from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Mutant:
    """One rule, broken.

    Attributes:
        breaks: the rule's breach in a few words.
        module: file below the root of the repository.
        text: what stands there exactly once.
        instead: what takes its place.
    """

    breaks: str
    module: str
    text: str
    instead: str

    def source(self) -> str:
        """The module with the rule broken.

        Raises:
            ValueError: the text does not stand there exactly once.
        """
        sound = (ROOT / self.module).read_text()
        found = sound.count(self.text)
        if found != 1:
            raise ValueError(f"{self.breaks}: its text stands {found} times in {self.module}, not once")
        return sound.replace(self.text, self.instead)


WATERMARK, WINDOWS, DAYS = "streams/core/watermark.py", "streams/core/windows.py", "streams/core/days.py"
SEEN, ATTENDANCE = "streams/core/seen.py", "streams/core/attendance.py"
OCCUPANCY = "streams/core/occupancy.py"

MUTANTS = (
    Mutant(
        "<= for < at a window's end",
        WINDOWS,
        "start_ms <= minute * MINUTE_MS < end_ms",
        "start_ms <= minute * MINUTE_MS <= end_ms",
    ),
    Mutant(
        "<= for < at a day's end",
        WINDOWS,
        "start_ms <= at_ms < end_ms",
        "start_ms <= at_ms <= end_ms",
    ),
    Mutant(
        "UTC day for business day",
        DAYS,
        "datetime.fromtimestamp(at_ms / 1000, ZoneInfo(zone))",
        "datetime.fromtimestamp(at_ms / 1000, UTC)",
    ),
    Mutant(
        "UTC day for a business day's bounds",
        DAYS,
        "datetime.combine(which, time(end_hour), ZoneInfo(zone))",
        "datetime.combine(which, time(end_hour), UTC)",
    ),
    Mutant(
        "watermark that can fall",
        WATERMARK,
        "reached = [] if stood_ms is None else [stood_ms]",
        "reached = []",
    ),
    Mutant(
        "late event dropped",
        WINDOWS,
        "if said is not None and gates == known and found.reserved <= confirmed:",
        "if said is not None:",
    ),
    Mutant(
        "revision without cause",
        WINDOWS,
        'None if before is None else CAUSES.get(found.cause, "LATE"),',
        "None,",
    ),
    Mutant(
        "coarse window stored apart",  # kept when it was first read, and a late event does not reach it
        WINDOWS,
        "sums[gate] = sums.get(gate, NOTHING) + counts\n    return sums",
        "sums[gate] = sums.get(gate, NOTHING) + counts\n"
        "    stored = vars(coarser).setdefault(id(windows), (windows, {}))[1]\n"
        "    return stored.setdefault((start_ms, end_ms), sums)",
    ),
    Mutant(
        "publication forgotten that was begun and not confirmed",
        WINDOWS,
        "if said is not None and gates == known and found.reserved <= confirmed:",
        "if said is not None and gates == known:",
    ),
    Mutant(
        "revision number used twice",
        WINDOWS,
        "max(found.reserved + 1, confirmed + 1, now_ms)",
        "now_ms",
    ),
    Mutant(
        "resent event counted",
        SEEN,
        "mask.append(member not in met)",
        "mask.append(True)",
    ),
    Mutant(
        "annulled scan not taken back",
        ATTENDANCE,
        '("ANNULLED", "IN"): ("entries", -1)',
        '("ANNULLED", "IN"): ("entries", 0)',
    ),
    Mutant(
        "recount that holds from the beginning of its minute",
        OCCUPANCY,
        "since = first if anchor is None else anchor.minute + 1",
        "since = first if anchor is None else anchor.minute",
    ),
    Mutant(
        "adjustment of before a recount that is added to it",
        OCCUPANCY,
        "if not one.is_anchor and (anchor is None or one.order > anchor.order)",
        "if not one.is_anchor",
    ),
    Mutant(
        "recount of the site that empties its zones",
        OCCUPANCY,
        'elif one.zone_id is None and one.kind == "RESET":',
        "elif one.zone_id is None and one.is_anchor:",
    ),
)
