-- Second version of the schema: when the ticket was booked for.
ALTER TABLE musee.ticket_scan
    ADD COLUMN IF NOT EXISTS slot_at Nullable(DateTime64(3, 'UTC')) COMMENT 'start of the time slot booked, UTC, ms; null: none, not said, or a record of the first version' AFTER forced;
