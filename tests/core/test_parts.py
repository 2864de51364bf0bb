"""How each part of the pipeline is said to be, and what helps: pure rules."""

import pytest

from streams.core.parts import DOWN, FIXES, HANGS, WAITS, Asked, Lag, Look, Progress, fix, judge

LOG = "logs/agents.log"


@pytest.mark.parametrize(
    ("asked", "state", "cause"),
    [
        (Asked(), "live", ""),
        (Asked(DOWN), "away", "down"),
        (Asked(HANGS), "away", "hangs"),
        (Asked(WAITS + "kafka"), "stale", "waits"),
        (Asked("answers 500"), "stale", "unwell"),
        (Asked(confirmed_s=3.9), "live", ""),
        (Asked(confirmed_s=4.1), "stale", "stopped"),
        (Asked(confirmed_s=4.1, lag=Lag(12, 5.0, moves=False)), "stale", "stopped"),
        (Asked(confirmed_s=4.1, lag=Lag(12, 5.0, moves=True)), "late", "behind"),
        (Asked(confirmed_s=900.0, rebuilding=True), "late", "rebuilding"),
        (Asked(HANGS, rebuilding=True), "away", "hangs"),
        (Asked(lag=Lag(12, None, moves=False)), "live", ""),
        (Asked(lag=Lag(12, 10.1, moves=True)), "late", "behind"),
        (Asked(lag=Lag(12, 10.1, moves=False)), "stale", "stopped"),
    ],
)
def test_a_part_is_what_it_answers_and_how_far_it_is_behind(asked: Asked, state: str, cause: str) -> None:
    part = judge("agents", asked)

    assert (part.state, part.cause) == (state, cause)


def test_whatever_is_not_live_has_a_fix_and_what_is_live_has_none() -> None:
    for answer in (DOWN, HANGS, WAITS + "redis, kafka", "answers 503"):
        assert LOG in str(judge("sink", Asked(answer, log=LOG)).fix) or "redis, kafka" in str(
            judge("sink", Asked(answer, log=LOG)).fix
        )
    assert str(judge("sink", Asked(log=LOG)).fix) == ""


def test_a_service_of_your_own_that_is_away_is_yours_to_start() -> None:
    said = str(fix("down", setting="MUSEE_KAFKA", log=LOG))

    assert said == "start it, or unset MUSEE_KAFKA for the embedded one"


@pytest.mark.parametrize("cause", sorted(set(FIXES) - {"own"}))
def test_every_fix_can_be_said_with_what_is_known(cause: str) -> None:
    said = str(fix(cause, log=LOG, answer=WAITS + "kafka"))  # type: ignore[arg-type]

    assert said
    assert "{" not in said


def look(at_s: float, end: int, place: int) -> Look:
    return Look(round(at_s * 1000), {("t", 0): end}, {("t", 0): place})


def test_the_age_of_a_lag_is_that_of_the_last_log_end_that_was_reached() -> None:
    #  s      0    3    6    9
    #  end   10   20   30   40
    #  place 10   10   20   20     at 9 the end of 3 is reached, that of 6 is not
    progress = Progress()

    found = [progress.take(look(*one)) for one in ((0, 10, 10), (3, 20, 10), (6, 30, 20), (9, 40, 20))]

    assert found == [
        Lag(0, 0.0, moves=False),
        Lag(10, 3.0, moves=False),
        Lag(10, 3.0, moves=True),
        Lag(20, 6.0, moves=False),
    ]


def test_of_a_first_look_nobody_knows_how_old_the_lag_is_and_later_it_is_at_least_so_old() -> None:
    progress = Progress()

    assert progress.take(look(0, 50, 10)).seconds is None
    assert progress.take(look(4, 60, 10)).seconds == 4.0


def test_after_a_pause_in_the_looking_the_age_begins_anew() -> None:
    progress = Progress()
    progress.take(look(0, 10, 10))

    lag = progress.take(look(3600, 5000, 4990))

    assert lag == Lag(10, None, moves=False)


def test_what_was_never_committed_is_behind_from_the_start_of_its_log() -> None:
    assert Progress().take(Look(0, {("t", 0): 7, ("t", 1): 0}, {("t", 0): 2})).records == 5
