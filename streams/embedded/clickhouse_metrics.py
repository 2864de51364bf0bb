"""Figures of the embedded ClickHouse, for ``/metrics`` of its endpoint.

The engine's own error numbers are the labels of ``musee_clickhouse_errors_total``: a closed list, a thousand at most.
"""

from prometheus_client import Counter, Gauge, Histogram

QUERIES = Counter("musee_clickhouse_queries", "Statements without data that were answered, also with an error.")
INSERTS = Counter("musee_clickhouse_inserts", "INSERTs with data that were answered, also with an error.")
INSERTED_ROWS = Counter("musee_clickhouse_inserted_rows", "Rows of INSERTs with data that the engine accepted.")
RECEIVED_BYTES = Counter("musee_clickhouse_received_bytes", "Bytes of bodies, as they came.")
ERRORS = Counter("musee_clickhouse_errors", "Statements that were refused, by ClickHouse's error number.", ["code"])
GONE = Counter("musee_clickhouse_gone_clients", "Requests whose client left before the answer.")
SECONDS = Histogram(
    "musee_clickhouse_statement_seconds",
    "From the body's last byte to the answer's: waiting for a thread, running, sending.",
    ["kind"],
    buckets=(0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0, 60.0),
)
HELD = Gauge("musee_clickhouse_held_requests", "Requests that run or wait for a thread.", ["lane"])
SESSIONS = Gauge("musee_clickhouse_open_sessions", "Sessions that clients have open.")
