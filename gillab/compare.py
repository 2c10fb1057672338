"""Compares serial, threads, processes and subinterpreters on one or more workloads.

``python -m gillab.compare`` at the command line, `compare` in a script.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Literal

from gillab.command.arguments import Parser, parse_count, parse_duration
from gillab.command.ending import run_main
from gillab.command.measuring import (
    GATED_EXIT_CODES,
    add_bootstrap,
    add_data,
    add_gates,
    add_how,
    add_inner_threads,
    add_scheduler,
    add_what,
    add_where,
    read_options,
    run_experiment,
)
from gillab.errors import UsageError

if TYPE_CHECKING:
    from typing import Unpack

    from gillab.blocks.protocol import How
    from gillab.blocks.session import Progress
    from gillab.results import Result

DEFAULT_WORKLOADS = ("countdown_python", "countdown_held", "countdown_nogil")


def compare(
    *workloads: str,
    setup: str = "",
    args: str = "",
    strategies: Sequence[str] = (),
    workers: int | Sequence[int] | None = None,
    preset: Literal["default", "fast", "rigorous"] = "default",
    steps: int | None = None,
    start_method: str | None = None,
    scheduler: str | None = None,
    task_time_s: float | None = None,
    inner_threads: int | None = None,
    data: Literal["shared", "own", "both"] | None = None,
    pythons: Sequence[str] = (),
    bootstrap: bool = False,
    on_block: Callable[[Progress], None] | None = None,
    tell: Callable[[str], None] | None = None,
    **how: Unpack[How],
) -> Result:
    """Measure workloads under each strategy and say which one to use.

    ``workloads`` are texts as the command line takes them: a kernel's name, a
    ``package.module:function`` (called with the Python expression ``args``) or a statement;
    ``setup`` runs once in every process and interpreter, and the threads of one share what it
    made. With ``data="own"`` each thread runs the setup for itself; ``"both"`` measures both, which
    is the default where there is no GIL. ``workers`` defaults to the number of CPUs that this
    process may use. ``inner_threads`` is the most threads that a library (BLAS, OpenMP) may start
    in a worker. Times are in seconds; the ``preset`` decides what is None.

    ``pythons`` are other interpreters, as the command line takes them. Each runs the same code
    serially and in threads (or under ``strategies``), and is compared with serial in this one.
    Where this version of gillab is not installed, ``bootstrap`` installs it in a virtual
    environment that is kept. ``tell`` is told what goes on meanwhile.

    ``scheduler`` is the address of a running Dask scheduler, whose workers ``cluster`` then uses.

    How long and how well is said by name, as `gillab.blocks.protocol.How` has it: ``min_blocks``,
    ``time_budget_s``, ``confidence`` and so on.

    gillab measures in processes of its own, so a script needs no main guard. UsageError if
    something cannot be measured; `Interrupted`, with what was measured, on Ctrl-C.
    """
    from dataclasses import replace
    from functools import partial

    from gillab.blocks.plan import plan_experiments
    from gillab.blocks.protocol import make_protocol
    from gillab.blocks.run import run_blocks
    from gillab.pythons.prepare import prepare_pythons
    from gillab.report.summary import summarize

    if bootstrap and not pythons:
        raise UsageError("--bootstrap is for other interpreters; name one with --python.")
    texts = workloads or DEFAULT_WORKLOADS
    plan = partial(
        plan_experiments, texts, setup, args, strategies, workers, data, scheduler=scheduler
    )
    plan()  # a wrong text is told before other interpreters are asked and installed for
    others = prepare_pythons(pythons, install=bootstrap, tell=tell or (lambda text: None))
    experiments = plan([python.label for python in others])
    protocol = make_protocol(
        # What cannot be measured needs no time.
        plan([python.label for python in others if python.reason is None]),
        preset,
        steps=steps,
        start_method=start_method,
        inner_threads=inner_threads,
        task_time_s=task_time_s,
        **how,
    )

    def conclude(result: Result) -> Result:
        return replace(result, summary=summarize(result))

    return run_blocks("compare", experiments, protocol, on_block, conclude=conclude, pythons=others)


def build_parser() -> Parser:
    """Return the command line's parser."""
    parser = Parser(
        prog="python -m gillab.compare",
        description="Which is faster for this code on this machine: threads, processes or "
        "subinterpreters? Each workload is measured serially and under each strategy, side by "
        "side, and gets a verdict or the reason why there can be none.",
        epilog=GATED_EXIT_CODES,
    )
    what = add_what(parser, DEFAULT_WORKLOADS)
    add_data(what)
    what.add_argument(
        "-n",
        "--steps",
        type=parse_count,
        metavar="N",
        help="steps (of a kernel) or calls in one task; default: as many as fill the task time",
    )
    where = add_where(parser, "serial,threads,processes,interpreters")
    add_scheduler(where)
    add_inner_threads(where)
    where.add_argument(
        "--python",
        action="append",
        default=[],
        dest="pythons",
        metavar="COMMAND",
        help="another interpreter that runs the same code, serially and in threads (or as "
        "--strategies says), side by side with this one: python3.14t, 'python3.14t -X gil=1', "
        "'PYTHON_JIT=1 python3.14'; may be given several times",
    )
    add_bootstrap(where)
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
    add_gates(parser)
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
            scheduler=arguments.scheduler,
            data=arguments.data,
            pythons=arguments.pythons,
            bootstrap=arguments.bootstrap,
            on_block=on_block,
            tell=on_block,
            **read_options(arguments),
        ),
        render,
        "python -m gillab.compare",
    )


if __name__ == "__main__":
    sys.exit(main())
