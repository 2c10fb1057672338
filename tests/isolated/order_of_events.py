"""Prints in which order things happen around a kernel in a thread: ``order_of_events.py NAME N``.

The worker notes "enter", sets an event, runs the kernel for N steps and notes "leave"; the main
thread waits for the event and notes "main". No thread is made to give way (the switch interval
is far longer than the run), so that "main" comes before "leave" only where the kernel itself
lets go of the GIL. With a third argument the switch interval is that many seconds.
"""

import os
import sys
import threading

from kernel_cases import CASES

name, steps = sys.argv[1], int(sys.argv[2])
sys.setswitchinterval(float(sys.argv[3]) if len(sys.argv) > 3 else 1000.0)

events: list[str] = []
entered = threading.Event()


def count() -> None:
    events.append("enter")
    entered.set()
    CASES[name].call(steps)
    events.append("leave")


threading.Thread(target=count, daemon=True).start()
entered.wait()
events.append("main")
sys.stdout.write(" ".join(events) + "\n")
sys.stdout.flush()
os._exit(0)  # the worker may be counting without end
