"""Sizes in decimal units: ``1kB`` is 1000 bytes."""

from __future__ import annotations

import re
from decimal import Decimal

from gillab.errors import UsageError

_UNITS = {"B": 1, "kB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12}
_BY_CASE = {name.lower(): factor for name, factor in _UNITS.items()}


def read_size(text: str) -> int:
    """Return the bytes in ``1kB``, ``2.5 MB`` or a plain number of bytes.

    UsageError if it is no size, or no whole number of bytes from 1 on.
    """
    match = re.fullmatch(r"\s*([\d_.]+(?:e\d+)?)\s*([a-z]*)\s*", text.lower())
    try:
        if match is None:
            raise ValueError
        size = Decimal(match[1]) * _BY_CASE[match[2] or "b"]
    except (ArithmeticError, ValueError, KeyError):
        raise UsageError(
            f"{text!r} is no size; write 1kB, 2.5MB or 1GB, where 1 kB is 1000 bytes."
        ) from None
    if not 1 <= size < 2**63 or size != int(size):
        raise UsageError(f"{text!r} is no whole number of bytes from 1 on.")
    return int(size)


def format_size(size: int) -> str:
    """Write a size exactly, with the largest unit that fits: ``1 kB``, ``2.5 MB``, ``1001 B``."""
    for name, factor in reversed(_UNITS.items()):
        text = f"{size / factor:g}"
        if size >= factor and "e" not in text and Decimal(text) * factor == size:
            return f"{text} {name}"
    return f"{size} B"
