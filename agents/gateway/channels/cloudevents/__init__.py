"""CloudEvents 1.0 over HTTP: complaints and actions as events, in binary, structured and batched content mode."""
