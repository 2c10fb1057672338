"""Looks at another process for some time, and reports on it."""

from __future__ import annotations

import sys
import time

from gillab.errors import GillabError
from gillab.meter.command import render
from gillab.meter.exports import Exports
from gillab.meter.other_process import (
    Target,
    find_end,
    list_children,
)
from gillab.meter.process_meter import ProcessMeter
from gillab.meter.timeline import describe_dropped

_LOOK_S = 0.1


def measure(
    target: Target,
    seconds: float,
    interval_s: float | None,
    budget: float | None,
    exports: Exports,
) -> int:
    """Meter a process for so long, print what was seen, write the files; return the exit code."""
    try:
        meter = ProcessMeter(target, interval_s, budget=budget, timeline=exports.want_timeline)
        meter.start()
    except GillabError as error:
        print(error, file=sys.stderr)
        return 2
    interrupted = not _wait(meter, seconds)
    meter.stop()
    reading = meter.read()
    timeline = meter.timeline() if exports.want_timeline else None
    end = find_end(target) if meter.gone else None
    where = f"of process {target.pid} on {target.python}"
    print(render(reading, where))
    if end is not None:
        print(f"the process {end} after {reading.duration_s:.2f} s: there the measurement ends")
    children = list_children(target.pid) if end is None else []
    if children:
        print(f"not looked at: its child processes {children}")
    if target.other_locks:
        print(f"not looked at: {target.other_locks} interpreters with locks of their own")
    if timeline is not None and timeline.dropped:
        print(describe_dropped(timeline))
    for sentence in exports.write(reading, timeline):
        print(sentence, file=sys.stderr)
    return 130 if interrupted and seconds < float("inf") else 0


def _wait(meter: ProcessMeter, seconds: float) -> bool:
    """Wait for the end of the time or of the process; whether it was not interrupted."""
    end = time.monotonic() + seconds
    try:
        while not meter.gone:
            left = end - time.monotonic()
            if left <= 0:
                break
            time.sleep(min(left, _LOOK_S))
    except KeyboardInterrupt:
        return False
    return True
