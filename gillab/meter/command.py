"""The command line of gillab.meter: start a meter, run the program, report when it has ended."""

from __future__ import annotations

import argparse
import atexit
import contextlib
import math
import os
import platform
import re
import sys
import textwrap
from collections.abc import Sequence
from typing import NoReturn

from gillab.errors import GillabError, UsageError, describe_usage_error
from gillab.meter._sampler import why_no_functions
from gillab.meter.exports import OPTIONS, Exports, prepare_exports
from gillab.meter.gil_meter import INTERVAL_S, GilMeter
from gillab.meter.program import run_program
from gillab.meter.reading import HeldIn, Reading, Waited
from gillab.meter.states_text import answer, list_threads
from gillab.meter.timeline import describe_dropped
from gillab.text import printable

WIDTH = 80
"""Of a terminal, in characters."""
_MOST_LINES = 10
"""Knocks come on top of them."""
_MOST_LINES_WITHOUT = 16
"""Where there is no GIL, each thread has several figures."""
_LEAST_SHARE = 0.01
_LEAST_FUNCTIONS = 3
_UNITS_S = {"us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1.0}
_USAGE = (
    "python -m gillab.meter [--interval TIME | --budget SHARE] [--knock]\n"
    "         [--export-json FILE] [--trace FILE] [--export-html FILE]\n"
    "         (SCRIPT | -m MODULE | -c CODE) [ARGS ...]\n"
    "       python -m gillab.meter [OPTIONS] --pid PID [--seconds S]"
)
_SECONDS = 10.0


def _parse_interval(text: str) -> float:
    match = re.fullmatch(r"([0-9.]+) *(us|µs|ms|s)", text)
    try:
        # Rounded, since 10 millionths are a little less than 10us.
        seconds = round(float(match[1]) * _UNITS_S[match[2]], 9) if match else 0.0
    except ValueError:
        seconds = 0.0
    if not 10e-6 <= seconds <= 1.0:
        raise argparse.ArgumentTypeError(
            f"{text!r} is not a time from 10us to 1s: write a number with us, ms or s."
        )
    return seconds


def _parse_export(path: str) -> str:
    folder = os.path.dirname(os.path.abspath(path))
    if not os.path.isdir(folder):
        raise argparse.ArgumentTypeError(f"{folder!r} is not a folder: make it first.")
    if os.path.isdir(path):
        raise argparse.ArgumentTypeError(f"{path!r} is a folder: name a file in it.")
    if not os.access(path if os.path.exists(path) else folder, os.W_OK):
        raise argparse.ArgumentTypeError(f"{path!r} cannot be written: name another file.")
    return os.path.abspath(path)  # now: the program may change the working directory


def _parse_budget(text: str) -> float:
    match = re.fullmatch(r"([0-9]+(?:\.[0-9]*)?|\.[0-9]+) *%", text)
    share = float(match[1]) / 100 if match else 0.0
    if not 0.0001 <= share <= 0.5:
        raise argparse.ArgumentTypeError(
            f"{text!r} is not a share of a CPU from 0.01% to 50%: write a number with %."
        )
    return share


def _parse_pid(text: str) -> int:
    if not re.fullmatch(r"[0-9]{1,9}", text) or int(text) == 0:
        raise argparse.ArgumentTypeError(
            f"{text!r} is not the number of a process: find it with 'pgrep -af python'."
        )
    return int(text)


def _parse_seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = math.nan
    if not seconds > 0:
        raise argparse.ArgumentTypeError(
            f"{text!r} is not a time: write a number of seconds, or inf for no end but Ctrl-C."
        )
    return seconds


class _Parser(argparse.ArgumentParser):
    # That of gillab.command would bring more modules into the program's process.
    def error(self, message: str) -> NoReturn:
        self.exit(2, describe_usage_error(self.prog, message))


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="python -m gillab.meter",
        usage=_USAGE,
        description="Run a program, then say on stderr how much of the time its GIL was held. "
        "Or look at one that runs already, and say it on stdout.",
        allow_abbrev=False,
    )
    parser.add_argument(
        "--pid",
        type=_parse_pid,
        help="the Python process to look at, from outside, instead of a program to run (Linux)",
    )
    parser.add_argument(
        "--seconds",
        type=_parse_seconds,
        metavar="S",
        help=f"with --pid, how long (default {_SECONDS:g}); inf: until it ends, or Ctrl-C",
    )
    pace = parser.add_mutually_exclusive_group()
    pace.add_argument(
        "--interval",
        type=_parse_interval,
        metavar="TIME",
        help="mean time between samples, from 10us to 1s (default 100us)",
    )
    pace.add_argument(
        "--budget",
        type=_parse_budget,
        metavar="SHARE",
        help="instead: what share of a CPU the meter may use, from 0.01%% to 50%%",
    )
    parser.add_argument(
        "--knock",
        action="store_true",
        help="also measure how long taking the lock takes, which disturbs the program",
    )
    parser.add_argument(
        "--export-json", type=_parse_export, metavar="FILE", help="write the reading to FILE"
    )
    parser.add_argument(
        "--trace",
        type=_parse_export,
        metavar="FILE",
        help="write who held the GIL and when to FILE: for the Firefox Profiler if its name ends "
        "in .gecko.json, else for Perfetto and chrome://tracing",
    )
    parser.add_argument(
        "--export-html",
        type=_parse_export,
        metavar="FILE",
        help="write who held the GIL and when as a page to look at (needs gillab[report])",
    )
    return parser


