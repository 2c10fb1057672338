"""Compares two versions of one thing, old and new: which is faster, and by how much.

``python -m gillab.versus`` at the command line, `versus` in a script.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from gillab.command.arguments import (
    Parser,
    parse_count,
    parse_duration,
    parse_fraction,
    parse_word,
)
from gillab.command.ending import run_main
from gillab.command.measuring import (
    GATED_EXIT_CODES,
    START_METHODS,
    add_bootstrap,
    add_gates,
    add_how,
    add_inner_threads,
    read_how,
    run_experiment,
)
from gillab.errors import UsageError

if TYPE_CHECKING:
    from typing import Unpack

    from gillab.blocks.pair import Comparison, Pair
    from gillab.blocks.protocol import How, Protocol
    from gillab.blocks.session import Progress
    from gillab.pythons.examine import Python
    from gillab.pythons.versions import Place
    from gillab.results import Result
    from gillab.workload import Workload

WITHIN = 0.03
_BLOCK_S = 0.6
_TASK_S, _QUEUED_TASK_S = 0.001, 0.01
"""Short, so that most tasks are over before another program takes the CPU; those that are given to
a pool are longer, since that takes a part of their time."""
_MOST_BLOCKS = 93


def versus(
    old: str,
    new: str | None = None,
    *,
    setup: str = "",
    old_setup: str = "",
    new_setup: str = "",
    args: str = "",
    strategy: str = "serial",
    workers: int | None = None,
    within: float = WITHIN,
    start_method: str | None = None,
    inner_threads: int | None = None,
    task_time_s: float | None = None,
    old_python: str | None = None,
    new_python: str | None = None,
    old_rev: str | None = None,
    new_rev: str | None = None,
    bootstrap: bool = False,
    on_block: Callable[[Progress], None] | None = None,
    tell: Callable[[str], None] | None = None,
    **how: Unpack[How],
) -> Result:
    """Measure two workloads by turns and say how many times as fast the new one is.

    ``old`` and ``new`` are texts as for `gillab.compare.compare`; two kernels, or two of what is
    called. ``setup`` and ``args`` are for both; ``old_setup`` and ``new_setup`` follow the setup
    of their own. Both run under one ``strategy``, serial by default. Each block is one fresh
    interpreter, in which both take turns in short tasks. The run ends when new is the same within
    the margin ``within``, or is faster or slower by more, or when the time is up. Times are in
    seconds.

    A version can be in another place. ``old_python`` and ``new_python`` name another Python or the
    folder of a virtual environment, where ``bootstrap`` may install gillab. ``old_rev`` and
    ``new_rev`` name revisions of the git repository of the current folder, which are built where
    that is needed, and kept. What is not named runs here. Then ``new`` may be left out, where it is
    the same text as ``old``. ``tell`` is told what goes on before measuring.

    How long and how well is said by name, as `gillab.blocks.protocol.How` has it: ``min_blocks``,
    ``time_budget_s``, ``confidence`` and so on.

    UsageError for what cannot be measured; `Interrupted` on Ctrl-C, with what was measured.
    """
    from dataclasses import asdict, replace

    from gillab.blocks.pair import Pair, conclude_pair, make_look
    from gillab.blocks.plan import Experiment, choose_workers
    from gillab.blocks.protocol import make_protocol
    from gillab.blocks.run import run_blocks
    from gillab.limits import check_ranges
    from gillab.pythons.versions import Place
    from gillab.report.versus import summarize_versus
    from gillab.strategies import get_strategy

    check_ranges({"within"}, within=within)
    places = (Place(old_python, old_rev), Place(new_python, new_rev))
    apart = any(place != Place() for place in places)
    if new is None and not apart:
        raise UsageError("there is no new version; name it, or say where it is (--new-rev, say).")
    if bootstrap and not (old_python or new_python):
        raise UsageError(
            "--bootstrap is for other interpreters; name one with --old-python or --new-python."
        )
    one, other = _resolve(old, old if new is None else new, (setup, old_setup, new_setup), args)
    parallel = get_strategy(strategy).parallel
    if not parallel and workers not in (None, 1):
        raise UsageError(f"serial has one worker, not {workers}; name a --strategy for more.")
    (count,) = choose_workers(workers, 2) if parallel else (1,)
    most = how.get("max_blocks") or max(_MOST_BLOCKS, how.get("min_blocks") or 0)
    wanted: How = {**how, "max_blocks": most}
    protocol = make_protocol(
        [],
        "default",
        start_method=start_method,
        inner_threads=inner_threads,
        task_time_s=task_time_s or (_QUEUED_TASK_S if parallel else _TASK_S),
        **wanted,
    )
    # Where objects lie in memory lasts for a whole interpreter, so each block has its own.
    protocol = replace(protocol, launches=protocol.max_blocks, block_s=_BLOCK_S)
    pythons = _prepare(places, (one, other), protocol, bootstrap, tell) if apart else ()
    labels = (pythons[0].label, pythons[1].label, pythons[2].label) if pythons else None
    pair = Pair.of(strategy, count, labels)

    def conclude(result: Result) -> Result:
        seconds = [block["seconds"] for block in result.blocks]
        found = conclude_pair(seconds, pair, protocol, within)
        named: dict[str, Any] = {
            name: {**asdict(each), **asdict(place)}
            for name, each, place in zip(("old", "new"), (one, other), places, strict=True)
        }
        named["within"] = within
        result = replace(
            _enter(result, pair, found), choices=(), options={**result.options, "versus": named}
        )
        return replace(result, summary=summarize_versus(result, found, within))

    return run_blocks(
        "versus",
        [Experiment(one, pair.arms, other)],
        protocol,
        on_block,
        conclude=conclude,
        look=make_look(pair, within),
        pythons=pythons,
    )


def _prepare(
    places: tuple[Place, Place],
    workloads: tuple[Workload, Workload],
    protocol: Protocol,
    bootstrap: bool,
    tell: Callable[[str], None] | None,
) -> Sequence[Python]:
    """Return the Pythons of old, of old again and of new.

    UsageError where a version cannot be measured, or is not what is imported. Old again has
    interpreters of its own, since two that are alike differ, too.
    """
    from dataclasses import replace

    from gillab.launch.functions import find_imports
    from gillab.pythons.versions import check_imports, prepare_versions

    versions = prepare_versions(*places, install=bootstrap, tell=tell or (lambda text: None))
    found = []
    for version, workload in zip(versions, workloads, strict=True):
        python = version.python
        try:
            found.append(find_imports(workload, protocol.timeout_s, python.interpreter))
        except UsageError as error:
            raise UsageError(f"{python.label}: {error}") from None
    check_imports(versions, (found[0], found[1]))
    old, new = (version.python for version in versions)
    again = replace(old, interpreter=replace(old.interpreter, label="old again"))
    return [old, again, new]


def _resolve(
    old: str, new: str, setups: tuple[str, str, str], args: str
) -> tuple[Workload, Workload]:
    from gillab.workload import is_function, resolve_workload

    both, *own = setups
    one, other = (
        # Arguments are for functions; a statement beside one has its own.
        resolve_workload(text, "\n".join(filter(None, (both, of))), args if takes else "")
        for text, of, takes in zip(
            (old, new),
            own,
            [
                is_function(text) or not (is_function(old) or is_function(new))
                for text in (old, new)
            ],
            strict=True,
        )
    )
    if (one.kind == "kernel") != (other.kind == "kernel"):
        kernel, called = (one, other) if one.kind == "kernel" else (other, one)
        raise UsageError(
            f"{kernel.name} takes steps and {called.name} is called; to compare them, write a "
            f'call: "{kernel.name}(1000)" -s "from gillab.kernels import {kernel.name}".'
        )
    return one, other


def _enter(result: Result, pair: Pair, found: Comparison) -> Result:
    """Enter into the result how new compares with old, in place of what serial is compared with."""
    from dataclasses import replace

    from gillab.blocks.pair import VERDICTS
    from gillab.results import Control

    cells = [replace(cell, speedup_later=None, speedup_quiet=None) for cell in result.cells]
    for place, cell in enumerate(cells):
        if cell.variant == pair.new.variant and cell.status == "ok" and found.ratio is not None:
            verdict = VERDICTS[found.answer]
            cells[place] = replace(cell, speedup=found.ratio, verdict=verdict, reason=None)
    name = result.cells[0].workload
    null = Control(name, pair.old.workers, found.null, found.null_passed, expected=1.0)
    return replace(result, cells=cells, null=[null])


def build_parser() -> Parser:
    """Return the command line's parser."""
    parser = Parser(
        prog="python -m gillab.versus",
        description="Is the new version faster than the old one? Both take turns in fresh "
        "interpreters until it is decided: the same within 3 %, faster or slower.",
        epilog=GATED_EXIT_CODES,
    )
    parser.add_argument(
        "old",
        type=parse_word,
        metavar="OLD",
        help="a kernel, package.module:function or a statement",
    )
    parser.add_argument(
        "new",
        nargs="?",
        type=parse_word,
        metavar="NEW",
        help="the same; may be left out where one of both is in another place",
    )
    what = parser.add_argument_group("what is measured")
    for option, text in (
        ("--setup", "statements that run once in every interpreter, for both versions"),
        ("--old-setup", "further ones for the old version"),
        ("--new-setup", "further ones for the new version"),
    ):
        flags = ("-s", option) if option == "--setup" else (option,)
        what.add_argument(
            *flags, action="append", default=[], help=f"{text}; may be given several times"
        )
    what.add_argument(
        "--args", default="", metavar="EXPR", help='the functions\' arguments: "(1, 2)"'
    )
    where = parser.add_argument_group("where it runs")
    for name in ("old", "new"):
        where.add_argument(
            f"--{name}-python",
            metavar="PATH",
            help=f"the virtual environment or the Python in which {name} is installed",
        )
    for name in ("old", "new"):
        where.add_argument(
            f"--{name}-rev",
            metavar="REV",
            help=f"the revision of this git repository that {name} is in; it is built and kept in "
            "the cache folder",
        )
    add_bootstrap(where)
    where.add_argument(
        "--strategy",
        default="serial",
        metavar="NAME",
        help="serial (the default), threads, processes, interpreters, or module:attribute",
    )
    where.add_argument(
        "-j", "--workers", type=parse_count, metavar="N",
        help="workers at once; default: the CPUs that this process may use",
    )  # fmt: skip
    where.add_argument(
        "--start-method", choices=START_METHODS, help="how processes start; default: Python's"
    )
    add_inner_threads(where)
    how = add_how(
        parser,
        "versus",
        "a task that takes longer has hung; default: a quarter of the budget, 5 to 30 s",
    )
    how.add_argument(
        "--within",
        type=parse_fraction,
        default=WITHIN,
        metavar="X",
        help="the least difference that matters; default 3%%",
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
    from gillab.report.versus import render_versus

    return run_experiment(
        arguments,
        lambda on_block: versus(
            arguments.old,
            arguments.new,
            setup="\n".join(arguments.setup),
            old_setup="\n".join(arguments.old_setup),
            new_setup="\n".join(arguments.new_setup),
            args=arguments.args,
            strategy=arguments.strategy,
            workers=arguments.workers,
            within=arguments.within,
            start_method=arguments.start_method,
            inner_threads=arguments.inner_threads,
            task_time_s=arguments.task_time,
            old_python=arguments.old_python,
            new_python=arguments.new_python,
            old_rev=arguments.old_rev,
            new_rev=arguments.new_rev,
            bootstrap=arguments.bootstrap,
            on_block=on_block,
            tell=on_block,
            **read_how(arguments),
        ),
        render_versus,
        "python -m gillab.versus",
    )


if __name__ == "__main__":
    sys.exit(main())
