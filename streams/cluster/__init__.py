"""Clusters: cases of different citizens about one place and category."""
