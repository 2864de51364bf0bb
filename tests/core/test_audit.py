"""The audit reads offsets again that are nowhere, each once: some will never have a row."""

from typing import Any

import pytest

from streams.adapters.claims import Claim
from streams.sink import audit
from streams.sink.audit import Audit, Gap
from streams.topology import GUESTBOOK_ENTRY


class Reader:
    """As much of the reader as an audit asks for: one partition, offsets 0 to 9 committed."""

    def __init__(self) -> None:
        topic = GUESTBOOK_ENTRY.topic
        self.claims = {(topic, 0): Claim(topic, 0, 10, 9)}
        self.rewound: list[int] = []

    async def log_start(self, _topic: str, _partition: int) -> int:
        return 0

    def rewind(self, _topic: str, _partition: int, offset: int) -> None:
        self.rewound.append(offset)


async def test_offsets_whose_rows_have_gone_are_read_again_once_each_and_no_more(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    lost = [3, 7]  # e.g. landed after their time was up

    async def find_gaps(_warehouse: object, _family: object, ranges: dict[int, tuple[int, int]]) -> list[Gap]:
        missing = [offset for offset in lost if ranges and ranges[0][0] <= offset < ranges[0][1]]
        return [Gap(0, len(missing), missing[0])] if missing else []

    monkeypatch.setattr(audit, "find_gaps", find_gaps)
    reader: Any = Reader()
    tested = Audit(GUESTBOOK_ENTRY, reader, reader)

    for _ in range(4 * 30):  # everything is looked at again three times
        await tested.turn()

    assert reader.rewound == lost
