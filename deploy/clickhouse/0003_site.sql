-- What every site's file says; written by the sink from the compacted topic musee.site.v1, last version per site holds.
CREATE TABLE musee.site
(
    site_id                LowCardinality(String) COMMENT 'identity',
    org_id                 LowCardinality(String) COMMENT 'organisation that runs it',
    name                   String COMMENT 'name as people say it',
    time_zone              LowCardinality(String) COMMENT 'IANA time zone',
    business_day_end_hour  UInt8 COMMENT 'the site''s day ends at this local hour',
    capacity               Nullable(Int32) COMMENT 'people allowed inside at once',
    replay                 Bool COMMENT 'runs on its events'' clock',
    note                   Nullable(String) COMMENT 'said on the page',
    _landed_at             DateTime64(3, 'UTC') DEFAULT now64(3, 'UTC') COMMENT 'version: when it was written here'
)
ENGINE = ReplacingMergeTree(_landed_at)
ORDER BY site_id;
