"""What Redis and ClickHouse say of a recording's sites: the same cells as the file's, each asked in its own words.

Redis is read key by key, ClickHouse in SQL on its views. Called by ``check.recordings``.
"""

from collections import Counter

from streams.adapters import history, live_cells
from streams.check import files
from streams.check.cells import Cell, Place
from streams.config import Settings

KINDS = {"day": "cd", "hour": "n", "minute": "p"}  # first letters of the keys of each grain
# ANNULLED and REVERTED take back the scan they correct, AUTO_EXIT lets people out; the same rule as core.attendance.
GATES_SQL = """\
SELECT ifNull(gate_id, '-') AS gate, toString(toDate(occurred_at, {zone:String})) AS day,
       sumIf(party_size, outcome = 'ACCEPTED' AND direction = 'IN')
           - sumIf(party_size, outcome IN ('ANNULLED', 'REVERTED') AND direction = 'IN') AS entries,
       sumIf(party_size, (outcome = 'ACCEPTED' AND direction = 'OUT') OR outcome = 'AUTO_EXIT')
           - sumIf(party_size, outcome IN ('ANNULLED', 'REVERTED') AND direction = 'OUT') AS exits,
       countIf(outcome = 'DENIED') AS denied
FROM musee.v_scans
WHERE site_id IN {sites:Array(String)} AND NOT test
GROUP BY gate, day
ORDER BY gate, day"""
SITE_SQL = """\
SELECT site_id, toString(local_date) AS day, entries, exits, denied
FROM musee.v_attendance_day
WHERE site_id IN {sites:Array(String)}
ORDER BY site_id, day"""
GUESTBOOK_SQL = """\
SELECT site_id, formatDateTime(ts_utc, '%Y-%m-%dT%H', 'UTC') AS hour, entries, ratings, rating_sum
FROM musee.v_guestbook
WHERE site_id IN {sites:Array(String)}
ORDER BY site_id, hour"""
POSTS_SQL = """\
SELECT site_id, formatDateTime(ts_utc, '%Y-%m-%dT%H', 'UTC') AS hour, posts
FROM musee.v_social
WHERE site_id IN {sites:Array(String)}
ORDER BY site_id, hour"""
WEB_SQL = """\
SELECT site_id, formatDateTime(ts_utc, '%Y-%m-%dT%H', 'UTC') AS hour, page_views, assets, robots, errors
FROM musee.v_web
WHERE site_id IN {sites:Array(String)}
ORDER BY site_id, hour"""
PRESENCE_SQL = """\
SELECT concat(site_id, '/', zone_id) AS zone, formatDateTime(ts_utc, '%Y-%m-%dT%H:%i', 'UTC') AS minute, sessions
FROM musee.v_presence
WHERE site_id IN {sites:Array(String)}
ORDER BY zone, minute"""
TEXTS_SQL = """\
SELECT count() AS events, uniqExact(text) AS texts
FROM musee.{view}
WHERE site_id IN {sites:Array(String)} AND NOT test"""
LANDED_SQL = """\
SELECT count() AS rows, uniqExact(_partition, _offset) AS offsets
FROM musee.{table}
WHERE site_id IN {sites:Array(String)}"""
_BY_TABLE = {
    "guestbook_entry": GUESTBOOK_SQL,
    "social_post": POSTS_SQL,
    "web_traffic": WEB_SQL,
    "position_update": PRESENCE_SQL,
}
_TEXTS = {"guestbook_entry": "v_guestbook_entries", "social_post": "v_social_posts"}


def of_redis(settings: Settings, rule: files.Rule, sites: list[str]) -> tuple[Counter[Cell], list[str]]:
    """Cells of the recording's metrics, zeros left out, and what is not as the format says.

    Gates are sums of their minutes; a site has days and hours of its own.
    """
    found: Counter[Cell] = Counter()
    strange: list[str] = []
    for site_id, live in live_cells.read_sites(settings, sites, KINDS[rule.grain]).items():
        strange += live.strange
        for (gate_id, at_ms, metric), people in live.minutes.items():
            found[Cell("gate", gate_id, files.local_day(at_ms, rule.zone), metric)] += people
        for (day, metric), people in live.days.items():
            found[Cell("site", site_id, day.isoformat(), metric)] += people
        for (at_ms, metric), amount in live.hours.items():
            if metric in rule.metrics:
                found[Cell("site", site_id, files.utc(at_ms, "hour"), metric)] += amount
        for (zone_id, at_ms), sessions in live.presence.items():
            found[Cell("zone", f"{site_id}/{zone_id}", files.utc(at_ms, "minute"), rule.metrics[0])] += sessions
    return Counter({cell: amount for cell, amount in found.items() if amount}), strange


