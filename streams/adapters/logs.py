"""Structured logs: one JSON object a line on stderr, quiet when all is well, never with an identifier of a person."""

import logging
import sys
import time

import structlog


class _RateLimit(logging.Filter):
    """Lets a message of a chatty logger through once in ten seconds."""

    def __init__(self, every_s: float) -> None:
        super().__init__()
        self._every_s = every_s
        self._last: dict[str, float] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        key = f"{record.name}:{record.lineno}"
        now = time.monotonic()
        if now - self._last.get(key, -self._every_s) < self._every_s:
            return False
        self._last[key] = now
        return True


def configure(program: str, level: int = logging.INFO) -> None:
    """Set up logging of ``program``; call once at start."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.JSONRenderer(),
            ],
            foreign_pre_chain=[
                structlog.stdlib.add_log_level,
                structlog.stdlib.add_logger_name,
                structlog.processors.TimeStamper(fmt="iso"),
                structlog.processors.format_exc_info,
            ],
        )
    )
    # A broker that is down costs a line every 100 ms from the client library.
    handler.addFilter(_RateLimit(10.0) if level > logging.INFO else logging.Filter())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)
    logging.getLogger("streams").setLevel(level)
    for chatty in ("aiokafka", "faust", "mode"):
        logger = logging.getLogger(chatty)
        logger.setLevel(logging.WARNING)
        logger.addFilter(_RateLimit(10.0))
    for chatty in (
        "aiokafka.conn",
        "aiokafka.client",
        "aiokafka.cluster",
        "aiokafka.consumer.fetcher",
        "aiokafka.consumer.group_coordinator",
        "aiokafka.producer.sender",
    ):
        logging.getLogger(chatty).addFilter(_RateLimit(10.0))
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.stdlib.add_log_level,
            structlog.stdlib.add_logger_name,
            structlog.processors.TimeStamper(fmt="iso"),
            structlog.processors.format_exc_info,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        wrapper_class=structlog.stdlib.BoundLogger,
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )
    structlog.contextvars.bind_contextvars(program=program)
