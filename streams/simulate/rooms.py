"""What visitors do inside: where they are, what they look at, what they write about it.

Pure. Sampled, since few visitors carry a guide: 3 parties of 100 are followed (no house lends more than 60 guides a
day), 8 do something that is counted, about 1 writes into the guestbook and 1 of 250 posts. Entries and posts are put
together from sentences of ours. Used by ``simulate.day``.
"""

import random

from streams.simulate import world
from streams.simulate.events import MINUTE_MS, Bench, Data
from streams.simulate.visits import Visit

_FOLLOWED, _ACTIVE, _WRITING, _POSTING = 0.03, 0.08, 0.012, 0.004
_GUIDES = 60
_FIX_MS = 3 * MINUTE_MS
_ACTIONS = ("VIEW", "LISTEN", "LIKE", "SAVE", "SHARE", "ASK", "BUY", "OTHER")
_ACTION_SHARES = (40, 25, 12, 8, 5, 4, 4, 2)
_LASTING = {"VIEW", "LISTEN"}
_RATINGS, _RATING_SHARES = (1, 2, 3, 4, 5), (3, 5, 14, 36, 42)
_FR = (
    ("Très belle visite", "Nous avons aimé les salles du premier étage", "Un accueil chaleureux", "Trop de monde"),
    ("les enfants étaient ravis", "on reviendra", "dommage pour les cartels trop petits", "merci à toute l'équipe"),
)
_EN = (
    ("A lovely visit", "Beautiful rooms", "A warm welcome", "Rather crowded"),
    ("the children loved it", "we shall come again", "the labels are too small", "thanks to the whole team"),
)
_LANGUAGES = (("fr", _FR), ("en", _EN))
_NETWORKS = ("mastodon", "bluesky")
_STRANGER = "@une_amie_sans_musee"  # an account that no museum claims


def positions(bench: Bench, parties: list[Visit]) -> None:
    """Fixes of the followed sessions: one when a zone is entered, then one every three minutes or so."""
    chance = bench.chance("positions")
    rooms = [zone.zone_id for zone in bench.site.zones]
    share = min(_FOLLOWED, _GUIDES / max(1, len(parties)))
    for visit in parties:
        if chance.random() >= share:
            continue
        session: Data = {"session_id": f"guide-{visit.number}"}
        at_ms, room = visit.start_ms + chance.randrange(5_000, 60_000), rooms[0]
        while at_ms < visit.end_ms:
            bench.add("position-update", at_ms, session | {"zone_id": room})
            if chance.random() < 0.1:  # two fixes in one minute are one session
                bench.add("position-update", at_ms + 4_000, session | {"zone_id": room})
            at_ms += round(_FIX_MS * chance.uniform(0.6, 1.4))
            if chance.random() < 0.25:
                room = chance.choice(rooms)


def actions(bench: Bench, parties: list[Visit]) -> None:
    """What is tapped, listened to and bought."""
    chance = bench.chance("actions")
    for visit in parties:
        if chance.random() >= _ACTIVE:
            continue
        for _ in range(chance.randint(1, 4)):
            kind = chance.choices(_ACTIONS, _ACTION_SHARES)[0]
            told: Data = {"action": kind, "item_id": f"object-{chance.randint(1, 60)}"}
            if kind in _LASTING:
                told["duration_s"] = round(chance.lognormvariate(3.4, 0.6), 1)
            bench.add("visitor-action", _during(visit, chance), told)


def guestbook(bench: Bench, parties: list[Visit]) -> None:
    """Entries on the way out; three of ten leave no rating, some nothing but one."""
    chance = bench.chance("guestbook")
    for visit in parties:
        if chance.random() >= _WRITING:
            continue
        rating = chance.choices(_RATINGS, _RATING_SHARES)[0] if chance.random() < 0.7 else None
        told: Data = {"device_id": "guestbook-hall", "zone_id": "hall"}
        if rating is not None:
            told["rating"] = rating
        if rating is None or chance.random() < 0.8:
            language, sentence = _sentence(chance)
            told |= {"text": sentence, "language": language}
        bench.add("guestbook-entry", visit.end_ms - 30_000, told)


def posts(bench: Bench, parties: list[Visit]) -> None:
    """Posts that name the site's account; most leave it to the gateway to find the site by that."""
    chance = bench.chance("posts")
    account = f"@{bench.site.handles[0]}" if bench.site.handles else world.NOTE
    for visit in parties:
        if chance.random() >= _POSTING:
            continue
        language, sentence = _sentence(chance)
        friend = f"{_STRANGER} " if chance.random() < 0.3 else ""
        told: Data = {
            "network": chance.choice(_NETWORKS),
            "text": f"{friend}{sentence} {account} #{visit.number}",
            "language": language,
        }
        bench.add("social-post", visit.end_ms + chance.randrange(60 * MINUTE_MS), told, placed=chance.random() < 0.25)


def _during(visit: Visit, chance: random.Random) -> int:
    return chance.randrange(visit.start_ms, visit.end_ms)


def _sentence(chance: random.Random) -> tuple[str, str]:
    language, (openings, ends) = _LANGUAGES[chance.random() < 0.3]
    return language, f"{chance.choice(openings)}, {chance.choice(ends)}."
