"""Structured logs: one JSON object a line on stderr, quiet when all is well, never with an identifier of a person."""

import logging
import sys
import time
from collections.abc import Sequence

import structlog
from structlog.typing import Processor

_CHATTY = frozenset({"aiokafka", "faust", "mode"})
_EVERY_S = 10.0


class _Patience(logging.Filter):
    """Lets each line of a chatty library through once in ten seconds: a broker that is away costs ten a second."""

    def __init__(self) -> None:
        super().__init__()
        self._last: dict[tuple[str, int], float] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        if record.name.partition(".")[0] not in _CHATTY:
            return True
        place, now_s = (record.pathname, record.lineno), time.monotonic()
        if now_s - self._last.get(place, -_EVERY_S) < _EVERY_S:
            return False
        self._last[place] = now_s
        return True


_SHARED: Sequence[Processor] = (
    structlog.contextvars.merge_contextvars,
    structlog.stdlib.add_log_level,
    structlog.stdlib.add_logger_name,
    structlog.processors.TimeStamper(fmt="iso"),
    structlog.processors.format_exc_info,
)


def configure(program: str, level: int = logging.INFO) -> None:
    """Set up logging of ``program``; call once at start. Libraries speak from warnings up, we from ``level`` up."""
    formatter = structlog.stdlib.ProcessorFormatter(
        processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, structlog.processors.JSONRenderer()],
        foreign_pre_chain=_SHARED,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(formatter)
    handler.addFilter(_Patience())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)
    logging.getLogger("streams").setLevel(level)
    structlog.configure(
        processors=[*_SHARED, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        wrapper_class=structlog.stdlib.BoundLogger,
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )
    structlog.contextvars.bind_contextvars(program=program)
