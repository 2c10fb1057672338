"""What has been measured of an experiment: its blocks, its failures, and what was noted."""

from __future__ import annotations

from dataclasses import dataclass, field
from statistics import median
from typing import NamedTuple

from gillab.blocks.messages import Counters, Held, Traced
from gillab.blocks.plan import NULL, SERIAL, Experiment
from gillab.results import Status

_TRACES = 4
"""So often an arm is traced where the runs that were only timed lie between its traced ones."""
_MOST_TRACES = 12
"""So often at most where they do not: the machine may have been busier or quieter meanwhile."""
_TRACES_A_LAUNCH = 2


class Failure(NamedTuple):
    """Why an arm was given up."""

    status: Status
    reason: str
    foreseen: bool = False
    """Whether it hung for a cause that was known before: others of its kind would hang as well."""


@dataclass(frozen=True, slots=True)
class Block:
    """Every arm once, in the order given; seconds are per task, by the arm's key."""

    workload: str
    launch: int
    order: tuple[str, ...]
    seconds: dict[str, float]
    cores: dict[str, float]
    noise: Counters
    figures: dict[str, dict[str, float]] = field(default_factory=dict)
    """What the runs told besides their time, by the arm's key."""


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
    """The longest block so far of as many arms, which tells whether another one fits."""
    block_arms: int = 0
    """The arms of the last block."""
    blocks: list[Block] = field(default_factory=list)
    setups_s: dict[str, list[float]] = field(default_factory=dict)
    held: dict[str, list[Held]] = field(default_factory=dict)
    """How much of the time the GIL was held while an arm ran, once a launch."""
    traces: dict[str, list[Traced]] = field(default_factory=dict)
    """Of a whole job: where the time of a run went."""
    resting: set[str] = field(default_factory=set)
    """Those arms that run no more, since a few runs have told: see `gillab.blocks.thinning`."""
    thinned: bool = False
    """Whether the candidates that were slower in the first block have left."""
    last_s: dict[str, float] = field(default_factory=dict)
    """What each arm took in its last run of a whole block, kept or not."""
    slow: set[str] = field(default_factory=set)
    """Those that take so much longer than the loop that they run in few blocks."""
    failures: dict[str, Failure] = field(default_factory=dict)
    cut: dict[str, float] = field(default_factory=dict)
    """If the end of the time cut an arm off: the seconds for which it had run."""
    notes: list[str] = field(default_factory=list)
    notes_elsewhere: dict[str, list[str]] = field(default_factory=dict)
    """Those of other interpreters, by their labels."""

    @property
    def open_cells(self) -> list[str]:
        """The keys of those cells that can still be measured."""
        return [arm.key for arm in self.experiment.cells if arm.key not in self.failures]

    def list_running(self, most_s: float) -> list[str]:
        """Return the keys of the arms that the next block runs; no slow one that takes longer."""
        return [
            arm.key
            for arm in self.experiment.arms
            if arm.key not in self.failures
            and arm.key not in self.resting
            and (arm.key not in self.slow or self.last_s[arm.key] <= most_s)
        ]

    def list_unmetered(self, most_s: float) -> list[str]:
        """Return the keys of the cells to be metered in a launch.

        The slow ones once in a run, and only what takes no longer than ``most_s``.
        """
        slow = [
            key
            for key in self.open_cells
            if key in self.slow and key not in self.held and self.last_s.get(key, 0.0) <= most_s
        ]
        return [*(key for key in self.open_cells if key not in self.slow), *slow]

    def list_untraced(self, most_s: float) -> list[str]:
        """Return the keys of the cells to be traced in a launch: new ones first, then quick ones.

        Each is traced more than once, in several launches, so that one of its runs takes about as
        long as the timed ones do. Together they take no longer than ``most_s``, as far as is known.
        """
        # Its results are held against the loop's, which runs once more for that.
        loop_s = self.last_s.get(SERIAL.key, 0.0)
        takes_s = {key: self.last_s.get(key, 0.0) + loop_s for key in self.open_cells}
        seen = {key: len(self.traces.get(key, ())) for key in takes_s}
        enough = {key: _TRACES if self._is_between(key) else _MOST_TRACES for key in takes_s}
        order = []
        for _ in range(_TRACES_A_LAUNCH):
            for key in sorted(takes_s, key=lambda key: (seen[key] > 0, takes_s[key])):
                if key == SERIAL.key or seen[key] >= enough[key] or takes_s[key] > most_s:
                    continue
                order.append(key)
                seen[key] += 1
                most_s -= takes_s[key]
        return order

    def _is_between(self, key: str) -> bool:
        """Whether an arm's median time lies between the times of its traced runs."""
        timed = [block.seconds[key] for block in self.blocks if key in block.seconds]
        traced = [trace.seconds for trace in self.traces.get(key, ())]
        return bool(timed and traced) and min(traced) <= median(timed) <= max(traced)

    def fail(self, key: str, failure: Failure) -> None:
        """Give an arm up; if it is one of the two serial arms, give up both.

        What has run before is not unavailable: it has failed.
        """
        if failure.status == "unavailable" and any(key in each.seconds for each in self.blocks):
            failure = failure._replace(status="failed")
        if key == NULL.key:
            key = SERIAL.key
        self.failures.setdefault(key, failure)
        if key == SERIAL.key:
            self.failures.setdefault(NULL.key, failure)

    def note(self, *notes: str, interpreter: str = "") -> None:
        """Keep each side effect of the workload once, of this interpreter or of another."""
        kept = self.notes_elsewhere.setdefault(interpreter, []) if interpreter else self.notes
        kept += [note for note in notes if note not in kept]
