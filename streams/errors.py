"""Every error the project raises on purpose.

    StreamsError
    ├── ConfigError        a setting is wrong: names the variable, the value and what was expected
    ├── RejectedEvent      this event can never succeed: refuse it at the door or dead-letter it, then go on
    ├── Unavailable        a dependency is away: keep the offset, back off, try the same again
    ├── RefusedBlock       the warehouse understood a block and said no: find the culprits
    ├── SiteFileError      a site or calendar file is wrong: names file, line, key and fix
    ├── StartError         a part of the embedded stack cannot start: says why and the ways out
    │                      … and, defined where they are raised:
    ├── WrongLog           adapters.claims: a store holds offsets that Kafka never had, it belongs to another Kafka
    ├── WrongQuestion      core.questions: there is no such figure; a kind of ConfigError
    ├── RefusedQuery       adapters.history: ClickHouse understood a query and said no
    ├── RefusedBatch       gateway.accept: a batch with at least one culprit, nothing of it was produced
    ├── ListError          sites.lists: a public list cannot be read, or has other columns
    ├── RecordingError     replay.recording: a recording cannot be read
    ├── RefusedAcknowledgement  core.alerts: a closed alert, nobody named, or a time that is over or too far away
    ├── RefusedReplay      replay.run: the door refused an event of a recording
    ├── FileError          check.files: a recording cannot be counted
    └── TruthError         simulate.truth, check.truths: a folder cannot take a truth, or holds none that is whole

Anything else is a bug and stops the program with its traceback.
"""


class StreamsError(Exception):
    """Base of all expected errors."""


class ConfigError(StreamsError):
    """Settings are wrong; the message lists every fault, one a line."""


class RejectedEvent(StreamsError):  # noqa: N818 - a verdict, read as one
    """This event can never succeed.

    Args:
        code: stable code, e.g. ``future``; listed in the README.
        detail: one sentence naming value and expectation, without personal identifiers.
        path: JSON pointer of the culprit, empty when it is the whole event.
        status: HTTP status at the door.
    """

    def __init__(self, code: str, detail: str, *, path: str = "", status: int = 422) -> None:
        super().__init__(f"{code}: {detail}")
        self.code = code
        self.detail = detail
        self.path = path
        self.status = status


class Unavailable(StreamsError):  # noqa: N818 - a state, not a fault
    """A dependency is away; ``dependency`` is ``kafka``, ``redis``, ``clickhouse`` or ``schema-registry``."""

    def __init__(self, dependency: str, detail: str = "") -> None:
        super().__init__(f"{dependency} is unavailable{': ' + detail if detail else ''}")
        self.dependency = dependency
        self.detail = detail


class RefusedBlock(StreamsError):  # noqa: N818 - the warehouse's answer
    """The warehouse refused a block for good; ``code`` is its own error number."""

    def __init__(self, code: int, detail: str) -> None:
        super().__init__(f"clickhouse refused the block with code {code}: {detail}")
        self.code = code
        self.detail = detail


class SiteFileError(StreamsError):
    """A site file is wrong; the message names file, key and fix."""


class StartError(StreamsError):
    """A part of the embedded stack cannot start; the message is one line with the ways out."""
