"""What a stack needs once its three stores answer: topics, tables, the shipped sites."""

import asyncio
import time
from collections.abc import Callable

from streams import package_data
from streams.adapters import calendar_topic, migrations, schema_registry, site_topic, topics
from streams.adapters.producer import Producer
from streams.adapters.warehouse import Warehouse
from streams.config import Settings
from streams.sites import files


async def setup(settings: Settings, say: Callable[[str], None]) -> None:
    """Bring Kafka and ClickHouse to what this version needs; everything is made once, repeating it is harmless.

    Args:
        settings: where they are.
        say: called with one line per thing done.
    """
    await asyncio.to_thread(schema_registry.adopt, settings)
    made = await topics.create(settings.kafka_servers)
    say(f"topics: {', '.join(made)}" if made else "topics: all there")
    warehouse = Warehouse(settings.clickhouse_url)
    try:
        ran = await migrations.migrate(warehouse)
    finally:
        await warehouse.close()
    say(f"tables: {', '.join(ran)}" if ran else "tables: all there")
    known = await site_topic.read(settings.kafka_servers)
    # What somebody has applied since stands: only sites that nobody knows yet are published.
    shipped = files.sound([package_data.folder("sites")])
    sites = [site for site in shipped.sites if site.site_id not in known]
    if not sites:
        say("sites: all there")
        return
    producer = Producer(settings.kafka_servers, "musee-setup")
    try:
        now_ms = time.time_ns() // 1_000_000
        await site_topic.publish(producer, sites, now_ms)
        fresh = {site.site_id for site in sites}
        await calendar_topic.publish(producer, [one for one in shipped.calendars if one.site_id in fresh], now_ms)
    finally:
        await producer.stop()
    say(f"sites: {', '.join(site.site_id for site in sites)}")
