"""How a verb that a person calls begins: with settings, and with the client libraries silent.

What is away is said once, by us. Used by the verbs that read Kafka or ClickHouse.
"""

import logging
import sys

import structlog

from streams import config


def settings() -> config.Settings:
    """Settings from the environment; raises ``ConfigError``."""
    for library in ("aiokafka", "clickhouse_connect"):
        logging.getLogger(library).setLevel(logging.CRITICAL)
    # What our own adapters log is a program's affair, and must not stand in the answer.
    structlog.configure(
        wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )
    return config.load()
