"""The last signs of life of many sites' devices, as they lie in Redis.

Takes sites, gives plain dicts. Made for comparing, by ``check.simulated``.
"""

from collections.abc import Sequence
from itertools import islice

from streams.adapters import live_keys
from streams.adapters.redis_client import reading
from streams.config import Settings
from streams.core.partitions import partition_of
from streams.topology import PARTITIONS

_AT_ONCE = 500  # keys of one round trip
_FIELDS = ("occurred_ms", "received_ms")


def read(settings: Settings, site_ids: Sequence[str]) -> tuple[dict[tuple[str, str, str], int], list[str]]:
    """(site, device, ``occurred_ms`` or ``received_ms``) → epoch ms; and what is not as the format says.

    Raises:
        Unavailable: Redis is away.
    """
    found: dict[tuple[str, str, str], int] = {}
    strange: list[str] = []
    with reading(settings.redis_url) as client:
        left = iter(site_ids)
        while names := list(islice(left, _AT_ONCE)):
            pipe = client.pipeline(transaction=False)
            for site_id in names:
                pipe.hgetall(live_keys.devices(partition_of(site_id, PARTITIONS), site_id))
            for site_id, told in zip(names, pipe.execute(), strict=True):
                for name, value in told.items():
                    device_id, _, field = name.rpartition("|")
                    if field in _FIELDS and value.isdecimal():
                        found[site_id, device_id, field] = int(value)
                    else:
                        strange.append(f"devices of {site_id}, {name} = {value}")
    return found, strange
