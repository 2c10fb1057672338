"""The options and the run that experiments with arms have in common at the command line."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
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
from gillab.command.ending import EXIT_GATE_FAILED, EXIT_GATE_UNDECIDED, EXIT_OK, finish
from gillab.command.exports import add_export_options, find_exports
from gillab.command.gates import Gate, check_gates, decide_gate, parse_gate
from gillab.errors import Interrupted
from gillab.report.baseline import find_changes, read_run, tell_changes
from gillab.strategies import EXTRA

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


GATED_EXIT_CODES = (
    "exit codes: 0 done, 1 a cell failed or none was measured, 2 usage, 3 a --fail-if is true, 4 "
    "one is undecided, 130 interrupted (what was measured is shown and saved)."
)


def add_gates(parser: Parser) -> None:
    """Add what compares a run with an earlier one, and what makes it fail by its figures."""
    gates = parser.add_argument_group("gates")
    gates.add_argument(
        "--baseline",
        type=Path,
        metavar="FILE",
        help="say what has changed since the run of this --export-json file, by the speedups",
    )
    gates.add_argument(
        "--fail-if",
        type=parse_gate,
        action="append",
        default=[],
        metavar="EXPR",
        help="exit with 3 if this is surely true of a cell, with 4 if its interval cannot tell: "
        "'nogil.threads.speedup < 1.5'; a statement goes by its number: '1.threads.2.speedup < "
        "1.5'; may be given several times",
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


def add_bootstrap(where: Any) -> None:
    """Add what says that other interpreters may get gillab, to the group of `add_where`."""
    where.add_argument(
        "--bootstrap",
        action="store_true",
        help="where an interpreter lacks this version of gillab, install it in a virtual "
        "environment, which is kept in the cache folder",
    )


def add_scheduler(where: Any) -> None:
    """Add what says where a Dask scheduler runs, to the group of `add_where`."""
    where.add_argument(
        "--scheduler",
        metavar="ADDRESS",
        help="a running Dask scheduler, whose workers cluster uses: tcp://host:8786; default: "
        "cluster starts its own",
    )


def add_where(
    parser: Parser,
    strategies: str,
    workers: str = "the CPUs that this process may use",
    *,
    several_methods: bool = False,
) -> Any:
    """Add what says where tasks run, and return the group.

    ``strategies`` and ``workers`` say what is taken by default. With ``several_methods`` the
    experiment compares the ways to start processes, and takes all by default.
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
        help=f"of {strategies} (all by default), {','.join(EXTRA)} or module:attribute",
    )
    if several_methods:
        where.add_argument(
            "--start-method",
            type=parse_names,
            default=(),
            metavar="NAMES",
            help=f"how processes start, of {','.join(START_METHODS)}; default: all there are here",
        )
    else:
        where.add_argument(
            "--start-method", choices=START_METHODS, help="how processes start; default: Python's"
        )
    return where


def add_how(parser: Parser, command: str, timeout: str, *, has_target: bool = True) -> Any:
    """Add what says how long and how well, and the exports; return the group.

    ``timeout`` says what takes longer than ``--timeout``, and the default. Without ``has_target``
    the experiment does not end once its intervals are narrow.
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
        if option == "--target-error" and not has_target:
            parser.set_defaults(target_error=None)
            continue
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
        **read_how(arguments),
    }


def read_how(arguments: argparse.Namespace) -> dict[str, Any]:
    """Return what `add_how` was told, by the names of an experiment's function."""
    return {
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
    measure: Callable[[Callable[[Progress | str], None]], Result],
    render: Callable[[Result, Console], object],
    prog: str,
) -> int:
    """Measure with a line of progress, write the files, print the report; return the exit code."""
    exports = find_exports(arguments)
    gates: Sequence[Gate] = getattr(arguments, "fail_if", ())
    path: Path | None = getattr(arguments, "baseline", None)
    baseline = None if path is None else read_run(path)
    check_gates(gates, _list_workloads(arguments), getattr(arguments, "strategies", ()))
    from rich.console import Console

    from gillab.report.progress import Progress as ProgressLine

    with ProgressLine(None if arguments.quiet else Console(stderr=True)) as line:

        def show(at: Progress | str) -> None:
            if isinstance(at, str):
                line.show(at)
            else:
                line.update(**at._asdict())

        try:
            result = measure(show)
        except Interrupted as interruption:
            result = interruption.result
    if baseline is not None:
        changes = find_changes(baseline, result.to_dict()["gillab"])
        told = [f"Since {path}:", *tell_changes(changes)]
        result = replace(result, summary=[*result.summary, *told])
    outcomes = []
    if not result.partial and result.cells:
        outcomes = [decide_gate(gate, result) for gate in gates]
        told = [outcome.sentence for outcome in outcomes]
        result = replace(result, summary=[*result.summary, *told])

    def report() -> None:
        if arguments.quiet:
            print(*result.summary, sep="\n")
        else:
            render(result, Console())

    code = finish(result, exports, report, prog, getattr(arguments, "command_line", None))
    passed = {outcome.passed for outcome in outcomes}
    if code != EXIT_OK:
        return code
    return (
        EXIT_GATE_FAILED if False in passed else EXIT_GATE_UNDECIDED if None in passed else EXIT_OK
    )


def _list_workloads(arguments: argparse.Namespace) -> Sequence[str]:
    """Return the workloads that a command line names; a default one has a number all the same."""
    for name in ("workloads", "work", "old"):
        named: str | Sequence[str] = getattr(arguments, name, ())
        if named:
            return [named] if isinstance(named, str) else named
    return [""] * 3
