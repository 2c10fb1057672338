"""Compares serial, threads, processes and subinterpreters on one or more workloads.

``python -m gillab.compare`` at the command line, `compare` in a script.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Literal, NamedTuple, TypeVar

from gillab.command.arguments import (
    Parser,
    parse_count,
    parse_counts,
    parse_duration,
    parse_fraction,
    parse_names,
    parse_word,
)
from gillab.command.ending import finish, run_main
from gillab.command.exports import add_export_options, find_exports
from gillab.errors import UsageError
from gillab.limits import check_ranges

if TYPE_CHECKING:
    from gillab.blocks.plan import Experiment, Protocol
    from gillab.blocks.record import Record
    from gillab.blocks.session import Session
    from gillab.results import Result

_Number = TypeVar("_Number", int, float)

DEFAULT_WORKLOADS = ("countdown_python", "countdown_held", "countdown_nogil")
START_METHODS = ("fork", "spawn", "forkserver")


class Preset(NamedTuple):
    """How thorough a run is; times in seconds, the target a relative half-width."""

    task_time_s: float
    min_blocks: int
    max_blocks: int
    time_budget_s: float
    target_error: float
    launches: int


PRESETS = {
    "default": Preset(0.040, 15, 60, 57.0, 0.03, launches=3),
    "fast": Preset(0.020, 9, 15, 13.0, 0.05, launches=3),
    # Luck that lasts as long as a launch is only averaged out over more of them.
    "rigorous": Preset(0.080, 30, 300, 600.0, 0.01, launches=6),
}


class Interrupted(KeyboardInterrupt):
    """Ctrl-C while measuring; ``result`` holds what was measured until then."""

    def __init__(self, result: Result) -> None:
        super().__init__("interrupted; .result holds what was measured")
        self.result = result


def compare(
    *workloads: str,
    setup: str = "",
    args: str = "",
    strategies: Sequence[str] = (),
    workers: int | Sequence[int] | None = None,
    preset: Literal["default", "fast", "rigorous"] = "default",
    steps: int | None = None,
    start_method: str | None = None,
    task_time_s: float | None = None,
    min_blocks: int | None = None,
    max_blocks: int | None = None,
    time_budget_s: float | None = None,
    target_error: float | None = None,
    confidence: float = 0.95,
    seed: int | None = None,
    timeout_s: float | None = None,
    on_block: Callable[[Progress], None] | None = None,
) -> Result:
    """Measure workloads under each strategy and say which one to use.

    ``workloads`` are texts as the command line takes them: a kernel's name, a
    ``package.module:function`` (called with the Python expression ``args``) or a statement;
    ``setup`` runs once in every worker. ``workers`` defaults to the CPUs that this process may
    use. Times are in seconds; what is None comes from the ``preset``.

    Everything is measured in processes of their own, so a script needs no main guard. UsageError
    for what cannot be measured; `Interrupted` on Ctrl-C, with what was measured.
    """
    from gillab.blocks.plan import Protocol

    if preset not in PRESETS:
        raise UsageError(f"there is no preset {preset!r}; there are {', '.join(PRESETS)}.")
    base = PRESETS[preset]
    experiments = _plan(workloads or DEFAULT_WORKLOADS, setup, args, strategies, workers)
    budget_s = _given(time_budget_s, base.time_budget_s)
    protocol = Protocol(
        task_time_s=_given(task_time_s, base.task_time_s),
        min_blocks=_given(min_blocks, min(base.min_blocks, _given(max_blocks, base.min_blocks))),
        max_blocks=_given(max_blocks, max(base.max_blocks, _given(min_blocks, 0))),
        time_budget_s=budget_s,
        target_error=_given(target_error, base.target_error),
        confidence=confidence,
        # An arm that takes so long leaves no time for a block; one that hangs, for the others.
        timeout_s=_given(timeout_s, min(30.0, max(5.0, budget_s / 4))),
        seed=int.from_bytes(os.urandom(4), "big") if seed is None else seed,
        launches=base.launches,
        steps=steps,
        start_method=start_method,
    )
    _check(protocol)
    return _run(experiments, protocol, on_block)


def _given(value: _Number | None, otherwise: _Number) -> _Number:
    return otherwise if value is None else value


class Progress(NamedTuple):
    """Where a run stands after a block."""

    workload: str
    launch: int
    block: int
    """Blocks of this workload so far."""
    blocks: int
    """The most blocks that this workload will have."""
    left_s: float
    """Of the time budget."""
    widest: float
    """The relative half-width of the widest interval so far; infinite where one is missing."""
    target: float


def _plan(
    workloads: Sequence[str],
    setup: str,
    args: str,
    strategies: Sequence[str],
    workers: int | Sequence[int] | None,
) -> list[Experiment]:
    """Turn texts into experiments; UsageError for what cannot be one."""
    from gillab.blocks.plan import Experiment, plan_arms
    from gillab.strategies import DEFAULT, get_strategy
    from gillab.workload import resolve_workload

    counts = (workers,) if isinstance(workers, int) else tuple(workers or (_count_default(),))
    if min(counts) < 1:
        raise UsageError(f"workers are a number from 1 on, not {min(counts)}.")
    names = tuple(strategies or DEFAULT)
    for name in names:
        get_strategy(name)
    resolved = [resolve_workload(text, setup, args) for text in workloads]
    for workload in resolved:
        if resolved.count(workload) > 1:
            raise UsageError(f"{workload.name} is named twice; name it once.")
    arms = plan_arms(names, tuple(dict.fromkeys(counts)))
    return [Experiment(workload, arms) for workload in resolved]


def _count_default() -> int:
    from gillab.environment import count_usable_cpus
    from gillab.strategies.processes import MOST_WORKERS

    return min(count_usable_cpus(), MOST_WORKERS)


def _check(protocol: Protocol) -> None:
    """Refuse a protocol that cannot be followed."""
    if not 0 < protocol.confidence < 1:
        raise UsageError(f"confidence is a fraction between 0 and 1, not {protocol.confidence}.")
    names = ("task_time_s", "time_budget_s", "timeout_s", "target_error", "min_blocks")
    check_ranges((), **{name: getattr(protocol, name) for name in names})
    if protocol.steps is not None and protocol.steps < 1:
        raise UsageError(f"steps are a number from 1 on, not {protocol.steps}.")
    if protocol.min_blocks > protocol.max_blocks:
        raise UsageError(
            f"--min-blocks {protocol.min_blocks} is more than --max-blocks {protocol.max_blocks}."
        )
    if protocol.start_method is not None:
        import multiprocessing

        here = multiprocessing.get_all_start_methods()
        if protocol.start_method not in here:
            raise UsageError(
                f"processes cannot be started by {protocol.start_method!r} here; "
                f"there is {', '.join(here)}."
            )


def _run(
    experiments: Sequence[Experiment],
    protocol: Protocol,
    on_block: Callable[[Progress], None] | None,
) -> Result:
    from dataclasses import replace

    from gillab.blocks.analysis import correct, find_widest
    from gillab.blocks.session import Session, check_functions

    started = time.monotonic()
    check_functions(experiments, protocol.timeout_s)
    left_s = protocol.time_budget_s - (time.monotonic() - started)

    def widest(record: Record) -> float:
        return find_widest(record, correct(session.records, protocol.confidence))

    def report(record: Record, left_s: float) -> None:
        if on_block is not None:
            on_block(
                Progress(
                    workload=record.experiment.workload.name,
                    launch=record.launches,
                    block=len(record.blocks),
                    blocks=protocol.max_blocks,
                    left_s=left_s,
                    widest=widest(record),
                    target=protocol.target_error,
                )
            )

    within = replace(protocol, time_budget_s=max(left_s, 0.0))
    session = Session(experiments, within, widest, report)
    try:
        session.run()
    except KeyboardInterrupt:
        raise Interrupted(_conclude(session, protocol, partial=True)) from None
    return _conclude(session, protocol, partial=False)


def _conclude(session: Session, protocol: Protocol, partial: bool) -> Result:
    from dataclasses import asdict

    from gillab.blocks.analysis import analyze
    from gillab.environment import collect_environment, find_capacity
    from gillab.report.summary import summarize
    from gillab.results import Result

    environment = collect_environment()
    cells, null, ceiling, noise = analyze(
        session.records,
        protocol.confidence,
        find_capacity(),
        environment["python"],
        interrupted=partial,
    )
    options = asdict(protocol)
    return Result(
        command="compare",
        partial=partial,
        seed=protocol.seed,
        options=options,
        environment=environment,
        cells=cells,
        null=null,
        ceiling=ceiling,
        noise=noise,
        summary=summarize(cells, null, ceiling, environment, options, interrupted=partial),
        warnings=() if partial else _find_warnings(session, protocol),
        blocks=[
            {**asdict(block), "steps": record.steps}
            for record in session.records
            for block in record.blocks
        ],
    )


def _find_warnings(session: Session, protocol: Protocol) -> list[str]:
    warnings = []
    for record in session.records:
        blocks = len(record.blocks)
        if record.open_cells and blocks < protocol.min_blocks:
            warnings.append(
                f"{record.experiment.workload.name}: the time was up after {blocks} of at least "
                f"{protocol.min_blocks} blocks; give it more with --time-budget."
            )
    return warnings


def build_parser() -> Parser:
    """Return the command line's parser."""
    parser = Parser(
        prog="python -m gillab.compare",
        description="Which is faster for this code on this machine: threads, processes or "
        "subinterpreters? Each workload is measured serially and under each strategy, side by "
        "side, and gets a verdict or the reason why there can be none.",
        epilog="exit codes: 0 done, 1 a cell failed or none was measured, 2 usage, 130 "
        "interrupted (what was measured is shown and saved).",
    )
    parser.add_argument(
        "workloads",
        nargs="*",
        type=parse_word,
        metavar="WORKLOAD",
        help="a kernel (python, held, nogil, mixed), package.module:function, or a statement; "
        "default: python held nogil",
    )
    what = parser.add_argument_group("what is measured")
    what.add_argument(
        "-s",
        "--setup",
        action="append",
        default=[],
        help="statements that run once in every worker; may be given several times",
    )
    what.add_argument(
        "--args", default="", metavar="EXPR", help='the function\'s arguments: "(1, 2)"'
    )
    what.add_argument(
        "-n",
        "--steps",
        type=parse_count,
        metavar="N",
        help="steps (of a kernel) or calls in one task; default: as many as fill the task time",
    )
    where = parser.add_argument_group("where it runs")
    where.add_argument(
        "-j",
        "--workers",
        type=parse_counts,
        metavar="N[,N...]",
        help="workers at once; default: the CPUs that this process may use",
    )
    where.add_argument(
        "--strategies",
        type=parse_names,
        default=(),
        metavar="NAMES",
        help="of serial,threads,processes,interpreters (all by default), or module:attribute",
    )
    where.add_argument(
        "--start-method", choices=START_METHODS, help="how processes start; default: Python's"
    )
    how = parser.add_argument_group("how long and how well")
    level = how.add_mutually_exclusive_group()
    level.add_argument(
        "--fast", dest="preset", action="store_const", const="fast", help="at most 15 s, rougher"
    )
    level.add_argument(
        "--rigorous",
        dest="preset",
        action="store_const",
        const="rigorous",
        help="as long as --time-budget allows (10 min by default), finer",
    )
    parser.set_defaults(preset="default")
    for option, kind, metavar, text in (
        ("--time-budget", parse_duration, "TIME", "the whole run takes at most this"),
        ("--task-time", parse_duration, "TIME", "one task takes at least this"),
        ("--min-blocks", parse_count, "N", "at least so many blocks a workload"),
        ("--max-blocks", parse_count, "N", "at most so many blocks a workload"),
        ("--target-error", parse_fraction, "X", "stop once all intervals are within ±X"),
        ("--confidence", parse_fraction, "X", "of all intervals together; default 0.95"),
        (
            "--timeout",
            parse_duration,
            "TIME",
            "an arm that takes longer has hung; default: a quarter of the budget, 5 to 30 s",
        ),
    ):
        how.add_argument(option, type=kind, metavar=metavar, help=text)
    how.add_argument("--seed", type=int, help="of the order within blocks; default: random")
    parser.add_argument(
        "-q", "--quiet", action="store_true", help="print the summary alone, and no progress"
    )
    add_export_options(parser, "compare")
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code."""
    parser = build_parser()
    return run_main(lambda: _main(parser.parse_mixed(argv)), parser.prog)


def _main(arguments: argparse.Namespace) -> int:
    exports = find_exports(arguments)
    from rich.console import Console

    from gillab.report.progress import Progress as ProgressLine
    from gillab.report.terminal import render

    with ProgressLine(None if arguments.quiet else Console(stderr=True)) as line:
        try:
            result = compare(
                *arguments.workloads,
                setup="\n".join(arguments.setup),
                args=arguments.args,
                strategies=arguments.strategies,
                workers=arguments.workers,
                preset=arguments.preset or "default",
                steps=arguments.steps,
                start_method=arguments.start_method,
                task_time_s=arguments.task_time,
                min_blocks=arguments.min_blocks,
                max_blocks=arguments.max_blocks,
                time_budget_s=arguments.time_budget,
                target_error=arguments.target_error,
                confidence=arguments.confidence or 0.95,
                seed=arguments.seed,
                timeout_s=arguments.timeout,
                on_block=lambda at: line.update(**at._asdict()),
            )
        except Interrupted as interruption:
            result = interruption.result
    return finish(
        result,
        exports,
        lambda: print(*result.summary, sep="\n") if arguments.quiet else render(result, Console()),
        "python -m gillab.compare",
    )


if __name__ == "__main__":
    sys.exit(main())
