"""A meter, seen from a fork of the process that runs it."""

import os
import sys
import time

from gillab.errors import GillabError
from gillab.meter import GilMeter

with GilMeter() as meter:
    # Once it samples its thread allocates no more: AddressSanitizer's allocator, unlike the C
    # library's, may be left locked for ever in the child of a fork.
    while meter.read().samples < 10:
        time.sleep(0.001)
    child = os.fork()
    if child == 0:
        assert not meter.running
        for act in (meter.read, meter.start):
            try:
                act()
            except GillabError as error:
                print(error, flush=True)
            else:
                os._exit(1)
        meter.stop()
        with GilMeter() as own:
            sum(range(1_000_000))
        assert own.read().duration_s > 0
        assert own.read().threads.keys() <= {"MainThread"}
        del meter
        sys.exit(0)  # through the end of `with` and of the interpreter
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 0, status
    assert meter.running
    meter.read()
sys.stdout.write("ok\n")
