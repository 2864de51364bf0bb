"""History: Kafka to ClickHouse, each offset as one row or one dead letter."""