def _split(arguments: Sequence[str]) -> tuple[list[str], list[str]]:
    """Separate our own options from the program, which begins at -m, -c or the first bare word."""
    rest = list(arguments)
    own: list[str] = []
    while rest:
        word = rest[0]
        if word[:2] in ("-m", "-c") and word[:2] != "--":
            if len(word) > 2:
                rest[:1] = [word[:2], word[2:]]
            break
        if not word.startswith("-") or word == "-":
            break
        own.append(rest.pop(0))
        if word == "--":
            break
        if word in ("--interval", "--budget", "--pid", "--seconds", *OPTIONS) and rest:
            own.append(rest.pop(0))
    return own, rest


def run(arguments: Sequence[str]) -> int:
    """Run the program that the arguments name under a meter; its exceptions are not caught."""
    parser = _parser()
    own, program = _split(arguments)
    options = parser.parse_args([word for word in own if word != "--"])
    if options.budget is None and options.interval is None:
        options.interval = INTERVAL_S
    if options.knock and options.budget is not None:
        parser.error("a budget does not cover knocks: give either --knock or --budget.")
    if options.pid is not None:
        return _look_at(parser, options, program)
    if options.seconds is not None:
        parser.error("--seconds goes with --pid: a program that is run is metered until it ends.")
    if not program or (program[0] in ("-m", "-c") and len(program) == 1):
        parser.error("there is no program: give a SCRIPT, -m MODULE or -c CODE.")
    try:
        exports = prepare_exports(
            _list_files(options), options.interval, program, budget=options.budget
        )
    except UsageError as error:
        parser.error(str(error))
    _start(options, exports)
    run_program(program)
    return 0


def _look_at(
    parser: argparse.ArgumentParser, options: argparse.Namespace, program: list[str]
) -> int:
    # A program that is run here imports no more than it has to.
    from gillab.meter.other_process import find_target
    from gillab.meter.process_report import measure

    if program:
        parser.error("--pid looks at a process that runs: give it, or a program, not both.")
    if options.knock:
        parser.error("--knock takes the lock, which no other process can: leave it out with --pid.")
    try:
        target = find_target(options.pid)
        exports = prepare_exports(
            _list_files(options), options.interval, target.command, budget=options.budget
        )
    except UsageError as error:
        parser.error(str(error))
    seconds = _SECONDS if options.seconds is None else options.seconds
    try:
        return measure(target, seconds, options.interval, options.budget, exports)
    except KeyboardInterrupt:  # a second one, while the report is made
        parser.exit(130, f"{parser.prog}: interrupted.\n")


