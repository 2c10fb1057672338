"""Measures what a waiting thread feels beside busy ones: a heartbeat, an echo, an asyncio loop.

``python -m gillab.latency`` at the command line, `latency` in a script.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from gillab.command.arguments import (
    Parser,
    parse_count,
    parse_counts_from_zero,
    parse_duration,
    parse_durations,
    parse_fraction,
    parse_names,
    parse_word,
)
from gillab.command.ending import run_main
from gillab.command.exports import add_export_options
from gillab.command.measuring import EXIT_CODES, START_METHODS, run_experiment
from gillab.errors import Interrupted, UsageError

if TYPE_CHECKING:
    from gillab.probes.measure import Measured, Plan
    from gillab.results import Result

DEFAULT_WORKLOAD = "countdown_python"
BUSY = (0, 1, 2)
ROUNDS = 8
ROUND_S = 0.25
BUDGET_S = 90.0
TIMEOUT_S = 30.0
_SHORTER = 10.0
"""By default an interval that is so many times shorter than the interpreter's own is tried too."""
_SHORTEST_S, _LONGEST_S = 1e-6, 10.0
_OTHERS = 0.25
"""From so many cores on that other programs keep busy the figures say so."""
_OFFERED = ("heartbeat", "echo", "loop")


def latency(
    workload: str = DEFAULT_WORKLOAD,
    *,
    setup: str = "",
    args: str = "",
    busy: Sequence[int] = BUSY,
    switch_intervals_s: Sequence[float] = (),
    probes: Sequence[str] = (),
    start_method: str | None = None,
    rounds: int = ROUNDS,
    round_s: float = ROUND_S,
    time_budget_s: float = BUDGET_S,
    confidence: float = 0.95,
    seed: int | None = None,
    timeout_s: float = TIMEOUT_S,
    on_step: Callable[[str], None] = lambda step: None,
) -> Result:
    """Measure what other threads feel while some are busy with a workload, and say what helps.

    ``workload``, setup and args are those of `gillab.compare.compare`. ``busy`` are numbers of
    threads that repeat it, and of processes that do so in their place; 0 is always measured. The
    ``probes`` are a ``heartbeat`` (a thread that sleeps 1 ms), an ``echo`` (a socket on this
    machine) and a ``loop`` (an asyncio timer of 1 ms, as beside `asyncio.to_thread`); all by
    default. ``switch_intervals_s`` are values for `sys.setswitchinterval`: by default the
    interpreter's own and, where there is a GIL, a tenth of it. In each of the ``rounds``, a fresh
    interpreter measures every combination for ``round_s``, or three calls if those take longer.
    There are up to twice as many rounds until so many were quiet; if three were, they alone make
    the figures. Times are in seconds.

    UsageError for what cannot be measured; `Interrupted` on Ctrl-C, with what was measured.
    """
    import os

    from gillab.environment import is_gil_enabled
    from gillab.launch.functions import check_functions
    from gillab.limits import check_ranges
    from gillab.probes.measure import Measured, Plan, list_conditions, measure_rounds
    from gillab.workload import resolve_workload

    check_ranges(
        (), rounds=rounds, round_s=round_s, time_budget_s=time_budget_s, timeout_s=timeout_s
    )
    if not 0 < confidence < 1:
        raise UsageError(f"confidence is a fraction between 0 and 1, not {confidence}.")
    resolved = resolve_workload(workload, setup, args)
    counts = sorted({0, *busy})
    if counts[0] < 0:
        raise UsageError(f"busy threads are a number from 0 on, not {counts[0]}.")
    own_s = sys.getswitchinterval()
    intervals_s = tuple(switch_intervals_s) or (
        (own_s, own_s / _SHORTER) if is_gil_enabled() else (own_s,)
    )
    for interval_s in intervals_s:
        if not _SHORTEST_S <= interval_s <= _LONGEST_S:
            raise UsageError(f"a switch interval is from 1 µs to 10 s long, not {interval_s:g} s.")
    names = tuple(dict.fromkeys(probes)) or _OFFERED
    for name in names:
        if name not in _OFFERED:
            raise UsageError(f"there is no probe {name!r}; there are {', '.join(_OFFERED)}.")
    check_functions([resolved], timeout_s)
    plan = Plan(
        workload=resolved,
        conditions=list_conditions(names, counts, sorted(set(intervals_s), reverse=True)),
        rounds=rounds,
        round_s=round_s,
        time_budget_s=time_budget_s,
        timeout_s=timeout_s,
        seed=int.from_bytes(os.urandom(4), "big") if seed is None else seed,
        start_method=start_method,
    )
    measured = Measured()
    try:
        measure_rounds(plan, measured, on_step)
    except KeyboardInterrupt:
        raise Interrupted(conclude(plan, measured, confidence, partial=True)) from None
    return conclude(plan, measured, confidence, partial=False)


