-- Clocks of devices. What a device said of the time is kept where the gateway corrected it, and what is in quarantine is
-- left out of what counts: an event whose clock is not believed, or one ahead of its receipt, until it is released by
-- `musee dlq retry --shift` (the same event again, with another clock_trust). It stays in its table, and is listed in
-- v_dead_letters. A replayed site's times are what they say. The rule of core/clocks.py.

ALTER TABLE musee.ticket_scan
    ADD COLUMN IF NOT EXISTS device_at Nullable(DateTime64(3, 'UTC')) COMMENT 'when the device said it happened, UTC, ms; null: occurred_at is what it said' AFTER occurred_at;

ALTER TABLE musee.guestbook_entry
    ADD COLUMN IF NOT EXISTS device_at Nullable(DateTime64(3, 'UTC')) COMMENT 'when the device said it happened, UTC, ms; null: occurred_at is what it said' AFTER occurred_at;

ALTER TABLE musee.social_post
    ADD COLUMN IF NOT EXISTS device_at Nullable(DateTime64(3, 'UTC')) COMMENT 'when the device said it happened, UTC, ms; null: occurred_at is what it said' AFTER occurred_at;

ALTER TABLE musee.position_update
    ADD COLUMN IF NOT EXISTS device_at Nullable(DateTime64(3, 'UTC')) COMMENT 'when the device said it happened, UTC, ms; null: occurred_at is what it said' AFTER occurred_at;

ALTER TABLE musee.visitor_action
    ADD COLUMN IF NOT EXISTS device_at Nullable(DateTime64(3, 'UTC')) COMMENT 'when the device said it happened, UTC, ms; null: occurred_at is what it said' AFTER occurred_at;

ALTER TABLE musee.web_traffic
    ADD COLUMN IF NOT EXISTS device_at Nullable(DateTime64(3, 'UTC')) COMMENT 'when the device said it happened, UTC, ms; null: occurred_at is what it said' AFTER occurred_at;

ALTER TABLE musee.device_status
    ADD COLUMN IF NOT EXISTS device_at Nullable(DateTime64(3, 'UTC')) COMMENT 'when the device said it happened, UTC, ms; null: occurred_at is what it said' AFTER occurred_at;

-- One row per scan: resent ones and rows landed twice fold by event_id. All versions of the schema.
CREATE OR REPLACE VIEW musee.v_scans
(
    site_id      String COMMENT 'museum or monument',
    event_id     UUID COMMENT 'identity of the fact',
    occurred_at  DateTime64(3, 'UTC') COMMENT 'event time of the first one in Kafka, UTC, ms',
    device_at    Nullable(DateTime64(3, 'UTC')) COMMENT 'when the device said it happened, UTC, ms; null: occurred_at is what it said',
    org_id       String COMMENT 'organisation that runs the site',
    zone_id      Nullable(String) COMMENT 'room or area; null: not said',
    gate_id      Nullable(String) COMMENT 'door, turnstile or reader; null: not said',
    device_id    Nullable(String) COMMENT 'machine that made the event',
    seq          Nullable(Int64) COMMENT 'the device''s running number',
    clock_trust  String COMMENT 'SYNCED, DRIFTING, UNSYNCED, UNKNOWN',
    ingest_mode  String COMMENT 'LIVE, OFFLINE, BACKFILL, RECONCILE, REPLAY',
    corrects     Nullable(UUID) COMMENT 'event that this one corrects',
    producer     String COMMENT 'program that wrote it; says what was invented',
    test         Bool COMMENT 'a trial: counted nowhere',
    direction    String COMMENT 'IN, OUT',
    outcome      String COMMENT 'ACCEPTED, DENIED, ANNULLED, REVERTED, AUTO_EXIT',
    reason       Nullable(String) COMMENT 'why denied or undone',
    party_size   Int32 COMMENT 'people who pass with this scan',
    tariff       Nullable(String) COMMENT 'price category',
    ticket_pid   Nullable(String) COMMENT 'pseudonym of the ticket, key of its month',
    offline      Nullable(Bool) COMMENT 'decided without the server; null: not said',
    forced       Nullable(Bool) COMMENT 'forced or opened by hand; null: not said',
    slot_at      Nullable(DateTime64(3, 'UTC')) COMMENT 'start of the time slot booked, UTC, ms; null: none, not said, or a record of the first version',
    received_at  DateTime64(3, 'UTC') COMMENT 'ingest time of the first try, UTC, ms'
)
AS SELECT t.site_id AS site_id,
       t.event_id AS event_id,
       argMin(t.occurred_at, t._offset) AS occurred_at,
       argMin(tuple(t.device_at), t._offset).1 AS device_at,
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
       any(t.direction) AS direction,
       any(t.outcome) AS outcome,
       any(t.reason) AS reason,
       any(t.party_size) AS party_size,
       any(t.tariff) AS tariff,
       any(t.ticket_pid) AS ticket_pid,
       any(t.offline) AS offline,
       any(t.forced) AS forced,
       any(t.slot_at) AS slot_at,
       min(t.received_at) AS received_at