def of_clickhouse(settings: Settings, rule: files.Rule, sites: list[str]) -> Counter[Cell]:
    """Cells of the recording's metrics, zeros left out."""
    found: Counter[Cell] = Counter()
    params = {"sites": sites, "zone": rule.zone}
    if rule.grain == "day":
        for name, when, *amounts in history.query(settings, GATES_SQL, params):
            found.update(_row(rule, "gate", name, when, amounts))
    place: Place = "zone" if rule.grain == "minute" else "site"
    for name, when, *amounts in history.query(settings, _BY_TABLE.get(rule.table, SITE_SQL), params):
        found.update(_row(rule, place, name, when, amounts))
    return found


def _row(rule: files.Rule, place: Place, name: str, when: str, amounts: list[int]) -> dict[Cell, int]:
    return {
        Cell(place, name, when, metric): int(amount)
        for metric, amount in zip(rule.metrics, amounts, strict=True)
        if amount
    }


def texts(settings: Settings, rule: files.Rule, sites: list[str]) -> tuple[int, int] | None:
    """Events and different texts among them; ``None`` for a family without texts."""
    sql = _texts_sql(rule)
    if sql is None:
        return None
    ((events, different),) = history.query(settings, sql, {"sites": sites})
    return int(events), int(different)


def landed(settings: Settings, rule: files.Rule, sites: list[str]) -> tuple[int, int]:
    """Raw rows, repetitions included, and distinct (partition, offset) among them."""
    ((rows, offsets),) = history.query(settings, LANDED_SQL.replace("{table}", rule.table), {"sites": sites})
    return int(rows), int(offsets)


def _texts_sql(rule: files.Rule) -> str | None:
    view = _TEXTS.get(rule.table)
    return TEXTS_SQL.replace("{view}", view) if view else None


def explain(rule: files.Rule, sites: list[str]) -> str:
    """How each of the figures is found, for whoever wants to look for himself."""
    told = [f"file: {rule.words}", ""]
    holds = {
        "c": f"gate|minute|metric → people; the key ends in the UTC hour. A minute counts for its local date in "
        f"{rule.zone}; the sums over a day are the gates.",
        "d": "metric → people; the key ends in the business day. This is the site.",
        "n": f"metric → amount; the key ends in the UTC hour. Compared: {', '.join(rule.metrics)}.",
        "p": "zone|minute → distinct sessions; the key ends in the UTC hour.",
    }
    for kind in KINDS[rule.grain]:
        told += [f"redis: SCAN MATCH {live_cells.pattern(site_id, kind)}" for site_id in sites]
        told.append(f"  hash, {holds[kind]}")
    told += ["  Cells expire 98 h after their last write.", ""]
    asked = {"the gates": GATES_SQL} if rule.grain == "day" else {}
    asked["the cells" if rule.grain != "day" else "the site"] = _BY_TABLE.get(rule.table, SITE_SQL)
    if sql := _texts_sql(rule):
        asked["the texts"] = sql
    asked["what has landed"] = LANDED_SQL.replace("{table}", rule.table)
    told += [f"clickhouse, {what}:\n{_bound(sql, rule, sites)};\n" for what, sql in asked.items()]
    return "\n".join(told).rstrip()


def _bound(sql: str, rule: files.Rule, sites: list[str]) -> str:
    """The statement with its parameters written out, ready for ``musee sql``; they come from the table of rules."""
    named = ", ".join(f"'{site_id}'" for site_id in sites)
    return sql.replace("{sites:Array(String)}", f"({named})").replace("{zone:String}", f"'{rule.zone}'")
