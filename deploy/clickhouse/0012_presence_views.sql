-- Presence: what the raw positions say while they are there, and what was kept of them.

-- One row per position, of the last 24 hours.
CREATE OR REPLACE VIEW musee.v_positions
(
    site_id      String COMMENT 'museum or monument',
    event_id     UUID COMMENT 'identity of the fact',
    occurred_at  DateTime64(3, 'UTC') COMMENT 'event time of the first one in Kafka, UTC, ms',
    org_id       String COMMENT 'organisation that runs the site',
    zone_id      String COMMENT 'room or area where it was seen',
    gate_id      Nullable(String) COMMENT 'door, turnstile or reader; null: not said',
    device_id    Nullable(String) COMMENT 'machine that made the event',
    seq          Nullable(Int64) COMMENT 'the device''s running number',
    clock_trust  String COMMENT 'SYNCED, DRIFTING, UNSYNCED, UNKNOWN',
    ingest_mode  String COMMENT 'LIVE, OFFLINE, BACKFILL, RECONCILE, REPLAY',
    corrects     Nullable(UUID) COMMENT 'event that this one corrects',
    producer     String COMMENT 'program that wrote it; says what was invented',
    test         Bool COMMENT 'a trial: counted nowhere',
    session_pid  String COMMENT 'pseudonym of the session, key of its day, destroyed within 24 h',
    x_m          Nullable(Float64) COMMENT 'place on the plan, eastwards, m',
    y_m          Nullable(Float64) COMMENT 'place on the plan, northwards, m',
    accuracy_m   Nullable(Float64) COMMENT 'radius that holds the true place with 68 %, m',
    received_at  DateTime64(3, 'UTC') COMMENT 'ingest time of the first try, UTC, ms'
)
AS SELECT t.site_id AS site_id,
       t.event_id AS event_id,
       argMin(t.occurred_at, t._offset) AS occurred_at,
       any(t.org_id) AS org_id,
       any(t.zone_id) AS zone_id,
       any(t.gate_id) AS gate_id,
       any(t.device_id) AS device_id,
       any(t.seq) AS seq,
       any(t.clock_trust) AS clock_trust,
       any(t.ingest_mode) AS ingest_mode,
       any(t.corrects) AS corrects,
       any(t.producer) AS producer,
       any(t.test) AS test,
       any(t.session_pid) AS session_pid,
       any(t.x_m) AS x_m,
       any(t.y_m) AS y_m,
       any(t.accuracy_m) AS accuracy_m,
       min(t.received_at) AS received_at
FROM musee.position_update AS t
GROUP BY t.site_id, t.event_key, t.event_id;

-- Distinct sessions per zone and minute; outlives the positions.
CREATE OR REPLACE VIEW musee.v_presence
(
    site_id     String COMMENT 'museum or monument',
    zone_id     String COMMENT 'room or area',
    ts_utc      DateTime('UTC') COMMENT 'start of the minute, UTC',
    local_date  Date COMMENT 'business day of the site',
    sessions    UInt64 COMMENT 'distinct sessions seen in the zone in this minute; the sum over minutes is the time spent, in minutes'
)
AS SELECT p.site_id AS site_id,
       p.zone_id AS zone_id,
       p.minute AS ts_utc,
       any(toDate(subtractHours(toDateTime(toString(p.minute, if(d.time_zone = '', 'UTC', d.time_zone)), 'UTC'),
                                d.business_day_end_hour))) AS local_date,
       max(p.seen) AS sessions
FROM
(
    SELECT k.site_id AS site_id, k.zone_id AS zone_id, k.ts_utc AS minute, k.sessions AS seen
    FROM musee.presence_minute AS k
    UNION ALL
    SELECT r.site_id AS site_id, r.zone_id AS zone_id, toStartOfMinute(r.occurred_at) AS minute, uniqExact(r.session_pid) AS seen
    FROM musee.position_update AS r
    WHERE NOT r.test
    GROUP BY site_id, zone_id, minute
) AS p
LEFT JOIN (SELECT site_id, time_zone, business_day_end_hour FROM musee.site FINAL) AS d ON d.site_id = p.site_id
GROUP BY site_id, zone_id, ts_utc;
