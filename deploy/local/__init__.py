"""Apache Kafka and a Redis-protocol server on this machine, without Docker and without root."""
