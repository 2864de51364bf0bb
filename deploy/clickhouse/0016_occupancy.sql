-- What people and programs said about the people inside, and how far a site's gates may be off.
CREATE TABLE musee.occupancy_correction
(
    event_id     UUID COMMENT 'identity of the fact; a resent event has the same',
    event_key    UInt64 DEFAULT sipHash64(event_id) COMMENT '8 bytes of a hash of event_id; rows of one event lie together',
    org_id       String COMMENT 'organisation that runs the site',
    site_id      String COMMENT 'museum or monument',
    zone_id      Nullable(String) COMMENT 'room or area that it speaks of; null: the whole site',
    gate_id      Nullable(String) COMMENT 'door, turnstile or reader; null: not said',
    device_id    Nullable(String) COMMENT 'machine that made the event',
    seq          Nullable(Int64) COMMENT 'the device''s running number',
    occurred_at  DateTime64(3, 'UTC') CODEC(DoubleDelta, ZSTD) COMMENT 'event time, UTC, ms',
    sent_at      Nullable(DateTime64(3, 'UTC')) COMMENT 'when the device sent this try, UTC, ms',
    received_at  DateTime64(3, 'UTC') CODEC(DoubleDelta, ZSTD) COMMENT 'ingest time, UTC, ms; retention counts from here',
    clock_trust  String COMMENT 'SYNCED, DRIFTING, UNSYNCED, UNKNOWN',
    ingest_mode  String COMMENT 'LIVE, OFFLINE, BACKFILL, RECONCILE, REPLAY',
    corrects     Nullable(UUID) COMMENT 'event that this one corrects',
    producer     String COMMENT 'program that wrote it; says what was invented',
    test         Bool COMMENT 'a trial: counted nowhere',
    kind         String COMMENT 'RESET, RECOUNT, ADJUST',
    value        Int32 COMMENT 'people inside (RESET, RECOUNT), or to be added (ADJUST)',
    who          String COMMENT 'post or program that says so',
    why          String COMMENT 'why it was needed',
    drift        Nullable(Int32) COMMENT 'the level before less value, people; null: not said',
    device_at    Nullable(DateTime64(3, 'UTC')) COMMENT 'when the device said it happened, if occurred_at was corrected, UTC, ms',
    _partition   Int32 COMMENT 'Kafka partition',
    _offset      Int64 CODEC(Delta, ZSTD) COMMENT 'Kafka offset',
    _landed_at   DateTime64(3, 'UTC') DEFAULT now64(3, 'UTC') COMMENT 'when this row was inserted',
    _tail        Int64 COMMENT 'canary, see ticket_scan',
    INDEX offsets _offset TYPE minmax GRANULARITY 1,
    INDEX landed _landed_at TYPE minmax GRANULARITY 1,
    CONSTRAINT tail CHECK _tail = 85166842537265,
    CONSTRAINT text CHECK isValidUTF8(site_id) AND isValidUTF8(org_id) AND notEmpty(who) AND notEmpty(why),
    CONSTRAINT people CHECK value BETWEEN -1000000 AND 1000000
)
ENGINE = ReplacingMergeTree
PARTITION BY toYYYYMM(occurred_at)
ORDER BY (site_id, occurred_at, event_key, _partition, _offset)
TTL toDateTime(received_at) + INTERVAL 5 YEAR
SETTINGS non_replicated_deduplication_window = 0, fsync_after_insert = 1, fsync_part_directory = 1;

-- One row per correction: resent ones fold by event_id, those in quarantine are left out (see 0014).
CREATE OR REPLACE VIEW musee.v_occupancy_corrections
(
    site_id      String COMMENT 'museum or monument',
    event_id     UUID COMMENT 'identity of the fact',
    occurred_at  DateTime64(3, 'UTC') COMMENT 'event time of the first one in Kafka, UTC, ms; a reset or recount holds from the end of its minute',
    local_date   Date COMMENT 'business day of the site',
    org_id       String COMMENT 'organisation that runs the site',
    zone_id      Nullable(String) COMMENT 'room or area that it speaks of; null: the whole site, a reset also each of its zones',
    device_id    Nullable(String) COMMENT 'machine that made the event',
    seq          Nullable(Int64) COMMENT 'the device''s running number',
    clock_trust  String COMMENT 'SYNCED, DRIFTING, UNSYNCED, UNKNOWN',
    ingest_mode  String COMMENT 'LIVE, OFFLINE, BACKFILL, RECONCILE, REPLAY',
    corrects     Nullable(UUID) COMMENT 'event that this one corrects',
    producer     String COMMENT 'program that wrote it; says what was invented',
    test         Bool COMMENT 'a trial: counted nowhere',
    kind         String COMMENT 'RESET, RECOUNT, ADJUST',
    value        Int32 COMMENT 'people inside (RESET, RECOUNT), or to be added (ADJUST)',
    who          String COMMENT 'post or program that says so',
    why          String COMMENT 'why it was needed',
    drift        Nullable(Int32) COMMENT 'the level before less value, people; null: not said',
    device_at    Nullable(DateTime64(3, 'UTC')) COMMENT 'when the device said it happened, if occurred_at was corrected, UTC, ms',
    received_at  DateTime64(3, 'UTC') COMMENT 'ingest time of the first try, UTC, ms'
)
AS SELECT c.site_id AS site_id,
       c.event_id AS event_id,
       c.occurred_at AS occurred_at,
       toDate(subtractHours(toDateTime(toString(toDateTime(c.occurred_at, 'UTC'), if(d.time_zone = '', 'UTC', d.time_zone)), 'UTC'),
                            d.business_day_end_hour)) AS local_date,
       c.org_id AS org_id,
       c.zone_id AS zone_id,
       c.device_id AS device_id,
       c.seq AS seq,
       c.clock_trust AS clock_trust,
       c.ingest_mode AS ingest_mode,
       c.corrects AS corrects,
       c.producer AS producer,
       c.test AS test,
       c.kind AS kind,
       c.value AS value,
       c.who AS who,
       c.why AS why,
       c.drift AS drift,
       c.device_at AS device_at,
       c.received_at AS received_at
