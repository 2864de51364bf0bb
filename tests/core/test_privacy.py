"""Pseudonyms: the same ticket gets the same one, and nobody gets back from it to the ticket."""

import hashlib
import hmac
import re
import string
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.core.privacy import normalise, period, pseudonym

KEY, OTHER_KEY = b"k" * 32, b"o" * 32
tickets = st.text(string.ascii_letters + string.digits, min_size=1, max_size=40)


@pytest.mark.parametrize("written", ["AB-12 34", "ab1234", " ab 12-34\n", "ＡＢ１２３４", "a\u00a0b12\t34"])
def test_the_ways_to_write_one_ticket_number_are_one_identifier(written: str) -> None:
    assert normalise(written) == "AB1234"


@given(identifier=st.text(string.printable, max_size=60))
def test_normalising_twice_changes_nothing(identifier: str) -> None:
    assert normalise(normalise(identifier)) == normalise(identifier)


@given(identifier=st.text(max_size=60))
def test_any_identifier_has_a_pseudonym_of_32_hex_digits(identifier: str) -> None:
    assert re.fullmatch("[0-9a-f]{32}", pseudonym(KEY, identifier))


@given(ticket=tickets)
def test_a_pseudonym_is_the_first_half_of_the_hmac_of_the_normalised_identifier(ticket: str) -> None:
    whole = hmac.new(KEY, ticket.upper().encode(), hashlib.sha256).hexdigest()

    assert pseudonym(KEY, ticket) == whole[:32]


@given(ticket=tickets)
def test_another_key_makes_another_pseudonym(ticket: str) -> None:
    assert pseudonym(KEY, ticket) != pseudonym(OTHER_KEY, ticket)


@given(one=tickets, other=tickets)
def test_two_pseudonyms_are_equal_exactly_if_their_tickets_are(one: str, other: str) -> None:
    assert (pseudonym(KEY, one) == pseudonym(KEY, other)) == (normalise(one) == normalise(other))


@pytest.mark.parametrize(
    ("at", "month"),
    [
        (datetime(2015, 2, 28, 23, 59, 59, 999_000, tzinfo=UTC), "2015-02"),
        (datetime(2015, 3, 1, tzinfo=UTC), "2015-03"),
        (datetime(1999, 12, 31, 23, 59, tzinfo=UTC), "1999-12"),
    ],
)
def test_a_key_serves_one_month_of_utc(at: datetime, month: str) -> None:
    assert period(round(at.timestamp() * 1000)) == month


@pytest.mark.parametrize(
    ("at", "day"),
    [
        (datetime(2015, 2, 3, 23, 59, 59, 999_000, tzinfo=UTC), "2015-02-03"),
        (datetime(2015, 2, 4, tzinfo=UTC), "2015-02-04"),
        (datetime(1970, 1, 1, tzinfo=UTC), "1970-01-01"),
    ],
)
def test_a_key_of_a_day_serves_one_day_of_utc(at: datetime, day: str) -> None:
    assert period(round(at.timestamp() * 1000), "day") == day
