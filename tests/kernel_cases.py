"""Every kernel in the one shape the behaviour suite calls: a number of steps in, steps out."""

from __future__ import annotations

from array import array
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from gillab.kernels import (
    countdown_array,
    countdown_held,
    countdown_mixed,
    countdown_nogil,
    countdown_python,
)


@dataclass(frozen=True, slots=True)
class KernelCase:
    """A kernel under test; ``native`` ones are compiled and count in 64 bits."""

    name: str
    call: Callable[[Any], int]
    native: bool = True

    def __str__(self) -> str:
        return self.name


def count_one_element(n: Any) -> int:
    counts = array("q", [n])
    steps = countdown_array(counts)
    if counts[0] != min(n, 0):
        raise AssertionError(f"an element of {n} was left at {counts[0]}")
    return steps


def mixed_case(released: float, chunk: int) -> KernelCase:
    return KernelCase(
        f"mixed-{released}-{chunk}", partial(countdown_mixed, released=released, chunk=chunk)
    )


CASES = {
    case.name: case
    for case in (
        KernelCase("python", countdown_python, native=False),
        KernelCase("held", countdown_held),
        KernelCase("nogil", countdown_nogil),
        mixed_case(0.0, 1_000_000),
        mixed_case(0.0, 2**63 - 1),
        mixed_case(0.5, 2),
        mixed_case(0.5, 1_000_000),
        mixed_case(0.3, 777),
        mixed_case(1.0, 1_000_000),
        mixed_case(0.5, 2**63 - 1),
        KernelCase("array", count_one_element),
    )
}
