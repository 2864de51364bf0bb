"""The door: events come in over HTTP, are checked, pseudonymised and handed to Kafka."""
