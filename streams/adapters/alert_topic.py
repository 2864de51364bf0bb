"""The ``alert`` topic: what was said of every alert, for 30 days.

Written by ``adapters.alert_changes``; read back by ``agents.alerts`` (``newest``) to learn what an emptied live store
forgot, and followed by ``musee alerts tail`` (``adapters.tail``, with ``alert`` of each record).
"""

import asyncio
import contextlib
import uuid
from collections.abc import Iterable

import msgspec
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from streams.adapters import avro, registry
from streams.adapters.producer import Outgoing
from streams.core.alerts import Alert, Scope
from streams.errors import Unavailable
from streams.topology import ALERT

_POLL_MS = 200


def record(alert: Alert, published_ms: int) -> Outgoing:
    """An alert as it is written."""
    name = f"musee:alert:{alert.alert_id}|{alert.version}"
    fields = {
        "event_id": str(uuid.uuid5(uuid.NAMESPACE_URL, name)),
        "alert_id": alert.alert_id,
        "rule": alert.rule,
        "kind": alert.kind,
        "severity": alert.severity,
        "site_id": alert.scope.site_id,
        "zone_id": alert.scope.zone_id,
        "gate_id": alert.scope.gate_id,
        "episode": alert.episode,
        "version": alert.version,
        "state": alert.state,
        "opened_at": alert.opened_ms,
        "changed_at": alert.changed_ms,
        "resolved_at": alert.resolved_ms,
        "acknowledged_by": alert.acknowledged_by,
        "acknowledged_until": alert.acknowledged_until_ms,
        "value": alert.value,
        "low": alert.low,
        "high": alert.high,
        "limit_value": alert.limit,
        "entry_percent": alert.entry,
        "exit_percent": alert.exit,
        "hidden_by": alert.hidden_by,
        "played": alert.played,
        "evidence": alert.evidence,
        "advice": alert.advice,
        "published_at": published_ms,
    }
    return Outgoing(alert.scope.site_id, avro.encode(registry.by_name(ALERT.schema), fields))


def alert(value: bytes | None) -> Alert:
    """The alert in a framed value; ``ValueError`` with a stable reason if it is not sound."""
    told = avro.decode(value, ALERT.name)
    found = Alert(
        alert_id=told["alert_id"],
        rule=told["rule"],
        kind=told["kind"],
        severity=told["severity"],
        scope=Scope(told["site_id"], told["zone_id"], told["gate_id"]),
        episode=told["episode"],
        version=told["version"],
        state=told["state"],
        opened_ms=told["opened_at"],
        changed_ms=told["changed_at"],
        resolved_ms=told["resolved_at"],
        acknowledged_by=told["acknowledged_by"],
        acknowledged_until_ms=told["acknowledged_until"],
        value=told["value"],
        low=told["low"],
        high=told["high"],
        limit=told["limit_value"],
        entry=told["entry_percent"],
        exit=told["exit_percent"],
        hidden_by=told["hidden_by"],
        played=told["played"],
        evidence=told["evidence"],
        advice=told["advice"],
    )
    try:
        msgspec.convert(msgspec.to_builtins(found), Alert)  # a newer agent may know other states and kinds
        sound = Scope.of(str(found.scope)) == found.scope and found.rule and "|" not in found.rule
    except ValueError as error:
        raise ValueError("invalid") from error
    if not sound:
        raise ValueError("invalid")
    return found


async def newest(servers: str, partitions: Iterable[int], within_s: float = 20.0) -> dict[int, list[Alert]]:
    """Partition → of each rule and scope what was published last, from the oldest record to the end that there is now.

    Raises:
        Unavailable: Kafka does not give them in time.
    """
    places = [TopicPartition(ALERT.topic, partition) for partition in partitions]
    consumer: AIOKafkaConsumer[bytes, bytes] = AIOKafkaConsumer(
        bootstrap_servers=servers, enable_auto_commit=False, request_timeout_ms=10_000
    )
    found: dict[int, dict[tuple[str, Scope], Alert]] = {place.partition: {} for place in places}
    try:
        async with asyncio.timeout(within_s):
            await consumer.start()
            consumer.assign(places)
            await consumer.seek_to_beginning(*places)
            ends = await consumer.end_offsets(places)
            while [place for place in places if await consumer.position(place) < ends[place]]:
                for place, records in (await consumer.getmany(timeout_ms=_POLL_MS)).items():
                    for one in records:
                        _take(found[place.partition], one.value)
    except (KafkaError, OSError, TimeoutError) as error:
        raise Unavailable("kafka", str(error) or repr(error)) from error
    finally:
        with contextlib.suppress(KafkaError, OSError):
            await consumer.stop()
    return {partition: list(last.values()) for partition, last in found.items()}


def _take(last: dict[tuple[str, Scope], Alert], value: bytes | None) -> None:
    try:
        said = alert(value)
    except ValueError:  # the sink dead-letters it
        return
    stands = last.get((said.rule, said.scope))
    if stands is None or said.version > stands.version:
        last[said.rule, said.scope] = said
