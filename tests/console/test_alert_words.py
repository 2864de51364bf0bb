"""Advice: what a text is made of is found again, and every sentence has its French."""

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.console.alert_words import AlertWords, isolated
from streams.console.i18n import LANGUAGES
from streams.core import advice
from streams.core.alerts import CAPACITY, RULES, SILENT, Observed, Rule, Scope, step

FRENCH = AlertWords(LANGUAGES["fr"])
HOUR = 3_600_000


def said(rule: Rule, place: str) -> list[str]:
    """Every advice that a rule's alert can carry: opened, resolved, and not judged any more."""
    full = Observed(Scope("louvre"), place, 0, 100, 100, 100, 100)
    opened = step(None, full, rule, 1)
    assert opened is not None
    empty = Observed(Scope("louvre"), place, HOUR, 0, 0, 0, 100)
    closed = Observed(Scope("louvre"), place, HOUR, 0, 0, 0, None)
    resolved = [step(opened, one, rule, 2) for one in (empty, closed)]
    return [opened.advice, *(one.advice for one in resolved if one is not None)]


@given(place=st.text(min_size=1).filter(str.strip))
def test_a_sentence_and_its_place_are_found_again_in_the_text(place: str) -> None:
    for sentence in advice.SENTENCES:
        names = {name for _, name, _, _ in string.Formatter().parse(sentence) if name}
        filled = {name: value for name, value in (("place", place), ("exit", "65")) if name in names}

        assert advice.parts(sentence.format(**filled)) == (sentence, filled)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
def test_every_advice_that_an_alert_can_carry_is_said_in_french(rule: Rule) -> None:
    texts = said(rule, "Musée {x} 100 % again: de l’Air")

    assert len(texts) == 3
    for text in texts:
        french = FRENCH.advice(text)
        assert french.lang is None
        assert french.text != text
        assert ("Musée {x} 100 % again: de l’Air" in text) == ("Musée {x} 100 % again: de l’Air" in french.text)


def test_every_sentence_is_one_that_some_alert_carries() -> None:
    found = [advice.parts(text) for rule in (SILENT, *CAPACITY) for text in said(rule, "x")]

    assert {one[0] for one in found if one is not None} == set(advice.SENTENCES)


def test_the_control_an_advice_that_is_none_of_ours_stays_english_and_says_so() -> None:
    assert advice.parts("Send for the fire brigade.") is None
    assert FRENCH.advice("Send for the fire brigade.") == ("Send for the fire brigade.", "en")


def test_a_name_that_runs_from_right_to_left_does_not_turn_the_sentence_round() -> None:
    turned = FRENCH.advice(advice.STOP.format(place="\u202egnirts")).text

    assert "\u2068\u202egnirts\u2069 et ouvrez" in turned
    assert isolated("متحف") == "\u2068متحف\u2069"
    assert isolated("Musée Fabre 🏛") == "Musée Fabre 🏛"  # the control: nothing to isolate
