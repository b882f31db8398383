"""A deployment under a steady load for as long as one likes, with faults at moments drawn from a seed."""
