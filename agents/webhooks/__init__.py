"""Escalations and other feeds by HTTP, for subscribers without Kafka."""
