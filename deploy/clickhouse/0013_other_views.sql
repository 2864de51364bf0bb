-- Actions, web traffic and devices as analysts read them. Trials count nowhere.

-- One row per action.
CREATE OR REPLACE VIEW musee.v_visitor_actions
(
    site_id      String COMMENT 'museum or monument',
    event_id     UUID COMMENT 'identity of the fact',
    occurred_at  DateTime64(3, 'UTC') COMMENT 'event time of the first one in Kafka, UTC, ms',
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
GROUP BY t.site_id, t.event_key, t.event_id;

-- Actions per site, hour and kind.
CREATE OR REPLACE VIEW musee.v_actions
(
    site_id     String COMMENT 'museum or monument',
    ts_utc      DateTime('UTC') COMMENT 'start of the hour, UTC',
    local_date  Date COMMENT 'business day of the site that the hour belongs to',
    local_hour  UInt8 COMMENT 'hour on the clocks of the site, 0-23',
    action      String COMMENT 'VIEW, LISTEN, LIKE, SHARE, SAVE, ASK, BUY, OTHER',
    actions     UInt64 COMMENT 'actions of this kind in the hour'
)
AS SELECT h.site_id AS site_id,
       h.ts_utc AS ts_utc,
       toDate(subtractHours(toDateTime(toString(h.ts_utc, if(d.time_zone = '', 'UTC', d.time_zone)), 'UTC'), d.business_day_end_hour)) AS local_date,
       toHour(toDateTime(toString(h.ts_utc, if(d.time_zone = '', 'UTC', d.time_zone)), 'UTC')) AS local_hour,
       h.action AS action,
       h.actions AS actions
FROM
(
    SELECT e.site_id AS site_id, toStartOfHour(e.occurred_at) AS ts_utc,
           e.action AS action,
           count() AS actions
    FROM musee.v_visitor_actions AS e
    WHERE NOT e.test
    GROUP BY site_id, ts_utc, action
) AS h
LEFT JOIN (SELECT site_id, time_zone, business_day_end_hour FROM musee.site FINAL) AS d ON d.site_id = h.site_id;

-- One row per report of a web server.
CREATE OR REPLACE VIEW musee.v_web_reports
(
    site_id      String COMMENT 'museum or monument',
    event_id     UUID COMMENT 'identity of the fact',
    occurred_at  DateTime64(3, 'UTC') COMMENT 'start of the hour that was counted, UTC',
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
GROUP BY t.site_id, t.event_key, t.event_id;

-- Web traffic per site and hour; reports of one hour add up.
CREATE OR REPLACE VIEW musee.v_web
(
    site_id     String COMMENT 'museum or monument',
    ts_utc      DateTime('UTC') COMMENT 'start of the hour, UTC',
    local_date  Date COMMENT 'business day of the site that the hour belongs to',
    local_hour  UInt8 COMMENT 'hour on the clocks of the site, 0-23',
    page_views  Int64 COMMENT 'pages that people asked for and got, requests in the hour',
    assets      Int64 COMMENT 'images, scripts, styles and feeds, requests in the hour',
    robots      Int64 COMMENT 'requests of robots in the hour',
    errors      Int64 COMMENT 'requests of people answered with an error, in the hour'
)
AS SELECT h.site_id AS site_id,
       h.ts_utc AS ts_utc,
       toDate(subtractHours(toDateTime(toString(h.ts_utc, if(d.time_zone = '', 'UTC', d.time_zone)), 'UTC'), d.business_day_end_hour)) AS local_date,
       toHour(toDateTime(toString(h.ts_utc, if(d.time_zone = '', 'UTC', d.time_zone)), 'UTC')) AS local_hour,
       h.page_views AS page_views,
       h.assets AS assets,
       h.robots AS robots,
       h.errors AS errors
FROM
(
    SELECT e.site_id AS site_id, toStartOfHour(e.occurred_at) AS ts_utc,
           sum(e.page_views) AS page_views,
           sum(e.assets) AS assets,
           sum(e.robots) AS robots,
           sum(e.errors) AS errors
    FROM musee.v_web_reports AS e
    WHERE NOT e.test
    GROUP BY site_id, ts_utc
) AS h
LEFT JOIN (SELECT site_id, time_zone, business_day_end_hour FROM musee.site FINAL) AS d ON d.site_id = h.site_id;

-- One row per sign of life.
CREATE OR REPLACE VIEW musee.v_device_reports
(
    site_id        String COMMENT 'museum or monument',
    event_id       UUID COMMENT 'identity of the fact',
    occurred_at    DateTime64(3, 'UTC') COMMENT 'event time of the first one in Kafka, UTC, ms',
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
GROUP BY t.site_id, t.event_key, t.event_id;

-- Devices and when each was last heard.
CREATE OR REPLACE VIEW musee.v_devices
(
    site_id           String COMMENT 'museum or monument',
    device_id         String COMMENT 'machine',
    last_occurred_at  DateTime64(3, 'UTC') COMMENT 'last sign of life by the clock of the device, UTC, ms',
    last_received_at  DateTime64(3, 'UTC') COMMENT 'last sign of life by the clock of the gateway, UTC, ms',
    status            String COMMENT 'what it said last by its own clock: OK, WARNING, FAULT, UNKNOWN',
    reports           UInt64 COMMENT 'signs of life so far'
)
AS SELECT r.site_id AS site_id,
       r.device_id AS device_id,
       max(r.occurred_at) AS last_occurred_at,
       max(r.received_at) AS last_received_at,
       argMax(r.status, (r.occurred_at, r.received_at)) AS status,
       count() AS reports
FROM musee.v_device_reports AS r
WHERE NOT r.test
GROUP BY site_id, device_id;

-- One row per record that was refused.
CREATE OR REPLACE VIEW musee.v_dead_letters
(
    topic        String COMMENT 'where the record lay',
    partition    Int32 COMMENT 'its Kafka partition',
    offset       Int64 COMMENT 'its Kafka offset',
    reason       String COMMENT 'why it can never be counted or landed',
    detail       String COMMENT 'the same for a reader',
    key          Nullable(String) COMMENT 'key of the record, bytes',
    value        Nullable(String) COMMENT 'value of the record, bytes, as it came',
    appended_at  DateTime64(3, 'UTC') COMMENT 'when it was appended to its topic, UTC, ms',
    dead_at      DateTime64(3, 'UTC') COMMENT 'when it was found, UTC, ms',
    producer     String COMMENT 'program that found it'
)
AS SELECT topic, partition, offset, reason,
       any(d.detail) AS detail, any(d.key) AS key, any(d.value) AS value,
       min(d.appended_at) AS appended_at, min(d.dead_at) AS dead_at, any(d.producer) AS producer
FROM musee.dead_letter AS d
GROUP BY topic, partition, offset, reason;
