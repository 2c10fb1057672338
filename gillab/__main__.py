"""``python -m gillab``, and the ``gillab`` script: lists what there is, and runs it."""

from __future__ import annotations

import difflib
import os
import sys
from collections.abc import Sequence
from contextlib import suppress
from importlib import import_module

from gillab import __version__
from gillab.errors import GillabError

EXPERIMENTS = {
    "compare": "threads, processes, subinterpreters: what is fastest",
    "job": "a whole job: does a pool pay, and where does time go?",
    "scaling": "how far does it scale over workers, and what ends it?",
    "crossover": "how big must a task be for a pool to pay?",
    "transfer": "what it costs to hand an array to a worker",
    "startup": "what a worker costs to start, and its memory",
    "latency": "what do other threads feel beside busy ones?",
    "versus": "is the new version faster than the old one?",
    "diff": "what has changed from one saved result to another?",
    "check": "does this call release the GIL, and does it scale?",
    "census": "which calls of the library and NumPy release the GIL",
    "report": "a page to look at, made from saved results",
    "schema": "the JSON Schema of what --export-json writes",
    "meter": "how much of a program's time the GIL is held, and by whom",
}


def main(argv: Sequence[str] | None = None) -> int:
    """List the experiments, or run the one that is named; return the exit code."""
    arguments = sys.argv[1:] if argv is None else list(argv)
    if argv is None and not sys.flags.safe_path:
        with suppress(OSError):  # the folder may have been removed
            folder = os.getcwd()
            # With -m Python finds the functions of this folder; a script does not. The folder goes
            # last, so that a checkout here does not come before the installed gillab.
            if folder not in sys.path:
                sys.path.append(folder)
    if not arguments or arguments[0] in ("-h", "--help"):
        try:
            print(describe())
        except GillabError as error:
            print(f"gillab: {error}", file=sys.stderr)
            return 2
        return 0
    if arguments[0] in ("-V", "--version"):
        print(f"gillab {__version__}")
        return 0
    name, *rest = arguments
    if name not in EXPERIMENTS:
        nearest = difflib.get_close_matches(name, EXPERIMENTS, n=1)
        hint = f"did you mean {nearest[0]}?" if nearest else f"there is {', '.join(EXPERIMENTS)}."
        print(f"gillab: there is no experiment {name!r}; {hint}", file=sys.stderr)
        return 2
    module = {"report": "gillab.command.page", "schema": "gillab.command.schema"}.get(name)
    return int(import_module(module or f"gillab.{name}").main(rest))


def describe() -> str:
    """Return what there is: the experiments, the kernels and the strategies."""
    from gillab.kernels import KERNELS
    from gillab.strategies import DEFAULT, EXTRA, get_strategy

    lines = [
        f"gillab {__version__}",
        "",
        "experiments (gillab NAME ..., or python -m gillab.NAME ...; --help tells more)",
        *(f"  {name:<20}{what}" for name, what in EXPERIMENTS.items()),
        "",
        "kernels (from gillab.kernels import ...)",
    ]
    for name, kernel in KERNELS.items():
        lines.append(f"  {name:<20}{_describe_kernel(kernel.__doc__)}")
    lines += ["", "strategies"]
    for name in (*DEFAULT, *EXTRA):
        obstacle = get_strategy(name).find_obstacle()
        lines.append(f"  {name:<20}{obstacle or 'available'}")
    return "\n".join(lines)


def _describe_kernel(doc: str | None) -> str:
    """Return what sets a kernel apart: its docstring's first line, without what all share."""
    line = (doc or "").strip().partition("\n")[0].rstrip(".")
    return line.replace("``n`` ", "").removeprefix("Count down to zero in ")


if __name__ == "__main__":
    sys.exit(main())
