"""Measures how much of the time the GIL is held, and by whom, without ever taking it.

``GilMeter`` measures a part of a program; ``python -m gillab.meter SCRIPT`` measures a whole one
and reports on stderr.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

from gillab.errors import CompiledPartMissingError

try:
    from gillab.meter._sampler import why_no_functions, why_unavailable
except ModuleNotFoundError as error:
    if error.name != "gillab.meter._sampler":
        raise
    raise CompiledPartMissingError.of("sampler is", __path__[0], error.name) from None

from gillab.meter.gil_meter import UNKNOWN, GilMeter, MeterUnavailableError
from gillab.meter.reading import HeldIn, Knock, Reading, Waited
from gillab.meter.states import Stops, ThreadState

__all__ = [
    "UNKNOWN",
    "GilMeter",
    "HeldIn",
    "Knock",
    "MeterUnavailableError",
    "Reading",
    "Stops",
    "ThreadState",
    "Waited",
    "main",
    "why_no_functions",
    "why_unavailable",
]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line ``python -m gillab.meter``; return the exit code."""
    from gillab.meter.command import run

    return run(sys.argv[1:] if arguments is None else arguments)
