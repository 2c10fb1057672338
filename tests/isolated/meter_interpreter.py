"""An interpreter with a GIL of its own reads that GIL, not the main one's, and knocks on that.

Prints "ok", or "skip" and why where this machine, at this moment, could not decide.
"""

import importlib
import os
import sys
import threading

from gillab.kernels import countdown_held
from gillab.meter import GilMeter

KNOCK = "knock" in sys.argv
pipe, end_of_pipe = os.pipe()
CODE = f"""
import os, time
from gillab.meter import GilMeter
from gillab.meter.counters import bucket_ends
with GilMeter(knock={KNOCK}) as meter:
    for _ in range(60):
        before = meter.read()
        time.sleep(0.5)
        reading = meter.read() - before
        sampled = reading.samples > 500 and reading.missed < reading.samples
        knocked = reading.knock is None or reading.knock.knocks > 5
        if not reading.gil_enabled or (sampled and knocked):
            break
    running = GilMeter(knock={KNOCK})
    running.start()  # and stays so: the end of the interpreter stops it
assert (reading.knock is not None) is {KNOCK}, reading
why = ""
if not reading.gil_enabled:
    pass  # there is nothing to be held
elif not sampled:
    why = f"the sampler was starved: {{reading.missed}} missed, {{reading.samples}} taken"
elif not knocked:
    why = f"only {{reading.knock.knocks}} knocks were made"
else:
    assert reading.held < 0.5, reading
    if reading.knock is not None:
        # Its own lock is free; for the main one each would have to wait some 5 ms. A busy machine
        # can keep most of them waiting, but not all.
        assert bucket_ends(min(reading._raw.knocks.buckets))[0] < 1e6, reading
os.write({end_of_pipe}, why.encode())
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
    try:
        run(CODE)
        reading = meter.read() - before
    finally:
        over.set()
        holder.join()
    close()
os.close(end_of_pipe)
why = os.read(pipe, 1000).decode()
if reading.gil_enabled and reading.samples > 500:
    assert reading.held > 0.5, reading
elif reading.gil_enabled and not why:
    why = f"of the main interpreter's lock only {reading.samples} samples were taken"
sys.stdout.write(f"skip: {why}\n" if why else "ok\n")
