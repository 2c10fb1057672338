"""Charts: measured points along an axis, as every experiment of the lab yields them.

A chart is data. The reports show it as a table, and `gillab.report.plot` draws it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from gillab.estimates import Bracket, Estimate

Unit = Literal["", "s", "B", "B/s", "1/s", "x", "fraction"]
"""What a number counts: things, seconds, bytes, bytes a second, events a second, times, parts of
one."""
Kind = Literal["measured", "ceiling", "ideal", "predicted"]
"""Where the points of a series come from; ``ceiling`` is what the machine gives, measured too."""


@dataclass(frozen=True, slots=True)
class Axis:
    """What one direction of a chart means."""

    label: str
    """What it shows."""
    unit: Unit = ""
    """What its numbers count."""
    logarithmic: bool = False
    """Whether it is best drawn so."""


@dataclass(frozen=True, slots=True)
class Point:
    """One point of a series; its interval is that of ``y``."""

    x: float
    """Its place on the x axis."""
    y: Estimate
    """Its value, with the interval."""


@dataclass(frozen=True, slots=True)
class Series:
    """Points that belong together, in the order of x; a table has a column for it."""

    name: str
    """What it is called in a legend."""
    points: tuple[Point, ...]
    """In the order of x."""
    kind: Kind = "measured"
    """Where its points come from."""

    def find(self, x: float) -> Estimate | None:
        """Return y at x; None where there is no point."""
        return next((point.y for point in self.points if point.x == x), None)


@dataclass(frozen=True, slots=True)
class Mark:
    """A place on the x axis that means something, as from where on a series is above one."""

    label: str
    """What it means."""
    at: Bracket
    """Its place on the x axis, with what is known of its error."""
    series: str = ""
    """The series that it belongs to; empty for one that belongs to all."""


@dataclass(frozen=True, slots=True)
class Chart:
    """Series over one x axis."""

    title: str
    """What it shows."""
    x: Axis
    """The x axis."""
    y: Axis
    """The y axis."""
    series: tuple[Series, ...]
    """The series, in the order of a legend."""
    marks: tuple[Mark, ...] = ()
    """Places on the x axis that mean something."""
    group: str = ""
    """The workload that it is of; empty where an experiment has none."""

    @property
    def xs(self) -> list[float]:
        """Every x that any series has a point at, in order."""
        return sorted({point.x for series in self.series for point in series.points})
