-- Raw guestbook entries and social posts: every offset, resent and repeated ones included, as in ticket_scan.
CREATE TABLE musee.guestbook_entry
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
    text         Nullable(String) COMMENT 'what was written, as it came',
    rating       Nullable(Int32) COMMENT '1 worst to 5 best; null: none given',
    language     Nullable(String) COMMENT 'BCP 47; null: not said',
    _partition   Int32 COMMENT 'Kafka partition',
    _offset      Int64 CODEC(Delta, ZSTD) COMMENT 'Kafka offset',
    _landed_at   DateTime64(3, 'UTC') DEFAULT now64(3, 'UTC') COMMENT 'when this row was inserted',
    _tail        Int64 COMMENT 'canary, see ticket_scan',
    INDEX offsets _offset TYPE minmax GRANULARITY 1,
    INDEX landed _landed_at TYPE minmax GRANULARITY 1,
    CONSTRAINT tail CHECK _tail = 85166842537265,
    CONSTRAINT rating CHECK ifNull(rating, 1) BETWEEN 1 AND 5,
    CONSTRAINT text CHECK isValidUTF8(site_id) AND isValidUTF8(org_id) AND lengthUTF8(ifNull(text, '-')) BETWEEN 1 AND 2000
)
ENGINE = ReplacingMergeTree
PARTITION BY toYYYYMM(occurred_at)
ORDER BY (site_id, occurred_at, event_key, _partition, _offset)
TTL toDateTime(received_at) + INTERVAL 5 YEAR
SETTINGS non_replicated_deduplication_window = 0, fsync_after_insert = 1, fsync_part_directory = 1;

CREATE TABLE musee.social_post
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
    network      String COMMENT 'where it was posted',
    text         String COMMENT 'what was written, as it came',
    language     Nullable(String) COMMENT 'BCP 47; null: not said',
    _partition   Int32 COMMENT 'Kafka partition',
    _offset      Int64 CODEC(Delta, ZSTD) COMMENT 'Kafka offset',
    _landed_at   DateTime64(3, 'UTC') DEFAULT now64(3, 'UTC') COMMENT 'when this row was inserted',
    _tail        Int64 COMMENT 'canary, see ticket_scan',
    INDEX offsets _offset TYPE minmax GRANULARITY 1,
    INDEX landed _landed_at TYPE minmax GRANULARITY 1,
    CONSTRAINT tail CHECK _tail = 85166842537265,
    CONSTRAINT text CHECK isValidUTF8(site_id) AND isValidUTF8(org_id) AND lengthUTF8(text) BETWEEN 1 AND 2000 AND lengthUTF8(network) BETWEEN 1 AND 40
)
ENGINE = ReplacingMergeTree
PARTITION BY toYYYYMM(occurred_at)
ORDER BY (site_id, occurred_at, event_key, _partition, _offset)
TTL toDateTime(received_at) + INTERVAL 5 YEAR
SETTINGS non_replicated_deduplication_window = 0, fsync_after_insert = 1, fsync_part_directory = 1;
