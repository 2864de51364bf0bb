"""The whole stack on one machine: Kafka, Valkey and ClickHouse out of wheels, under one supervisor."""
