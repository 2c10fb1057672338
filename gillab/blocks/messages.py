"""The messages between a launch that runs blocks and its parent."""

from __future__ import annotations

from dataclasses import dataclass, field

from gillab.blocks.plan import Arm
from gillab.launch.messages import Message
from gillab.results import Status
from gillab.workload import Workload

Counters = dict[str, float]


@dataclass(frozen=True, slots=True)
class OpenArms(Message):
    """The plan: start every arm's workers, and calibrate the steps that are not known yet."""

    workload: Workload
    arms: tuple[Arm, ...]
    task_time_s: float
    timeout_s: float
    steps: int | None
    """Of one task of the workload; None to calibrate them."""
    control_steps: int | None
    """Of one task of the released C loop; None to calibrate them."""
    start_method: str | None
    inner_threads: int | None = None
    """The most threads that a library (BLAS, OpenMP) may use in a worker; None: no limit."""
    other: Workload | None = None
    """A second workload, for arms that say in their variant that they run it."""
    block_s: float = 0.0
    """The arms of a block take turns for so long; 0: each runs once."""


@dataclass(frozen=True, slots=True)
class RunBlock(Message):
    """Run these arms, once each and in this order; `BlockDone` follows the last."""

    order: tuple[str, ...]
    warm_up: bool = False
    """Whether an eighth of each task will do."""
    turns_s: float | None = None
    """The arms take turns for so long now; None: as long as the plan says."""
    goes_on: bool = False
    """Whether more turns of the same block follow; what the arms took is said after the last."""


@dataclass(frozen=True, slots=True)
class MeterArms(Message):
    """Run cells once more, untimed: under the GIL's meter, and to see where the time goes."""

    order: tuple[str, ...]
    traced: tuple[str, ...] = ()
    """Those whose time is traced, in this order; as often as they are named."""


@dataclass(frozen=True, slots=True)
class Announced(Message):
    """Names the arm that comes next: if nothing follows, it died or hung."""

    arm: str
    warning: str = ""
    """What may keep it from returning, as a clause; empty where nothing is known of."""


@dataclass(frozen=True, slots=True)
class Ready(Message):
    """The arm's workers have started."""

    arm: str
    setup_s: float


@dataclass(frozen=True, slots=True)
class Failed(Message):
    """The arm is given up."""

    arm: str
    status: Status
    reason: str


@dataclass(frozen=True, slots=True)
class Calibrated(Message):
    """The steps of one task; None if no strategy that could be asked worked."""

    steps: int | None
    control_steps: int | None


@dataclass(frozen=True, slots=True)
class Measured(Message):
    """One arm has run."""

    arm: str
    seconds: float
    """Of one task: the time of the whole arm divided by its tasks."""
    cores: float
    """CPU time over wall time."""
    figures: dict[str, float] = field(default_factory=dict)
    """What the same run told besides, where an experiment measures more than one thing."""


@dataclass(frozen=True, slots=True)
class BlockDone(Message):
    """Every arm of the block has run, or is given up."""

    noise: Counters
    notes: tuple[str, ...]
    """Side effects of the workload."""
    cpu_s: float = 0.0
    """CPU time of the arms."""


@dataclass(frozen=True, slots=True)
class Noted(Message):
    """Side effects of the workload in another interpreter."""

    interpreter: str
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Held(Message):
    """The fraction of the time that the GIL was held while an arm ran, and its interval."""

    arm: str
    held: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Traced(Message):
    """What a run that leaves the time at every step tells of a whole job."""

    arm: str
    seconds: float
    """From making the pool to its end."""
    parts: tuple[float, ...]
    """Fractions of the worker-seconds: start, send, compute, receive, idle; and of compute that
    part in which a worker had no CPU. Empty where the workers are on other machines."""
    difference: str | None
    """Where its results are not the loop's; None where they are."""


@dataclass(frozen=True, slots=True)
class Refused(Message):
    """What was asked for cannot be measured: a sentence tells the asker why."""

    reason: str


@dataclass(frozen=True, slots=True)
class Metered(Message):
    """Every arm that can be metered has been."""
