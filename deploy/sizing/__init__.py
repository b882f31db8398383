"""How big a deployment must be: measured costs, stated loads, one formula."""
