"""Looks at another process for some time, and reports on it."""

from __future__ import annotations

import io
import math
import os
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Literal

from gillab.errors import GillabError
from gillab.meter.command import WIDTH, render, wrap
from gillab.meter.exports import Exports
from gillab.meter.other_process import (
    Change,
    Target,
    describe_command,
    find_change,
    list_children,
    name_processes,
)
from gillab.meter.process_meter import ProcessMeter
from gillab.meter.timeline import describe_dropped
from gillab.text import printable

_LOOK_S = 0.05
"""How often it is looked at whether the process is still there."""
_NAMES_S = 0.5
"""And what its threads are called."""
_INTERRUPTED = 130
_FAILED = 1


@dataclass(frozen=True, slots=True)
class MeteredProcess:
    """A process that was metered from outside."""

    pid: int
    """Its number."""
    end: Literal["time", "interrupted", "ended", "replaced", "unreadable"]
    """What ended the measurement: the time was up, Ctrl-C, the process ended, it became another
    program, or it could no longer be read."""
    free_threaded: bool
    """Whether its Python is a free-threaded build."""
    other_gils: int
    """How many of its interpreters have a GIL of their own; these were not looked at."""
    children: tuple[int, ...]
    """The processes that it had started and that ran at the end; these were not looked at."""


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
        over = _look(meter, target, seconds)
    except GillabError as error:
        print(error, file=sys.stderr)
        return 2
    meter.stop()
    change = find_change(target) or "unreadable" if meter.gone else None
    children = [] if change else list_children(target.pid)
    process = MeteredProcess(
        pid=target.pid,
        end=change or ("time" if over else "interrupted"),
        free_threaded=target.free_threaded,
        other_gils=target.other_gils,
        children=tuple(pid for pid, _ in children),
    )
    reading = meter.read()
    timeline = meter.timeline() if exports.want_timeline else None
    facts = {
        "python": target.python.partition(" ")[2],
        "implementation": "CPython",
        "process": {**asdict(process), "children": list(process.children)},
    }
    # Files first: the figures must not be lost if nobody reads the output.
    failures = list(exports.write(reading, timeline, facts))
    kind = "free-threaded " if target.free_threaded else ""
    report = render(reading, f"of process {target.pid} on {kind}{target.python}")
    lines = [part for line in report.split("\n") for part in wrap(line)]
    lines += _describe_rest(process, children)
    if timeline is not None and timeline.dropped:
        lines += wrap(describe_dropped(timeline))
    if not over and sys.stdout is not None and sys.stdout.isatty():
        lines.insert(0, "")  # after the ^C
    code = _print("\n".join(lines))
    for failure in failures:
        print(failure, file=sys.stderr)
    if not over and not math.isinf(seconds):
        return _INTERRUPTED
    return _FAILED if failures else code


def _announce(target: Target, seconds: float) -> str:
    how_long = "" if math.isinf(seconds) else f" for {seconds:g} s"
    line = f"Looking at process {target.pid}{how_long} (Ctrl-C ends it): "
    line += printable(describe_command(target))
    return line if len(line) < WIDTH else f"{line[: WIDTH - 2]}…"


def _look(meter: ProcessMeter, target: Target, seconds: float) -> bool:
    """Meter until the time is over or the process has gone; False after Ctrl-C. GillabError."""
    end = time.monotonic() + seconds
    names_due = 0.0
    try:
        meter.start()
        if sys.stderr is not None and sys.stderr.isatty():
            print(_announce(target, seconds), file=sys.stderr, flush=True)
        while not meter.gone:
            left = end - time.monotonic()
            if left <= 0:
                break
            time.sleep(min(left, _LOOK_S))
            if time.monotonic() > names_due:
                meter.note_names()
                names_due = time.monotonic() + _NAMES_S
    except KeyboardInterrupt:
        return False
    return True


_CHANGES: dict[Change, str] = {
    "ended": "the process ended then, and the measurement with it",
    "replaced": "the process then became another program, which was not looked at: "
    "give its pid again",
    "unreadable": "the process could not be read any longer then: it has changed its user, perhaps",
}


def _describe_rest(process: MeteredProcess, children: list[tuple[int, str]]) -> Iterator[str]:
    """Say why it ended early, and what was not looked at, in lines that fit."""
    if process.end in _CHANGES:
        yield from wrap(_CHANGES[process.end])
    if process.other_gils:
        count = process.other_gils
        some = "one interpreter" if count == 1 else f"{count} interpreters"
        yield from wrap(
            f"not looked at: {some} in it with a GIL of {'its' if count == 1 else 'their'} own"
        )
    if children:
        one = len(children) == 1
        yield from wrap(
            f"not looked at: its child process{'' if one else 'es'} "
            f"{printable(name_processes(children))}; give --pid {'it' if one else 'one of them'}"
        )


def _print(text: str) -> int:
    """Print a report; return the exit code."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        # Characters that its encoding lacks are written as escapes.
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        print(text, flush=True)
    except OSError as error:
        # What is left unwritten is to cause no second error at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        if not isinstance(error, BrokenPipeError):  # else whoever read it has gone
            print(f"standard output could not be written: {error.strerror}.", file=sys.stderr)
        return _FAILED
    return 0
