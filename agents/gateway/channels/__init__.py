"""The ways in that have a convention of their own, each served where its settings are given."""
