"""What the tests of whole jobs map over items, as a program's module would define it."""

import os
import threading
import time

LOCK = threading.Lock()


def add_one(item):
    return item + 1


def make_lock(item):
    return threading.Lock()


def wait(item):
    time.sleep(item)
    return item


def tell_process(item):
    return os.getpid()


def take_lock(item):
    with LOCK:
        return item


def hold_lock():
    """Have a thread hold the lock nearly always, as one that works does."""

    def hold():
        while True:
            with LOCK:
                time.sleep(0.2)

    threading.Thread(target=hold, daemon=True).start()
    time.sleep(0.05)


no_name = lambda item: item  # noqa: E731


def mark_and_wait(item):
    with open(item, "a") as file:
        file.write("x")
    time.sleep(0.2)
