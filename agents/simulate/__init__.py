"""A made-up helpline: seeded inputs as they would reach a system, and what must come of them."""
