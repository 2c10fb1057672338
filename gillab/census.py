"""Lists which calls of the standard library and NumPy release the GIL, small and large.

``python -m gillab.census`` at the command line, `take_census` in a script.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

from gillab.command.arguments import Parser, parse_duration, parse_word
from gillab.command.ending import finish, run_main
from gillab.command.exports import add_export_options, find_exports
from gillab.errors import Interrupted, UsageError
from gillab.limits import check_ranges
from gillab.release.findings import INTERRUPTED

if TYPE_CHECKING:
    from gillab.release.findings import Finding, Findings
    from gillab.workload import Workload

TIME_S = 0.3
TIMEOUT_S = 30.0


def take_census(
    *patterns: str,
    time_s: float = TIME_S,
    timeout_s: float = TIMEOUT_S,
    on_call: Callable[[int, int, str], None] = lambda done, of, name: None,
) -> Findings:
    """Examine every call of the list, or those whose text or group contains one of the patterns.

    Each call runs at each size in a fresh interpreter, which repeats it for ``time_s``. Before
    each, ``on_call`` is told how many are done, of how many, and which one comes. UsageError if no
    call matches or a time is not valid, GillabError if the GIL cannot be read here; `Interrupted`
    on Ctrl-C.
    """
    from gillab.release.examine import examine, require_meter

    check_ranges((), time_s=time_s, timeout_s=timeout_s)
    plan = list(_plan(patterns))
    if not plan:
        raise UsageError(f"no call of the census matches {' or '.join(patterns)}.")
    require_meter()
    cells: list[Finding] = []
    options = {"patterns": list(patterns), "time_s": time_s, "timeout_s": timeout_s}
    interrupted = False
    try:
        for done, (variant, workload) in enumerate(plan):
            on_call(done, len(plan), workload.name)
            cell, interrupted = examine(workload, time_s, timeout_s, variant)
            if cell is not None:
                cells.append(cell)
            if interrupted:
                break
    except KeyboardInterrupt:
        interrupted = True
    if interrupted:
        cells += list(_list_left_out(cells, plan))
    result = _conclude(cells, options, partial=interrupted)
    if interrupted:
        raise Interrupted(result)
    return result


def _plan(patterns: Sequence[str]) -> Iterator[tuple[str, Workload]]:
    from gillab.census_calls import CALLS
    from gillab.workload import resolve_workload

    for call in CALLS:
        text = f"{call.group}\n{call.statement}".lower()
        if patterns and not any(pattern.lower() in text for pattern in patterns):
            continue
        for number in dict.fromkeys((call.small, call.large)):
            variant = f"N={number}"
            yield variant, resolve_workload(call.statement, f"{variant}\n{call.setup}")


def _list_left_out(
    cells: Sequence[Finding], plan: Sequence[tuple[str, Workload]]
) -> Iterator[Finding]:
    """Yield an empty finding for each size of a call that Ctrl-C left out.

    Without it the other size would stand for both. A call of which nothing was measured gets none.
    """
    from gillab.release.findings import Finding

    pythons = {cell.workload: cell.python for cell in cells}
    for variant, workload in plan[len(cells) :]:
        if workload.name in pythons:
            python = pythons[workload.name]
            yield Finding(workload.name, python, "unavailable", variant, reason=INTERRUPTED)


def _conclude(cells: list[Finding], options: dict[str, object], *, partial: bool) -> Findings:
    from gillab.environment import collect_environment
    from gillab.release.findings import Findings
    from gillab.report.census import summarize_census

    return Findings(
        command="census",
        partial=partial,
        options=options,
        environment=collect_environment(),
        cells=cells,
        summary=summarize_census(cells),
    )


def build_parser() -> Parser:
    """Return the command line's parser."""
    parser = Parser(
        prog="python -m gillab.census",
        description="Which calls of the standard library and NumPy release the GIL here, for how "
        "much of their time, and how long do they hold it at most? Small and large, in a few "
        "minutes.",
        epilog="exit codes: 0 done, 1 a call failed, 2 usage, 130 interrupted (what "
        "was measured is shown and saved).",
    )
    parser.add_argument(
        "patterns",
        nargs="*",
        type=parse_word,
        metavar="PATTERN",
        help="only calls whose text or group contains this: zlib, numpy; default: all",
    )
    parser.add_argument(
        "--time",
        type=parse_duration,
        default=TIME_S,
        metavar="TIME",
        help="how long to repeat each call; default: 0.3s",
    )
    parser.add_argument(
        "--timeout",
        type=parse_duration,
        default=TIMEOUT_S,
        metavar="TIME",
        help="a setup or a call that takes longer counts as hung; default: 30s",
    )
    parser.add_argument(
        "-q", "--quiet", action="store_true", help="print only the summary, and no progress"
    )
    add_export_options(parser, "census")
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code."""
    parser = build_parser()
    return run_main(lambda: _main(parser.parse_mixed(argv)), parser.prog)


def _main(arguments: argparse.Namespace) -> int:
    exports = find_exports(arguments)
    from rich.console import Console

    from gillab.report.census import print_census
    from gillab.report.progress import Progress

    with Progress(None if arguments.quiet else Console(stderr=True)) as line:
        try:
            result = take_census(
                *arguments.patterns,
                time_s=arguments.time,
                timeout_s=arguments.timeout,
                on_call=lambda done, of, name: line.show(f"{done + 1}/{of}  {name}"),
            )
        except Interrupted as interruption:
            result = interruption.result
    return finish(
        result,
        exports,
        lambda: (
            print(*result.summary or ["nothing was measured."], sep="\n")
            if arguments.quiet
            else print_census(result, Console())
        ),
        "python -m gillab.census",
        arguments.command_line,
    )


if __name__ == "__main__":
    sys.exit(main())