FROM
(
    SELECT t.site_id AS site_id, t.event_id AS event_id,
           argMin(t.occurred_at, t._offset) AS occurred_at,
           any(t.org_id) AS org_id,
           argMin(tuple(t.zone_id), t._offset).1 AS zone_id,
           argMin(tuple(t.device_id), t._offset).1 AS device_id,
           argMin(tuple(t.seq), t._offset).1 AS seq,
           argMin(t.clock_trust, t._offset) AS clock_trust,
           argMin(t.ingest_mode, t._offset) AS ingest_mode,
           argMin(tuple(t.corrects), t._offset).1 AS corrects,
           argMin(t.producer, t._offset) AS producer,
           argMin(t.test, t._offset) AS test,
           argMin(t.kind, t._offset) AS kind,
           argMin(t.value, t._offset) AS value,
           argMin(t.who, t._offset) AS who,
           argMin(t.why, t._offset) AS why,
           argMin(tuple(t.drift), t._offset).1 AS drift,
           argMin(tuple(t.device_at), t._offset).1 AS device_at,
           min(t.received_at) AS received_at
    FROM musee.occupancy_correction AS t
    WHERE t.clock_trust != 'UNSYNCED' AND t.occurred_at <= t.received_at + INTERVAL 5 MINUTE
       OR t.site_id IN (SELECT site_id FROM musee.site FINAL WHERE replay)
    GROUP BY t.site_id, t.event_key, t.event_id
) AS c
LEFT JOIN (SELECT site_id, time_zone, business_day_end_hour FROM musee.site FINAL) AS d ON d.site_id = c.site_id;

ALTER TABLE musee.site
    ADD COLUMN IF NOT EXISTS error_share Float64 DEFAULT 0.02 COMMENT 'share of those who pass a gate that it misses or doubles, one standard deviation';

-- One row per site: what its file says now, or said last for a site that was removed.
CREATE OR REPLACE VIEW musee.dim_site
(
    site_id                LowCardinality(String) COMMENT 'identity; one row per site',
    org_id                 LowCardinality(String) COMMENT 'organisation that runs it',
    name                   String                 COMMENT 'name as people say it',
    time_zone              LowCardinality(String) COMMENT 'IANA time zone of local_date, local_hour and ts_local in the other views',
    business_day_end_hour  UInt8                  COMMENT 'local hour, 0 to 12, at which the site''s day ends',
    capacity               Nullable(Int32)        COMMENT 'people allowed inside at once; NULL: nobody said',
    replay                 Bool                   COMMENT 'runs on its events'' clock and may be sent recordings',
    simulated              Bool                   COMMENT 'everything the site sends was made up by a program',
    place                  Nullable(String)       COMMENT 'town or commune; NULL: nobody said',
    department             Nullable(String)       COMMENT 'French département by its INSEE code, e.g. 75, 2A, 974',
    region                 Nullable(String)       COMMENT 'region by its name',
    latitude               Nullable(Float64)      COMMENT 'degrees, WGS 84; NULL: not known',
    longitude              Nullable(Float64)      COMMENT 'degrees, WGS 84; NULL: not known',
    category               Nullable(String)       COMMENT 'kind of house, in the words of the list it comes from',
    themes                 Array(String)          COMMENT 'what it shows, in the words of the list it comes from',
    handles                Array(String)          COMMENT 'its accounts on social networks, lower case, without @',
    reference              Nullable(String)       COMMENT 'identity in a public list, e.g. museofile:M5031',
    source                 Nullable(String)       COMMENT 'where the description comes from, with its licence',
    note                   Nullable(String)       COMMENT 'said on the page',
    error_share            Float64                COMMENT 'share of those who pass a gate that it misses or doubles, one standard deviation; a gate may have its own'
)
AS SELECT
    s.site_id AS site_id,
    s.org_id AS org_id,
    s.name AS name,
    s.time_zone AS time_zone,
    s.business_day_end_hour AS business_day_end_hour,
    s.capacity AS capacity,
    s.replay AS replay,
    s.simulated AS simulated,
    s.place AS place,
    s.department AS department,
    s.region AS region,
    s.latitude AS latitude,
    s.longitude AS longitude,
    s.category AS category,
    s.themes AS themes,
    s.handles AS handles,
    s.reference AS reference,
    s.source AS source,
    s.note AS note,
    s.error_share AS error_share
FROM musee.site AS s FINAL;
