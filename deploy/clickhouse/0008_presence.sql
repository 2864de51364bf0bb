-- Raw positions: 24 hours after they were received they go, whatever their event time. What stays is presence_minute.
-- A partition a day, so that most of what goes is dropped whole.
CREATE TABLE musee.position_update
(
    event_id     UUID COMMENT 'identity of the fact; a resent event has the same',
    event_key    UInt64 DEFAULT sipHash64(event_id) COMMENT '8 bytes of a hash of event_id; rows of one event lie together',
    org_id       String COMMENT 'organisation that runs the site',
    site_id      String COMMENT 'museum or monument',
    zone_id      String COMMENT 'room or area where it was seen',
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
    session_pid  String COMMENT 'pseudonym of the session, key of its day, destroyed within 24 h',
    x_m          Nullable(Float64) COMMENT 'place on the plan, eastwards, m',
    y_m          Nullable(Float64) COMMENT 'place on the plan, northwards, m',
    accuracy_m   Nullable(Float64) COMMENT 'radius that holds the true place with 68 %, m',
    _partition   Int32 COMMENT 'Kafka partition',
    _offset      Int64 CODEC(Delta, ZSTD) COMMENT 'Kafka offset',
    _landed_at   DateTime64(3, 'UTC') DEFAULT now64(3, 'UTC') COMMENT 'when this row was inserted',
    _tail        Int64 COMMENT 'canary, see ticket_scan',
    INDEX offsets _offset TYPE minmax GRANULARITY 1,
    INDEX landed _landed_at TYPE minmax GRANULARITY 1,
    CONSTRAINT tail CHECK _tail = 85166842537265,
    CONSTRAINT place CHECK isValidUTF8(site_id) AND isValidUTF8(org_id) AND notEmpty(zone_id) AND notEmpty(session_pid) AND isValidUTF8(zone_id),
    CONSTRAINT plan CHECK isFinite(ifNull(x_m, 0)) AND isFinite(ifNull(y_m, 0)) AND isFinite(ifNull(accuracy_m, 0)) AND ifNull(accuracy_m, 0) >= 0
)
ENGINE = ReplacingMergeTree
PARTITION BY toDate(received_at)
ORDER BY (site_id, occurred_at, event_key, _partition, _offset)
TTL toDateTime(received_at) + INTERVAL 24 HOUR
SETTINGS non_replicated_deduplication_window = 0, fsync_after_insert = 1, fsync_part_directory = 1, merge_with_ttl_timeout = 900;

-- How many sessions were seen in a zone in a minute; written again and again by the sink from the raw positions while
-- these are there. The largest number holds: a minute is never seen whole after some of its positions have gone.
CREATE TABLE musee.presence_minute
(
    site_id   String COMMENT 'museum or monument',
    zone_id   String COMMENT 'room or area',
    ts_utc    DateTime('UTC') COMMENT 'start of the minute, UTC',
    sessions  SimpleAggregateFunction(max, UInt64) COMMENT 'distinct sessions seen in the zone in this minute'
)
ENGINE = AggregatingMergeTree
PARTITION BY toYYYYMM(ts_utc)
ORDER BY (site_id, ts_utc, zone_id)
SETTINGS non_replicated_deduplication_window = 0;
