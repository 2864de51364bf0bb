"""THE table: each event family with its schema, topic, retention, warehouse table and live function.

A new family is one schema, one row here, one migration and, if it has a live meaning, one function in ``core``.
Everything else (gateway, agents, sink, topic creation) reads this table.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import polars as pl

from streams.core import actions, attendance, devices, occupancy, presence, voice, web
from streams.core.increments import Increments
from streams.core.sites import Site, Sites
from streams.errors import RejectedEvent

PARTITIONS = 8  # for every family, so that a site lives in one partition number everywhere
AGENTS = "musee-agents"  # application and consumer group of the live path, part of every fence
SINK = "musee-sink"  # consumer group of the landing
HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS
LIVE_HORIZON_MS = 72 * HOUR_MS  # how far back the live state reaches, and is rebuilt from
# Counted from the last write. An event up to the horizon late must find its hour's cells, for a cell that it began anew
# would pass for all that its hour holds; and its day is a sum of up to 25 hours, the last of which may be written last.
LIVE_KEPT_MS = LIVE_HORIZON_MS + 26 * HOUR_MS
# The ids of an hour of event time, which an event up to the horizon late must find; the hour itself and one of slack.
SEEN_MS = LIVE_HORIZON_MS + 2 * HOUR_MS
MEMBERS_MS = 24 * HOUR_MS  # how long session pseudonyms are kept, here and everywhere


@dataclass(frozen=True, slots=True)
class Live:
    """What a family means live: the columns that its function reads, and the function."""

    columns: tuple[str, ...]
    tally: Callable[[pl.DataFrame, Sites], Increments]


@dataclass(frozen=True, slots=True)
class Family:
    """One kind of event.

    Attributes:
        name: e.g. ``ticket-scan``; also the subject of its schema.
        version: of the topic; another one only for a schema that old readers could not follow.
        schema_version: the newest version of its schema, the one that producers of ours write.
        retention_ms: of the topic; ``None`` for a compacted one.
        table: where the sink lands it, ``None`` if it is not landed.
        kept_ms: how long the warehouse keeps its raw rows after ``received_at``; ``None``: far longer than Kafka.
        at_the_door: the gateway takes it from devices.
        live: how the agents count it, ``None`` if they do not.
        place: finds the site of an event that names none at the door; ``None`` where it must be named.
        check: says what is wrong with an event at the door that its schema allows, e.g. a zone that its site lacks.
    """

    name: str
    version: int = 1
    schema_version: int = 1
    retention_ms: int | None = 7 * DAY_MS
    table: str | None = None
    kept_ms: int | None = None
    at_the_door: bool = False
    live: Live | None = None
    place: Callable[[Mapping[str, object], Sites], str] | None = None
    check: Callable[[Mapping[str, object], Site], RejectedEvent | None] | None = None

    @property
    def topic(self) -> str:
        """Kafka topic, also the CloudEvents type."""
        return f"musee.{self.name}.v{self.version}"

    @property
    def schema(self) -> str:
        """Name of the newest schema's file without its ending."""
        return f"{self.name}.v{self.schema_version}"


TICKET_SCAN = Family(
    "ticket-scan",
    schema_version=3,
    table="ticket_scan",
    at_the_door=True,
    live=Live(attendance.COLUMNS, attendance.tally),
)
GUESTBOOK_ENTRY = Family(
    "guestbook-entry",
    schema_version=2,
    table="guestbook_entry",
    at_the_door=True,
    live=Live(voice.GUESTBOOK_COLUMNS, voice.tally_guestbook),
)
SOCIAL_POST = Family(
    "social-post",
    schema_version=2,
    table="social_post",
    at_the_door=True,
    live=Live(voice.POST_COLUMNS, voice.tally_posts),
    place=voice.place,
)
POSITION_UPDATE = Family(
    "position-update",
    schema_version=2,
    retention_ms=MEMBERS_MS,
    table="position_update",
    kept_ms=MEMBERS_MS,
    at_the_door=True,
    live=Live(presence.COLUMNS, presence.tally),
)
VISITOR_ACTION = Family(
    "visitor-action",
    schema_version=2,
    table="visitor_action",
    at_the_door=True,
    live=Live(actions.COLUMNS, actions.tally),
)
WEB_TRAFFIC = Family(
    "web-traffic",
    schema_version=2,
    table="web_traffic",
    at_the_door=True,
    live=Live(web.COLUMNS, web.tally),
)
DEVICE_STATUS = Family(
    "device-status",
    schema_version=2,
    table="device_status",
    at_the_door=True,
    live=Live(devices.COLUMNS, devices.tally),
)
OCCUPANCY_CORRECTION = Family(
    "occupancy-correction",
    table="occupancy_correction",
    at_the_door=True,
    live=Live(occupancy.COLUMNS, occupancy.tally),
    check=occupancy.check,
)
ATTENDANCE_WINDOW = Family("attendance-window", table="attendance_window")  # what the agents say of the scans
ALERT = Family("alert", retention_ms=30 * DAY_MS, table="alert")  # an emptied live store learns from it what is open
SITE = Family("site", schema_version=4, retention_ms=None)
SITE_CALENDAR = Family("site-calendar", retention_ms=None)
DEAD_LETTER = Family("dead-letter", table="dead_letter")

FAMILIES = (
    TICKET_SCAN,
    GUESTBOOK_ENTRY,
    SOCIAL_POST,
    POSITION_UPDATE,
    VISITOR_ACTION,
    WEB_TRAFFIC,
    DEVICE_STATUS,
    OCCUPANCY_CORRECTION,
    ATTENDANCE_WINDOW,
    ALERT,
    SITE,
    SITE_CALENDAR,
    DEAD_LETTER,
)
BY_TOPIC = {family.topic: family for family in FAMILIES}
LANDED = tuple(family for family in FAMILIES if family.table)
LIVE = tuple(family for family in FAMILIES if family.live)
AT_THE_DOOR = tuple(family for family in FAMILIES if family.at_the_door)
