"""What Nivaran says: records, their codec, their topics."""
