"""Makes a page from results that were saved: ``python -m gillab.report``."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from gillab.command.arguments import Parser, parse_word
from gillab.command.ending import EXIT_FAILED, EXIT_OK, run_main
from gillab.command.exports import find_exports
from gillab.errors import UsageError


def build_parser() -> Parser:
    """Return the command line's parser."""
    parser = Parser(
        prog="python -m gillab.report",
        description="Makes one page to look at from results that --export-json wrote, or from "
        "traces of gillab.meter. It opens offline, prints, and needs gillab[report].",
        epilog="exit codes: 0 done, 1 the page could not be written, 2 usage.",
    )
    parser.add_argument(
        "results",
        nargs="+",
        type=parse_word,
        metavar="RESULT.json",
        help="what --export-json or gillab.meter --trace wrote; - is standard input",
    )
    parser.add_argument(
        "-o",
        "--export-html",
        type=Path,
        metavar="FILE",
        help="where the page goes; default: beside the first result, with the ending .html",
    )
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code."""
    parser = build_parser()
    return run_main(lambda: _main(parser.parse_mixed(argv), parser.prog), parser.prog)


def _main(arguments: argparse.Namespace, prog: str) -> int:
    from gillab.files import write_whole
    from gillab.report.page.extra import require_extra
    from gillab.report.saved import STANDARD_INPUT, read_saved

    require_extra(prog)
    files = [Path(name) for name in arguments.results]
    results = [read_saved(file) for file in files]
    if arguments.export_html is None:
        if str(files[0]) == STANDARD_INPUT:
            raise UsageError("a page from standard input needs a file: name it with --export-html.")
        arguments.export_html = files[0].with_suffix(".html")
    path = find_exports(arguments)["html"]
    if any(path.resolve() == file.resolve() for file in files):
        raise UsageError(f"{path} is one of the results; name another file with --export-html.")
    from gillab.report.page.render import render_pages

    try:
        write_whole(path, render_pages(results))
    except OSError as error:
        print(f"{prog}: {path} could not be written ({error.strerror}).", file=sys.stderr)
        return EXIT_FAILED
    print(f"the page is {path}")
    return EXIT_OK
