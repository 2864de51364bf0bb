-- Records that can never be counted or landed, with their bytes. One dead letter may be landed, and written, twice:
-- (topic, partition, offset) of the record is its identity, v_dead_letters has one row per record.
CREATE TABLE musee.dead_letter
(
    topic         LowCardinality(String) COMMENT 'where the record lay',
    partition     Int32 COMMENT 'its Kafka partition',
    offset        Int64 COMMENT 'its Kafka offset',
    reason        LowCardinality(String) COMMENT 'null, short, magic, schema, truncated, trailing, invalid, refused, partition, future, clock',
    detail        String COMMENT 'the same for a reader',
    key           Nullable(String) COMMENT 'the record''s key, bytes',
    value         Nullable(String) COMMENT 'the record''s value, bytes, as it came',
    appended_at   DateTime64(3, 'UTC') COMMENT 'when it was appended to its topic, UTC, ms',
    dead_at       DateTime64(3, 'UTC') COMMENT 'when it was found, UTC, ms',
    producer      LowCardinality(String) COMMENT 'program that found it',
    _partition    Int32 COMMENT 'Kafka partition of the dead letter',
    _offset       Int64 COMMENT 'Kafka offset of the dead letter',
    _landed_at    DateTime64(3, 'UTC') DEFAULT now64(3, 'UTC') COMMENT 'when this row was inserted',
    _tail         Int64 COMMENT 'canary, see ticket_scan',
    INDEX offsets _offset TYPE minmax GRANULARITY 1,
    CONSTRAINT tail CHECK _tail = 85166842537265
)
ENGINE = ReplacingMergeTree
ORDER BY (topic, partition, offset, _partition, _offset)
TTL toDateTime(dead_at) + INTERVAL 90 DAY
SETTINGS non_replicated_deduplication_window = 0, fsync_after_insert = 1, fsync_part_directory = 1;

CREATE VIEW musee.v_dead_letters AS
SELECT topic, partition, offset, reason,
       any(d.detail) AS detail, any(d.key) AS key, any(d.value) AS value,
       min(d.appended_at) AS appended_at, min(d.dead_at) AS dead_at, any(d.producer) AS producer
FROM musee.dead_letter AS d
GROUP BY topic, partition, offset, reason;
