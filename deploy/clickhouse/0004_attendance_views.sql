-- One row per event: resent events and rows landed twice fold by event_id; the time is that of the first one in Kafka.
CREATE VIEW musee.v_scans AS
SELECT t.site_id AS site_id,
       t.event_id AS event_id,
       argMin(t.occurred_at, t._offset) AS occurred_at,
       any(t.org_id) AS org_id,
       any(t.zone_id) AS zone_id,
       any(t.gate_id) AS gate_id,
       any(t.device_id) AS device_id,
       any(t.seq) AS seq,
       any(t.direction) AS direction,
       any(t.outcome) AS outcome,
       any(t.reason) AS reason,
       any(t.party_size) AS party_size,
       any(t.tariff) AS tariff,
       any(t.ticket_pid) AS ticket_pid,
       any(t.offline) AS offline,
       any(t.forced) AS forced,
       any(t.corrects) AS corrects,
       any(t.ingest_mode) AS ingest_mode,
       any(t.clock_trust) AS clock_trust,
       any(t.producer) AS producer,
       any(t.test) AS test,
       min(t.received_at) AS received_at
FROM musee.ticket_scan AS t
GROUP BY t.site_id, t.event_key, t.event_id;

-- People admitted and gone per site, gate and minute. The rule of core/attendance.py: ACCEPTED moves the party,
-- ANNULLED and REVERTED undo one, AUTO_EXIT takes out, DENIED counts one scan; trials count nowhere.
CREATE VIEW musee.v_attendance_minute AS
SELECT s.site_id AS site_id,
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

-- The same with the site's own clock: local wall time and business day.
CREATE VIEW musee.v_attendance_local AS
SELECT m.site_id AS site_id,
       m.gate_id AS gate_id,
       m.ts_utc AS ts_utc,
       toDateTime(toString(m.ts_utc, if(d.time_zone = '', 'UTC', d.time_zone)), 'UTC') AS ts_local,
       toDate(subtractHours(ts_local, d.business_day_end_hour)) AS local_date,
       m.entries AS entries,
       m.exits AS exits,
       m.denied AS denied
FROM musee.v_attendance_minute AS m
LEFT JOIN (SELECT site_id, time_zone, business_day_end_hour FROM musee.site FINAL) AS d ON d.site_id = m.site_id;

-- Quarter-hours of each site; ts_utc is the start.
CREATE VIEW musee.v_attendance_15min AS
SELECT l.site_id AS site_id,
       toStartOfFifteenMinutes(l.ts_utc) AS ts_utc,
       any(l.local_date) AS local_date,
       toHour(toStartOfFifteenMinutes(any(l.ts_local))) AS local_hour,
       sum(l.entries) AS entries,
       sum(l.exits) AS exits,
       sum(l.denied) AS denied
FROM musee.v_attendance_local AS l
GROUP BY site_id, ts_utc;

-- Business days of each site: local_date is the day the site's own day began.
CREATE VIEW musee.v_attendance_day AS
SELECT l.site_id AS site_id,
       l.local_date AS local_date,
       sum(l.entries) AS entries,
       sum(l.exits) AS exits,
       sum(l.denied) AS denied
FROM musee.v_attendance_local AS l
GROUP BY site_id, local_date;
