-- Raw visitor actions, hourly web counts (no visitor is in them) and signs of life of devices: every offset.
CREATE TABLE musee.visitor_action
(
    event_id     UUID COMMENT 'identity of the fact; a resent event has the same',
    event_key    UInt64 DEFAULT sipHash64(event_id) COMMENT '8 bytes of a hash of event_id; rows of one event lie together',
    org_id       String COMMENT 'organisation that runs the site',
    site_id      String COMMENT 'museum or monument',
    zone_id      Nullable(String) COMMENT 'room or area; null: not said',
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
    action       String COMMENT 'VIEW, LISTEN, LIKE, SHARE, SAVE, ASK, BUY, OTHER',
    item_id      Nullable(String) COMMENT 'exhibit, track or article; null: not said',
    duration_s   Nullable(Float64) COMMENT 'how long it took, s; null: no meaning',
    _partition   Int32 COMMENT 'Kafka partition',
    _offset      Int64 CODEC(Delta, ZSTD) COMMENT 'Kafka offset',
    _landed_at   DateTime64(3, 'UTC') DEFAULT now64(3, 'UTC') COMMENT 'when this row was inserted',
    _tail        Int64 COMMENT 'canary, see ticket_scan',
    INDEX offsets _offset TYPE minmax GRANULARITY 1,
    INDEX landed _landed_at TYPE minmax GRANULARITY 1,
    CONSTRAINT tail CHECK _tail = 85166842537265,
    CONSTRAINT text CHECK isValidUTF8(site_id) AND isValidUTF8(org_id),
    CONSTRAINT duration CHECK ifNull(duration_s, 0) >= 0 AND isFinite(ifNull(duration_s, 0))
)
ENGINE = ReplacingMergeTree
PARTITION BY toYYYYMM(occurred_at)
ORDER BY (site_id, occurred_at, event_key, _partition, _offset)
TTL toDateTime(received_at) + INTERVAL 5 YEAR
SETTINGS non_replicated_deduplication_window = 0, fsync_after_insert = 1, fsync_part_directory = 1;

CREATE TABLE musee.web_traffic
(
    event_id     UUID COMMENT 'identity of the fact; a resent event has the same',
    event_key    UInt64 DEFAULT sipHash64(event_id) COMMENT '8 bytes of a hash of event_id; rows of one event lie together',
    org_id       String COMMENT 'organisation that runs the site',
    site_id      String COMMENT 'museum or monument',
    zone_id      Nullable(String) COMMENT 'room or area; null: not said',
    gate_id      Nullable(String) COMMENT 'door, turnstile or reader; null: not said',
    device_id    Nullable(String) COMMENT 'machine that made the event',
    seq          Nullable(Int64) COMMENT 'the device''s running number',
    occurred_at  DateTime64(3, 'UTC') CODEC(DoubleDelta, ZSTD) COMMENT 'start of the hour that was counted, UTC',
    sent_at      Nullable(DateTime64(3, 'UTC')) COMMENT 'when the device sent this try, UTC, ms',
    received_at  DateTime64(3, 'UTC') CODEC(DoubleDelta, ZSTD) COMMENT 'ingest time, UTC, ms; retention counts from here',
    clock_trust  String COMMENT 'SYNCED, DRIFTING, UNSYNCED, UNKNOWN',
    ingest_mode  String COMMENT 'LIVE, OFFLINE, BACKFILL, RECONCILE, REPLAY',
    corrects     Nullable(UUID) COMMENT 'event that this one corrects',
    producer     String COMMENT 'program that wrote it; says what was invented',
    test         Bool COMMENT 'a trial: counted nowhere',
    page_views   Int32 COMMENT 'pages that people asked for and got, requests in the hour',
    assets       Int32 COMMENT 'images, scripts, styles, feeds, requests in the hour',
    robots       Int32 COMMENT 'whatever robots asked for, requests in the hour',
    errors       Int32 COMMENT 'requests of people answered with an error, in the hour',
    _partition   Int32 COMMENT 'Kafka partition',
    _offset      Int64 CODEC(Delta, ZSTD) COMMENT 'Kafka offset',
    _landed_at   DateTime64(3, 'UTC') DEFAULT now64(3, 'UTC') COMMENT 'when this row was inserted',
    _tail        Int64 COMMENT 'canary, see ticket_scan',
    INDEX offsets _offset TYPE minmax GRANULARITY 1,
    INDEX landed _landed_at TYPE minmax GRANULARITY 1,
    CONSTRAINT tail CHECK _tail = 85166842537265,
    CONSTRAINT text CHECK isValidUTF8(site_id) AND isValidUTF8(org_id),
    CONSTRAINT counts CHECK page_views >= 0 AND assets >= 0 AND robots >= 0 AND errors >= 0
)
ENGINE = ReplacingMergeTree
PARTITION BY toYYYYMM(occurred_at)
ORDER BY (site_id, occurred_at, event_key, _partition, _offset)
TTL toDateTime(received_at) + INTERVAL 5 YEAR
SETTINGS non_replicated_deduplication_window = 0, fsync_after_insert = 1, fsync_part_directory = 1;

CREATE TABLE musee.device_status
(
    event_id       UUID COMMENT 'identity of the fact; a resent event has the same',
    event_key      UInt64 DEFAULT sipHash64(event_id) COMMENT '8 bytes of a hash of event_id; rows of one event lie together',
    org_id         String COMMENT 'organisation that runs the site',
    site_id        String COMMENT 'museum or monument',
    zone_id        Nullable(String) COMMENT 'room or area; null: not said',
    gate_id        Nullable(String) COMMENT 'door, turnstile or reader; null: not said',
    device_id      String COMMENT 'machine that says how it is',
    seq            Nullable(Int64) COMMENT 'the device''s running number',
    occurred_at    DateTime64(3, 'UTC') CODEC(DoubleDelta, ZSTD) COMMENT 'event time, UTC, ms',
    sent_at        Nullable(DateTime64(3, 'UTC')) COMMENT 'when the device sent this try, UTC, ms',
    received_at    DateTime64(3, 'UTC') CODEC(DoubleDelta, ZSTD) COMMENT 'ingest time, UTC, ms; retention counts from here',
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
    _partition     Int32 COMMENT 'Kafka partition',
    _offset        Int64 CODEC(Delta, ZSTD) COMMENT 'Kafka offset',
    _landed_at     DateTime64(3, 'UTC') DEFAULT now64(3, 'UTC') COMMENT 'when this row was inserted',
    _tail          Int64 COMMENT 'canary, see ticket_scan',
    INDEX offsets _offset TYPE minmax GRANULARITY 1,
    INDEX landed _landed_at TYPE minmax GRANULARITY 1,
    CONSTRAINT tail CHECK _tail = 85166842537265,
    CONSTRAINT text CHECK isValidUTF8(site_id) AND isValidUTF8(org_id) AND notEmpty(device_id),
    CONSTRAINT shares CHECK ifNull(battery_share, 0) BETWEEN 0 AND 1 AND ifNull(queued, 0) >= 0
)
ENGINE = ReplacingMergeTree
PARTITION BY toYYYYMM(occurred_at)
ORDER BY (site_id, occurred_at, event_key, _partition, _offset)
TTL toDateTime(received_at) + INTERVAL 5 YEAR
SETTINGS non_replicated_deduplication_window = 0, fsync_after_insert = 1, fsync_part_directory = 1;
