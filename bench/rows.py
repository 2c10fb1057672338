"""One line of the report: gillab beside something else, and the goal for it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from statistics import median
from typing import Literal

from gillab.estimates import Estimate
from gillab.statistics import median_interval, ratio

CONFIDENCE = 0.99
"""Of each interval: a report has some twenty of them."""

Status = Literal["met", "missed", "undecided", "no goal", "unavailable"]


@dataclass(frozen=True, slots=True)
class Goal:
    """What an estimate should be: ``limit`` is the most it may be, or the least."""

    limit: float
    least: bool = False


@dataclass(frozen=True, slots=True)
class Row:
    """What gillab takes beside something else.

    ``unit`` "x": ``estimate`` is gillab's time over the other's, under 1 where gillab is faster.
    ``unit`` "ms": it is gillab's time less the other's. ``unit`` "steps": steps a cycle.
    Without an estimate the row was not measured, and ``note`` says why.
    """

    subject: str
    against: str
    gillab_s: float | None = None
    other_s: float | None = None
    unit: Literal["x", "ms", "steps"] = "x"
    estimate: Estimate | None = None
    goal: Goal | None = None
    note: str = ""

    @property
    def status(self) -> Status:
        """Whether the whole interval keeps to the goal, or the whole of it does not."""
        if self.estimate is None:
            return "unavailable"
        low, high = self.estimate.low, self.estimate.high
        if self.goal is None:
            return "no goal"
        if low is None or high is None:
            return "undecided"
        sign = -1 if self.goal.least else 1
        inside, outside = (low, high) if self.goal.least else (high, low)
        if sign * inside <= sign * self.goal.limit:
            return "met"
        return "missed" if sign * outside > sign * self.goal.limit else "undecided"

    def explained(self, reason: str) -> Row:
        """Add why the goal is missed, where it is."""
        return replace(self, note=reason) if self.status == "missed" else self


def compare_ratio(
    subject: str,
    against: str,
    gillab: Sequence[float],
    other: Sequence[float],
    goal: Goal | None,
    note: str = "",
) -> Row:
    """Gillab's seconds over the other's, paired block by block."""
    estimate = ratio(gillab, other, CONFIDENCE)
    return Row(subject, against, median(gillab), median(other), "x", estimate, goal, note)


def compare_difference(
    subject: str,
    against: str,
    gillab: Sequence[float],
    other: Sequence[float],
    goal: Goal,
    note: str = "",
) -> Row:
    """Gillab's seconds less the other's, paired block by block, as milliseconds."""
    milliseconds = [1e3 * (ours - theirs) for ours, theirs in zip(gillab, other, strict=True)]
    estimate = median_interval(milliseconds, CONFIDENCE)
    return Row(subject, against, median(gillab), median(other), "ms", estimate, goal, note)
