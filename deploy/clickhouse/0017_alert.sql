-- What was said of every alert: each change, every offset of musee.alert.v1. Written by the agents and by those who
-- acknowledge, not by devices; a record may be there twice, and a crash repeats a change under a greater version.
CREATE TABLE musee.alert
(
    event_id            UUID COMMENT 'identity of the record: alert and version',
    event_key           UInt64 DEFAULT sipHash64(event_id) COMMENT '8 bytes of a hash of event_id',
    alert_id            UUID COMMENT 'identity of the alert, from its opening to its resolution',
    rule                String COMMENT 'rule that opened it, e.g. capacity-85 or silent',
    kind                String COMMENT 'what the rule judges: capacity, silent',
    severity            String COMMENT 'notice, warning, serious, critical',
    site_id             String COMMENT 'museum or monument',
    zone_id             Nullable(String) COMMENT 'room or area that it speaks of; null: the whole site',
    gate_id             Nullable(String) COMMENT 'door that it speaks of; null: the whole site',
    episode             Int64 COMMENT 'version of its first record',
    version             Int64 COMMENT 'of several the greatest holds',
    state               String COMMENT 'OPEN, ACKNOWLEDGED, RESOLVED',
    opened_at           DateTime64(3, 'UTC') CODEC(DoubleDelta, ZSTD) COMMENT 'when it was opened, by the site''s clock, UTC',
    changed_at          DateTime64(3, 'UTC') CODEC(DoubleDelta, ZSTD) COMMENT 'when it last changed, by the wall clock, UTC',
    resolved_at         Nullable(DateTime64(3, 'UTC')) COMMENT 'when it was resolved, by the site''s clock, UTC; null: it is not',
    acknowledged_by     Nullable(String) COMMENT 'post that took it over; null: nobody has',
    acknowledged_until  Nullable(DateTime64(3, 'UTC')) COMMENT 'when it is open again unless it is resolved, by the wall clock, UTC',
    value               Int64 COMMENT 'people inside (capacity), or minutes without a sign of life (silent)',
    low                 Int64 COMMENT 'lower bound of value',
    high                Int64 COMMENT 'upper bound of value; rules judge this one',
    limit_value         Int64 COMMENT 'capacity in people, or the longest silence that is expected in minutes',
    entry_percent       Int32 COMMENT 'the rule opens at this share of limit_value, percent',
    exit_percent        Int32 COMMENT 'the rule resolves below this share of limit_value, percent',
    hidden_by           Nullable(UUID) COMMENT 'the site''s open silent alert, while which this one need not be looked at',
    played              Bool COMMENT 'the site is replayed or simulated: nobody is in danger',
    evidence            String COMMENT 'what was found, in words',
    advice              String COMMENT 'what to do, in words',
    published_at        DateTime64(3, 'UTC') CODEC(DoubleDelta, ZSTD) COMMENT 'when it was said, UTC, ms; retention counts from here',
    _partition          Int32 COMMENT 'Kafka partition',
    _offset             Int64 CODEC(Delta, ZSTD) COMMENT 'Kafka offset',
    _landed_at          DateTime64(3, 'UTC') DEFAULT now64(3, 'UTC') COMMENT 'when this row was inserted',
    _tail               Int64 COMMENT 'canary: a constant; anything else means that the block was damaged',
    INDEX offsets _offset TYPE minmax GRANULARITY 1,
    INDEX landed _landed_at TYPE minmax GRANULARITY 1,
    CONSTRAINT tail CHECK _tail = 85166842537265,
    CONSTRAINT text CHECK isValidUTF8(site_id) AND isValidUTF8(ifNull(zone_id, '')) AND isValidUTF8(ifNull(gate_id, ''))
)
ENGINE = ReplacingMergeTree
PARTITION BY toYYYYMM(changed_at)
ORDER BY (site_id, changed_at, event_key, _partition, _offset)
TTL toDateTime(published_at) + INTERVAL 5 YEAR
SETTINGS non_replicated_deduplication_window = 0, fsync_after_insert = 1, fsync_part_directory = 1;

