"""What the tests of whole jobs map over items, as a program's module would define it."""

import os
import signal
import threading
import time

LOCK = threading.Lock()


def add_one(item: int) -> int:
    return item + 1


def make_lock(item: object) -> object:
    return threading.Lock()


def wait(item: float) -> float:
    time.sleep(item)
    return item


def tell_process(item: object) -> int:
    return os.getpid()


def die_in_a_worker(parent: int) -> None:
    if os.getpid() != parent:
        os.kill(os.getpid(), signal.SIGKILL)


def take_lock(item: object) -> object:
    with LOCK:
        return item


def hold_lock() -> None:
    """Have a thread hold the lock nearly always, as one that works does."""

    def hold() -> None:
        while True:
            with LOCK:
                time.sleep(0.2)

    threading.Thread(target=hold, daemon=True).start()
    time.sleep(0.05)


no_name = lambda item: item  # noqa: E731


def mark_and_wait(item: str) -> None:
    with open(item, "a") as file:
        file.write("x")
    time.sleep(0.2)
