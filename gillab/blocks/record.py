"""What has been measured of an experiment: its blocks, its failures, and what was noted."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

from gillab.blocks.messages import Counters, Held
from gillab.blocks.plan import NULL, SERIAL, Experiment
from gillab.results import Status


class Failure(NamedTuple):
    """Why an arm was given up."""

    status: Status
    reason: str


@dataclass(frozen=True, slots=True)
class Block:
    """Every arm once, in the order given; seconds are per task, by the arm's key."""

    workload: str
    launch: int
    order: tuple[str, ...]
    seconds: dict[str, float]
    cores: dict[str, float]
    noise: Counters


@dataclass(slots=True)
class Record:
    """What is known of one experiment so far."""

    experiment: Experiment
    steps: int | None
    control_steps: int | None = None
    launches: int = 0
    settled: bool = False
    """Whether the run ended at a look because every verdict was decided."""
    block_s: float = 0.0
    """The longest block so far, which tells whether another one fits."""
    blocks: list[Block] = field(default_factory=list)
    setups_s: dict[str, list[float]] = field(default_factory=dict)
    held: dict[str, list[Held]] = field(default_factory=dict)
    """How much of the time the GIL was held while an arm ran; one reading for each launch."""
    failures: dict[str, Failure] = field(default_factory=dict)
    cut: dict[str, float] = field(default_factory=dict)
    """If the end of the time cut an arm off: the seconds for which it had run."""
    notes: list[str] = field(default_factory=list)

    @property
    def open_cells(self) -> list[str]:
        """The keys of those cells that can still be measured."""
        return [arm.key for arm in self.experiment.cells if arm.key not in self.failures]

    def fail(self, key: str, failure: Failure) -> None:
        """Give an arm up; if it is one of the two serial arms, give up both."""
        if key == NULL.key:
            key = SERIAL.key
        self.failures.setdefault(key, failure)
        if key == SERIAL.key:
            self.failures.setdefault(NULL.key, failure)

    def note(self, note: str) -> None:
        """Keep each side effect of the workload once."""
        if note not in self.notes:
            self.notes.append(note)
