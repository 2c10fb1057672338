"""Threads that share a cache: each request copies it, and writes a line under a lock."""

import threading
import time

CACHE = dict.fromkeys(range(100_000))
LOG = threading.Lock()


def snapshot() -> dict[int, None]:
    """Copy the cache, which no other thread may change or copy meanwhile."""
    return CACHE.copy()


def write_line() -> None:
    """Write as a slow disk does."""
    with LOG:
        time.sleep(0.0005)


def serve() -> None:
    """Answer requests."""
    for _ in range(150):
        snapshot()
        write_line()


workers = [threading.Thread(target=serve, name=f"worker-{n}") for n in range(4)]
for worker in workers:
    worker.start()
for worker in workers:
    worker.join()
