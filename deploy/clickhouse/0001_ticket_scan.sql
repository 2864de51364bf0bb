-- Raw ticket scans: every offset of musee.ticket-scan.v*, resent and repeated ones included.
-- The key ends in (_partition, _offset), so that a row landed twice is one row after merges and two events are never one.
-- Plain strings: LowCardinality cost the server more than all the rest of an insert (6.0 against 2.7 µs a row) and saved
-- little, as the rows of a site lie together.
CREATE TABLE musee.ticket_scan
(
    event_id      UUID COMMENT 'identity of the fact; a resent event has the same',
    event_key     UInt64 DEFAULT sipHash64(event_id) COMMENT '8 bytes of a hash of event_id; rows of one event lie together',
    org_id        String COMMENT 'organisation that runs the site',
    site_id       String COMMENT 'museum or monument',
    zone_id       Nullable(String) COMMENT 'room or area; null: not said',
    gate_id       Nullable(String) COMMENT 'door, turnstile or reader; null: not said',
    device_id     Nullable(String) COMMENT 'machine that made the event',
    seq           Nullable(Int64) COMMENT 'the device''s running number',
    occurred_at   DateTime64(3, 'UTC') CODEC(DoubleDelta, ZSTD) COMMENT 'event time, UTC, ms',
    sent_at       Nullable(DateTime64(3, 'UTC')) COMMENT 'when the device sent this try, UTC, ms',
    received_at   DateTime64(3, 'UTC') CODEC(DoubleDelta, ZSTD) COMMENT 'ingest time, UTC, ms; retention counts from here',
    clock_trust   String COMMENT 'SYNCED, DRIFTING, UNSYNCED, UNKNOWN',
    ingest_mode   String COMMENT 'LIVE, OFFLINE, BACKFILL, RECONCILE, REPLAY',
    corrects      Nullable(UUID) COMMENT 'event that this one annuls or reverts',
    producer      String COMMENT 'program that wrote it; says what was invented',
    test          Bool COMMENT 'a trial: counted nowhere',
    direction     String COMMENT 'IN, OUT',
    outcome       String COMMENT 'ACCEPTED, DENIED, ANNULLED, REVERTED, AUTO_EXIT',
    reason        Nullable(String) COMMENT 'why denied or undone',
    party_size    Int32 COMMENT 'people who pass with this scan',
    tariff        Nullable(String) COMMENT 'price category',
    ticket_pid    Nullable(String) COMMENT 'pseudonym of the ticket, key of its month',
    offline       Nullable(Bool) COMMENT 'decided without the server; null: not said',
    forced        Nullable(Bool) COMMENT 'forced or opened by hand; null: not said',
    _partition    Int32 COMMENT 'Kafka partition',
    _offset       Int64 CODEC(Delta, ZSTD) COMMENT 'Kafka offset',
    _landed_at    DateTime64(3, 'UTC') DEFAULT now64(3, 'UTC') COMMENT 'when this row was inserted',
    _tail         Int64 COMMENT 'canary: a constant; anything else means that the block was damaged',
    INDEX offsets _offset TYPE minmax GRANULARITY 1,
    INDEX landed _landed_at TYPE minmax GRANULARITY 1,
    CONSTRAINT tail CHECK _tail = 85166842537265,
    CONSTRAINT party CHECK party_size BETWEEN 1 AND 1000,
    CONSTRAINT text CHECK isValidUTF8(site_id) AND isValidUTF8(ifNull(gate_id, '')) AND isValidUTF8(org_id)
)
ENGINE = ReplacingMergeTree
PARTITION BY toYYYYMM(occurred_at)
ORDER BY (site_id, occurred_at, event_key, _partition, _offset)
TTL toDateTime(received_at) + INTERVAL 5 YEAR
SETTINGS non_replicated_deduplication_window = 0, fsync_after_insert = 1, fsync_part_directory = 1;
