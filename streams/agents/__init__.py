"""The live path: Kafka to Redis, each event once."""
