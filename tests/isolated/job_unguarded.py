"""A program that starts its pool while it is imported."""

from concurrent.futures import ProcessPoolExecutor


def work(item: object) -> object:
    return item


with ProcessPoolExecutor(1) as pool:
    list(pool.map(work, range(2)))
