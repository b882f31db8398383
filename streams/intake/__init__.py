"""Intake: which submissions become cases, which are the same again, and which are told no, with the reason."""
