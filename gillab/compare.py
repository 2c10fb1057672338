"""Compares serial, threads, processes and subinterpreters on one or more workloads.

``python -m gillab.compare`` at the command line, `compare` in a script.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Literal

from gillab.command.arguments import Parser, parse_count, parse_duration, parse_word
from gillab.command.ending import run_main
from gillab.command.measuring import EXIT_CODES, add_how, add_where, read_options, run_experiment
from gillab.errors import UsageError

if TYPE_CHECKING:
    from gillab.blocks.plan import Experiment
    from gillab.blocks.session import Progress
    from gillab.results import Data, Result

DEFAULT_WORKLOADS = ("countdown_python", "countdown_held", "countdown_nogil")
DATA: dict[str, tuple[Data, ...]] = {
    "shared": ("shared",),
    "own": ("own",),
    "both": ("shared", "own"),
}


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
    inner_threads: int | None = None,
    data: Literal["shared", "own", "both"] | None = None,
    on_block: Callable[[Progress], None] | None = None,
) -> Result:
    """Measure workloads under each strategy and say which one to use.

    ``workloads`` are texts as the command line takes them: a kernel's name, a
    ``package.module:function`` (called with the Python expression ``args``) or a statement;
    ``setup`` runs once in every process and interpreter, and the threads of one share what it
    made. With ``data="own"`` each thread runs the setup for itself; ``"both"`` measures both, which
    is the default where there is no GIL. ``workers`` defaults to the number of CPUs that this
    process may use. ``inner_threads`` is the most threads that a library (BLAS, OpenMP) may start
    in a worker. Times are in seconds; the ``preset`` decides what is None.

    gillab measures in processes of its own, so a script needs no main guard. UsageError if
    something cannot be measured; `Interrupted`, with what was measured, on Ctrl-C.
    """
    from dataclasses import replace

    from gillab.blocks.protocol import make_protocol
    from gillab.blocks.run import run_blocks
    from gillab.report.summary import summarize

    experiments = _plan(workloads or DEFAULT_WORKLOADS, setup, args, strategies, workers, data)
    protocol = make_protocol(
        experiments,
        preset,
        steps=steps,
        start_method=start_method,
        inner_threads=inner_threads,
        task_time_s=task_time_s,
        min_blocks=min_blocks,
        max_blocks=max_blocks,
        time_budget_s=time_budget_s,
        target_error=target_error,
        confidence=confidence,
        seed=seed,
        timeout_s=timeout_s,
    )

    def conclude(result: Result) -> Result:
        return replace(result, summary=summarize(result))

    return run_blocks("compare", experiments, protocol, on_block, conclude=conclude)


def _plan(
    workloads: Sequence[str],
    setup: str,
    args: str,
    strategies: Sequence[str],
    workers: int | Sequence[int] | None,
    data: str | None,
) -> list[Experiment]:
    """Turn texts into experiments; UsageError for a text that cannot be one."""
    from gillab.blocks.plan import Experiment, choose_workers, plan_arms
    from gillab.environment import is_gil_enabled
    from gillab.strategies import DEFAULT, get_strategy
    from gillab.workload import has_data, resolve_workload

    counts = choose_workers(workers if isinstance(workers, int) else workers or None)
    names = tuple(strategies or DEFAULT)
    for name in names:
        get_strategy(name)
    resolved = [resolve_workload(text, setup, args) for text in workloads]
    for workload in resolved:
        if resolved.count(workload) > 1:
            raise UsageError(f"{workload.name} is named twice; name it once.")
    if data not in (None, *DATA):
        raise UsageError(f"data must be one of {', '.join(DATA)}, not {data!r}.")
    kinds = DATA["shared" if data is None and is_gil_enabled() else data or "both"]
    return [
        # Without a setup there is no data that a thread could have for itself.
        Experiment(workload, plan_arms(names, counts, kinds if has_data(workload) else ("shared",)))
        for workload in resolved
    ]


def build_parser() -> Parser:
    """Return the command line's parser."""
    parser = Parser(
        prog="python -m gillab.compare",
        description="Which is faster for this code on this machine: threads, processes or "
        "subinterpreters? Each workload is measured serially and under each strategy, side by "
        "side, and gets a verdict or the reason why there can be none.",
        epilog=EXIT_CODES,
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
        help="statements that run once in every process and subinterpreter; may be given several "
        "times",
    )
    what.add_argument(
        "--data",
        choices=tuple(DATA),
        help="shared: threads share what the setup made, as in a program; own: each thread runs "
        "the setup for itself; default: shared, and both where there is no GIL",
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
    where = add_where(parser, "serial,threads,processes,interpreters")
    where.add_argument(
        "--inner-threads",
        type=parse_count,
        metavar="N",
        help="the most threads that a library (BLAS, OpenMP) may start in a worker; default: no "
        "limit",
    )
    how = add_how(
        parser,
        "compare",
        "an arm that takes longer has hung; default: a quarter of the budget, 5 to 30 s",
    )
    level = how.add_mutually_exclusive_group()
    level.add_argument(
        "--fast",
        dest="preset",
        action="store_const",
        const="fast",
        help="less precise: at most 15 s for three workloads",
    )
    level.add_argument(
        "--rigorous",
        dest="preset",
        action="store_const",
        const="rigorous",
        help="more precise: as long as --time-budget allows (default: 10 min)",
    )
    parser.set_defaults(preset="default")
    how.add_argument(
        "--task-time", type=parse_duration, metavar="TIME", help="one task takes at least this"
    )
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code."""
    parser = build_parser()
    return run_main(lambda: _main(parser.parse_mixed(argv)), parser.prog)


def _main(arguments: argparse.Namespace) -> int:
    from gillab.report.terminal import render

    return run_experiment(
        arguments,
        lambda on_block: compare(
            *arguments.workloads,
            setup="\n".join(arguments.setup),
            args=arguments.args,
            preset=arguments.preset or "default",
            steps=arguments.steps,
            task_time_s=arguments.task_time,
            inner_threads=arguments.inner_threads,
            data=arguments.data,
            on_block=on_block,
            **read_options(arguments),
        ),
        render,
        "python -m gillab.compare",
    )


if __name__ == "__main__":
    sys.exit(main())
