"""SLA windows: counts per unit and local hour, day and month, by event time."""
