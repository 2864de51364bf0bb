"""Waits until what was sent before has arrived everywhere.

A group that has been seen without lag once since the start holds everything that was sent before the start, however
much has come since. So a demo that keeps playing does not hold a check up.
"""

import time
from collections.abc import Callable, Mapping

LONGEST_S = 60.0
_AGAIN_S = 0.2


def wait(
    lags: Callable[[], Mapping[str, int]],
    progress: Callable[[str], None],
    *,
    longest_s: float = LONGEST_S,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> dict[str, int]:
    """Wait until every consumer group has been without lag once.

    Args:
        lags: consumer group → records that it is behind.
        progress: told about who is behind.
        longest_s: gives up after that.
        clock: monotonic seconds.
        sleep: waits.

    Returns:
        The groups that never were, with their lag; empty if all is quiet.
    """
    end_s = clock() + longest_s
    caught_up: set[str] = set()
    while True:
        now = lags()
        caught_up |= {group for group, behind in now.items() if behind <= 0}
        waiting = {group: behind for group, behind in now.items() if group not in caught_up}
        if not waiting or clock() >= end_s:
            return waiting
        progress(
            "waiting for " + ", ".join(f"{group} ({behind:,} records behind)" for group, behind in waiting.items())
        )
        sleep(_AGAIN_S)
