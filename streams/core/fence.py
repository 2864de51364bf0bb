"""The offset fence as a pure function: the model that ``adapters/apply.lua`` is tested against.

A fence is the last offset whose effect a store holds. A batch says which offset it follows (``prev``) and which it ends
with (``last``). Safety rests on ``prev == applied`` alone: no owner, no epoch. A check that is only "newer" loses
events when the store comes back with an older fence.
"""

from typing import Literal

Answer = Literal["OK", "DUP", "GAP", "COLD"]


def decide(applied: int | None, prev: int, last: int) -> Answer:
    """What the store answers to a batch.

    Args:
        applied: the fence, ``None`` if the store has none.
        prev: offset before the batch's first record.
        last: offset of its last record.

    Returns:
        ``COLD``: rebuild from the live horizon. ``DUP``: all of it was applied. ``GAP``: read again from the fence.
        ``OK``: apply it and move the fence to ``last``, in the same step.
    """
    if applied is None:
        return "COLD"
    if last <= applied:
        return "DUP"
    if prev != applied:
        return "GAP"
    return "OK"
