"""Figures with what is known of their error."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Estimate:
    """A figure with its confidence interval; no interval if too few blocks were measured."""

    estimate: float
    """The figure itself."""
    low: float | None
    """The low end of its interval."""
    high: float | None
    """The high end of its interval."""


@dataclass(frozen=True, slots=True)
class Spread:
    """Median, median absolute deviation and minimum of a time, in seconds."""

    median: float
    """The median."""
    mad: float
    """The median absolute deviation."""
    min: float
    """The least."""


@dataclass(frozen=True, slots=True)
class Bracket:
    """From where on something pays; ``estimate`` None: never. ``high`` None: perhaps never."""

    estimate: float | None
    """The value from which on it pays; None: at no value."""
    low: float | None = None
    """It may pay from here on; None: unknown."""
    high: float | None = None
    """It surely pays from here on; None: it may never."""
