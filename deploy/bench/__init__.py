"""Measurements, run by hand: what a command costs, how soon an officer is told, how fast a worker is back."""
