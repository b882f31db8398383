"""SMS: one chain of handovers per message, from request to receipt."""
