"""Figures with what is known of their error."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Estimate:
    """A figure with its confidence interval; no interval if too few blocks were measured."""

    estimate: float
    low: float | None
    high: float | None


@dataclass(frozen=True, slots=True)
class Spread:
    """Median, median absolute deviation and minimum of a time, in seconds."""

    median: float
    mad: float
    min: float


@dataclass(frozen=True, slots=True)
class Bracket:
    """From where on something pays; ``estimate`` None: never. ``high`` None: perhaps never."""

    estimate: float | None
    low: float | None = None
    high: float | None = None
