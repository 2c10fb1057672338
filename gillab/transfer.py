"""Measures what it costs to hand an array to a worker: shared, pickled, in shared memory.

``python -m gillab.transfer`` at the command line, `transfer` in a script.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from gillab.command.arguments import Parser
from gillab.command.ending import run_main
from gillab.command.measuring import EXIT_CODES, add_how, add_where, read_options, run_experiment
from gillab.errors import UsageError

if TYPE_CHECKING:
    from typing import Unpack

    from gillab.blocks.protocol import How, Protocol
    from gillab.blocks.session import Progress
    from gillab.results import Result
    from gillab.transfers.ways import Way

SIZES = ("1kB", "100kB", "1MB", "10MB", "100MB")
_BUDGET_S = 100.0
_TASK_TIME_S = 0.02
_MAX_BLOCKS = 18


def transfer(
    sizes: Sequence[int | str] = SIZES,
    *,
    returns: bool = False,
    strategies: Sequence[str] = (),
    workers: int | Sequence[int] | None = None,
    start_method: str | None = None,
    on_block: Callable[[Progress], None] | None = None,
    **how: Unpack[How],
) -> Result:
    """Measure what a call with an array of each size costs one worker, in each way to send it.

    ``sizes`` are bytes, or texts such as ``"10MB"``. ``returns`` sends as much back. The cost is
    what a call takes more than in the parent; ``workers`` are those among which calls are shared
    out when the result says from which computing time on that pays. Times are in seconds.

    How long and how well is said by name, as `gillab.blocks.protocol.How` has it: ``min_blocks``,
    ``time_budget_s``, ``confidence`` and so on.

    UsageError for what cannot be measured; `Interrupted` on Ctrl-C, with what was measured.
    """
    from dataclasses import replace

    from gillab.blocks.protocol import PRESETS, make_protocol
    from gillab.blocks.run import run_blocks
    from gillab.transfers.segments import TransferLaunch
    from gillab.transfers.ways import DEFAULT, list_ways, plan_size

    named = _name_sizes(sizes)
    count = _choose_count(workers)
    ways = list_ways(strategies or DEFAULT)
    if not ways:
        raise UsageError("there is nothing to send to; name a strategy that has workers.")
    experiments = [plan_size(name, size, ways, returns=returns) for name, size in named.items()]
    least = how.get("min_blocks") or PRESETS["default"].min_blocks
    wanted: How = {
        **how,
        "max_blocks": how.get("max_blocks") or max(_MAX_BLOCKS, least),
        "time_budget_s": _BUDGET_S if how.get("time_budget_s") is None else how["time_budget_s"],
    }
    protocol = make_protocol(
        experiments, "default", task_time_s=_TASK_TIME_S, start_method=start_method, **wanted
    )
    # What is asked for are the intervals of the costs, not whether sending is slower than staying.
    protocol = replace(protocol, until_decided=False)
    return run_blocks(
        "transfer",
        experiments,
        protocol,
        on_block,
        TransferLaunch,
        lambda result: _conclude(result, named, ways, count, protocol, returns=returns),
    )


def _name_sizes(sizes: Sequence[int | str]) -> dict[str, int]:
    """Return the sizes in order, by what they are called. UsageError."""
    from gillab.transfers.sizes import format_size, read_size

    found = sorted({read_size(str(size)) for size in sizes})
    if not found:
        raise UsageError("there is no size to send; give at least one, as in --sizes 1MB.")
    return {format_size(size): size for size in found}


def _choose_count(workers: int | Sequence[int] | None) -> int:
    from gillab.blocks.plan import choose_workers

    counts = choose_workers(workers, 2)
    if len(counts) > 1 or counts[0] < 2:
        raise UsageError(
            "a call is shared out among one number of workers from 2 on, not "
            f"{', '.join(map(str, counts))}."
        )
    return counts[0]


def _conclude(
    result: Result,
    sizes: dict[str, int],
    ways: Sequence[Way],
    workers: int,
    protocol: Protocol,
    *,
    returns: bool,
) -> Result:
    """Add the charts and the sentences."""
    from dataclasses import replace

    from gillab.environment import is_gil_enabled
    from gillab.report.transfer import summarize_transfer
    from gillab.transfers.costs import draw_charts, find_cheaper_from, find_costs

    costs = find_costs(result.blocks, sizes, ways, protocol.confidence)
    plain = next((way for way in ways if way.variant == "pickled"), None)
    cheaper = {}
    for way in ways:
        if plain is not None and way.variant in ("buffers", "filled"):
            at = find_cheaper_from(result.blocks, sizes, way, plain, protocol.confidence)
            if at is not None:
                cheaper[way] = at
    summary = summarize_transfer(costs, workers, cheaper, returns=returns, gil=is_gil_enabled())
    options = {**result.options, "sizes": list(sizes.values()), "returns": returns}
    return replace(
        result,
        options={**options, "workers": workers},
        charts=draw_charts(costs, workers, cheaper),
        summary=summary,
    )


def build_parser() -> Parser:
    """Return the command line's parser."""
    parser = Parser(
        prog="python -m gillab.transfer",
        description="What does it cost to hand an array to a worker, and how long must a call "
        "compute to make up for it? A NumPy array goes to one worker: threads share it; a process "
        "gets it pickled, with its buffer sent apart, and in shared memory; an interpreter gets "
        "it as bytes and as a shared memoryview. The worker reads a byte of each page. It "
        "pays to send where calls that are shared out among -j workers save more than that costs.",
        epilog=EXIT_CODES,
    )
    what = parser.add_argument_group("what is measured")
    what.add_argument(
        "--sizes",
        type=_parse_sizes,
        default=SIZES,
        metavar="SIZE[,SIZE...]",
        help=f"of the array, in decimal units; default: {','.join(SIZES)}",
    )
    what.add_argument(
        "--return",
        action="store_true",
        dest="returns",
        help="the worker sends the array back; what is shared lies there already",
    )
    add_where(parser, "threads,processes,interpreters")
    add_how(
        parser,
        "transfer",
        "calls that take longer have hung; default: a quarter of the budget, 5 to 30 s",
    )
    return parser


def _parse_sizes(text: str) -> tuple[int, ...]:
    from gillab.transfers.sizes import read_size

    try:
        return tuple(read_size(part) for part in text.split(","))
    except UsageError as error:
        raise argparse.ArgumentTypeError(str(error).removesuffix(".")) from None


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code."""
    parser = build_parser()
    return run_main(lambda: _main(parser.parse_mixed(argv)), parser.prog)


def _main(arguments: argparse.Namespace) -> int:
    from gillab.report.lab import render_lab

    return run_experiment(
        arguments,
        lambda on_block: transfer(
            arguments.sizes,
            returns=arguments.returns,
            on_block=on_block,
            **read_options(arguments),
        ),
        render_lab,
        "python -m gillab.transfer",
    )


if __name__ == "__main__":
    sys.exit(main())
