"""Grievance systems as data: one folder of TOML each, read and checked whole at start."""
