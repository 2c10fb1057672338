"""The arms that show what a release of the GIL costs and gives, at several sizes of a call."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple, cast

from gillab.blocks.plan import NULL, SERIAL, Arm

Which = Literal["held", "released"]
Where = Literal["alone", "beside", "turns"]
"""A call alone; beside a busy thread; and the turns that this thread gets meanwhile."""
SIZES_S = (1e-6, 1e-5, 1e-4, 1e-3, 5e-3, 20e-3)
"""Fewer than a pool is tried with: each is measured in six ways."""
CALLS: tuple[Which, ...] = ("held", "released")
BUSY = Arm("serial", 1, variant="turns")
"""The busy thread alone."""


class Place(NamedTuple):
    """Which call is made in an arm, of how many steps, and where."""

    call: Which
    where: Where
    steps: int

    @property
    def arm(self) -> Arm:
        """The arm that says so."""
        variant = f"{self.call} {self.where} {self.steps}"
        alone = self.where == "alone"
        return Arm("serial" if alone else "threads", 1 if alone else 2, variant=variant)


def read_place(arm: Arm, largest: int) -> Place | None:
    """Return what an arm says; None for the busy thread alone."""
    if arm == BUSY:
        return None
    if not arm.variant:
        return Place("held", "alone", largest)
    call, where, steps = arm.variant.split()
    return Place(cast("Which", call), cast("Where", where), int(steps))


def list_places(steps: Sequence[int]) -> list[Place]:
    """Return every place, the smallest calls first."""
    wheres: tuple[Where, ...] = ("alone", "beside", "turns")
    return [Place(call, where, each) for each in steps for call in CALLS for where in wheres]


def find_key(place: Place, largest: int) -> str:
    """Return the key of the arm of a place; that of the largest held call alone is the baseline."""
    return SERIAL.key if place == Place("held", "alone", largest) else place.arm.key


def plan_release(steps: Sequence[int]) -> tuple[Arm, ...]:
    """Return an arm for each place, the busy thread alone, and the second serial arm."""
    largest = max(steps)
    baseline = Place("held", "alone", largest)
    others = [place.arm for place in list_places(steps) if place != baseline]
    return (SERIAL, *others, BUSY, NULL)
