"""The read model in Redis: every key's name, what writes it, what reads it, and how it is made anew from the log."""
