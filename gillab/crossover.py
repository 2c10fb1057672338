"""Measures from which size of a task on a pool pays.

``python -m gillab.crossover`` at the command line, `crossover` in a script.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from gillab.command.arguments import Parser, parse_durations
from gillab.command.ending import run_main
from gillab.command.measuring import (
    EXIT_CODES,
    add_how,
    add_inner_threads,
    add_what,
    add_where,
    read_options,
    run_experiment,
)
from gillab.errors import UsageError

if TYPE_CHECKING:
    from typing import Unpack

    from gillab.blocks.protocol import How, Protocol
    from gillab.blocks.session import Progress
    from gillab.results import Result
    from gillab.workload import Workload

DEFAULT_WORKLOADS = ("countdown_nogil",)


def crossover(
    *workloads: str,
    setup: str = "",
    args: str = "",
    released: str | None = None,
    sizes_s: Sequence[float] = (),
    strategies: Sequence[str] = (),
    workers: int | Sequence[int] | None = None,
    start_method: str | None = None,
    inner_threads: int | None = None,
    on_block: Callable[[Progress], None] | None = None,
    **how: Unpack[How],
) -> Result:
    """Measure tasks of many sizes in a loop and in pools, and say from which size on each pays.

    Workloads, setup and args are those of `gillab.compare.compare`. A task of a size is so many
    steps of a kernel, or so many calls; ``sizes_s`` are the times that tasks should take, by
    default from 1 µs to 30 ms, and never less than one call takes. Each task is given to the pool
    alone. Times are in seconds.

    How long and how well is said by name, as `gillab.blocks.protocol.How` has it: ``min_blocks``,
    ``time_budget_s``, ``confidence`` and so on.

    With ``released`` the question is another: from which size of a call on is it worth to release
    the GIL? It names a workload that does the same as the first one and releases the GIL. Both are
    called alone and beside a thread that computes in pure Python. Only kernels have sizes; of a
    function or a statement it is one call.

    UsageError for what cannot be measured; `Interrupted` on Ctrl-C, with what was measured.
    """
    import time
    from dataclasses import replace

    from gillab.blocks.plan import Experiment, choose_workers
    from gillab.blocks.protocol import make_protocol
    from gillab.blocks.run import run_blocks
    from gillab.launch.functions import check_functions
    from gillab.launch.inner_threads import limit_by_environment
    from gillab.launch.launch import Launch
    from gillab.report.crossover import summarize_crossover
    from gillab.strategies import DEFAULT, get_strategy
    from gillab.sweeps.crossover import chart_crossover, find_crossovers
    from gillab.sweeps.look import CHILD, time_step
    from gillab.sweeps.sizes import Size, list_sizes, plan_sizes
    from gillab.workload import resolve_workload

    begun = time.monotonic()
    if released is not None and (len(workloads) > 1 or strategies or workers):
        raise UsageError(
            "with --released there is one call, alone and beside a busy thread: name one workload, "
            "and neither workers nor strategies."
        )
    if any(not size > 0 for size in sizes_s):
        raise UsageError(f"sizes are times above 0 s, not {min(sizes_s)}.")
    resolved = [resolve_workload(text, setup, args) for text in workloads or DEFAULT_WORKLOADS]
    counts = choose_workers(workers, 2)
    if len(counts) > 1:
        raise UsageError("crossover takes one number of workers; give -j one number.")
    names = tuple(strategies or DEFAULT)
    for name in names:
        get_strategy(name)
    protocol = make_protocol(
        [],
        "default",
        start_method=start_method,
        inner_threads=inner_threads,
        **how,
    )
    other = None if released is None else resolve_workload(released, setup, args)
    check_functions([*resolved, *([other] if other else [])], protocol.timeout_s)
    if other is not None:
        return _measure_release(resolved[0], other, sizes_s, protocol, begun, on_block)
    sizes: dict[str, list[Size]] = {}
    for workload in resolved:
        if workload.name in sizes:
            raise UsageError(f"{workload.name} is named twice; name it once.")
        step_s = time_step(workload, protocol.timeout_s)
        # What fails at its first step is reported by the run.
        known = [Size(1, counts[0])] if step_s is None else list_sizes(step_s, counts[0], sizes_s)
        sizes[workload.name] = known
    experiments = [
        Experiment(workload, plan_sizes(names, counts[0], sizes[workload.name]))
        for workload in resolved
    ]
    left_s = max(0.0, protocol.time_budget_s - (time.monotonic() - begun))

    def start() -> Launch:
        return Launch(CHILD, limit_by_environment(inner_threads))

    def conclude(result: Result) -> Result:
        found = {name: find_crossovers(result, name, own) for name, own in sizes.items()}
        charts = [chart for name, each in found.items() for chart in chart_crossover(name, each)]
        result = replace(result, charts=charts)
        return replace(result, summary=summarize_crossover(result, dict(found)))

    protocol = replace(protocol, time_budget_s=left_s)
    return run_blocks("crossover", experiments, protocol, on_block, start, conclude)


def _measure_release(
    held: Workload,
    released: Workload,
    sizes_s: Sequence[float],
    protocol: Protocol,
    begun: float,
    on_block: Callable[[Progress], None] | None,
) -> Result:
    import time
    from dataclasses import replace

    from gillab.blocks.plan import Experiment
    from gillab.blocks.run import run_blocks
    from gillab.launch.inner_threads import limit_by_environment
    from gillab.launch.launch import Launch
    from gillab.report.release_cost import summarize_release
    from gillab.sweeps.look import CHILD, time_step
    from gillab.sweeps.release import chart_release, find_release
    from gillab.sweeps.release_plan import SIZES_S, plan_release
    from gillab.sweeps.sizes import list_sizes

    kernels = held.kind == released.kind == "kernel"
    if sizes_s and not kernels:
        raise UsageError("--sizes goes with kernels; of a function or a statement it is one call.")
    step_s = time_step(held, protocol.timeout_s) if kernels else None
    steps = (
        [1]
        if step_s is None
        else [size.steps for size in list_sizes(step_s, 1, sizes_s or SIZES_S)]
    )

    def start() -> Launch:
        return Launch(CHILD, limit_by_environment(protocol.inner_threads))

    def conclude(result: Result) -> Result:
        found = find_release(result, held.name, steps)
        result = replace(result, charts=chart_release(found, held.name))
        return replace(result, summary=summarize_release(result, found, released.name))

    left_s = max(0.0, protocol.time_budget_s - (time.monotonic() - begun))
    # The ratios are what is asked for, and not the verdicts, which are of other pairs.
    protocol = replace(protocol, time_budget_s=left_s, steps=max(steps), until_decided=False)
    plan = Experiment(held, plan_release(steps), released)
    return run_blocks("crossover", [plan], protocol, on_block, start, conclude)


def build_parser() -> Parser:
    """Return the command line's parser."""
    parser = Parser(
        prog="python -m gillab.crossover",
        description="How big must a task be? Tasks from a microsecond up are run in a loop and "
        "given to threads, processes and subinterpreters one by one; says from which size on each "
        "pays.",
        epilog=EXIT_CODES,
    )
    what = add_what(parser, DEFAULT_WORKLOADS)
    what.add_argument(
        "--sizes",
        type=parse_durations,
        default=(),
        metavar="TIME[,TIME...]",
        help="how long tasks take: 10us,1ms; default: from 1 µs to 30 ms",
    )
    what.add_argument(
        "--released",
        metavar="WORKLOAD",
        help="the same call as WORKLOAD but with the GIL released: from which size on is that "
        "worth it? (try: held --released nogil)",
    )
    where = add_where(parser, "threads,processes,interpreters")
    add_inner_threads(where)
    add_how(
        parser,
        "crossover",
        "an arm that takes longer has hung; default: a quarter of the budget, 5 to 30 s",
    )
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code."""
    parser = build_parser()
    return run_main(lambda: _main(parser.parse_mixed(argv)), parser.prog)


def _main(arguments: argparse.Namespace) -> int:
    from gillab.report.lab import render_lab

    return run_experiment(
        arguments,
        lambda on_block: crossover(
            *arguments.workloads,
            setup="\n".join(arguments.setup),
            args=arguments.args,
            released=arguments.released,
            sizes_s=arguments.sizes,
            inner_threads=arguments.inner_threads,
            on_block=on_block,
            **read_options(arguments),
        ),
        render_lab,
        "python -m gillab.crossover",
    )


if __name__ == "__main__":
    sys.exit(main())
