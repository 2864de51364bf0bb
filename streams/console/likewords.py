"""How the pages say today against a like day. Pure. Used by ``console.pages``."""

import math
from datetime import date

from streams.console.likeday import Like
from streams.console.words import Words


class Phrases:
    """What a comparison says in one language.

    Args:
        words: of the reader's language.
    """

    def __init__(self, words: Words) -> None:
        self._words = words
        self._ = words.language.gettext
        self.ngettext = words.language.ngettext

    def said(self, like: Like) -> str:
        """``+6 % against Tuesday 17 November``; empty while history was not asked or is away."""
        if like.state == "unread":
            return ""
        if like.state == "none":
            return self._("no like day recorded yet")
        said = self._weekday(like.change) if like.day is None else self._day(like.change, self.day(like.day))
        if like.sites < like.sites_heard:
            some = self._words.number(like.sites)
            return self.ngettext(
                "{said}, {some} of {n} site", "{said}, {some} of {n} sites", like.sites_heard, said=said, some=some
            )
        return said

    def then(self, like: Like) -> str:
        """``by 14:32 that day: 1,204``, where all clocks agree; else empty."""
        if like.until_local is None or like.entries is None:
            return ""
        return self._("by {time} that day: {people}", time=like.until_local, people=self._words.number(like.entries))

    def day(self, day: str) -> str:
        """``Tuesday 17 November``."""
        one, locale = date.fromisoformat(day), self._words.language.locale
        return f"{locale.days['format']['wide'][one.weekday()]} {one.day} {locale.months['format']['wide'][one.month]}"

    def _day(self, change: float | None, day: str) -> str:
        if change is None:
            return self._("nobody had come by this time on {day}", day=day)
        if not (percent := _percent(change)):
            return self._("as many as on {day} by this time", day=day)
        return self._("{change} % against {day}", change=self._signed(percent), day=day)

    def _weekday(self, change: float | None) -> str:
        if change is None:
            return self._("nobody had come by this time on the same weekday")
        if not (percent := _percent(change)):
            return self._("as many as on the same weekday by this time")
        return self._("{change} % against the same weekday", change=self._signed(percent))

    def _signed(self, percent: int) -> str:
        return f"{'+' if percent > 0 else '−'}{self._words.number(abs(percent))}"


def _percent(change: float) -> int:
    """To the nearest whole one, halves away from nought."""
    return int(math.copysign(math.floor(abs(change) * 100 + 0.5), change))
