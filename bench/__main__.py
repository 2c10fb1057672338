"""``python -m bench [SECTION ...]``: gillab against its peers, side by side in one run."""

from __future__ import annotations

import argparse
import random
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from bench import call, dispatch, startup, step
from bench.report import collect_environment, render_rows, render_summary, wrap, write_json
from bench.rows import CONFIDENCE, Row

SECTIONS: dict[str, Callable[[bool, random.Random], list[Row]]] = {
    "step": step.measure,
    "call": call.measure,
    "dispatch": dispatch.measure,
    "startup": startup.measure,
}


def parse_arguments(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("sections", nargs="*", metavar="SECTION", help=", ".join(SECTIONS))
    parser.add_argument("--fast", action="store_true", help="fewer blocks, wider intervals")
    parser.add_argument("--seed", type=int, help="of the order within the blocks")
    parser.add_argument("--export-json", type=Path, metavar="FILE", help="every figure shown")
    options = parser.parse_args(arguments)
    for section in options.sections:
        if section not in SECTIONS:
            parser.error(f"no section {section!r}: choose from {', '.join(SECTIONS)}.")
    path = options.export_json
    if path is not None and not path.parent.is_dir():
        parser.error(f"--export-json: there is no folder {path.parent} to write in.")
    return options


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure the sections asked for and report each as it ends."""
    options = parse_arguments(arguments)
    seed = options.seed if options.seed is not None else random.randrange(2**32)
    environment = collect_environment()
    heading = (
        f"Python {environment['python']}, {environment['compiler']}, "
        f"{environment['cpus']} CPUs, seed {seed}. "
        "Medians of paired blocks in random order; gillab's time over the other's, "
        f"with its exact {CONFIDENCE:.0%} interval."
    )
    print("\n".join(wrap(heading, "")), flush=True)
    rows: dict[str, Sequence[Row]] = {}
    for name in options.sections or SECTIONS:
        # Of its own seed, so that a section asked for alone repeats its order.
        rows[name] = SECTIONS[name](options.fast, random.Random(f"{seed} {name}"))
        print(f"\n{render_rows(rows[name])}", flush=True)
    print(f"\n{render_summary([row for section in rows.values() for row in section])}")
    if options.export_json is not None:
        write_json(options.export_json, rows, seed)
    return 0


if __name__ == "__main__":
    sys.exit(main())