def conclude(plan: Plan, measured: Measured, confidence: float, *, partial: bool) -> Result:
    """Turn what was measured into a result: cells, charts and sentences."""
    from dataclasses import asdict

    from gillab.blocks.analysis import summarize_counters
    from gillab.environment import collect_environment
    from gillab.probes.charts import chart_delays
    from gillab.probes.measure import pick_quiet
    from gillab.probes.summary import find_call_s, list_blocks, list_cells, summarize_rounds
    from gillab.report.latency import name_intervals, summarize_latency
    from gillab.results import Result

    environment = collect_environment()
    name = plan.workload.name
    rounds = len(measured.rounds)
    used = pick_quiet(measured.rounds)
    found = summarize_rounds(used, confidence)
    felt = {each: found[each] for each in plan.conditions if each in found}
    noise = summarize_counters([each.noise for each in measured.rounds if each.noise], rounds)
    intervals = name_intervals([each.switch_interval_s for each in plan.conditions])
    warnings = []
    if not partial and not measured.failure and rounds < plan.rounds:
        warnings.append(
            f"the time was up after {rounds} of {plan.rounds} rounds; give it more with "
            "--time-budget."
        )
    if len(used) < rounds:
        warnings.append(
            f"the figures are those of the {len(used)} quiet rounds of {rounds}: in the others, "
            "other programs kept CPUs busy."
        )
    elif (noise.other_cores or 0.0) > _OTHERS:
        warnings.append(
            f"other programs kept {noise.other_cores:.2f} cores busy: timers are later then, and a "
            "socket answers more requests, since a busy thread without a CPU often leaves the lock "
            "free."
        )
    return Result(
        command="latency",
        partial=partial,
        seed=plan.seed,
        options={**asdict(plan), "confidence": confidence},
        environment=environment,
        cells=list_cells(plan, measured, environment["python"]),
        null=(),
        ceiling=(),
        noise=noise,
        charts=chart_delays(felt, name, intervals.__getitem__),
        summary=[f"{name}: {measured.failure}."]
        if measured.failure
        else summarize_latency(
            felt, name, find_call_s(measured.rounds), gil_enabled=measured.gil_enabled
        ),
        warnings=warnings,
        blocks=list_blocks(name, measured.rounds),
    )


def build_parser() -> Parser:
    """Return the command line's parser."""
    parser = Parser(
        prog="python -m gillab.latency",
        description="What does a waiting thread feel? A heartbeat, a socket's echo and an asyncio "
        "loop note their delays beside threads that are busy with a workload, and beside processes "
        "that are. Says what helps.",
        epilog=EXIT_CODES,
    )
    parser.add_argument(
        "workload",
        nargs="?",
        type=parse_word,
        default=DEFAULT_WORKLOAD,
        metavar="WORKLOAD",
        help="a kernel (python, held, nogil, mixed), package.module:function, or a statement; "
        "default: python",
    )
    what = parser.add_argument_group("what is measured")
    what.add_argument(
        "-s",
        "--setup",
        action="append",
        default=[],
        help="statements that run once before the workload; may be given several times",
    )
    what.add_argument(
        "--args", default="", metavar="EXPR", help='the function\'s arguments: "(1, 2)"'
    )
    what.add_argument(
        "--probes",
        type=parse_names,
        default=(),
        metavar="NAMES",
        help=f"of {','.join(_OFFERED)}; default: all",
    )
    where = parser.add_argument_group("where it runs")
    where.add_argument(
        "-j",
        "--busy",
        type=parse_counts_from_zero,
        default=BUSY,
        metavar="N[,N...]",
        help="so many threads repeat the workload, or as many processes; default: 0,1,2",
    )
    where.add_argument(
        "--switch-interval",
        type=parse_durations,
        default=(),
        metavar="TIME[,TIME...]",
        help="values for sys.setswitchinterval(): 5ms,0.5ms; default: Python's own, and a tenth",
    )
    where.add_argument(
        "--start-method", choices=START_METHODS, help="how processes start; default: Python's"
    )
    how = parser.add_argument_group("how long and how well")
    for option, kind, metavar, default, text in (
        ("--time-budget", parse_duration, "TIME", BUDGET_S, "the whole run takes at most about"),
        (
            "--rounds",
            parse_count,
            "N",
            ROUNDS,
            "in so many fresh interpreters, up to twice as many if others disturb",
        ),
        ("--round-time", parse_duration, "TIME", ROUND_S, "so long for each combination in each"),
        ("--confidence", parse_fraction, "X", 0.95, "of each interval"),
        ("--timeout", parse_duration, "TIME", TIMEOUT_S, "a call that takes longer has hung"),
    ):
        unit = " s" if kind is parse_duration else ""
        how.add_argument(
            option,
            type=kind,
            default=default,
            metavar=metavar,
            help=f"{text}; default: {default:g}{unit}",
        )
    how.add_argument("--seed", type=int, help="of the order within rounds; default: random")
    parser.add_argument(
        "-q", "--quiet", action="store_true", help="print the summary alone, and no progress"
    )
    add_export_options(parser, "latency")
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code."""
    parser = build_parser()
    return run_main(lambda: _main(parser.parse_mixed(argv)), parser.prog)


def _main(arguments: argparse.Namespace) -> int:
    from gillab.report.lab import render_lab

    return run_experiment(
        arguments,
        lambda on_step: latency(
            arguments.workload,
            setup="\n".join(arguments.setup),
            args=arguments.args,
            busy=arguments.busy,
            switch_intervals_s=arguments.switch_interval,
            probes=arguments.probes,
            start_method=arguments.start_method,
            rounds=arguments.rounds,
            round_s=arguments.round_time,
            time_budget_s=arguments.time_budget,
            confidence=arguments.confidence,
            seed=arguments.seed,
            timeout_s=arguments.timeout,
            on_step=on_step,
        ),
        render_lab,
        "python -m gillab.latency",
    )


if __name__ == "__main__":
    sys.exit(main())