FROM musee.ticket_scan AS t
WHERE t.clock_trust != 'UNSYNCED'
  AND (t.occurred_at <= t.received_at + INTERVAL 5 MINUTE OR t.site_id NOT IN (SELECT site_id FROM musee.site))
   OR t.site_id IN (SELECT site_id FROM musee.site FINAL WHERE replay)
GROUP BY t.site_id, t.event_key, t.event_id;

-- One row per guestbook entry.
CREATE OR REPLACE VIEW musee.v_guestbook_entries
(
    site_id      String COMMENT 'museum or monument',
    event_id     UUID COMMENT 'identity of the fact',
    occurred_at  DateTime64(3, 'UTC') COMMENT 'event time of the first one in Kafka, UTC, ms',
    device_at    Nullable(DateTime64(3, 'UTC')) COMMENT 'when the device said it happened, UTC, ms; null: occurred_at is what it said',
    org_id       String COMMENT 'organisation that runs the site',
    zone_id      Nullable(String) COMMENT 'room or area; null: not said',
    gate_id      Nullable(String) COMMENT 'door, turnstile or reader; null: not said',
    device_id    Nullable(String) COMMENT 'machine that made the event',
    seq          Nullable(Int64) COMMENT 'the device''s running number',
    clock_trust  String COMMENT 'SYNCED, DRIFTING, UNSYNCED, UNKNOWN',
    ingest_mode  String COMMENT 'LIVE, OFFLINE, BACKFILL, RECONCILE, REPLAY',
    corrects     Nullable(UUID) COMMENT 'event that this one corrects',
    producer     String COMMENT 'program that wrote it; says what was invented',
    test         Bool COMMENT 'a trial: counted nowhere',
    text         Nullable(String) COMMENT 'what was written, as it came',
    rating       Nullable(Int32) COMMENT '1 worst to 5 best; null: none given',
    language     Nullable(String) COMMENT 'BCP 47; null: not said',
    received_at  DateTime64(3, 'UTC') COMMENT 'ingest time of the first try, UTC, ms'
)
AS SELECT t.site_id AS site_id,
       t.event_id AS event_id,
       argMin(t.occurred_at, t._offset) AS occurred_at,
       argMin(tuple(t.device_at), t._offset).1 AS device_at,
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
       any(t.text) AS text,
       any(t.rating) AS rating,
       any(t.language) AS language,
       min(t.received_at) AS received_at
FROM musee.guestbook_entry AS t
WHERE t.clock_trust != 'UNSYNCED'
  AND (t.occurred_at <= t.received_at + INTERVAL 5 MINUTE OR t.site_id NOT IN (SELECT site_id FROM musee.site))
   OR t.site_id IN (SELECT site_id FROM musee.site FINAL WHERE replay)
