-- What was said of every quarter-hour: finals and revisions, every offset of musee.attendance-window.v1. Written by the
-- agents, not by devices; a record may be there twice, and a crash repeats a window under a higher revision.
CREATE TABLE musee.attendance_window
(
    event_id        UUID COMMENT 'identity of the record: site, gate, start and revision',
    event_key       UInt64 DEFAULT sipHash64(event_id) COMMENT '8 bytes of a hash of event_id',
    site_id         String COMMENT 'museum or monument',
    gate_id         Nullable(String) COMMENT 'door; null: the whole site; -: the scans that named none',
    start_at        DateTime64(3, 'UTC') CODEC(DoubleDelta, ZSTD) COMMENT 'start of the window, event time, UTC',
    end_at          DateTime64(3, 'UTC') CODEC(DoubleDelta, ZSTD) COMMENT 'its end, exclusive, UTC',
    entries         Int64 COMMENT 'people admitted',
    exits           Int64 COMMENT 'people gone',
    denied          Int64 COMMENT 'scans denied, whatever the party',
    entries_before  Nullable(Int64) COMMENT 'what was said before; null: nothing was',
    exits_before    Nullable(Int64) COMMENT 'what was said before; null: nothing was',
    denied_before   Nullable(Int64) COMMENT 'what was said before; null: nothing was',
    revision        Int64 COMMENT 'of several the greatest holds',
    cause           Nullable(String) COMMENT 'LATE, CORRECTION, DUPLICATE, ANNULLED; null: said for the first time',
    completeness    Float64 COMMENT 'share of the described gates heard in the business day before the end, 0-1',
    watermark_at    DateTime64(3, 'UTC') COMMENT 'event time up to which nothing more was expected, UTC',
    published_at    DateTime64(3, 'UTC') CODEC(DoubleDelta, ZSTD) COMMENT 'when it was said, UTC, ms; retention counts from here',
    _partition      Int32 COMMENT 'Kafka partition',
    _offset         Int64 CODEC(Delta, ZSTD) COMMENT 'Kafka offset',
    _landed_at      DateTime64(3, 'UTC') DEFAULT now64(3, 'UTC') COMMENT 'when this row was inserted',
    _tail           Int64 COMMENT 'canary: a constant; anything else means that the block was damaged',
    INDEX offsets _offset TYPE minmax GRANULARITY 1,
    INDEX landed _landed_at TYPE minmax GRANULARITY 1,
    CONSTRAINT tail CHECK _tail = 85166842537265,
    CONSTRAINT text CHECK isValidUTF8(site_id) AND isValidUTF8(ifNull(gate_id, ''))
)
ENGINE = ReplacingMergeTree
PARTITION BY toYYYYMM(start_at)
ORDER BY (site_id, start_at, event_key, _partition, _offset)
TTL toDateTime(published_at) + INTERVAL 5 YEAR
SETTINGS non_replicated_deduplication_window = 0, fsync_after_insert = 1, fsync_part_directory = 1;

-- The last word on each quarter-hour of a site (gate_id null) and of each gate. A window that is not in it is not final
-- yet, or nobody passed in it. Final: 15 minutes of event time after its end; what comes later is a new revision.
CREATE OR REPLACE VIEW musee.v_attendance_window
(
    site_id         String COMMENT 'museum or monument',
    gate_id         Nullable(String) COMMENT 'door; null: the whole site; -: the scans that named none',
    ts_utc          DateTime('UTC') COMMENT 'start of the quarter-hour, UTC',
    entries         Int64 COMMENT 'people admitted',
    exits           Int64 COMMENT 'people gone',
    denied          Int64 COMMENT 'scans denied, whatever the party',
    entries_before  Nullable(Int64) COMMENT 'what the revision before it said; null: there was none',
    exits_before    Nullable(Int64) COMMENT 'what the revision before it said; null: there was none',
    denied_before   Nullable(Int64) COMMENT 'what the revision before it said; null: there was none',
    revision        Int64 COMMENT 'greatest number of what was said of the window',
    revisions       UInt64 COMMENT 'how often something was said of it, repetitions after a crash included',
    cause           Nullable(String) COMMENT 'why it was said again: LATE, CORRECTION, DUPLICATE, ANNULLED; null: never revised',
    completeness    Float64 COMMENT 'share of the described gates heard in the business day before the end, 0-1',
    watermark_at    DateTime64(3, 'UTC') COMMENT 'event time up to which nothing more was expected, UTC',
    published_at    DateTime64(3, 'UTC') COMMENT 'when it was said, UTC, ms'
)
-- In one tuple: argMax of a column alone would pass over the rows where it is null.
AS SELECT w.site_id AS site_id,
       w.gate_id AS gate_id,
       toDateTime(w.start_at, 'UTC') AS ts_utc,
       tupleElement(argMax(w.told, w.revision), 1) AS entries,
       tupleElement(argMax(w.told, w.revision), 2) AS exits,
       tupleElement(argMax(w.told, w.revision), 3) AS denied,
       tupleElement(argMax(w.told, w.revision), 4) AS entries_before,
       tupleElement(argMax(w.told, w.revision), 5) AS exits_before,
       tupleElement(argMax(w.told, w.revision), 6) AS denied_before,
       max(w.revision) AS revision,
       uniqExact(w.revision) AS revisions,
       tupleElement(argMax(w.told, w.revision), 7) AS cause,
       tupleElement(argMax(w.told, w.revision), 8) AS completeness,
       tupleElement(argMax(w.told, w.revision), 9) AS watermark_at,
       tupleElement(argMax(w.told, w.revision), 10) AS published_at
FROM (
    SELECT a.site_id AS site_id, a.gate_id AS gate_id, a.start_at AS start_at, a.revision AS revision,
           tuple(a.entries, a.exits, a.denied, a.entries_before, a.exits_before, a.denied_before, a.cause,
                 a.completeness, a.watermark_at, a.published_at) AS told
    FROM musee.attendance_window AS a
) AS w
GROUP BY w.site_id, w.gate_id, w.start_at;
