"""Imports and runs the kernels in fresh interpreters with a GIL of their own.

First one after the other, again and again, then several at once. Prints "ok".
"""

import importlib
import sys
import threading
from collections.abc import Callable
from typing import Any

RUN = """
from array import array
from gillab.kernels import (
    countdown_array, countdown_held, countdown_mixed, countdown_nogil, countdown_python)
assert countdown_python(1000) == countdown_held(1000) == countdown_nogil(1000) == 1000
assert countdown_mixed(10_000, released=0.5, chunk=100) == 10_000
assert countdown_array(array("q", [3, 0, -1, 4])) == 7
for bad, error in ((1.5, TypeError), (2**63, OverflowError)):
    for kernel in (countdown_held, countdown_nogil, countdown_mixed):
        try:
            kernel(bad)
        except error:
            pass
        else:
            raise AssertionError(f"{kernel} took {bad}")
import sys
assert "numpy" not in sys.modules
"""

create: Callable[[], Any]
run: Callable[[Any], None]
close: Callable[[Any], None]

if sys.version_info >= (3, 14):
    from concurrent import interpreters

    create = interpreters.create

    def run(interpreter: Any) -> None:
        interpreter.exec(RUN)

    def close(interpreter: Any) -> None:
        interpreter.close()
else:
    # Private names, the only ones before 3.14: both make interpreters with a GIL of their own.
    private = importlib.import_module(
        "_interpreters" if sys.version_info >= (3, 13) else "_xxsubinterpreters"
    )
    create = private.create
    close = private.destroy

    def run(interpreter: Any) -> None:
        failure = private.run_string(interpreter, RUN)
        if failure is not None:  # 3.13 returns what 3.12 raises
            raise AssertionError(failure)


def live() -> None:
    interpreter = create()
    try:
        run(interpreter)
        run(interpreter)
    except BaseException as error:
        failures.append(error)
    finally:
        close(interpreter)


failures: list[BaseException] = []
for _ in range(25):
    live()
for _ in range(5):
    threads = [threading.Thread(target=live) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
if failures:
    raise failures[0]
print("ok")
