"""Every text of the pages is in every catalogue, with the same names to fill in, and none is left over."""

import re
from collections import defaultdict

import pytest
from starlette.requests import Request

from streams.console import i18n
from streams.console.words import Words
from tests.console.catalogues import texts

NAMES = re.compile(r"\{(\w+)\}")
FRENCH = i18n.LANGUAGES["fr"]
SAID = {one.ids[0]: one for one in texts()}


def request(query: str = "", **headers: str) -> Request:
    pairs = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    return Request({"type": "http", "query_string": query.encode(), "headers": pairs, "path": "/", "method": "GET"})


def test_each_text_has_its_french() -> None:
    missing = [f"{one.file}:{one.line}: {one.ids[0]}" for one in SAID.values() if one.ids[0] not in FRENCH.messages]

    assert not missing


def test_a_text_that_no_page_says_any_more_is_in_no_catalogue() -> None:
    assert sorted(FRENCH.messages.keys() - SAID.keys()) == []


def test_a_translation_fills_in_what_the_text_does() -> None:
    wrong = []
    for text, told in FRENCH.messages.items():
        forms = (told,) if isinstance(told, str) else told
        of = {name for one in SAID[text].ids for name in NAMES.findall(one)}
        wrong += [text for form in forms if not set(NAMES.findall(form)) <= of or not form.strip()]

    assert not wrong


def test_a_text_has_a_plural_in_the_catalogue_exactly_where_it_is_said_with_one() -> None:
    said = {text for text, one in SAID.items() if len(one.ids) > 1}

    assert {text for text, told in FRENCH.messages.items() if not isinstance(told, str)} == said


def test_french_puts_its_marks_behind_a_space_that_does_not_break() -> None:
    """Before ``: ; ! ? %`` and inside guillemets."""
    loose = defaultdict(list)
    for text, told in FRENCH.messages.items():
        for form in (told,) if isinstance(told, str) else told:
            without = re.sub(r"\d:\d|https?:|[?&]\w+=|\{\w+\}:\{", "", form)
            if re.search(r"(?<![\u00a0\u202f])[:;!?%»](?![\w/])|«(?![\u00a0\u202f])", without):
                loose[text].append(form)

    assert not loose


@pytest.mark.parametrize(
    ("header", "code"),
    [("fr-FR,fr;q=0.9,en;q=0.8", "fr"), ("en,fr;q=0.5", "en"), ("de, fr;q=0.1", "fr"), ("de", "en"), ("fr;q=x", "en")],
)
def test_the_browser_is_asked_which_language_its_reader_prefers(header: str, code: str) -> None:
    assert i18n.of(request(accept_language=header)).code == code


def test_what_the_address_names_goes_before_what_is_remembered_and_that_before_what_the_browser_asks_for() -> None:
    kept = request("lang=en", cookie="musee_lang=fr", accept_language="fr")

    assert i18n.of(kept).code == "en"
    assert i18n.of(request(cookie="musee_lang=fr", accept_language="en")).code == "fr"
    assert i18n.of(request(cookie="musee_lang=<script>", accept_language="en")).code == "en"
    with pytest.raises(i18n.UnknownLanguageError, match="xx"):
        i18n.of(request("lang=xx"))


def test_numbers_dates_and_plurals_go_by_the_language() -> None:
    french = Words(FRENCH)

    assert french.number(12480) == "12\u202f480"
    assert (french.span(800), french.rating(4.25)) == ("0,8\u00a0s", "4,3")
    assert french.date(1_125_084_720_000, "Europe/Paris") == "vendredi 26 août 2005"
    assert (french.tickets(1), french.tickets(2)) == ("1 billet", "2 billets")
    assert FRENCH.ngettext("{n} day", "{n} days", 0) == "0 jour"
    assert i18n.ENGLISH.ngettext("{n} day", "{n} days", 0) == "0 days"


def test_what_is_filled_into_markup_is_escaped() -> None:
    assert FRENCH.markup("since {time}", time="<b>") == "depuis &lt;b&gt;"
    assert FRENCH.markup("since {time}", time=FRENCH.markup("{n} s", n=1)) == "depuis 1\u00a0s"
