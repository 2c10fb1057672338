"""Measures how far each strategy scales: speedup over the number of workers.

``python -m gillab.scaling`` at the command line, `scaling` in a script.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from gillab.command.arguments import Parser, parse_counts, parse_duration
from gillab.command.ending import run_main
from gillab.command.measuring import (
    GATED_EXIT_CODES,
    add_data,
    add_gates,
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

    from gillab.blocks.protocol import How
    from gillab.blocks.session import Progress
    from gillab.results import Result

DEFAULT_WORKLOADS = ("countdown_mixed",)


def scaling(
    *workloads: str,
    setup: str = "",
    args: str = "",
    strategies: Sequence[str] = (),
    workers: Sequence[int] | None = None,
    predict: Sequence[int] = (),
    data: str | None = None,
    start_method: str | None = None,
    inner_threads: int | None = None,
    task_time_s: float | None = None,
    on_block: Callable[[Progress], None] | None = None,
    **how: Unpack[How],
) -> Result:
    """Measure workloads with several numbers of workers, and say how far each strategy scales.

    Workloads, setup, args and data are those of `gillab.compare.compare`. ``workers`` are by
    default 1, 2, 4 and so on, up to twice the CPUs that this process may use. ``predict`` are CPUs
    of machines for which the model of the lock (`gillab.model`) says what they would give. The
    result's charts hold the speedup over workers with the ideal and the ceiling, and the serial
    fraction of A. H. Karp and H. P. Flatt (1990). Times are in seconds.

    How long and how well is said by name, as `gillab.blocks.protocol.How` has it: ``min_blocks``,
    ``time_budget_s``, ``confidence`` and so on.

    UsageError for what cannot be measured; `Interrupted` on Ctrl-C, with what was measured.
    """
    from dataclasses import replace

    from gillab.blocks.plan import plan_experiments
    from gillab.blocks.protocol import make_protocol
    from gillab.blocks.run import run_blocks
    from gillab.environment import count_usable_cpus, find_capacity
    from gillab.report.scaling import summarize_scaling
    from gillab.strategies.processes import MOST_WORKERS
    from gillab.sweeps.scaling import chart_scaling, find_scaling, list_counts

    if any(count < 1 for count in predict):
        raise UsageError(f"CPUs to predict for are numbers from 1 on, not {min(predict)}.")
    cpus = count_usable_cpus()
    counts = tuple(workers or list_counts(cpus, MOST_WORKERS))
    texts = workloads or DEFAULT_WORKLOADS
    experiments = plan_experiments(texts, setup, args, strategies, counts, data)
    protocol = make_protocol(
        experiments,
        "default",
        start_method=start_method,
        inner_threads=inner_threads,
        task_time_s=task_time_s,
        **how,
    )
    capacity = find_capacity() or float(cpus)

    def conclude(result: Result) -> Result:
        found = [
            find_scaling(result, each.workload.name, capacity, predict) for each in experiments
        ]
        charts = [
            chart for each in found for chart in chart_scaling(each, result.ceiling, capacity)
        ]
        result = replace(result, charts=charts)
        return replace(result, summary=summarize_scaling(result, found, capacity))

    return run_blocks("scaling", experiments, protocol, on_block, conclude=conclude)


def build_parser() -> Parser:
    """Return the command line's parser."""
    parser = Parser(
        prog="python -m gillab.scaling",
        description="How far does this code scale? The speedup over the number of workers for each "
        "strategy, beside the ideal and what this machine gives, and what ends it.",
        epilog=GATED_EXIT_CODES,
    )
    what = add_what(parser, DEFAULT_WORKLOADS)
    add_data(what)
    what.add_argument(
        "--predict",
        type=parse_counts,
        default=(),
        metavar="N[,N...]",
        help="say what machines with so many CPUs would give, by a model of the GIL",
    )
    where = add_where(
        parser, "serial,threads,processes,interpreters", "1, 2, 4 ... up to twice the CPUs"
    )
    add_inner_threads(where)
    how = add_how(
        parser,
        "scaling",
        "an arm that takes longer has hung; default: a quarter of the budget, 5 to 30 s",
    )
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
    from gillab.report.lab import render_lab

    return run_experiment(
        arguments,
        lambda on_block: scaling(
            *arguments.workloads,
            setup="\n".join(arguments.setup),
            args=arguments.args,
            predict=arguments.predict,
            data=arguments.data,
            inner_threads=arguments.inner_threads,
            task_time_s=arguments.task_time,
            on_block=on_block,
            **read_options(arguments),
        ),
        render_lab,
        "python -m gillab.scaling",
    )


if __name__ == "__main__":
    sys.exit(main())