GROUP BY t.site_id, t.event_key, t.event_id;

-- One row per post.
CREATE OR REPLACE VIEW musee.v_social_posts
(
    site_id      String COMMENT 'museum or monument',
    event_id     UUID COMMENT 'identity of the fact',
    occurred_at  DateTime64(3, 'UTC') COMMENT 'event time of the first one in Kafka, UTC, ms',
    device_at    Nullable(DateTime64(3, 'UTC')) COMMENT 'when the device said it happened, UTC, ms; null: occurred_at is what it said',
    org_id       String COMMENT 'organisation that runs the site',
    zone_id      Nullable(String) COMMENT 'room or area; null: not said',
    gate_id      Nullable(String) COMMENT 'door, turnstile or reader; null: not said',
    device_id    Nullable(String) COMMENT 'machine that made the event',
    seq          Nullable(Int64) COMMENT 'the device''s running number',
    clock_trust  String COMMENT 'SYNCED, DRIFTING, UNSYNCED, UNKNOWN',
    ingest_mode  String COMMENT 'LIVE, OFFLINE, BACKFILL, RECONCILE, REPLAY',
    corrects     Nullable(UUID) COMMENT 'event that this one corrects',
    producer     String COMMENT 'program that wrote it; says what was invented',
    test         Bool COMMENT 'a trial: counted nowhere',
    network      String COMMENT 'where it was posted',
    text         String COMMENT 'what was written, as it came',
    language     Nullable(String) COMMENT 'BCP 47; null: not said',
    received_at  DateTime64(3, 'UTC') COMMENT 'ingest time of the first try, UTC, ms'
)
AS SELECT t.site_id AS site_id,
       t.event_id AS event_id,
       argMin(t.occurred_at, t._offset) AS occurred_at,
       argMin(tuple(t.device_at), t._offset).1 AS device_at,
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
       any(t.network) AS network,
       any(t.text) AS text,
       any(t.language) AS language,
       min(t.received_at) AS received_at
FROM musee.social_post AS t
WHERE t.clock_trust != 'UNSYNCED'
  AND (t.occurred_at <= t.received_at + INTERVAL 5 MINUTE OR t.site_id NOT IN (SELECT site_id FROM musee.site))
   OR t.site_id IN (SELECT site_id FROM musee.site FINAL WHERE replay)
GROUP BY t.site_id, t.event_key, t.event_id;

