"""Drills: for each alert a fault of its kind on running processes, and what its runbook page says to do about it."""
