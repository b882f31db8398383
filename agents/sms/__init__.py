"""SMS outside Kafka: the sender, the gateway it calls, and a gateway to try it with."""
