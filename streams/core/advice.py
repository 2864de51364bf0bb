"""What an alert tells people to do: the sentences, and which of them a text is.

An alert carries its advice as a text, for people and machines alike; a page in another language finds the sentence
again by ``parts`` and says it in its own. ``core.alerts`` says only what is in ``SENTENCES``. Pure.
"""

import re

NOTHING = "Nothing to do."
SILENT = "Check the network and the gates of {place}; the headcount is no longer kept: count at the doors by hand."
HEARD_AGAIN = "The headcount is kept again; recount if people passed unseen."
BELOW = "Below {exit} % again: let people into {place} as before."
STOP = "Stop entry to {place} and open all exits."
HOLD = "Hold entry to {place}: one in for one out."
SLOW = "Slow entry to {place}, and send a guard to its doors."
WATCH = "Watch {place}; have somebody ready at its doors."

SENTENCES = (NOTHING, SILENT, HEARD_AGAIN, BELOW, STOP, HOLD, SLOW, WATCH)


def at_level(entry: int) -> str:
    """The sentence for a place that is so many per cent full."""
    if entry >= 100:
        return STOP
    if entry >= 95:
        return HOLD
    return SLOW if entry >= 85 else WATCH


def parts(text: str) -> tuple[str, dict[str, str]] | None:
    """The sentence that a text is, and what stands in it; ``None`` for a text of somebody else's."""
    for sentence, pattern in _PATTERNS:
        if (found := pattern.fullmatch(text)) is not None:
            return sentence, found.groupdict()
    return None


def _pattern(sentence: str) -> re.Pattern[str]:
    pieces = re.split(r"\{(\w+)\}", sentence)
    named = {"exit": r"(?P<exit>\d+)", "place": r"(?P<place>.+)"}
    return re.compile("".join(named[one] if odd % 2 else re.escape(one) for odd, one in enumerate(pieces)), re.DOTALL)


_PATTERNS = [(sentence, _pattern(sentence)) for sentence in SENTENCES]
