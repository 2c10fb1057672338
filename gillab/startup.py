"""Measures what starting workers costs: the first one and each further one, and their memory.

``python -m gillab.startup`` at the command line, `startup` in a script.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from gillab.command.arguments import Parser
from gillab.command.ending import run_main
from gillab.command.measuring import EXIT_CODES, add_how, add_where, read_options, run_experiment

if TYPE_CHECKING:
    from gillab.blocks.session import Progress
    from gillab.results import Result

DEFAULT_WORKERS = (1, 2, 4)
_BLOCKS = 12
_BUDGET_S = 90.0


def startup(
    *,
    setup: str = "",
    strategies: Sequence[str] = (),
    workers: int | Sequence[int] | None = None,
    start_methods: Sequence[str] = (),
    min_blocks: int | None = None,
    max_blocks: int | None = None,
    time_budget_s: float | None = None,
    confidence: float = 0.95,
    seed: int | None = None,
    timeout_s: float | None = None,
    on_block: Callable[[Progress], None] | None = None,
) -> Result:
    """Measure what the first worker costs, and each further one, in time and memory.

    A fresh interpreter plays the program: it runs the ``setup`` as its main module, makes a pool,
    waits until every worker is ready, and ends it; then once more, for what it pays only once.
    Each strategy and each of the ``start_methods`` (all by default) is measured with each number of
    ``workers`` (1, 2 and 4 by default; 1 always). Times are in seconds. The result's charts hold
    the time until all workers are ready, the time to end them and, on Linux, the memory that they
    add, over workers.

    UsageError for what cannot be measured; `Interrupted` on Ctrl-C, with what was measured.
    """
    from dataclasses import replace

    from gillab.blocks.plan import Experiment, choose_workers
    from gillab.blocks.protocol import make_protocol
    from gillab.blocks.run import run_blocks
    from gillab.pools.costs import chart_costs, find_costs
    from gillab.pools.fresh import FreshLaunches
    from gillab.pools.plan import NAME, choose_methods, make_program, plan_pools
    from gillab.report.startup import summarize_startup
    from gillab.strategies import DEFAULT
    from gillab.workload import Workload

    make_program(setup)
    counts = choose_workers(workers or DEFAULT_WORKERS)
    arms = plan_pools(strategies or DEFAULT, counts, choose_methods(start_methods))
    protocol = make_protocol(
        [],
        "default",
        min_blocks=min_blocks,
        max_blocks=max_blocks or max(_BLOCKS, min_blocks or 0),
        time_budget_s=_BUDGET_S if time_budget_s is None else time_budget_s,
        confidence=confidence,
        seed=seed,
        timeout_s=timeout_s,
    )
    # Every arm of every block has an interpreter of its own.
    protocol = replace(protocol, launches=1)

    def conclude(result: Result) -> Result:
        # There is no loop to hold workers against, and none of them is to be chosen.
        result = replace(result, null=(), choices=(), charts=chart_costs(result))
        return replace(result, summary=summarize_startup(result, find_costs(result), setup))

    def tell(progress: Progress) -> None:
        if on_block is not None:
            on_block(progress._replace(undecided=None, target=float("nan")))

    experiment = Experiment(Workload(NAME, "statement", setup=setup), arms)
    return run_blocks("startup", [experiment], protocol, tell, FreshLaunches, conclude)


def build_parser() -> Parser:
    """Return the command line's parser."""
    parser = Parser(
        prog="python -m gillab.startup",
        description="What does a worker cost to start? The time until the first one and each "
        "further one are ready, for threads, subinterpreters and each way to start processes, and "
        "the memory that they take.",
        epilog=EXIT_CODES,
    )
    what = parser.add_argument_group("what is measured")
    what.add_argument(
        "-s",
        "--setup",
        action="append",
        default=[],
        help="statements of the program's main module; may be given several times",
    )
    add_where(
        parser,
        "threads,processes,interpreters",
        "1,2,4; 1 is always measured",
        several_methods=True,
    )
    add_how(
        parser,
        "startup",
        "a program with one pool that takes longer has hung; default: a quarter of the budget, 5 "
        "to 30 s",
        has_target=False,
    )
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code."""
    parser = build_parser()
    return run_main(lambda: _main(parser.parse_mixed(argv)), parser.prog)


def _main(arguments: argparse.Namespace) -> int:
    from gillab.report.lab import render_lab

    options = read_options(arguments)
    del options["target_error"]
    methods = options.pop("start_method")
    return run_experiment(
        arguments,
        lambda on_block: startup(
            setup="\n".join(arguments.setup), start_methods=methods, on_block=on_block, **options
        ),
        render_lab,
        "python -m gillab.startup",
    )


if __name__ == "__main__":
    sys.exit(main())
