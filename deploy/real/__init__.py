"""276,633 real cases through the whole system, and the comparison with a recount that knows none of its code."""
