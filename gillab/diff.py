"""Compares two saved results cell by cell: has a strategy come to gain more or less.

``python -m gillab.diff`` at the command line, `diff` in a script.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from gillab.command.arguments import Parser, parse_fraction, parse_word
from gillab.command.ending import run_main, show

if TYPE_CHECKING:
    from gillab.report.baseline import Changes

MARGIN = 0.05


def diff(old: str | Path, new: str | Path, within: float = MARGIN) -> Changes:
    """Compare the results in two files of ``--export-json``.

    Cells are the same if workload, strategy, workers and kind of data are. Only speedups are
    compared, since seconds differ from machine to machine and from hour to hour; for versions of
    one thing there is `gillab.versus.versus`. ``within`` is the least difference that matters.

    UsageError for a file that cannot be read, or is no result with speedups.
    """
    from gillab.limits import check_ranges
    from gillab.report.baseline import find_changes, read_run

    check_ranges({"within"}, within=within)
    return find_changes(read_run(Path(old)), read_run(Path(new)), within)


def build_parser() -> Parser:
    """Return the command line's parser."""
    parser = Parser(
        prog="python -m gillab.diff",
        description="What has changed from one saved result to another? First what differs around "
        "the code, then each cell: its speedup as a multiple of what it was.",
    )
    for name, text in (("old", "of the earlier run"), ("new", "of the later run")):
        parser.add_argument(
            name, type=parse_word, metavar=f"{name.upper()}.json", help=f"--export-json {text}"
        )
    parser.add_argument(
        "--within",
        type=parse_fraction,
        default=MARGIN,
        metavar="X",
        help="the least difference that matters; default 5%%",
    )
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code."""
    parser = build_parser()

    def compare_files() -> int:
        arguments = parser.parse_mixed(argv)
        changes = diff(arguments.old, arguments.new, arguments.within)
        from rich.console import Console
        from rich.text import Text

        from gillab.report.baseline import tell_changes
        from gillab.report.printer import Printer

        def report() -> None:
            printer = Printer(Console())
            for sentence in tell_changes(changes):
                printer.print(Text(sentence))

        return show(report, parser.prog)

    return run_main(compare_files, parser.prog)


if __name__ == "__main__":
    sys.exit(main())
