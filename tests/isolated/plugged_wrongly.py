"""A strategy whose module cannot be imported."""

POOL = 1 / 0
