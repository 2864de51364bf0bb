"""How a verb that a person calls begins: with settings, and with the client libraries silent.

What is away is said once, by us. Used by the verbs that read Kafka or ClickHouse.
"""

import logging

from streams import config


def settings() -> config.Settings:
    """Settings from the environment; raises ``ConfigError``."""
    for library in ("aiokafka", "clickhouse_connect"):
        logging.getLogger(library).setLevel(logging.CRITICAL)
    return config.load()
