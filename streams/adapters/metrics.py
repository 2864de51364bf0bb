"""Every metric of every program, with its unit and meaning.

A label's values form a short list known in advance. Served by ``adapters.probes`` under ``/metrics``.
"""

from prometheus_client import Counter, Gauge, Histogram

# -- every program ---------------------------------------------------------------------------------------------------
REFERENCE = Counter("musee_reference_records", "Records read of the topics of sites and calendars.", ["family"])

# -- gateway ---------------------------------------------------------------------------------------------------------
ACCEPTED = Counter("musee_gateway_accepted", "Events answered 202: Kafka holds them on all replicas.", ["family"])
REFUSED = Counter("musee_gateway_refused", "Events or requests refused at the door.", ["code"])
UNAVAILABLE = Counter("musee_gateway_unavailable", "Requests answered 503, to be sent again.")
REQUEST_SECONDS = Histogram("musee_gateway_request_seconds", "From the request's last byte to the answer.")

# -- reader (agents and sink) ----------------------------------------------------------------------------------------
ASSIGNMENTS = Counter("musee_reader_assignments", "Assignments of partitions; many a minute: two workers share a slot.")
LAG = Gauge("musee_reader_lag_records", "Records in the log that have had no effect yet.", ["topic", "partition"])

# -- agents ----------------------------------------------------------------------------------------------------------
ANSWERS = Counter("musee_agents_fence_answers", "Answers of the fenced script.", ["answer"])
COUNTED = Counter("musee_agents_counted_events", "Events that changed live state.", ["family"])
RESENT = Counter("musee_agents_resent_events", "Events left out because their id was counted before.", ["family"])
UNREADABLE = Counter("musee_agents_unreadable_records", "Records left to the sink to dead-letter.", ["reason"])
TAKEN_APART = Counter("musee_taken_apart_batches", "Batches judged record by record, fifty times slower.", ["family"])
MISPLACED = Counter("musee_agents_misplaced_records", "Records dead-lettered for lying in the wrong partition.")
LATE = Counter("musee_agents_late_events", "Events more than 72 h late: in history only.", ["family"])
GAPS = Counter("musee_device_gap", "Running numbers of devices that jumped or went back; events are kept.", ["kind"])
APPLY_SECONDS = Histogram(
    "musee_agents_apply_seconds",
    "Time of one fenced script, sent and answered.",
    buckets=(0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.5, 2.0),
)
FRESHNESS = Gauge(
    "musee_agents_freshness_seconds", "Age of the moment until which all input is counted.", ["partition"]
)
WINDOWS_PENDING = Gauge("musee_agents_windows_pending", "Quarter-hours touched and not yet said.", ["partition"])
WINDOWS_SAID = Counter("musee_agents_windows_said", "Quarter-hours published: first finals and revisions.", ["kind"])
WINDOWS_BEHIND = Gauge(
    "musee_agents_windows_behind_seconds", "How long quarter-hours that are due have not all been said.", ["partition"]
)
ALERTS_OPEN = Gauge("musee_agents_alerts_open", "Alerts that are open or acknowledged.", ["partition"])
ALERTS_SAID = Counter("musee_agents_alerts_said", "Alerts published, at each change.", ["state"])
ALERTS_FAILED = Counter("musee_agents_alerts_failed_sites", "Sites whose alerts could not be judged: our error.")
ALERTS_WAITING = Gauge("musee_agents_alerts_waiting_sites", "Sites that changed and were not judged since.")
ALERTS_SECONDS = Histogram(
    "musee_agents_alerts_turn_seconds",
    "Time of one turn over the capacities and silences.",
    buckets=(0.005, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 5.0),
)

# -- sink ------------------------------------------------------------------------------------------------------------
LANDED = Counter("musee_sink_landed_rows", "Rows of acknowledged blocks.", ["table"])
REINSERTED = Counter("musee_sink_reinserted_rows", "Rows sent again because their block or commit was lost.", ["table"])
BLOCKS = Counter("musee_sink_blocks", "Blocks by how they ended.", ["table", "answer"])
BLOCK_SECONDS = Histogram("musee_sink_block_seconds", "Time of one insert, sent and answered.", ["table"])
DEAD_LETTERS = Counter("musee_dead_letters", "Records dead-lettered.", ["reason"])
AUDIT_MISSING = Gauge("musee_sink_audit_missing_offsets", "Offsets below the commit, nowhere.", ["topic"])

# -- console ---------------------------------------------------------------------------------------------------------
STREAMS = Gauge("musee_console_open_streams", "Browsers on the live feed.")
DROPPED = Counter("musee_console_snapshots_for_slow", "Slow browsers that got a snapshot instead of their queue.")
