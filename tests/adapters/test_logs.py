"""Logs: one JSON object a line, chatty libraries held back, ours not."""

import json
import logging
from collections.abc import Iterator

import pytest
import structlog

from streams.adapters import logs


@pytest.fixture
def restored() -> Iterator[None]:
    """Logging as it was before. ``configure`` is called by the test: stderr must be captured first.

    The libraries begin as in a program that has just started: a probe or a verb may have silenced them in this process.
    """
    root = logging.getLogger()
    libraries = [logging.getLogger(name) for name in ("aiokafka", "aiokafka.conn")]
    before = root.handlers[:]
    levels = [(logger, logger.level) for logger in (root, *libraries)]
    for library in libraries:
        library.setLevel(logging.NOTSET)
    yield
    root.handlers[:] = before
    for logger, level in levels:
        logger.setLevel(level)
    structlog.contextvars.clear_contextvars()
    structlog.reset_defaults()


@pytest.mark.usefixtures("restored")
def test_a_line_is_json_with_program_and_level(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure("tester")

    structlog.get_logger("streams.tests").info("placed", partition=3)

    (line,) = capsys.readouterr().err.splitlines()
    said = json.loads(line)
    assert (said["event"], said["partition"], said["level"], said["program"]) == ("placed", 3, "info", "tester")


@pytest.mark.usefixtures("restored")
def test_a_library_repeats_itself_only_after_a_while(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure("tester")

    for _ in range(20):
        logging.getLogger("aiokafka.conn").error("broker is away")
        structlog.get_logger("streams.tests").warning("holding")

    events = [json.loads(line)["event"] for line in capsys.readouterr().err.splitlines()]
    assert (events.count("broker is away"), events.count("holding")) == (1, 20)
