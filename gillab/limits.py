"""Reads the limits that a caller gives, and refuses those that make no sense."""

from __future__ import annotations

import re
from collections.abc import Collection

from gillab.errors import UsageError

_UNITS = {"": 1.0, "s": 1.0, "ms": 1e-3, "us": 1e-6, "µs": 1e-6, "ns": 1e-9, "min": 60.0}

_LONGEST_S = 366 * 86400.0
"""What waits cannot wait for any number of seconds."""


def read_duration(text: str) -> float:
    """Return the seconds in ``20ms``, ``1.5 s``, ``2min`` or a plain number of seconds.

    UsageError if it is not a duration, not above zero, or longer than a year.
    """
    match = re.fullmatch(r"\s*([\d_.]+(?:e[-+]?\d+)?)\s*([a-zµ]*)\s*", text)
    try:
        if match is None or match[2] not in _UNITS:
            raise ValueError
        seconds = float(match[1]) * _UNITS[match[2]]
    except ValueError:
        raise UsageError(f"{text!r} is no duration; write 20ms, 1.5s or 2min.") from None
    if not seconds > 0:
        raise UsageError(f"{text!r} is no duration above zero.")
    if seconds > _LONGEST_S:
        raise UsageError(f"{text!r} is longer than a year.")
    return seconds


def write_duration(seconds: float) -> str:
    """Write a time with two digits as `read_duration` takes it: ``33 ms``."""
    unit = next((unit for unit in ("s", "ms", "µs") if seconds >= _UNITS[unit]), "ns")
    return f"{float(f'{seconds / _UNITS[unit]:.2g}'):g} {unit}"


def check_ranges(fractions: Collection[str], **figures: float | None) -> None:
    """Refuse limits that make no sense: UsageError names the first.

    All must be finite and above 0, and the ``fractions`` among them at most 1. None is no limit.
    """
    for name, value in figures.items():
        if value is not None and not 0 < value < float("inf"):
            raise UsageError(f"{name} is a finite number above 0, not {value}.")
        if value is not None and name in fractions and value > 1:
            raise UsageError(f"{name} is a fraction above 0 and at most 1, not {value}.")
