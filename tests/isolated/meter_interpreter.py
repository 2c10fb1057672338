"""An interpreter with a GIL of its own reads that GIL, not the main one's, and knocks on that."""

import importlib
import sys
import threading

from gillab.kernels import countdown_held
from gillab.meter import GilMeter

KNOCK = "knock" in sys.argv
CODE = f"""
import time
from gillab.meter import GilMeter
with GilMeter(knock={KNOCK}) as meter:
    before = meter.read()
    time.sleep(0.5)
    reading = meter.read() - before
    running = GilMeter(knock={KNOCK})
    running.start()  # and stays so: the end of the interpreter stops it
assert (reading.knock is not None) is {KNOCK}, reading
if reading.gil_enabled and reading.samples > 500 and reading.missed < reading.samples / 4:
    assert reading.held < 0.2, reading
    if reading.knock is not None:
        assert reading.knock.knocks > 5, reading
        # Its own lock is free; for the main one it would have to wait some 5 ms.
        assert reading.knock.p50_s < 1e-3, reading
    print("decided", flush=True)
"""

try:
    if sys.version_info >= (3, 14):
        from concurrent import interpreters

        interpreter = interpreters.create()
        run = interpreter.exec
        close = interpreter.close
    else:
        _interpreters = importlib.import_module("_interpreters")
        number = _interpreters.create()

        def run(code: str) -> None:
            """Run code, and raise what it raises."""
            failed = _interpreters.exec(number, code)
            if failed is not None:
                raise RuntimeError(failed.formatted)

        def close() -> None:
            """End the interpreter."""
            _interpreters.destroy(number)

except ImportError as error:
    print(f"skip: {error}")
    sys.exit(0)

# The main interpreter's lock is held nearly all the time meanwhile.
over = threading.Event()


def hold() -> None:
    """Hold the main lock."""
    while not over.is_set():
        countdown_held(5_000_000)


holder = threading.Thread(target=hold)
with GilMeter() as meter:
    holder.start()
    before = meter.read()
    run(CODE)
    reading = meter.read() - before
    over.set()
    holder.join()
    close()
if reading.gil_enabled and reading.samples > 500:
    assert reading.held > 0.5, reading
sys.stdout.write("ok\n")