-- One row per position, of the last 24 hours.
CREATE OR REPLACE VIEW musee.v_positions
(
    site_id      String COMMENT 'museum or monument',
    event_id     UUID COMMENT 'identity of the fact',
    occurred_at  DateTime64(3, 'UTC') COMMENT 'event time of the first one in Kafka, UTC, ms',
    device_at    Nullable(DateTime64(3, 'UTC')) COMMENT 'when the device said it happened, UTC, ms; null: occurred_at is what it said',
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
       argMin(tuple(t.device_at), t._offset).1 AS device_at,
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
WHERE t.clock_trust != 'UNSYNCED'
  AND (t.occurred_at <= t.received_at + INTERVAL 5 MINUTE OR t.site_id NOT IN (SELECT site_id FROM musee.site))
   OR t.site_id IN (SELECT site_id FROM musee.site FINAL WHERE replay)
GROUP BY t.site_id, t.event_key, t.event_id;

-- One row per action.
CREATE OR REPLACE VIEW musee.v_visitor_actions
(
    site_id      String COMMENT 'museum or monument',
    event_id     UUID COMMENT 'identity of the fact',
    occurred_at  DateTime64(3, 'UTC') COMMENT 'event time of the first one in Kafka, UTC, ms',
    device_at    Nullable(DateTime64(3, 'UTC')) COMMENT 'when the device said it happened, UTC, ms; null: occurred_at is what it said',
    org_id       String COMMENT 'organisation that runs the site',
    zone_id      Nullable(String) COMMENT 'room or area; null: not said',
    gate_id      Nullable(String) COMMENT 'door, turnstile or reader; null: not said',
    device_id    Nullable(String) COMMENT 'machine that made the event',
    seq          Nullable(Int64) COMMENT 'the device''s running number',
    clock_trust  String COMMENT 'SYNCED, DRIFTING, UNSYNCED, UNKNOWN',
    ingest_mode  String COMMENT 'LIVE, OFFLINE, BACKFILL, RECONCILE, REPLAY',
    corrects     Nullable(UUID) COMMENT 'event that this one corrects',
    producer     String COMMENT 'program that wrote it; says what was invented',
    test         Bool COMMENT 'a trial: counted nowhere',
    action       String COMMENT 'VIEW, LISTEN, LIKE, SHARE, SAVE, ASK, BUY, OTHER',
    item_id      Nullable(String) COMMENT 'exhibit, track or article; null: not said',
    duration_s   Nullable(Float64) COMMENT 'how long it took, s; null: no meaning',
    received_at  DateTime64(3, 'UTC') COMMENT 'ingest time of the first try, UTC, ms'
)
AS SELECT t.site_id AS site_id,
       t.event_id AS event_id,
       argMin(t.occurred_at, t._offset) AS occurred_at,
       argMin(tuple(t.device_at), t._offset).1 AS device_at,
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
       any(t.action) AS action,
       any(t.item_id) AS item_id,
       any(t.duration_s) AS duration_s,
       min(t.received_at) AS received_at
FROM musee.visitor_action AS t
WHERE t.clock_trust != 'UNSYNCED'
  AND (t.occurred_at <= t.received_at + INTERVAL 5 MINUTE OR t.site_id NOT IN (SELECT site_id FROM musee.site))
   OR t.site_id IN (SELECT site_id FROM musee.site FINAL WHERE replay)
GROUP BY t.site_id, t.event_key, t.event_id;

-- One row per report of a web server.
CREATE OR REPLACE VIEW musee.v_web_reports
(
    site_id      String COMMENT 'museum or monument',
    event_id     UUID COMMENT 'identity of the fact',
    occurred_at  DateTime64(3, 'UTC') COMMENT 'start of the hour that was counted, UTC',
    device_at    Nullable(DateTime64(3, 'UTC')) COMMENT 'when the device said it happened, UTC, ms; null: occurred_at is what it said',
    org_id       String COMMENT 'organisation that runs the site',
    zone_id      Nullable(String) COMMENT 'room or area; null: not said',
    gate_id      Nullable(String) COMMENT 'door, turnstile or reader; null: not said',
    device_id    Nullable(String) COMMENT 'machine that made the event',
    seq          Nullable(Int64) COMMENT 'the device''s running number',
    clock_trust  String COMMENT 'SYNCED, DRIFTING, UNSYNCED, UNKNOWN',
    ingest_mode  String COMMENT 'LIVE, OFFLINE, BACKFILL, RECONCILE, REPLAY',
    corrects     Nullable(UUID) COMMENT 'event that this one corrects',
    producer     String COMMENT 'program that wrote it; says what was invented',
    test         Bool COMMENT 'a trial: counted nowhere',
    page_views   Int32 COMMENT 'pages that people asked for and got, requests in the hour',
    assets       Int32 COMMENT 'images, scripts, styles, feeds, requests in the hour',
    robots       Int32 COMMENT 'whatever robots asked for, requests in the hour',
    errors       Int32 COMMENT 'requests of people answered with an error, in the hour',
    received_at  DateTime64(3, 'UTC') COMMENT 'ingest time of the first try, UTC, ms'
)
AS SELECT t.site_id AS site_id,
       t.event_id AS event_id,
       argMin(t.occurred_at, t._offset) AS occurred_at,
       argMin(tuple(t.device_at), t._offset).1 AS device_at,
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
       any(t.page_views) AS page_views,
       any(t.assets) AS assets,
       any(t.robots) AS robots,
       any(t.errors) AS errors,
       min(t.received_at) AS received_at
FROM musee.web_traffic AS t
WHERE t.clock_trust != 'UNSYNCED'
  AND (t.occurred_at <= t.received_at + INTERVAL 5 MINUTE OR t.site_id NOT IN (SELECT site_id FROM musee.site))
   OR t.site_id IN (SELECT site_id FROM musee.site FINAL WHERE replay)
GROUP BY t.site_id, t.event_key, t.event_id;

-- One row per sign of life.
CREATE OR REPLACE VIEW musee.v_device_reports
(
    site_id        String COMMENT 'museum or monument',
    event_id       UUID COMMENT 'identity of the fact',
    occurred_at    DateTime64(3, 'UTC') COMMENT 'event time of the first one in Kafka, UTC, ms',
    device_at      Nullable(DateTime64(3, 'UTC')) COMMENT 'when the device said it happened, UTC, ms; null: occurred_at is what it said',
    org_id         String COMMENT 'organisation that runs the site',
    zone_id        Nullable(String) COMMENT 'room or area; null: not said',
    gate_id        Nullable(String) COMMENT 'door, turnstile or reader; null: not said',
    device_id      String COMMENT 'machine that says how it is',
    seq            Nullable(Int64) COMMENT 'the device''s running number',
    clock_trust    String COMMENT 'SYNCED, DRIFTING, UNSYNCED, UNKNOWN',
    ingest_mode    String COMMENT 'LIVE, OFFLINE, BACKFILL, RECONCILE, REPLAY',
    corrects       Nullable(UUID) COMMENT 'event that this one corrects',
    producer       String COMMENT 'program that wrote it; says what was invented',
    test           Bool COMMENT 'a trial: counted nowhere',
    status         String COMMENT 'OK, WARNING, FAULT, UNKNOWN',
    detail         Nullable(String) COMMENT 'the same in the device''s words',
    battery_share  Nullable(Float64) COMMENT 'charge of the battery, 0-1; null: mains, or not said',
    queued         Nullable(Int32) COMMENT 'events that wait on the device; null: not said',
    firmware       Nullable(String) COMMENT 'version of its program',
    received_at    DateTime64(3, 'UTC') COMMENT 'ingest time of the first try, UTC, ms'
)
AS SELECT t.site_id AS site_id,
       t.event_id AS event_id,
       argMin(t.occurred_at, t._offset) AS occurred_at,
       argMin(tuple(t.device_at), t._offset).1 AS device_at,
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
       any(t.status) AS status,
       any(t.detail) AS detail,
       any(t.battery_share) AS battery_share,
       any(t.queued) AS queued,
       any(t.firmware) AS firmware,
       min(t.received_at) AS received_at
FROM musee.device_status AS t
WHERE t.clock_trust != 'UNSYNCED'
  AND (t.occurred_at <= t.received_at + INTERVAL 5 MINUTE OR t.site_id NOT IN (SELECT site_id FROM musee.site))
   OR t.site_id IN (SELECT site_id FROM musee.site FINAL WHERE replay)
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
    WHERE NOT r.test AND (r.clock_trust != 'UNSYNCED'
           AND (r.occurred_at <= r.received_at + INTERVAL 5 MINUTE OR r.site_id NOT IN (SELECT site_id FROM musee.site))
                          OR r.site_id IN (SELECT site_id FROM musee.site FINAL WHERE replay))
    GROUP BY site_id, zone_id, minute
) AS p
LEFT JOIN (SELECT site_id, time_zone, business_day_end_hour FROM musee.site FINAL) AS d ON d.site_id = p.site_id
GROUP BY site_id, zone_id, ts_utc;
