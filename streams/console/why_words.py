"""How the page of a figure says what stands behind it, in the reader's language.

Takes facts of ``core.answers`` and codes of ``core.questions``. Used by ``console.pages.why`` and its template.
"""

from collections.abc import Mapping
from datetime import datetime
from zoneinfo import ZoneInfo

from markupsafe import Markup

from streams.console.waterfall import Term
from streams.console.words import Words
from streams.core.answers import Gap, Reason, Window
from streams.core.evidence import NO_GATE, LeftOut, Said, Scan
from streams.core.questions import Question
from streams.core.windows import Cause

_DAY_MS = 86_400_000


class WhyWords:
    """What is said of one question."""

    def __init__(self, words: Words) -> None:
        self._words = words
        self._ = words.language.gettext
        self.number = words.number
        self.ngettext = words.language.ngettext
        self.rating = words.rating

    # -- numbers and times -------------------------------------------------------------------------------------------

    def signed(self, amount: int) -> str:
        """``+3``, ``−350``, ``0``: with a minus that is as wide as the plus."""
        return f"{'+' if amount > 0 else '−' if amount < 0 else ''}{self.number(abs(amount))}"

    def percent(self, share: float) -> str:
        """``2 %``, ``1.5 %``."""
        return self._("{n} %", n=self._words.language.number(round(100 * share, 1)))

    def time(self, at_ms: int, question: Question) -> str:
        """Time of day with seconds at the site, with its date where the question is about more than one day."""
        several = len(question.days) > 1 or question.day_of(at_ms) != question.day_of(question.start_ms)
        return self._words.moment(at_ms, question.site.time_zone, at_ms + (_DAY_MS if several else 0))

    def quarter(self, at_ms: int, question: Question) -> str:
        """The same to the minute."""
        return self.time(at_ms, question).rpartition(":")[0]

    def when(self, question: Question) -> str:
        """``Tuesday 24 November 2026, so far``, or from when to when."""
        zone = question.site.time_zone
        if question.so_far:
            return self._("{date}, so far", date=self._words.date(question.start_ms, zone))
        start, end = (datetime.fromtimestamp(at / 1000, ZoneInfo(zone)) for at in (question.start_ms, question.end_ms))
        ends = f"{end:%H:%M}"
        if end.date() != start.date():
            ends = f"{self._words.date(question.end_ms, zone)} {ends}"
        date = self._words.date(question.start_ms, zone)
        return self._("{date}, {start} to {end}", date=date, start=f"{start:%H:%M}", end=ends)

    # -- the figure --------------------------------------------------------------------------------------------------

    def headline(self, figure: str, number: float, value: Markup, time: str) -> Markup:
        """``84 people inside at 14:32``; ``value`` is the number as it stands on the page."""
        _, ngettext = self._words.language.markup, self._words.language.markup_of
        n = int(number)
        match figure:
            case "inside":
                return ngettext(
                    "{value} person inside at {time}", "{value} people inside at {time}", n, value=value, time=time
                )
            case "entries":
                return ngettext("{value} person came in", "{value} people came in", n, value=value)
            case "exits":
                return ngettext("{value} person went out", "{value} people went out", n, value=value)
            case "sites_heard":
                return ngettext("{value} site was heard", "{value} sites were heard", n, value=value)
            case "denied":
                return ngettext("{value} scan was denied", "{value} scans were denied", n, value=value)
            case "voice.entries":
                return ngettext("{value} entry in the guestbook", "{value} entries in the guestbook", n, value=value)
            case "voice.ratings":
                return ngettext("{value} rating in the guestbook", "{value} ratings in the guestbook", n, value=value)
            case "voice.mean_rating":
                return _("{value} of 5, the mean rating in the guestbook", value=value)
            case "voice.posts":
                return ngettext("{value} post on social networks", "{value} posts on social networks", n, value=value)
            case "actions":
                return ngettext("{value} action of visitors", "{value} actions of visitors", n, value=value)
            case "web.page_views":
                return ngettext("{value} page view", "{value} page views", n, value=value)
            case "sessions":
                return ngettext(
                    "{value} device in the zone at {time}", "{value} devices in the zone at {time}", n, value=value,
                    time=time,
                )  # fmt: skip
            case _:
                return ngettext("about {value} ticket", "about {value} tickets", n, value=value)

    def figure(self, figure: str) -> str:
        """The name of a figure, to choose it."""
        return {
            "inside": self._("People inside"),
            "sites_heard": self._("Sites heard"),
            "entries": self._("People who came in"),
            "exits": self._("People who went out"),
            "denied": self._("Denied scans"),
            "voice.entries": self._("Guestbook entries"),
            "voice.ratings": self._("Ratings"),
            "voice.mean_rating": self._("Mean rating of 5"),
            "voice.posts": self._("Posts"),
            "actions": self._("Actions"),
            "web.page_views": self._("Page views"),
            "sessions": self._("Devices in a zone"),
            "tickets": self._("Tickets"),
        }[figure]

    def term(self, term: Term) -> str:
        """A term of the equation."""
        return {
            "opening": self._("inside before"),
            "in": self._("came in"),
            "out": self._("went out"),
            "corrections": self._("corrections"),
            "days": self._("a business day begins with nobody inside"),
            "drift": self._("below zero, shown as 0"),
            "accepted": self._("accepted scans"),
            "automatic": self._("taken out at closing"),
            "undone": self._("annulled or reverted"),
            "denied": self._("denied scans"),
            "rest": self._("not explained by the events"),
            "result": self._("the figure"),
        }[term]

    def equation(self, term: Term, amount: int) -> str:
        """The same in the sentence: ``431 in``, ``350 out``, ``+3 by corrections``."""
        if term == "opening":
            return self._("{n} inside before", n=self.number(amount))
        if term == "in":
            return self._("{n} in", n=self.number(amount))
        if term == "out":
            return self._("{n} out", n=self.number(-amount))
        if term == "corrections":
            return self._("{n} by corrections", n=self.signed(amount))
        return self._("{n}: {term}", n=self.signed(amount), term=self.term(term))

    def metric(self, metric: str) -> str:
        """A number that a figure has."""
        return {
            "entries": self._("entries"),
            "exits": self._("exits"),
            "denied": self._("denied scans"),
            "raw": self._("level as the gates counted it"),
            "inside": self._("people inside"),
            "drift": self._("below zero"),
            "low": self._("lower bound"),
            "high": self._("upper bound"),
            "guestbook_entries": self._("entries in the guestbook"),
            "guestbook_ratings": self._("ratings"),
            "guestbook_rating_sum": self._("sum of the ratings"),
            "social_posts": self._("posts"),
            "actions": self._("actions"),
            "web_page_views": self._("page views"),
            "sessions": self._("devices"),
            "tickets": self._("tickets"),
        }[metric]

    # -- where it does not agree -------------------------------------------------------------------------------------

    def gap(self, gap: Gap) -> str:
        """One place where figure and events differ."""
        both = self._(
            "figure {figure}, events {events}", figure=self.number(gap.figure), events=self.number(gap.events)
        )
        match gap.kind:
            case "gate":
                what = self.metric(gap.metric)
                return self._("gate {gate}, {what}: {both}", gate=self.gate(gap.name), what=what, both=both)
            case "level":
                return self._("{what}: {both}", what=self.metric(gap.metric), both=both)
            case "day":
                return self._("{what} of the business day: {both}", what=self.metric(gap.metric), both=both)
            case "correction" if gap.metric == "live":
                return self._("correction {name}: in live state alone", name=gap.name)
            case "correction":
                return self._("correction {name}: in history alone", name=gap.name)
            case "empty":
                return self._("live state holds nothing of this site")

    def reason(self, reason: Reason) -> str:
        """Why they may differ."""
        match reason.code:
            case "empty":
                return self._("Live state is empty, or is being counted up from Kafka.")
            case "not-landed":
                return self.ngettext(
                    "{n} record is counted and has not landed in history yet: ask again.",
                    "{n} records are counted and have not landed in history yet: ask again.",
                    reason.number,
                )
            case "expired":
                return self.ngettext(
                    "Of {n} hour with events live state holds nothing any more: hours expire after some days.",
                    "Of {n} hours with events live state holds nothing any more: hours expire after some days.",
                    reason.number,
                )
            case "resent-elsewhen":
                return self.ngettext(
                    "{n} event came again under another hour: history folds it, live counts may hold it twice.",
                    "{n} events came again under another hour: history folds them, live counts may hold them twice.",
                    reason.number,
                )
            case "unknown":
                return self._("None is known: everything counted has landed, so one of the two stores is wrong.")

    def left_out(self, reason: LeftOut) -> str:
        """Why an event does nothing."""
        return {
            "test": self._("trials, counted nowhere"),
            "clock": self._("in quarantine: the clock of the device is not believed"),
            "future": self._("more than 5 min ahead of their receipt"),
            "late": self._("received more than 72 h after they happened: they change history only"),
            "misplaced": self._("in another partition than that of their site"),
            "negative": self._("a reset or recount below zero says nothing"),
            "zone": self._("corrections of one zone: they do not change the level of the site"),
            "resent": self._("the same event again, folded into the first one"),
            "resent-elsewhen": self._("the same event again under another hour"),
        }[reason]

    # -- events ------------------------------------------------------------------------------------------------------

    def gate(self, gate_id: str) -> str:
        """A gate's id, or that there is none."""
        return self._("No gate named") if gate_id == NO_GATE else gate_id

    def what(self, scan: Scan) -> str:
        """``Entry``, or ``Entry, denied``: which way, and what the gate decided where it did not just let in or out."""
        if scan.outcome == "AUTO_EXIT":
            return self._("taken out at closing")
        way = self._("Entry") if scan.direction == "IN" else self._("Exit")
        outcomes = {"DENIED": self._("denied"), "ANNULLED": self._("annulled"), "REVERTED": self._("reverted")}
        if scan.outcome == "ACCEPTED":
            return way
        return f"{way}, {outcomes.get(scan.outcome, scan.outcome)}"

    def said(self, said: Said) -> str:
        """``Recount: 33``."""
        if said.kind == "ADJUST":
            return self._("Adjusted by {n}", n=self.signed(said.value))
        if said.kind == "RECOUNT":
            return self._("Recount: {n}", n=self.number(said.value))
        return self._("Reset to {n}", n=self.number(said.value))

    def marks(self, record: Scan | Said, *, late: bool, sent: int) -> list[str]:
        """What was special about how it came."""
        found = []
        if late:
            found.append(self._("late"))
        if record.ingest_mode == "OFFLINE":
            found.append(self._("waited offline"))
        if record.ingest_mode in ("BACKFILL", "RECONCILE"):
            found.append(self._("sent afterwards"))
        if record.device_ms is not None:
            seconds = (record.occurred_ms - record.device_ms) / 1000
            sign = "+" if seconds >= 0 else "−"
            found.append(
                self._("clock corrected by {sign}{n} s", sign=sign, n=self._words.language.number(abs(seconds)))
            )
        if record.clock_trust == "DRIFTING":
            found.append(self._("clock drifts"))
        if record.corrects is not None:
            found.append(self._("corrects {id}", id=record.corrects[:8]))
        if sent > 1:
            found.append(self.ngettext("sent {n} time", "sent {n} times", sent))
        return found

    def cause(self, cause: Cause | None) -> str:
        """Why a quarter-hour was revised."""
        return {
            "LATE": self._("came late"),
            "CORRECTION": self._("corrected"),
            "DUPLICATE": self._("a duplicate"),
            "ANNULLED": self._("annulled"),
            None: "",
        }[cause]

    def state(self, window: Window) -> str:
        """Of a quarter-hour."""
        if not window.revisions:
            return self._("not final yet")
        said = self._("final") if len(window.revisions) == 1 else self._("revised")
        return self._("{state}, events differ", state=said) if window.agrees is False else said

    # -- what is wrong -----------------------------------------------------------------------------------------------

    def wrong(self, code: str, values: Mapping[str, str]) -> str:
        """Why there is no such figure."""
        told = {name: value[:200] for name, value in values.items()}
        told = {"name": "", "figure": "", "typed": "", "zone": "", "first": "", "second": "", "most": "", **told}
        first, second = told.get("start", ""), told.get("end", "")
        match code:
            case "unknown-figure":
                return self._("No figure is called “{name}”.", name=told["figure"])
            case "unknown-gate":
                return self._("This site has no gate “{name}”.", name=told["name"])
            case "unknown-zone":
                return self._("This site has no zone “{name}”.", name=told["name"])
            case "gate-and-zone":
                return self._("Choose a gate or a zone, not both.")
            case "not-of-a-part" if told["figure"] == "sessions":
                return self._("Choose the zone whose devices are meant.")
            case "not-of-a-part":
                return self._("This figure is of the whole site: choose no gate or zone.")
            case "backward":
                return self._("{first} is not before {second}.", first=first, second=second)
            case "too-long":
                return self._("A figure is of {days} days at most.", days=told.get("days", ""))
            case "too-much":
                return self._(
                    "More than {n} events stand behind it: choose less time.", n=self.number(int(told["most"]))
                )
            case "not-a-minute":
                return self._(
                    "“{typed}” is no whole minute: minutes are the finest that is counted.", typed=told["typed"]
                )
            case "skipped-time":
                return self._("The clock change of {zone} skips {typed}.", zone=told["zone"], typed=told["typed"])
            case "double-time":
                return self._(
                    "{typed} comes twice in {zone}: say {first} or {second}.",
                    typed=told["typed"], zone=told["zone"], first=told["first"], second=told["second"],
                )  # fmt: skip
            case "not-a-page" | "not-a-limit":
                return self._("The address has a slip: “{typed}”.", typed=told["typed"])
            case _:
                return self._("“{typed}” is no time: 14:30 or 2026-07-02T14:30 is expected.", typed=told["typed"])

    def failed(self, code: str) -> str:
        """Why there is no answer."""
        if code == "busy":
            return self._("Too many such questions are being answered. Ask again in a moment.")
        if code == "slow":
            return self._("The answer took too long. Ask for less time, or again in a moment.")
        return self._("{program} does not answer: nothing can be read until it does.", program=code.capitalize())
