"""The options and the run that experiments with arms have in common at the command line."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from gillab.command.arguments import (
    Parser,
    parse_count,
    parse_counts,
    parse_duration,
    parse_fraction,
    parse_names,
    parse_word,
)
from gillab.command.ending import finish
from gillab.command.exports import add_export_options, find_exports
from gillab.errors import Interrupted

if TYPE_CHECKING:
    from rich.console import Console

    from gillab.blocks.session import Progress
    from gillab.results import Result

DATA = ("shared", "own", "both")
START_METHODS = ("fork", "spawn", "forkserver")
EXIT_CODES = (
    "exit codes: 0 done, 1 a cell failed or none was measured, 2 usage, 130 interrupted (what was "
    "measured is shown and saved)."
)


def add_what(parser: Parser, workloads: Sequence[str]) -> Any:
    """Add what says what one task does, and return the group; ``workloads`` are the default."""
    names = " ".join(name.removeprefix("countdown_") for name in workloads)
    parser.add_argument(
        "workloads",
        nargs="*",
        type=parse_word,
        metavar="WORKLOAD",
        help="a kernel (python, held, nogil, mixed), package.module:function, or a statement; "
        f"default: {names}",
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
        "--args", default="", metavar="EXPR", help='the function\'s arguments: "(1, 2)"'
    )
    return what


def add_data(what: Any) -> None:
    """Add what says whether threads share their data, to the group of `add_what`."""
    what.add_argument(
        "--data",
        choices=DATA,
        help="shared: threads share what the setup made, as in a program; own: each thread runs "
        "the setup for itself; default: shared, and both where there is no GIL",
    )


def add_inner_threads(where: Any) -> None:
    """Add what limits the threads of libraries, to the group of `add_where`."""
    where.add_argument(
        "--inner-threads",
        type=parse_count,
        metavar="N",
        help="the most threads that a library (BLAS, OpenMP) may start in a worker; default: no "
        "limit",
    )


def add_where(
    parser: Parser, strategies: str, workers: str = "the CPUs that this process may use"
) -> Any:
    """Add what says where tasks run, and return the group.

    ``strategies`` and ``workers`` say what is taken by default.
    """
    where = parser.add_argument_group("where it runs")
    where.add_argument(
        "-j",
        "--workers",
        type=parse_counts,
        metavar="N[,N...]",
        help=f"workers at once; default: {workers}",
    )
    where.add_argument(
        "--strategies",
        type=parse_names,
        default=(),
        metavar="NAMES",
        help=f"of {strategies} (all by default), or module:attribute",
    )
    where.add_argument(
        "--start-method", choices=START_METHODS, help="how processes start; default: Python's"
    )
    return where


def add_how(parser: Parser, command: str, timeout: str) -> Any:
    """Add what says how long and how well, and the exports; return the group.

    ``timeout`` says what takes longer than ``--timeout``, and the default.
    """
    how = parser.add_argument_group("how long and how well")
    for option, kind, metavar, text in (
        ("--time-budget", parse_duration, "TIME", "the whole run takes at most this"),
        ("--min-blocks", parse_count, "N", "at least so many blocks a workload"),
        ("--max-blocks", parse_count, "N", "at most so many blocks a workload"),
        ("--target-error", parse_fraction, "X", "stop once all intervals are within ±X"),
        ("--confidence", parse_fraction, "X", "of all intervals together; default 0.95"),
        ("--timeout", parse_duration, "TIME", timeout),
    ):
        how.add_argument(option, type=kind, metavar=metavar, help=text)
    how.add_argument("--seed", type=int, help="of the order within blocks; default: random")
    parser.add_argument(
        "-q", "--quiet", action="store_true", help="print the summary alone, and no progress"
    )
    add_export_options(parser, command)
    return how


def read_options(arguments: argparse.Namespace) -> dict[str, Any]:
    """Return what `add_where` and `add_how` were told, by the names of an experiment's function."""
    return {
        "strategies": arguments.strategies,
        "workers": arguments.workers,
        "start_method": arguments.start_method,
        "min_blocks": arguments.min_blocks,
        "max_blocks": arguments.max_blocks,
        "time_budget_s": arguments.time_budget,
        "target_error": arguments.target_error,
        "confidence": arguments.confidence or 0.95,
        "seed": arguments.seed,
        "timeout_s": arguments.timeout,
    }


def run_experiment(
    arguments: argparse.Namespace,
    measure: Callable[[Callable[[Progress], None]], Result],
    render: Callable[[Result, Console], object],
    prog: str,
) -> int:
    """Measure with a line of progress, write the files, print the report; return the exit code."""
    exports = find_exports(arguments)
    from rich.console import Console

    from gillab.report.progress import Progress as ProgressLine

    with ProgressLine(None if arguments.quiet else Console(stderr=True)) as line:
        try:
            result = measure(lambda at: line.update(**at._asdict()))
        except Interrupted as interruption:
            result = interruption.result

    def report() -> None:
        if arguments.quiet:
            print(*result.summary, sep="\n")
        else:
            render(result, Console())

    return finish(result, exports, report, prog, getattr(arguments, "command_line", None))
