"""Meters, made, started, read and stopped as often as the argument says, leave nothing behind."""

import gc
import os
import sys
import threading
import time

from gillab.meter import GilMeter


def counts() -> tuple[int, int, int]:
    """Return threads, open files and kilobytes of memory of this process, 0 where unknown."""
    if not os.path.isdir("/proc/self/task"):
        return threading.active_count(), 0, 0
    with open("/proc/self/statm") as file:
        pages = int(file.read().split()[1])
    return len(os.listdir("/proc/self/task")), len(os.listdir("/proc/self/fd")), pages * 4


def turn(meters: int) -> None:
    for _ in range(meters):
        with GilMeter() as meter:
            threading.Thread(target=sum, args=(range(10),)).start()
            meter.read()
    gc.collect()


turn(100)
threads, files, kilobytes = counts()
begun = time.monotonic()
turn(int(sys.argv[1]))
took_s = time.monotonic() - begun
deadline = time.monotonic() + 60
while (after := counts())[0] > threads and time.monotonic() < deadline:
    time.sleep(0.01)  # a thread of the last turn may still end
assert after[0] <= threads, (threads, after)
assert after[1] <= files, (files, after)
# A meter's counters take 50 KB: 500 that stayed would be far over this.
if "san" not in os.environ.get("LD_PRELOAD", ""):
    assert after[2] <= kilobytes + 10_000, (kilobytes, after)
print(f"threads, files, kB: {(threads, files, kilobytes)} before, {after} after, {took_s:.1f} s")
sys.stdout.write("ok\n")
