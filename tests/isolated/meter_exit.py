"""The interpreter ends, in the way named on the command line, while meters run."""

import os
import signal
import sys
import threading
import time

from gillab.meter import GilMeter

way = sys.argv[1]
meters = [GilMeter(), GilMeter(1.0), GilMeter(10e-6, knock=way == "knock")]
for meter in meters:
    meter.start()
sum(range(100_000))
if way == "daemon":

    def read_forever() -> None:
        """Read until the interpreter is gone."""
        while True:
            meters[0].read()

    threading.Thread(target=read_forever, daemon=True).start()
    time.sleep(0.05)
elif way == "exit":
    sys.exit(3)
elif way == "exception":
    raise ValueError
elif way == "os_exit":
    os._exit(4)
elif way == "signal":
    signal.raise_signal(signal.SIGINT)
