"""Creates the topics of ``topology.py`` and says where a cluster differs from it."""

from dataclasses import dataclass

from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import KafkaError, TopicAlreadyExistsError

from streams.errors import ConfigError, Unavailable
from streams.topology import FAMILIES, PARTITIONS, Family

_REPLICAS = 3


@dataclass(frozen=True, slots=True)
class TopicState:
    """A topic as the cluster has it; ``partitions`` is 0 where it is missing."""

    topic: str
    partitions: int
    config: dict[str, str]
    faults: tuple[str, ...]


def wanted(family: Family) -> dict[str, str]:
    """Topic settings that the promises rest on."""
    config = {"message.timestamp.type": "LogAppendTime", "max.message.bytes": str(2 * 1024 * 1024)}
    if family.retention_ms is None:
        return config | {"cleanup.policy": "compact"}
    return config | {"cleanup.policy": "delete", "retention.ms": str(family.retention_ms)}


async def create(servers: str, families: tuple[Family, ...] = FAMILIES) -> list[str]:
    """Create what is missing; returns the names of the topics made.

    Each is kept on three brokers, and a record is accepted once two have it; on all of them where there are fewer.

    Raises:
        Unavailable: Kafka does not answer.
        ConfigError: a topic is there with another number of partitions.
    """
    admin = AIOKafkaAdminClient(bootstrap_servers=servers, request_timeout_ms=10_000)
    made = []
    try:
        await admin.start()
        replicas = min(_REPLICAS, len((await admin.describe_cluster())["brokers"]))
        safe = {"min.insync.replicas": str(max(1, replicas - 1))}
        there = {one["topic"]: len(one["partitions"]) for one in await admin.describe_topics()}
        for family in families:
            if family.topic in there:
                if there[family.topic] != PARTITIONS:
                    raise ConfigError(
                        f"topic {family.topic} has {there[family.topic]} partitions, not {PARTITIONS}: was it made "
                        "automatically? Delete it, switch that off in the broker, and start again"
                    )
                continue
            new = NewTopic(family.topic, PARTITIONS, replicas, topic_configs=wanted(family) | safe)
            answer = await admin.create_topics([new])
            for _, code, *rest in answer.topic_errors:
                if code not in (0, TopicAlreadyExistsError.errno):
                    raise Unavailable("kafka", f"{family.topic}: {rest[0] if rest else code}")
            made.append(family.topic)
    except (KafkaError, OSError) as error:
        raise Unavailable("kafka", repr(error)) from error
    finally:
        await admin.close()
    return made


async def describe(servers: str, families: tuple[Family, ...] = FAMILIES) -> list[TopicState]:
    """Each topic as it is, and in which settings it differs from the topology."""
    admin = AIOKafkaAdminClient(bootstrap_servers=servers, request_timeout_ms=10_000)
    try:
        await admin.start()
        found = {one["topic"]: one for one in await admin.describe_topics([f.topic for f in families])}
        states = []
        for family in families:
            partitions = len(found.get(family.topic, {}).get("partitions", ()))
            if not partitions:
                states.append(TopicState(family.topic, 0, {}, ("missing: musee topics --create",)))
                continue
            config = await _config(admin, family.topic)
            faults = [
                f"{name} is {config.get(name)}, not {value}"
                for name, value in wanted(family).items()
                if config.get(name) != value
            ]
            if partitions != PARTITIONS:
                faults.append(f"{partitions} partitions, not {PARTITIONS}")
            states.append(TopicState(family.topic, partitions, config, tuple(faults)))
    except (KafkaError, OSError) as error:
        raise Unavailable("kafka", repr(error)) from error
    finally:
        await admin.close()
    return states


async def _config(admin: AIOKafkaAdminClient, topic: str) -> dict[str, str]:
    (answer,) = await admin.describe_configs([ConfigResource(ConfigResourceType.TOPIC, topic)])
    return {entry[0]: entry[1] for resource in answer.resources for entry in resource[4]}
