"""Sites as programs read them: what a schema cannot say is judged when a record is read."""

from dataclasses import replace
from math import nan

import pytest

from streams import package_data
from streams.adapters import site_topic
from streams.core.plans import MAX_BYTES
from streams.core.sites import Gate, Plan, Site, Zone

SOUND = Site(
    "louvre",
    "org",
    "Louvre",
    "Europe/Paris",
    capacity=10,
    zones=(Zone("a", "A", 5),),
    gates=(Gate("g", "G", "a", 0.5),),
    plans=(Plan(-1, "Lower floor", "<svg/>", "Sous-sol"), Plan(0, "Ground floor", "<svg/>")),
)


def test_a_sound_site_is_read_as_it_was_written() -> None:
    assert site_topic.decode(site_topic.encode(SOUND, 0)) == SOUND


def test_a_site_written_before_there_were_plans_has_none() -> None:
    before = (package_data.folder("schemas") / "golden" / "site.v3.bin").read_bytes()

    assert site_topic.decode(before).plans == ()


@pytest.mark.parametrize(
    "odd",
    [
        replace(SOUND, capacity=0),
        replace(SOUND, capacity=-1),
        replace(SOUND, zones=(Zone("a", "A", 0),)),
        replace(SOUND, zones=(Zone("", "A"),)),
        replace(SOUND, gates=(Gate("g", "G", None, nan),)),
        replace(SOUND, gates=(Gate("g", "G", None, 0.51),)),
        replace(SOUND, gates=(Gate("", "G"),)),
        replace(SOUND, error_share=nan),
        replace(SOUND, site_id="a/b"),
        replace(SOUND, site_id="a|b"),
        replace(SOUND, time_zone="Mars/Olympus"),
        replace(SOUND, plans=(Plan(0, "Ground floor", "x" * (MAX_BYTES + 1)),)),
    ],
    ids=lambda site: repr(site)[:300],
)
def test_a_site_that_the_loops_could_not_judge_is_refused(odd: Site) -> None:
    with pytest.raises(ValueError, match="invalid"):
        site_topic.decode(site_topic.encode(odd, 0))
