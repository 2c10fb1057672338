"""The command line of gillab.schema: print the schema of what ``--export-json`` writes."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from gillab.command.arguments import Parser
from gillab.command.ending import run_main
from gillab.schema import FILE


def build_parser() -> Parser:
    """Return the command line's parser."""
    return Parser(
        prog="python -m gillab.schema",
        description="Print the JSON Schema of the files that --export-json writes.",
    )


def main(argv: Sequence[str] | None = None) -> int:
    """Print the schema; return the exit code."""
    parser = build_parser()
    return run_main(lambda: _print(parser.parse_args(argv)), parser.prog)


def _print(_: object) -> int:
    sys.stdout.write(FILE.read_text(encoding="utf-8"))
    return 0
