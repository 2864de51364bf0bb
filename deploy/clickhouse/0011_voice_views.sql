-- Other families as analysts read them: one row per event (v_…), and sums per hour of a site. Trials count nowhere.

-- One row per guestbook entry.
CREATE OR REPLACE VIEW musee.v_guestbook_entries
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
    text         Nullable(String) COMMENT 'what was written, as it came',
    rating       Nullable(Int32) COMMENT '1 worst to 5 best; null: none given',
    language     Nullable(String) COMMENT 'BCP 47; null: not said',
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
       any(t.text) AS text,
       any(t.rating) AS rating,
       any(t.language) AS language,
       min(t.received_at) AS received_at
FROM musee.guestbook_entry AS t
GROUP BY t.site_id, t.event_key, t.event_id;

-- Guestbook entries and ratings per site and hour.
CREATE OR REPLACE VIEW musee.v_guestbook
(
    site_id      String COMMENT 'museum or monument',
    ts_utc       DateTime('UTC') COMMENT 'start of the hour, UTC',
    local_date   Date COMMENT 'business day of the site that the hour belongs to',
    local_hour   UInt8 COMMENT 'hour on the clocks of the site, 0-23',
    entries      UInt64 COMMENT 'entries in the hour',
    ratings      UInt64 COMMENT 'entries with a rating',
    rating_sum   Int64 COMMENT 'sum of the ratings; add sums and counts before dividing',
    mean_rating  Nullable(Float64) COMMENT 'mean of the ratings, 1-5; null: none given'
)
AS SELECT h.site_id AS site_id,
       h.ts_utc AS ts_utc,
       toDate(subtractHours(toDateTime(toString(h.ts_utc, if(d.time_zone = '', 'UTC', d.time_zone)), 'UTC'), d.business_day_end_hour)) AS local_date,
       toHour(toDateTime(toString(h.ts_utc, if(d.time_zone = '', 'UTC', d.time_zone)), 'UTC')) AS local_hour,
       h.entries AS entries,
       h.ratings AS ratings,
       h.rating_sum AS rating_sum,
       h.mean_rating AS mean_rating
FROM
(
    SELECT e.site_id AS site_id, toStartOfHour(e.occurred_at) AS ts_utc,
           count() AS entries,
           count(e.rating) AS ratings,
           ifNull(sum(e.rating), 0) AS rating_sum,
           avg(e.rating) AS mean_rating
    FROM musee.v_guestbook_entries AS e
    WHERE NOT e.test
    GROUP BY site_id, ts_utc
) AS h
LEFT JOIN (SELECT site_id, time_zone, business_day_end_hour FROM musee.site FINAL) AS d ON d.site_id = h.site_id;

-- One row per post.
CREATE OR REPLACE VIEW musee.v_social_posts
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
    network      String COMMENT 'where it was posted',
    text         String COMMENT 'what was written, as it came',
    language     Nullable(String) COMMENT 'BCP 47; null: not said',
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
       any(t.network) AS network,
       any(t.text) AS text,
       any(t.language) AS language,
       min(t.received_at) AS received_at
FROM musee.social_post AS t
GROUP BY t.site_id, t.event_key, t.event_id;

-- Posts per site and hour; those that name nobody stand under the site unplaced.
CREATE OR REPLACE VIEW musee.v_social
(
    site_id     String COMMENT 'museum or monument',
    ts_utc      DateTime('UTC') COMMENT 'start of the hour, UTC',
    local_date  Date COMMENT 'business day of the site that the hour belongs to',
    local_hour  UInt8 COMMENT 'hour on the clocks of the site, 0-23',
    posts       UInt64 COMMENT 'posts in the hour that name the site'
)
AS SELECT h.site_id AS site_id,
       h.ts_utc AS ts_utc,
       toDate(subtractHours(toDateTime(toString(h.ts_utc, if(d.time_zone = '', 'UTC', d.time_zone)), 'UTC'), d.business_day_end_hour)) AS local_date,
       toHour(toDateTime(toString(h.ts_utc, if(d.time_zone = '', 'UTC', d.time_zone)), 'UTC')) AS local_hour,
       h.posts AS posts
FROM
(
    SELECT e.site_id AS site_id, toStartOfHour(e.occurred_at) AS ts_utc,
           count() AS posts
    FROM musee.v_social_posts AS e
    WHERE NOT e.test
    GROUP BY site_id, ts_utc
) AS h
LEFT JOIN (SELECT site_id, time_zone, business_day_end_hour FROM musee.site FINAL) AS d ON d.site_id = h.site_id;
