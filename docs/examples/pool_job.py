"""A job that no pool makes faster: much data, and little to compute."""

ROWS = [list(range(20)) for _ in range(100_000)]


def work(row: list[int]) -> list[int]:
    """Add one to each number."""
    return [v + 1 for v in row]
