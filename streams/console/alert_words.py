"""What the pages say of alerts: advice in the reader's language, whom it concerns, what was seen, and answers.

Beside ``console.words``, which says an alert in one line. Made by the pages that show alerts: ``AlertWords(language)``.
"""

import unicodedata
from datetime import datetime
from typing import NamedTuple
from zoneinfo import ZoneInfo

from streams.adapters.alert_history import Episode, Taken
from streams.console import words
from streams.console.alerts import Shown
from streams.console.i18n import ENGLISH, Language
from streams.core import advice

_TURNING = {"R", "AL", "RLE", "LRE", "RLO", "LRO", "PDF", "RLI", "LRI", "FSI", "PDI"}


class Said(NamedTuple):
    """A text and its language; ``None`` for the page's own."""

    text: str
    lang: str | None = None


def isolated(name: str) -> str:
    """A name that cannot turn round what stands beside it: one that runs, or says that it runs, from right to left."""
    turns = any(unicodedata.bidirectional(letter) in _TURNING for letter in name)
    return f"\u2068{name}\u2069" if turns else name


class AlertWords:
    """What is said of alerts in one language."""

    def __init__(self, language: Language = ENGLISH) -> None:
        self._ = language.gettext
        self.ngettext = language.ngettext
        self.number = language.number
        self._language = language

    @staticmethod
    def why(site_id: str, one: Shown) -> str:
        """Address of the events behind an alert: of its zone, its gate or the whole site."""
        return words.why(site_id, "inside", one.gate_id, one.zone_id)

    def advice(self, text: str) -> Said:
        """The advice of an alert; one that is none of ours, as of a newer program, stays in English and says so."""
        found = advice.parts(text)
        told = None if found is None else self._advice(found[0], **{"place": "", "exit": "", **found[1]})
        return Said(text, "en") if told is None else Said(told)

    def _advice(self, sentence: str, place: str, exit: str) -> str | None:  # noqa: A002 - as the sentence says it
        place = isolated(place)
        match sentence:
            case advice.NOTHING:
                return self._("Nothing to do.")
            case advice.SILENT:
                return self._(
                    "Check the network and the gates of {place}; the headcount is no longer kept: count at the doors by"
                    " hand.",
                    place=place,
                )
            case advice.HEARD_AGAIN:
                return self._("The headcount is kept again; recount if people passed unseen.")
            case advice.BELOW:
                return self._("Below {exit} % again: let people into {place} as before.", exit=exit, place=place)
            case advice.STOP:
                return self._("Stop entry to {place} and open all exits.", place=place)
            case advice.HOLD:
                return self._("Hold entry to {place}: one in for one out.", place=place)
            case advice.SLOW:
                return self._("Slow entry to {place}, and send a guard to its doors.", place=place)
            case advice.WATCH:
                return self._("Watch {place}; have somebody ready at its doors.", place=place)
        return None

    def seen(self, one: Shown) -> str:
        """What was found when it last changed, with bounds and what is allowed or expected."""
        if one.kind == "silent":
            return self._(
                "{minutes} min without a sign of life, {limit} min expected",
                minutes=self.number(one.value),
                limit=self.number(one.limit),
            )
        people = f"{self.number(one.value)}{self.bounds(one.low, one.high)}"
        return self._(
            "{people} people of {limit} allowed, {percent} % by the upper bound",
            people=people,
            limit=self.number(one.limit),
            percent=self.number(100 * one.high // one.limit) if one.limit else "–",
        )

    def bounds(self, low: int, high: int) -> str:
        """`` (231–263)``; empty where nothing can be off."""
        return f" ({self.number(low)}–{self.number(high)})" if low < high else ""

    def whom(self, one: Shown) -> str:
        """Whom it concerns."""
        if one.kind == "silent":
            return self._("duty manager, and whoever looks after network and gates")
        return {
            "notice": self._("guards at the doors"),
            "warning": self._("duty manager and guards at the doors"),
            "serious": self._("duty manager and guards at the doors"),
            "critical": self._("duty manager, guards at the doors and safety officer"),
        }[one.severity]

    def why_not(self, listed: str) -> str:
        """Why an alert is not among those that people need to look at; empty of one that is."""
        if listed == "lower":
            return self._("a higher level of the same place is open")
        return self._("its site is silent") if listed == "hidden" else ""

    def level(self, one: Episode) -> str:
        """``85 % of capacity``."""
        return self._("silent") if one.level is None else self._("{percent} % of capacity", percent=one.level)

    def state(self, state: str) -> str:
        """``resolved``."""
        return {
            "OPEN": self._("open"),
            "ACKNOWLEDGED": self._("acknowledged"),
            "RESOLVED": self._("resolved"),
        }[state]

    def taken(self, one: Taken, zone: str | None) -> str:
        """``duty desk, 14:05–15:05``; in UTC at a replayed site."""
        start, end = (words.clock(at_ms, zone or "UTC") for at_ms in (one.at_ms, one.until_ms))
        return f"{start}–{end}{'' if zone else ' UTC'}"

    def day_clock(self, at_ms: int, zone: str) -> str:
        """``2 Jul 14:05``."""
        local = datetime.fromtimestamp(at_ms / 1000, ZoneInfo(zone))
        return f"{local.day} {self._language.locale.months['format']['abbreviated'][local.month]} {local:%H:%M}"

    def rate(self, count: int, per_day: float, per_hour: float) -> str:
        """How often somebody is called."""
        return self.ngettext(
            "{n} alert: {day} a day, {hour} an hour at the desk",
            "{n} alerts: {day} a day, {hour} an hour at the desk",
            count,
            day=self.number(round(per_day, 1)),
            hour=self.number(round(per_hour, 2)),
        )

    def message(self, done: str | None, refused: str | None) -> str | None:
        """What came of a form; ``None`` if none was sent."""
        if done == "acknowledged":
            return self._("Acknowledged.")
        if refused is None:
            return None
        told = {
            "unknown-alert": self._("No alert has this id any more. Nothing was changed."),
            "closed-alert": self._("This alert is closed already. Nothing was changed."),
            "changed-alert": self._("This alert changed meanwhile. Nothing was changed; look at it and send again."),
            "who": self._("Name the post that looks after it, in 1 to 100 characters. Nothing was changed."),
            "until": self._("Name a time within the next 24 hours. Nothing was changed."),
        }
        away = self._("Live state or Kafka does not answer. Look whether it is acknowledged before you send it again.")
        return told.get(refused, away)
