-- What site.v2 says more of a museum or monument, and the view that analysts join on.
ALTER TABLE musee.site
    ADD COLUMN IF NOT EXISTS simulated  Bool DEFAULT false COMMENT 'everything the site sends was made up by a program',
    ADD COLUMN IF NOT EXISTS place      Nullable(String)   COMMENT 'town or commune',
    ADD COLUMN IF NOT EXISTS department Nullable(String)   COMMENT 'French département by its INSEE code, e.g. 75, 2A, 974',
    ADD COLUMN IF NOT EXISTS region     Nullable(String)   COMMENT 'region by its name',
    ADD COLUMN IF NOT EXISTS latitude   Nullable(Float64)  COMMENT 'degrees, WGS 84; both or none',
    ADD COLUMN IF NOT EXISTS longitude  Nullable(Float64)  COMMENT 'degrees, WGS 84; both or none',
    ADD COLUMN IF NOT EXISTS category   Nullable(String)   COMMENT 'kind of house, in the words of the list it comes from',
    ADD COLUMN IF NOT EXISTS themes     Array(String)      COMMENT 'what it shows, in the words of the list it comes from',
    ADD COLUMN IF NOT EXISTS handles    Array(String)      COMMENT 'its accounts on social networks, lower case, without @',
    ADD COLUMN IF NOT EXISTS reference  Nullable(String)   COMMENT 'identity in a public list, e.g. museofile:M5031',
    ADD COLUMN IF NOT EXISTS source     Nullable(String)   COMMENT 'where the description comes from, with its licence';

-- One row per site: what its file says now, or said last for a site that was removed.
CREATE VIEW musee.dim_site
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
    note                   Nullable(String)       COMMENT 'said on the page'
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
    s.note AS note
FROM musee.site AS s FINAL;
