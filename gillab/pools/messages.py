"""The messages between a launch that makes a pool and its parent."""

from __future__ import annotations

from dataclasses import dataclass

from gillab.blocks.plan import Arm
from gillab.launch.messages import Message


@dataclass(frozen=True, slots=True)
class MakePool(Message):
    """Load the program, make this arm's pool twice, and answer with `PoolMade`.

    Without an arm the program is loaded, and the answer is `ProgramLoaded`. What fails is answered
    with `gillab.blocks.messages.Failed`.
    """

    setup: str
    arm: Arm | None
    patience_s: float
    """The workers that came wait so long for one that did not."""


@dataclass(frozen=True, slots=True)
class ProgramLoaded(Message):
    """The program has run its setup."""


@dataclass(frozen=True, slots=True)
class PoolMade(Message):
    """What the first pool of a program took, and a later one."""

    ready_s: float
    """From making the pool until its last worker was ready."""
    end_s: float
    """From telling it to end until every worker had ended."""
    again_s: float
    """As ``ready_s``, of the second pool."""
    cores: float
    """CPU time over wall time, of the first pool."""
    memory_bytes: int | None
    """What the first pool added; None where the system does not tell."""
