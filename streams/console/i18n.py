"""The languages of the pages: which one a reader gets, and what a text is in it.

Texts are written in English where they stand; ``locales/<language>/*.po`` holds the others, one file a page, read at
start by Babel. The page's script gets the same as JSON, with the names of months and days, so that both say the same.
Used by ``console.shell`` and ``console.words``.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import babel
import msgspec
from babel.messages.pofile import read_po
from babel.numbers import format_decimal
from markupsafe import Markup
from starlette.requests import Request

FOLDER = Path(__file__).parent / "locales"
SOURCE = "en"
COOKIE = "musee_lang"


class UnknownLanguageError(LookupError):
    """An address asks for a language that there is none of; its argument is what was asked for."""


@dataclass(frozen=True)
class Language:
    """One language.

    Attributes:
        code: ``fr``, as in ``lang`` attributes.
        name: what its speakers call it.
        messages: English text → this language's, of a plural all its forms; empty for English itself.
    """

    code: str
    name: str
    messages: Mapping[str, str | tuple[str, ...]] = field(default_factory=dict)

    @cached_property
    def locale(self) -> babel.Locale:
        """What Babel knows of it."""
        return babel.Locale.parse(self.code)

    def gettext(self, text: str, **values: object) -> str:
        """``text`` in this language with its ``{names}`` filled in; the English one if the catalogue lacks it."""
        return self._told(text).format_map(values)

    def ngettext(self, one: str, many: str, n: int, **values: object) -> str:
        """The form for ``n`` things; ``{n}`` is the number as it is written here."""
        return self._forms(one, many, n).format_map({"n": self.number(n), **values})

    def number(self, value: float) -> str:
        """``12,480``, ``12 480``."""
        return format_decimal(value, locale=self.locale)

    def markup(self, text: str, **values: object) -> Markup:
        """``gettext`` for templates: what is filled in is escaped, save what is markup already."""
        return Markup(self._told(text)).format_map(values)  # noqa: S704 - the text is ours, values are escaped

    def markup_of(self, one: str, many: str, n: int, **values: object) -> Markup:
        """``ngettext`` for templates."""
        return Markup(self._forms(one, many, n)).format_map({"n": self.number(n), **values})  # noqa: S704 - as above

    def _told(self, text: str) -> str:
        told = self.messages.get(text, text)
        return told if isinstance(told, str) else told[0]

    def _forms(self, one: str, many: str, n: int) -> str:
        told = self.messages.get(one, (one, many))
        forms = (told, told) if isinstance(told, str) else told
        form = int(n > 1) if self.code == "fr" else int(n != 1)  # in French nought is singular
        return forms[min(form, len(forms) - 1)]

    def exported(self) -> bytes:
        """JSON for the page's script."""
        wide, short = self.locale.months["format"]["wide"], self.locale.months["format"]["abbreviated"]
        days, days_short = self.locale.days["format"]["wide"], self.locale.days["format"]["abbreviated"]
        monday_first = range(7)
        return msgspec.json.encode(
            {
                "code": self.code,
                "messages": self.messages,
                "months": [wide[month] for month in range(1, 13)],
                "months_short": [short[month] for month in range(1, 13)],
                "weekdays": [days[day] for day in monday_first],
                "weekdays_short": [days_short[day] for day in monday_first],
            }
        )


def _load(code: str, name: str) -> Language:
    messages: dict[str, str | tuple[str, ...]] = {}
    for path in sorted((FOLDER / code).glob("*.po")):
        with path.open("rb") as file:
            for message in read_po(file, locale=code):
                if not message.id:
                    continue
                key = message.id if isinstance(message.id, str) else message.id[0]
                told = message.string if isinstance(message.string, str) else tuple(message.string or ())
                if messages.setdefault(key, told) != told:
                    raise ValueError(f"{path.name}: {key!r} was translated otherwise in another file")
    return Language(code, name, messages)


ENGLISH = Language(SOURCE, "English")
LANGUAGES = {one.code: one for one in (ENGLISH, _load("fr", "Français"))}


def of(request: Request) -> Language:
    """The language for a reader: named in the address, else remembered, else what the browser asks for, else English.

    Raises:
        UnknownLanguageError: the address names one that there is none of.
    """
    asked = request.query_params.get("lang")
    if asked is not None:
        if asked not in LANGUAGES:
            raise UnknownLanguageError(asked)
        return LANGUAGES[asked]
    kept = LANGUAGES.get(request.cookies.get(COOKIE, ""))
    return kept or LANGUAGES[_preferred(request.headers.get("accept-language", ""))]


def _preferred(header: str) -> str:
    """The best of ours by an ``Accept-Language`` header (RFC 9110, 12.5.4)."""
    wanted = []
    for place, part in enumerate(header[:1000].split(",")):
        tag, _, quality = part.strip().partition(";q=")
        code = tag.split("-")[0].strip().lower()
        try:
            weight = float(quality or 1)
        except ValueError:
            continue
        if code in LANGUAGES and weight > 0:
            wanted.append((-weight, place, code))
    return min(wanted)[2] if wanted else SOURCE
