-- What analysts read, every column with its grain, unit and zone. All of it is right at any moment and needs no job: late,
-- resent and repeated rows fold when read. Figures of a window may still change while events for it arrive (devices
-- upload up to days later); nothing here is final.

-- One row per scan: resent ones and rows landed twice fold by event_id. Both versions of the schema.
CREATE OR REPLACE VIEW musee.v_scans
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
GROUP BY t.site_id, t.event_key, t.event_id;

-- People admitted and gone per site, gate and minute. The rule of core/attendance.py: ACCEPTED moves the party,
-- ANNULLED and REVERTED undo one, AUTO_EXIT takes out, DENIED counts one scan; trials count nowhere.
CREATE OR REPLACE VIEW musee.v_attendance_minute
(
    site_id  String COMMENT 'museum or monument',
    gate_id  Nullable(String) COMMENT 'door; null: the scans named none',
    ts_utc   DateTime('UTC') COMMENT 'start of the minute, UTC',
    entries  Int64 COMMENT 'people admitted',
    exits    Int64 COMMENT 'people gone',
    denied   UInt64 COMMENT 'scans denied, whatever the party'
)
AS SELECT s.site_id AS site_id,
       s.gate_id AS gate_id,
       toStartOfMinute(s.occurred_at) AS ts_utc,
       sum(multiIf(s.outcome = 'ACCEPTED' AND s.direction = 'IN', s.party_size,
                   s.outcome IN ('ANNULLED', 'REVERTED') AND s.direction = 'IN', -s.party_size, 0)) AS entries,
       sum(multiIf(s.outcome = 'ACCEPTED' AND s.direction = 'OUT', s.party_size,
                   s.outcome IN ('ANNULLED', 'REVERTED') AND s.direction = 'OUT', -s.party_size,
                   s.outcome = 'AUTO_EXIT', s.party_size, 0)) AS exits,
       countIf(s.outcome = 'DENIED') AS denied
FROM musee.v_scans AS s
WHERE NOT s.test
GROUP BY site_id, gate_id, ts_utc;

-- The same with the clocks of the site: local wall time and business day. A site that nobody described counts in UTC days.
CREATE OR REPLACE VIEW musee.v_attendance_local
(
    site_id     String COMMENT 'museum or monument',
    gate_id     Nullable(String) COMMENT 'door; null: the scans named none',
    ts_utc      DateTime('UTC') COMMENT 'start of the minute, UTC',
    ts_local    DateTime('UTC') COMMENT 'the same minute on the clocks of the site, written as if it were UTC; an hour comes twice in autumn',
    local_date  Date COMMENT 'business day of the site',
    entries     Int64 COMMENT 'people admitted',
    exits       Int64 COMMENT 'people gone',
    denied      UInt64 COMMENT 'scans denied, whatever the party'
)
AS SELECT m.site_id AS site_id,
       m.gate_id AS gate_id,
       m.ts_utc AS ts_utc,
       toDateTime(toString(m.ts_utc, if(d.time_zone = '', 'UTC', d.time_zone)), 'UTC') AS ts_local,
       toDate(subtractHours(ts_local, d.business_day_end_hour)) AS local_date,
       m.entries AS entries,
       m.exits AS exits,
       m.denied AS denied
FROM musee.v_attendance_minute AS m
LEFT JOIN (SELECT site_id, time_zone, business_day_end_hour FROM musee.site FINAL) AS d ON d.site_id = m.site_id;

-- Quarter-hours of each site.
CREATE OR REPLACE VIEW musee.v_attendance_15min
(
    site_id     String COMMENT 'museum or monument',
    ts_utc      DateTime('UTC') COMMENT 'start of the quarter-hour, UTC',
    local_date  Date COMMENT 'business day of the site',
    local_hour  UInt8 COMMENT 'hour on the clocks of the site, 0-23',
    entries     Int64 COMMENT 'people admitted',
    exits       Int64 COMMENT 'people gone',
    denied      UInt64 COMMENT 'scans denied, whatever the party'
)
AS SELECT l.site_id AS site_id,
       toStartOfFifteenMinutes(l.ts_utc) AS ts_utc,
       any(l.local_date) AS local_date,
       toHour(toStartOfFifteenMinutes(any(l.ts_local))) AS local_hour,
       sum(l.entries) AS entries,
       sum(l.exits) AS exits,
       sum(l.denied) AS denied
FROM musee.v_attendance_local AS l
GROUP BY site_id, ts_utc;

-- Business days of each site, 23 to 25 hours long.
CREATE OR REPLACE VIEW musee.v_attendance_day
(
    site_id     String COMMENT 'museum or monument',
    local_date  Date COMMENT 'business day: the local date on which the day of the site began',
    entries     Int64 COMMENT 'people admitted',
    exits       Int64 COMMENT 'people gone',
    denied      UInt64 COMMENT 'scans denied, whatever the party'
)
AS SELECT l.site_id AS site_id,
       l.local_date AS local_date,
       sum(l.entries) AS entries,
       sum(l.exits) AS exits,
       sum(l.denied) AS denied
FROM musee.v_attendance_local AS l
GROUP BY site_id, local_date;
