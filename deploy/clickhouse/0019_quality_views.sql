-- What came in, as it came: the records of the families that devices and feeds send, resent ones, trials and what is in
-- quarantine included, with how late each was. The control room's figures of quality (/quality) are sums of this view.
-- What people corrected (v_occupancy_corrections) is not in it: a recount may well speak of an hour ago.
CREATE OR REPLACE VIEW musee.v_records
(
    site_id          String COMMENT 'museum or monument',
    family           String COMMENT 'kind of event, e.g. ticket-scan',
    event_id         UUID COMMENT 'identity of the fact; a resent event is several records with the same',
    device_id        Nullable(String) COMMENT 'machine that made the event; null: not said',
    occurred_at      DateTime64(3, 'UTC') COMMENT 'event time, UTC, ms',
    received_at      DateTime64(3, 'UTC') COMMENT 'ingest time of this try, UTC, ms',
    landed_at        DateTime64(3, 'UTC') COMMENT 'when this row was inserted, UTC, ms; select by it first, it has an index',
    ingest_mode      String COMMENT 'LIVE, OFFLINE, BACKFILL, RECONCILE, REPLAY',
    clock_trust      String COMMENT 'SYNCED, DRIFTING, UNSYNCED, UNKNOWN',
    test             Bool COMMENT 'a trial: counted nowhere',
    replayed         Bool COMMENT 'its site runs on its events'' clock: neither lateness nor clock mean anything',
    late_s           Nullable(Float64) COMMENT 'seconds from when it happened (web-traffic: from the end of its hour) to its receipt, 0 at least; null where that means nothing: a replayed site, another mode than LIVE and OFFLINE, a clock that is UNSYNCED',
    kafka_partition  Int32 COMMENT 'Kafka partition',
    kafka_offset     Int64 COMMENT 'Kafka offset; with family and kafka_partition the identity of the record, which may stand here twice'
)
AS SELECT r.site_id AS site_id,
       r.family AS family,
       r.event_id AS event_id,
       r.device_id AS device_id,
       r.occurred_at AS occurred_at,
       r.received_at AS received_at,
       r.landed_at AS landed_at,
       r.ingest_mode AS ingest_mode,
       r.clock_trust AS clock_trust,
       r.test AS test,
       r.site_id IN (SELECT site_id FROM musee.site FINAL WHERE replay) AS replayed,
       if(replayed OR r.ingest_mode NOT IN ('LIVE', 'OFFLINE') OR r.clock_trust = 'UNSYNCED', NULL,
          greatest(0, dateDiff('millisecond', r.ended_at, r.received_at)) / 1000) AS late_s,
       r.kafka_partition AS kafka_partition,
       r.kafka_offset AS kafka_offset
FROM
(
    SELECT t.site_id AS site_id, 'ticket-scan' AS family, t.event_id AS event_id, t.device_id AS device_id,
           t.occurred_at AS occurred_at, t.occurred_at AS ended_at, t.received_at AS received_at,
           t._landed_at AS landed_at, t.ingest_mode AS ingest_mode, t.clock_trust AS clock_trust, t.test AS test,
           t._partition AS kafka_partition, t._offset AS kafka_offset
    FROM musee.ticket_scan AS t
    UNION ALL
    SELECT t.site_id AS site_id, 'guestbook-entry' AS family, t.event_id AS event_id, t.device_id AS device_id,
           t.occurred_at AS occurred_at, t.occurred_at AS ended_at, t.received_at AS received_at,
           t._landed_at AS landed_at, t.ingest_mode AS ingest_mode, t.clock_trust AS clock_trust, t.test AS test,
           t._partition AS kafka_partition, t._offset AS kafka_offset
    FROM musee.guestbook_entry AS t
    UNION ALL
    SELECT t.site_id AS site_id, 'social-post' AS family, t.event_id AS event_id, t.device_id AS device_id,
           t.occurred_at AS occurred_at, t.occurred_at AS ended_at, t.received_at AS received_at,
           t._landed_at AS landed_at, t.ingest_mode AS ingest_mode, t.clock_trust AS clock_trust, t.test AS test,
           t._partition AS kafka_partition, t._offset AS kafka_offset
    FROM musee.social_post AS t
    UNION ALL
    SELECT t.site_id AS site_id, 'position-update' AS family, t.event_id AS event_id, t.device_id AS device_id,
           t.occurred_at AS occurred_at, t.occurred_at AS ended_at, t.received_at AS received_at,
           t._landed_at AS landed_at, t.ingest_mode AS ingest_mode, t.clock_trust AS clock_trust, t.test AS test,
           t._partition AS kafka_partition, t._offset AS kafka_offset
    FROM musee.position_update AS t
    UNION ALL
    SELECT t.site_id AS site_id, 'visitor-action' AS family, t.event_id AS event_id, t.device_id AS device_id,
           t.occurred_at AS occurred_at, t.occurred_at AS ended_at, t.received_at AS received_at,
           t._landed_at AS landed_at, t.ingest_mode AS ingest_mode, t.clock_trust AS clock_trust, t.test AS test,
           t._partition AS kafka_partition, t._offset AS kafka_offset
    FROM musee.visitor_action AS t
    UNION ALL
    SELECT t.site_id AS site_id, 'web-traffic' AS family, t.event_id AS event_id, t.device_id AS device_id,
           t.occurred_at AS occurred_at, t.occurred_at + INTERVAL 1 HOUR AS ended_at, t.received_at AS received_at,
           t._landed_at AS landed_at, t.ingest_mode AS ingest_mode, t.clock_trust AS clock_trust, t.test AS test,
           t._partition AS kafka_partition, t._offset AS kafka_offset
    FROM musee.web_traffic AS t
    UNION ALL
    SELECT t.site_id AS site_id, 'device-status' AS family, t.event_id AS event_id, t.device_id AS device_id,
           t.occurred_at AS occurred_at, t.occurred_at AS ended_at, t.received_at AS received_at,
           t._landed_at AS landed_at, t.ingest_mode AS ingest_mode, t.clock_trust AS clock_trust, t.test AS test,
           t._partition AS kafka_partition, t._offset AS kafka_offset
    FROM musee.device_status AS t
) AS r;
