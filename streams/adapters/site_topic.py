"""The ``site`` topic: the compacted truth of what every site's file says.

Programs read it whole at start and follow it; ``sites apply`` writes it. The last record of a key holds, a null value
removes the site.
"""

from dataclasses import asdict, fields
from zoneinfo import available_timezones

from streams.adapters import avro, registry
from streams.adapters.producer import Outgoing, Producer
from streams.adapters.reference_topic import ReferenceTopic
from streams.core.plans import MAX_BYTES
from streams.core.sites import Gate, Plan, Site, Zone
from streams.topology import SITE

_LARGEST_SHARE = 0.5
_TIME_ZONES = frozenset(available_timezones())  # walks over files, 5 ms: a thousand sites would wait for it


def encode(site: Site, updated_at_ms: int) -> bytes:
    """A site as a framed value."""
    return avro.encode(registry.by_name(SITE.schema), {**asdict(site), "updated_at": updated_at_ms})


def decode(value: bytes) -> Site:
    """The site in a framed value; ``ValueError`` with a stable reason if it is not sound."""
    record = avro.decode(value, SITE.name)
    known = {field.name for field in fields(Site)}  # a newer program may say more
    said = {name: given for name, given in record.items() if name in known}
    said["zones"] = tuple(Zone(**zone) for zone in record["zones"])
    said["gates"] = tuple(Gate(**gate) for gate in record["gates"])
    said["plans"] = tuple(Plan(**plan) for plan in record.get("plans", ()))
    said |= {name: tuple(record[name]) for name in ("themes", "handles") if name in record}
    if said["time_zone"] not in _TIME_ZONES or not 0 <= said["business_day_end_hour"] <= 12:
        raise ValueError("invalid")
    site = Site(**said)
    if not _is_sound(site):
        raise ValueError("invalid")
    return site


def _is_sound(site: Site) -> bool:
    """Whether what the schema cannot say holds: the loops divide by capacities and name alerts by ids."""
    people = [site.capacity, *(zone.capacity for zone in site.zones)]
    shares = [site.error_share, *(gate.error_share for gate in site.gates)]
    names = [site.site_id, *(zone.zone_id for zone in site.zones), *(gate.gate_id for gate in site.gates)]
    return (
        all(one is None or one >= 1 for one in people)
        and all(one is None or 0 <= one <= _LARGEST_SHARE for one in shares)  # NaN is not
        and all(names)
        and all(len(plan.svg) <= MAX_BYTES for plan in site.plans)  # judged by whoever shows it, not by everybody
        and not set(site.site_id) & {"/", "|"}
    )


async def publish(producer: Producer, sites: list[Site], updated_at_ms: int) -> None:
    """Write ``sites`` to the topic; ``Unavailable`` if Kafka does not take them."""
    await producer.write(SITE.topic, [Outgoing(site.site_id, encode(site, updated_at_ms)) for site in sites])


async def read(servers: str, within_s: float = 15.0) -> dict[str, Site]:
    """All sites as they are now; ``Unavailable`` if Kafka does not give them in time."""
    return await SiteTopic(servers).once(within_s)


class SiteTopic(ReferenceTopic[Site]):
    """All sites, read from the topic and followed."""

    def __init__(self, servers: str) -> None:
        super().__init__(servers, SITE, _named)

    @property
    def sites(self) -> dict[str, Site]:
        """By id; changes in place as the topic does."""
        return self.known


def _named(value: bytes) -> tuple[str, Site]:
    site = decode(value)
    return site.site_id, site
