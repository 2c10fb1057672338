"""``python -m gillab.schema`` prints the schema of what ``--export-json`` writes."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from gillab.command.arguments import Parser
from gillab.command.ending import run_main

FILE = Path(__file__).with_name("result.schema.json")
"""The schema as it is shipped; a test holds it to what the code says."""


def main(argv: Sequence[str] | None = None) -> int:
    """Print the schema; return the exit code."""
    parser = Parser(
        prog="python -m gillab.schema",
        description="Print the JSON Schema of the files that --export-json writes.",
    )
    return run_main(lambda: _print(parser.parse_args(argv)), parser.prog)


def _print(_: object) -> int:
    sys.stdout.write(FILE.read_text(encoding="utf-8"))
    return 0


if __name__ == "__main__":
    sys.exit(main())
