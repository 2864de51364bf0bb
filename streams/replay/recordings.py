"""Which recordings there are, and how a fact of one becomes an event.

A further recording is one module with a ``read`` and one entry here.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from zoneinfo import ZoneInfo

from streams.replay import ble_library, calit2, guestbook, gym_swipes, sdu_tracks, smile_tweets, web_log, xed, yelp
from streams.replay.recording import Fact, Unreadable

PACKAGED = Path(__file__).parent / "data"
Read = Callable[[Path], Iterator[Fact | Unreadable]]


@dataclass(frozen=True, slots=True)
class Sum:
    """An equation of a recording's own totals: the ``parts`` together are the ``whole``."""

    parts: tuple[str, ...]
    whole: str


@dataclass(frozen=True, slots=True)
class Recording:
    """A real data set that can be replayed.

    Attributes:
        name: as on the command line.
        source: CloudEvents source; with an event's id it is the event's identity.
        zone: whose wall clock its days are.
        read: file → facts and unreadable lines, in the file's order.
        site_id: where facts go that name no site; ``None`` if each says it, or the door finds it.
        places: where the events go, in words; empty if ``site_id`` says it.
        invented: what of the events is not the recording's, in a few words; marked in each event's ``producer``.
        note: the same for whoever sees the output; empty if nothing was invented.
        packaged: the part that ships with us, file or folder; ``None`` where the licence forbids it.
        files: the files that are read when a path is given.
        sum: its totals add up to this, ``None`` if they do not.
    """

    name: str
    source: str
    zone: ZoneInfo
    read: Read
    site_id: str | None = None
    places: str = ""
    invented: str = ""
    note: str = ""
    packaged: Path | None = None
    files: Callable[[Path], tuple[Path, ...]] = lambda path: (path,)
    sum: Sum | None = None

    @property
    def producer(self) -> str:
        """What an event says of who made it."""
        return f"replay/{self.name} ({self.invented})" if self.invented else f"replay/{self.name}"

    @property
    def where(self) -> str:
        """For the output: which sites its events go to."""
        return self.places or f"site {self.site_id}"


_SCANS = Sum(("entries", "exits"), "scans")

GYM_SWIPES = Recording(
    name="gym_swipes",
    source="/recordings/gym_swipes",
    zone=gym_swipes.ZONE,
    read=gym_swipes.read,
    site_id="gym",
    sum=_SCANS,
)
CALIT2 = Recording(
    name="calit2",
    source="/recordings/calit2",
    zone=calit2.ZONE,
    read=calit2.read,
    site_id="calit2",
    invented="order within half-hour invented",
    note="The recording counts half-hours: how many and which way is its own, the order within a half-hour is ours.",
    packaged=PACKAGED / "calit2_counts.csv",
    sum=_SCANS,
)
SMILE_TWEETS = Recording(
    name="smile_tweets",
    source="/recordings/smile_tweets",
    zone=smile_tweets.ZONE,
    read=smile_tweets.read,
    places="the sites whose handles the posts name",
)
YELP = Recording(
    name="yelp",
    source="/recordings/yelp",
    zone=yelp.ZONE,
    read=yelp.read,
    site_id="yelp",
    invented="times invented",
    note=guestbook.NOTE,
    packaged=PACKAGED / "yelp" / "yelp_labelled.txt",
)
XED = Recording(
    name="xed",
    source="/recordings/xed",
    zone=xed.ZONE,
    read=xed.read,
    site_id="xed",
    invented="times invented",
    note=guestbook.NOTE,
    packaged=PACKAGED / "xed" / "fr_emotions.tsv",
)
SDU_TRACKS = Recording(
    name="sdu_tracks",
    source="/recordings/sdu_tracks",
    zone=sdu_tracks.ZONE,
    read=sdu_tracks.read,
    places=f"sites {sdu_tracks.CAMERA_SITE} and {sdu_tracks.TAG_SITE}",
    packaged=PACKAGED / "sdu_tracks",
    files=sdu_tracks.files,
)
BLE_LIBRARY = Recording(
    name="ble_library",
    source="/recordings/ble_library",
    zone=ble_library.ZONE,
    read=ble_library.read,
    site_id="ble-library",
    packaged=PACKAGED / "ble_library" / "ibeacon_rssi_labeled.csv",
)
WEB_LOG = Recording(
    name="web_log",
    source="/recordings/web_log",
    zone=web_log.ZONE,
    read=web_log.read,
    site_id="web-log",
    packaged=PACKAGED / "web_log" / "access.log.gz",
    sum=Sum(tuple(kind.replace("_", " ") for kind in web_log.KINDS), "requests"),
)
RECORDINGS = {
    recording.name: recording
    for recording in (GYM_SWIPES, CALIT2, SMILE_TWEETS, YELP, XED, SDU_TRACKS, BLE_LIBRARY, WEB_LOG)
}


def cloud_event(fact: Fact, recording: Recording) -> dict[str, object]:
    """The event that the gateway is handed for ``fact``."""
    site_id = fact.site_id or recording.site_id
    return {
        "specversion": "1.0",
        "id": fact.fact_id,
        "source": recording.source,
        "type": fact.family.topic,
        "time": fact.time,
        "data": ({} if site_id is None else {"site_id": site_id})
        | dict(fact.data)
        | {"ingest_mode": "REPLAY", "producer": recording.producer},
    }
