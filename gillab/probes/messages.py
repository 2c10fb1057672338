"""What is measured in one round, and the messages between its launch and the parent."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from gillab.launch.messages import Message
from gillab.results import Status, arm_key
from gillab.workload import Workload

Where = Literal["threads", "processes"]
"""Where the workload runs: in this process beside the probe, or in others."""


@dataclass(frozen=True, slots=True)
class Condition:
    """One probe beside so many threads or processes that run the workload."""

    probe: str
    """Which probe it is: ``loop``, say."""
    where: Where
    """Whether what is beside it runs in threads of the probe's process or in processes."""
    busy: int
    """0: the probe is alone."""
    switch_interval_s: float
    """``sys.getswitchinterval()`` there."""

    @property
    def arm(self) -> str:
        """What it is beside, as a cell is named: ``threads/1``."""
        return arm_key(self.where, self.busy)


@dataclass(frozen=True, slots=True)
class Delays:
    """What one probe noted in one round; times in seconds."""

    condition: Condition
    """What the probe was beside."""
    delays_s: tuple[float, ...]
    """In order of size; where there were very many, evenly spaced ones of them, the longest
    included."""
    count: int
    """How many there were: of the echo, requests that were answered."""
    duration_s: float
    """How long the round took."""

    @property
    def rate(self) -> float:
        """Delays noted a second: of the echo, requests answered a second."""
        return self.count / self.duration_s


@dataclass(frozen=True, slots=True)
class ProbeDelays(Message):
    """The plan of a round: measure in each condition, in this order, for so long."""

    workload: Workload
    conditions: tuple[Condition, ...]
    seconds: float
    start_method: str | None = None


@dataclass(frozen=True, slots=True)
class WorkloadTimed(Message):
    """The setup has run, and one call has returned, the second time after so many seconds."""

    call_s: float
    gil_enabled: bool


@dataclass(frozen=True, slots=True)
class DelaysNoted(Message):
    """One condition has been measured."""

    delays: Delays


@dataclass(frozen=True, slots=True)
class ConditionFailed(Message):
    """The workload failed, or is unavailable, in the condition whose turn it was."""

    status: Status
    reason: str


@dataclass(frozen=True, slots=True)
class WorkloadFailed(Message):
    """The workload's setup or its first call failed: nothing can be measured."""

    reason: str


@dataclass(frozen=True, slots=True)
class RoundEnded(Message):
    """Every condition has had its turn; what else the machine did meanwhile."""

    noise: dict[str, float]
