"""Fixtures of the flows."""

import asyncio

import pytest
import redis

from streams.adapters import topics
from streams.config import Settings


@pytest.fixture
def own(settings: Settings) -> Settings:
    """A live store that no agents write to: another database of the same server."""
    url = settings.redis_url.rpartition("/")[0] + "/7"
    with redis.Redis.from_url(url) as client:
        client.flushdb()
    asyncio.run(topics.create(settings.kafka_servers))
    return settings.model_copy(update={"redis": url})
