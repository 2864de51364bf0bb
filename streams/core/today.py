"""What a site's other families say today: voices, actions, web, zones and devices.

Takes counts per UTC hour and sessions per zone and minute, gives what the page and ``/v1/now`` say next to the
headcount of ``core.now``. A UTC hour belongs to the business day that contains its start. Pure. Called by
``console.reading``.
"""

from collections.abc import Iterable, Mapping

from streams.core.days import MINUTE_MS
from streams.core.sites import Zone

METRICS = (
    "guestbook_entries", "guestbook_ratings", "guestbook_rating_sum", "social_posts", "actions", "web_page_views",
)  # fmt: skip
PRESENCE_MINUTES = 15  # how long the last minute with somebody in it is shown when no newer one has anybody

Presence = Mapping[tuple[str, int], int]  # (zone, epoch minute) → distinct sessions
Signs = Mapping[tuple[str, str], int]  # (device, occurred_ms or received_ms) → epoch ms


def summed(counts: Mapping[str, Mapping[str, int]], hours: Iterable[str]) -> dict[str, int]:
    """Each of ``METRICS`` over some hours; ``counts`` is by UTC hour name, hours that are not in it count nothing."""
    found = [counts[hour] for hour in hours if hour in counts]
    return {metric: sum(one.get(metric, 0) for one in found) for metric in METRICS}


def told(sums: Mapping[str, int]) -> dict[str, object]:
    """Sums of ``METRICS`` as the API says them; the mean rating has two decimals, ``None`` where nobody rated."""
    ratings = sums["guestbook_ratings"]
    return {
        "voice": {
            "entries": sums["guestbook_entries"],
            "ratings": ratings,
            "mean_rating": round(sums["guestbook_rating_sum"] / ratings, 2) if ratings else None,
            "posts": sums["social_posts"],
        },
        "actions": sums["actions"],
        "web": {"page_views": sums["web_page_views"]},
    }


def shown_minute(presence: Presence, clock_ms: int) -> int | None:
    """The epoch minute whose zones are shown: the last full one by the site's clock.

    When nobody was seen in it, the latest one of the quarter of an hour before its end in which somebody was; ``None``
    if there is none.
    """
    last = clock_ms // MINUTE_MS - 1
    seen = (minute for (_, minute), sessions in presence.items() if sessions > 0)
    return max((minute for minute in seen if last - PRESENCE_MINUTES < minute <= last), default=None)


def zones(presence: Presence, minute: int | None, named: Iterable[Zone]) -> list[dict[str, str | int]]:
    """Sessions per zone in one minute: zones of the site's file in its order, then others by id.

    Without a minute nothing was measured, and nothing is said: a nought would be a claim.
    """
    if minute is None:
        return []
    names = {zone.zone_id: zone.name for zone in named}
    seen = {zone: sessions for (zone, at), sessions in presence.items() if at == minute}
    order = dict.fromkeys([*names, *sorted(seen)])
    return [{"zone_id": zone, "name": names.get(zone, zone), "sessions": seen.get(zone, 0)} for zone in order]


def devices(signs: Signs) -> list[dict[str, str | int | None]]:
    """Last sign of life of each device, by its own clock and by the gateway's, in the order of their ids."""
    return [
        {
            "device_id": device,
            "occurred_ms": signs.get((device, "occurred_ms")),
            "received_ms": signs.get((device, "received_ms")),
        }
        for device in sorted({device for device, _ in signs})
    ]