-- One row per alert as it was last said. How it came there is in musee.alert, by version.
CREATE OR REPLACE VIEW musee.v_alerts
(
    alert_id            UUID COMMENT 'identity of the alert; one row each',
    site_id             String COMMENT 'museum or monument',
    zone_id             Nullable(String) COMMENT 'room or area that it speaks of; null: the whole site',
    gate_id             Nullable(String) COMMENT 'door that it speaks of; null: the whole site',
    rule                String COMMENT 'rule that opened it, e.g. capacity-85 or silent',
    kind                String COMMENT 'what the rule judges: capacity, silent',
    severity            String COMMENT 'notice, warning, serious, critical',
    state               String COMMENT 'OPEN, ACKNOWLEDGED, RESOLVED',
    opened_at           DateTime64(3, 'UTC') COMMENT 'when it was opened, by the site''s clock, UTC, ms',
    changed_at          DateTime64(3, 'UTC') COMMENT 'when it last changed, by the wall clock, UTC, ms',
    resolved_at         Nullable(DateTime64(3, 'UTC')) COMMENT 'when it was resolved, by the site''s clock, UTC; null: it is not',
    acknowledged_by     Nullable(String) COMMENT 'post that took it over last; null: nobody has, or its time was over',
    acknowledged_until  Nullable(DateTime64(3, 'UTC')) COMMENT 'when it is open again unless it is resolved, by the wall clock, UTC',
    value               Int64 COMMENT 'people inside (capacity), or minutes without a sign of life (silent), at the last change',
    low                 Int64 COMMENT 'lower bound of value',
    high                Int64 COMMENT 'upper bound of value; rules judge this one',
    limit_value         Int64 COMMENT 'capacity in people, or the longest silence that is expected in minutes',
    entry_percent       Int32 COMMENT 'the rule opens at this share of limit_value, percent',
    exit_percent        Int32 COMMENT 'the rule resolves below this share of limit_value, percent',
    hidden_by           Nullable(UUID) COMMENT 'the site''s open silent alert, while which this one need not be looked at; null: none',
    played              Bool COMMENT 'the site is replayed or simulated: nobody is in danger',
    evidence            String COMMENT 'what was found, in words',
    advice              String COMMENT 'what to do, in words',
    version             Int64 COMMENT 'greatest number of what was said of the alert',
    versions            UInt64 COMMENT 'how often something was said of it, repetitions after a crash included',
    published_at        DateTime64(3, 'UTC') COMMENT 'when that was said, UTC, ms'
)
-- In one tuple: argMax of a column alone would pass over the rows where it is null.
AS SELECT w.alert_id AS alert_id,
       w.site_id AS site_id,
       tupleElement(argMax(w.told, w.version), 1) AS zone_id,
       tupleElement(argMax(w.told, w.version), 2) AS gate_id,
       tupleElement(argMax(w.told, w.version), 3) AS rule,
       tupleElement(argMax(w.told, w.version), 4) AS kind,
       tupleElement(argMax(w.told, w.version), 5) AS severity,
       tupleElement(argMax(w.told, w.version), 6) AS state,
       tupleElement(argMax(w.told, w.version), 7) AS opened_at,
       tupleElement(argMax(w.told, w.version), 8) AS changed_at,
       tupleElement(argMax(w.told, w.version), 9) AS resolved_at,
       tupleElement(argMax(w.told, w.version), 10) AS acknowledged_by,
       tupleElement(argMax(w.told, w.version), 11) AS acknowledged_until,
       tupleElement(argMax(w.told, w.version), 12) AS value,
       tupleElement(argMax(w.told, w.version), 13) AS low,
       tupleElement(argMax(w.told, w.version), 14) AS high,
       tupleElement(argMax(w.told, w.version), 15) AS limit_value,
       tupleElement(argMax(w.told, w.version), 16) AS entry_percent,
       tupleElement(argMax(w.told, w.version), 17) AS exit_percent,
       tupleElement(argMax(w.told, w.version), 18) AS hidden_by,
       tupleElement(argMax(w.told, w.version), 19) AS played,
       tupleElement(argMax(w.told, w.version), 20) AS evidence,
       tupleElement(argMax(w.told, w.version), 21) AS advice,
       max(w.version) AS version,
       uniqExact(w.version) AS versions,
       tupleElement(argMax(w.told, w.version), 22) AS published_at
FROM (
    SELECT a.alert_id AS alert_id, a.site_id AS site_id, a.version AS version,
           tuple(a.zone_id, a.gate_id, a.rule, a.kind, a.severity, a.state, a.opened_at, a.changed_at, a.resolved_at,
                 a.acknowledged_by, a.acknowledged_until, a.value, a.low, a.high, a.limit_value, a.entry_percent,
                 a.exit_percent, a.hidden_by, a.played, a.evidence, a.advice, a.published_at) AS told
    FROM musee.alert AS a
) AS w
GROUP BY w.site_id, w.alert_id;