def _list_files(options: argparse.Namespace) -> dict[str, str]:
    """Return the files that were asked for, by option. UsageError where two are one."""
    values = {option: getattr(options, option[2:].replace("-", "_")) for option in OPTIONS}
    files: dict[str, str] = {}
    for option, path in values.items():
        if path is not None:
            for other, taken in files.items():
                if os.path.realpath(path) == os.path.realpath(taken):
                    raise UsageError(f"{other} and {option} name the same file: name another.")
            files[option] = path
    return files


def _start(options: argparse.Namespace, exports: Exports) -> None:
    """Start a meter that reports after all that the program does, its threads and exit too."""
    process = os.getpid()
    missing = why_no_functions() if exports.want_timeline else None
    keeps_timeline = exports.want_timeline and missing is None
    try:
        meter = GilMeter(
            options.interval,
            budget=options.budget,
            knock=options.knock,
            profile=True,
            timeline=keeps_timeline,
        )
        meter.start()
    except GillabError as error:
        reason = str(error)
        atexit.register(_say, reason)
        return

    def report() -> None:
        if os.getpid() != process:
            return
        reading = meter.read()
        meter.stop()
        timeline = meter.timeline() if keeps_timeline else None
        _say(render(reading))
        if timeline is not None and timeline.dropped:
            _say(describe_dropped(timeline))
        if missing is not None:
            _say(f"There is no timeline of the GIL here: {missing}.")
        for sentence in exports.write(reading, timeline):
            _say(sentence)

    atexit.register(report)


def _say(text: str) -> None:
    # A program may have closed its streams, or nobody may read them.
    with contextlib.suppress(OSError, ValueError, AttributeError):
        sys.stdout.flush()
    with contextlib.suppress(OSError, ValueError, AttributeError):
        print(text, file=sys.stderr, flush=True)


def _seconds(seconds: float) -> str:
    if seconds >= 1:
        return f"{seconds:.2f} s"
    return f"{seconds * 1e3:.3g} ms" if seconds >= 1e-3 else f"{seconds * 1e6:.3g} µs"


def _longest_hold(reading: Reading) -> str:
    longest_s, resolution_s = reading.longest_hold_s, reading.longest_hold_resolution_s
    if reading.longest_hold_least_s == 0:  # none was seen, or perhaps several, joined
        return f"under {_seconds(longest_s + resolution_s)}"
    return f"seen {_seconds(longest_s)} ± {_seconds(resolution_s)}"


def render(reading: Reading, where: str | None = None) -> str:
    """Say a reading as a person would, in a few lines; ``where`` it was if not in this process."""
    if where is None:
        where = f"on {platform.python_implementation()} {platform.python_version()}"
    took = f"{_seconds(reading.duration_s)} {where}"
    if reading.samples == 0:
        return f"GIL: no sample was taken in {took}."
    sampled = (
        f"{reading.samples:,} samples, {reading.missed:,} missed, "
        f"one in {_seconds(reading.interval_s)}"
        + ("" if math.isnan(reading.cost) else f", for {reading.cost:.2%} of a CPU")
    )
    if not reading.gil_enabled:
        return "\n".join(_without_gil(reading, took, sampled))
    low, high = reading.held_interval
    lines = [
        f"GIL held {reading.held:.1%} [{low:.1%}, {high:.1%}] of {took} ({sampled})",
        f"longest hold {_longest_hold(reading)}; the GIL changed hands {reading.switches:,} times"
        + (
            ""
            if reading.wanted is None
            else f"; a thread waited for it {reading.wanted:.1%} of the time"
        ),
    ]
    if reading.starved:
        lines.append(
            "the sampler got the CPU too seldom to tell: what kept it waiting may hold the lock"
        )
    lines = [part for line in lines for part in wrap(line)]
    lines += _threads(reading, _MOST_LINES - len(lines))
    if reading.knock is not None and reading.knock.knocks:
        knock = reading.knock
        lines += wrap(
            f"taking the GIL took {_seconds(knock.p50_s)} (p50), {_seconds(knock.p90_s)} (p90), "
            f"{_seconds(knock.p99_s)} (p99), {_seconds(knock.max_s)} at most; "
            "these knocks disturbed the program"
        )
    return "\n".join(lines)


