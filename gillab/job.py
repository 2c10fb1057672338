"""Measures a whole job: items mapped over in a loop, in threads, processes and subinterpreters.

``python -m gillab.job`` at the command line, `job` in a script.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Literal

from gillab.command.arguments import Parser, parse_chunksizes, parse_word
from gillab.command.ending import run_main
from gillab.command.measuring import (
    GATED_EXIT_CODES,
    add_gates,
    add_how,
    add_scheduler,
    add_where,
    read_options,
    run_experiment,
)
from gillab.errors import Interrupted, UsageError

if TYPE_CHECKING:
    from typing import Unpack

    from gillab.blocks.plan import Experiment
    from gillab.blocks.protocol import How, Protocol
    from gillab.blocks.session import Progress
    from gillab.results import Result

_RESCUES = ("forkserver", "spawn")
_OUTCOMES = {"ok": "works", "failed": "fails too"}
_RESCUE_S = 10.0
"""So long at least another start method has to show that it works."""


def job(
    work: str,
    items: str,
    *,
    setup: str = "",
    strategies: Sequence[str] = (),
    workers: int | Sequence[int] | None = None,
    chunksizes: Sequence[int | Literal["auto"]] = (),
    start_method: str | None = None,
    scheduler: str | None = None,
    on_block: Callable[[Progress], None] | None = None,
    **how: Unpack[How],
) -> Result:
    """Measure a whole job under each strategy and say which to use, and where the time goes.

    ``work`` is a ``package.module:function`` that is called with an item, or an expression or a
    statement with ``item`` in it. A fresh interpreter plays the program: it runs the ``setup``,
    makes a list of ``items``, a Python expression, and maps over it with `Executor.map`, from
    making the pool to its end. ``chunksizes`` are how many items travel to a process at once;
    ``"auto"`` tries some and keeps the best. Times are in seconds.

    ``scheduler`` is the address of a running Dask scheduler, whose workers ``cluster`` then uses.

    How long and how well is said by name, as `gillab.blocks.protocol.How` has it: ``min_blocks``,
    ``time_budget_s``, ``confidence`` and so on.

    UsageError for what cannot be measured; `Interrupted` on Ctrl-C, with what was measured.
    """
    import time
    from dataclasses import replace

    from gillab.blocks.plan import Experiment, choose_strategies, choose_workers
    from gillab.blocks.protocol import make_protocol
    from gillab.jobs.look import look_at_job
    from gillab.jobs.plan import fit_budget, plan_job, resolve_job

    begun = time.monotonic()
    workload = resolve_job(work, items, setup)
    counts = choose_workers(workers, 2)  # one worker has nobody to share the work with
    names = choose_strategies(strategies, scheduler)
    for size in chunksizes:
        if size != "auto" and (not isinstance(size, int) or size < 1):
            raise UsageError(f"a chunk size is a number from 1 on or 'auto', not {size!r}.")
    protocol = make_protocol(
        [],
        "default",
        start_method=start_method,
        **how,
    )
    if how.get("timeout_s") is None:
        # A job is run from its beginning to its end: no part of it can be timed alone.
        protocol = replace(protocol, timeout_s=2 * protocol.timeout_s)
    look = look_at_job(workload, start_method, protocol.timeout_s)
    arms = plan_job(names, counts, chunksizes, look.items, protocol.timeout_s, scheduler or "")
    protocol = fit_budget(
        protocol,
        arms,
        look.loop_s,
        budget_given=how.get("time_budget_s") is not None,
        timeout_given=how.get("timeout_s") is not None,
    )
    left_s = max(0.0, protocol.time_budget_s - (time.monotonic() - begun))
    protocol = replace(protocol, time_budget_s=left_s, thins=True)
    return _measure(Experiment(workload, arms), protocol, on_block)


def _measure(
    experiment: Experiment, protocol: Protocol, on_block: Callable[[Progress], None] | None
) -> Result:
    import time

    from gillab.blocks.run import run_blocks
    from gillab.jobs.look import CHILD
    from gillab.launch.launch import Launch

    def start() -> Launch:
        return Launch(CHILD)

    end = time.monotonic() + protocol.time_budget_s
    try:
        result = run_blocks("job", [experiment], protocol, on_block, start)
    except Interrupted as interruption:
        raise Interrupted(_conclude(interruption.result)) from None
    return _conclude(_try_rescues(result, experiment, protocol, end))


def _conclude(result: Result) -> Result:
    """Add from where on each arm pays, and the sentences."""
    from dataclasses import replace

    from gillab.jobs.break_even import find_break_even
    from gillab.report.job import summarize_job

    serial = result.cells[0]
    items = result.blocks[0]["steps"] if result.blocks else None
    cells = [
        replace(cell, pays_from=find_break_even(cell, serial, items))
        if items and cell.strategy != "serial"
        else cell
        for cell in result.cells
    ]
    result = replace(result, cells=cells)
    return replace(result, summary=summarize_job(result))


def _try_rescues(result: Result, experiment: Experiment, protocol: Protocol, end: float) -> Result:
    """Say of arms that hung because they were forked whether other start methods work.

    They share the time until the ``end`` of the budget; each has a little in any case.
    """
    import multiprocessing
    import time
    from dataclasses import replace

    from gillab.blocks.plan import SERIAL
    from gillab.blocks.plan import Experiment as Plan
    from gillab.blocks.run import run_blocks
    from gillab.jobs.look import CHILD
    from gillab.launch.launch import Launch

    hung = {cell.key for cell in result.cells if "when it forked" in (cell.reason or "")}
    if not hung:
        return result
    keys = [arm for arm in experiment.arms if arm.key in hung]
    said = []
    here = multiprocessing.get_all_start_methods()
    methods = [method for method in _RESCUES if method in here]
    for tried, method in enumerate(methods):
        left_s = (end - time.monotonic()) / (len(methods) - tried)
        brief_s = min(max(left_s, _RESCUE_S), 3 * max(protocol.timeout_s, _RESCUE_S))
        brief = replace(
            protocol,
            start_method=method,
            min_blocks=1,
            max_blocks=1,
            launches=1,
            time_budget_s=brief_s,
        )
        # The largest chunks are the quickest way to see whether it comes back.
        plan = Plan(experiment.workload, (SERIAL, keys[-1]))
        try:
            other = run_blocks("job", [plan], brief, None, lambda: Launch(CHILD))
        except Interrupted:
            raise Interrupted(_conclude(replace(result, partial=True))) from None
        cell = other.cells[-1]
        said.append(f"{method} {_OUTCOMES.get(cell.status, 'had not returned in the time left')}")
    words = f" (tried: {', '.join(said)})"
    cells = [
        replace(cell, reason=f"{cell.reason}{words}") if cell.key in hung else cell
        for cell in result.cells
    ]
    return replace(result, cells=cells)


def build_parser() -> Parser:
    """Return the command line's parser."""
    parser = Parser(
        prog="python -m gillab.job",
        description="Does a pool pay for this job? Items are mapped over in a loop, in threads, in "
        "processes and in subinterpreters, each time from making the pool to its end, as a program "
        "would. Says which to use, where the time goes, and from where on a pool would pay.",
        epilog=GATED_EXIT_CODES,
    )
    parser.add_argument(
        "work",
        type=parse_word,
        metavar="WORK",
        help="package.module:function, called with an item, or an expression with item in it",
    )
    what = parser.add_argument_group("what is measured")
    what.add_argument(
        "--items", required=True, metavar="EXPR", help='what is mapped over: "range(1000)"'
    )
    what.add_argument(
        "-s",
        "--setup",
        action="append",
        default=[],
        help="statements of the program's main module; may be given several times",
    )
    where = add_where(parser, "threads,processes,interpreters")
    add_scheduler(where)
    where.add_argument(
        "--chunksize",
        type=parse_chunksizes,
        default=(),
        metavar="N[,N...]",
        help="so many items travel to a process at once; auto tries some and keeps the best; "
        "default: 1,auto",
    )
    add_how(
        parser,
        "job",
        "a run of the job that takes longer has hung; default: half of the budget, 10 to 60 s, or "
        "four times the loop where that is more",
    )
    add_gates(parser)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code."""
    parser = build_parser()
    return run_main(lambda: _main(parser.parse_mixed(argv)), parser.prog)


def _main(arguments: argparse.Namespace) -> int:
    from gillab.report.job import render_job

    return run_experiment(
        arguments,
        lambda on_block: job(
            arguments.work,
            arguments.items,
            setup="\n".join(arguments.setup),
            chunksizes=arguments.chunksize,
            scheduler=arguments.scheduler,
            on_block=on_block,
            **read_options(arguments),
        ),
        render_job,
        "python -m gillab.job",
    )


if __name__ == "__main__":
    sys.exit(main())
