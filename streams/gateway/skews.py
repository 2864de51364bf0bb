"""How far the clock of each device is from the gateway's, from its last uploads.

One request is one upload, whatever it holds. Kept in memory, and only for the devices heard last: after a restart the
first upload speaks for itself. Each gateway has its own. Made by ``gateway.http``, used by ``gateway.accept``.
"""

from collections import OrderedDict

from streams.core import clocks
from streams.gateway.events import Event

DEVICES = 20_000
Device = tuple[str, str, str]


class Skews:
    """Skews of the last uploads of each device, the one heard longest ago forgotten first."""

    def __init__(self, most: int = DEVICES) -> None:
        self._most = most
        self._uploads: OrderedDict[Device, tuple[int, ...]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._uploads)

    def uploads(self, device: Device) -> tuple[int, ...]:
        """Skews of a device's last uploads, the newest last; none if it was not heard."""
        return self._uploads.get(device, ())

    def remember(self, device: Device, uploads: tuple[int, ...]) -> None:
        """Keep what ``clocks.upload`` made of them."""
        self._uploads[device] = uploads
        self._uploads.move_to_end(device)
        if len(self._uploads) > self._most:
            self._uploads.popitem(last=False)


class Upload:
    """One request: each of its devices speaks of its clock once."""

    def __init__(self, skews: Skews, received_ms: int) -> None:
        self._skews = skews
        self._received_ms = received_ms
        self._known: dict[Device, tuple[tuple[int, ...], int, int]] = {}

    def skew_ms(self, event: Event, site_id: str) -> int | None:
        """The skew of the clock that made an event, ms; ``None`` if the event does not say when it was sent.

        Of several times of sending in one request the last counts: an upload cannot have left before it.
        """
        sent_ms: int | None = event.fields["sent_at"]
        if sent_ms is None:
            return None
        device = _device(event, site_id)
        own_ms = self._received_ms - sent_ms
        known = self._known.get(device)
        if known is not None and known[1] <= own_ms:
            return known[2]
        before = self._skews.uploads(device) if known is None else known[0]
        uploads = clocks.upload(before, own_ms)
        self._skews.remember(device, uploads)
        skew_ms = clocks.skew(uploads)
        self._known[device] = (before, own_ms, skew_ms)
        return skew_ms


def _device(event: Event, site_id: str) -> Device:
    """Who made an event: its device, else its gate, else its source."""
    for kind in ("device_id", "gate_id"):
        name = event.fields[kind]
        if name is not None:
            return site_id, kind, name
    return site_id, "source", event.source
