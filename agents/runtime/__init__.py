"""How stages, sinks and senders run on Faust and Kafka: the only code that touches Faust's insides."""
