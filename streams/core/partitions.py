"""Which partition a site lives in: Kafka's own rule, for every family alike.

Source: ``org.apache.kafka.common.utils.Utils.murmur2`` and ``BuiltInPartitioner`` of Apache Kafka; the Java client's
default for keyed records. librdkafka's default differs, so agents check where a record lies.
"""

from functools import lru_cache

_MULTIPLIER = 0x5BD1E995
_SEED = 0x9747B28C
_MASK = 0xFFFFFFFF


def murmur2(data: bytes) -> int:
    """32-bit murmur2 hash of ``data`` as the Java client computes it, unsigned."""
    length = len(data)
    value = (_SEED ^ length) & _MASK
    for start in range(0, length - length % 4, 4):
        word = int.from_bytes(data[start : start + 4], "little") * _MULTIPLIER & _MASK
        word = (word ^ (word >> 24)) * _MULTIPLIER & _MASK
        value = (value * _MULTIPLIER & _MASK) ^ word
    rest = data[length - length % 4 :]
    if rest:
        value = ((value ^ int.from_bytes(rest, "little")) * _MULTIPLIER) & _MASK
    value = (value ^ (value >> 13)) * _MULTIPLIER & _MASK
    return value ^ (value >> 15)


@lru_cache(maxsize=65_536)
def partition_of(site_id: str, partitions: int) -> int:
    """Partition number of a site among ``partitions``."""
    return (murmur2(site_id.encode()) & 0x7FFFFFFF) % partitions