def _without_gil(reading: Reading, took: str, sampled: str) -> list[str]:
    """Say which objects threads fought over, then what each thread did."""
    states, stops = reading.states, reading.stops
    where = wrap(f"GIL: there is none; {took} ran without it ({sampled}).")
    if states is None or stops is None:
        return where
    lines = wrap(answer(states, objects_told=bool(reading.objects_told)))
    if stops.share >= _LEAST_SHARE:
        longest = "" if stops.longest_s is None else f", at most {_seconds(stops.longest_s)} long"
        lines += wrap(f"All threads were stopped {stops.share:.1%} of the time{longest}.")
    lines += where
    return lines + list_threads(states, _MOST_LINES_WITHOUT - len(lines), WIDTH)


def wrap(line: str) -> list[str]:
    """Return a line of the report as lines that fit."""
    return textwrap.wrap(line, WIDTH, subsequent_indent="  ", break_on_hyphens=False)


def _threads(reading: Reading, room: int) -> list[str]:
    """Say how long each thread held it and where, and for whom it waited, the greatest first."""
    waits: dict[str, list[Waited]] = {}
    for wait in reading.waits or ():
        waits.setdefault(wait.thread, []).append(wait)
    names = [*reading.threads, *(name for name in waits if name not in reading.threads)]
    room = max(room, 2)
    told = [each for each in reading.functions or () if each.held >= _LEAST_SHARE]
    # Many threads leave room for the functions that matter most.
    room_for_names = max(room - min(len(told), _LEAST_FUNCTIONS), 2)
    cut = room_for_names if len(names) <= room_for_names else room_for_names - 1
    names, others = names[:cut], names[cut:]
    left = room - len(names) - bool(others)
    shown = [each for each in told if each.thread in names][:left]
    lines = []
    for name in names:
        share = reading.threads.get(name, 0.0)
        lines.append(f"  {share:6.1%}  {printable(name)}{_waited(waits.get(name, []))}")
        lines += [_function(each) for each in shown if each.thread == name]
    if others:
        held = sum(reading.threads.get(name, 0.0) for name in others)
        lines.append(f"  {held:6.1%}  {len(others)} other threads")
    return lines


def _waited(waits: list[Waited]) -> str:
    """Say how long a thread waited, and for whom the longest, which is the first."""
    whole = sum(wait.share for wait in waits)
    if whole < _LEAST_SHARE:
        return ""
    longest = waits[0]
    whom = "" if longest.holder is None else f", {longest.share:.1%} for {longest.holder}"
    return f" (waited {whole:.1%}{printable(whom)})"


def _function(function: HeldIn) -> str:
    """Say where a thread held the lock, in a line that fits."""
    longest = (
        "" if function.longest_s is None else f", longest {_seconds(function.longest_s)} there"
    )
    where = f"{_short(function.file)}:{function.line} {function.name}"
    room = WIDTH - 18 - len(longest)
    if len(where) > room:
        where = "…" + where[1 - room :]
    return f"          {function.held:6.1%}  {printable(where)}{longest}"


def _short(file: str) -> str:
    """Return the last two parts of a path, which tell most files apart."""
    return "/".join(file.replace("\\", "/").split("/")[-2:])
