"""The run of a whole experiment: launch after launch, block after block, until it is enough."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from typing import Any, NamedTuple

from gillab.errors import UsageError
from gillab.measure.launch import Launch, LaunchEndedError
from gillab.measure.noise import Counters
from gillab.measure.plan import NULL, SERIAL, Experiment, Protocol
from gillab.results import Status

_GRACE_S = 2.0
"""So long past the time budget an arm that runs is waited for."""
_MUCH_BYTES = 100_000
"""A workload that prints more than this is printing, not complaining."""
_SHORT_BLOCK_S = 3.0
"""Blocks longer than this are too dear for one to be thrown away as a warm-up."""


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
    block_s: float = 0.0
    """The longest block so far, which tells whether another one fits."""
    blocks: list[Block] = field(default_factory=list)
    setups_s: dict[str, list[float]] = field(default_factory=dict)
    held: dict[str, list[float]] = field(default_factory=dict)
    """The fraction of the time that the GIL was held while an arm ran, once a launch."""
    failures: dict[str, Failure] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    @property
    def open_cells(self) -> list[str]:
        """The keys of those cells that can still be measured."""
        return [arm.key for arm in self.experiment.cells if arm.key not in self.failures]

    def fail(self, key: str, failure: Failure) -> None:
        """Give an arm up; the two serial arms stand and fall together."""
        if key == NULL.key:
            key = SERIAL.key
        self.failures.setdefault(key, failure)
        if key == SERIAL.key:
            self.failures.setdefault(NULL.key, failure)

    def note(self, note: str) -> None:
        """Keep what the workload was seen to do, once."""
        if note not in self.notes:
            self.notes.append(note)


class OutOfTimeError(Exception):
    """The time budget is used up in the midst of an arm."""


Widest = Callable[[Record], float]
"""The relative half-width of the record's widest interval, infinite where one is missing."""


class Session:
    """Measures experiments by turns within one time budget.

    A workload's launches are its own, so that nothing that one workload does to its interpreter
    reaches another; they take turns, so that each has its blocks when the time is up. Whatever
    ends `run`, the records hold what was measured.
    """

    def __init__(
        self,
        experiments: Sequence[Experiment],
        protocol: Protocol,
        widest: Widest,
        on_block: Callable[[Record, float], None] = lambda record, left_s: None,
    ) -> None:
        self.records = [Record(experiment, protocol.steps) for experiment in experiments]
        self._protocol = protocol
        self._widest = widest
        self._on_block = on_block
        self._random = random.Random(protocol.seed)
        self._deadline = 0.0

    def run(self) -> None:
        """Measure until every interval is narrow enough, or until the time is up."""
        protocol = self._protocol
        self._deadline = time.monotonic() + protocol.time_budget_s
        turn = 0
        while pending := [r for r in self.records if self._wants_more(r, turn)]:
            for position, record in enumerate(pending):
                turns_left = max(0, protocol.launches - 1 - turn) * len(pending)
                turns_left += len(pending) - position
                left_s = self._deadline - time.monotonic()
                self._take_turn(record, turn, time.monotonic() + left_s / turns_left)
            turn += 1

    def _wants_more(self, record: Record, turn: int) -> bool:
        protocol = self._protocol
        left_s = self._deadline - time.monotonic()
        if not record.open_cells or len(record.blocks) >= protocol.max_blocks or left_s <= 0:
            return False
        if turn < protocol.launches:
            return True
        # A launch costs its start and a warm-up besides.
        if left_s < 2 * record.block_s + 1:
            return False
        if SERIAL.key in record.failures:
            return len(record.blocks) < protocol.min_blocks
        return not self._is_enough(record)

    def _is_enough(self, record: Record) -> bool:
        return (
            len(record.blocks) >= self._protocol.min_blocks
            and self._widest(record) <= self._protocol.target_error
        )

    def _take_turn(self, record: Record, turn: int, until: float) -> None:
        """Measure some blocks in a fresh interpreter, and in another where that one dies."""
        protocol = self._protocol
        wanted = -(-protocol.min_blocks // protocol.launches)
        if turn >= protocol.launches:
            wanted = max(wanted, 10)  # the start of a launch is to be a small part of it
        goal = min(len(record.blocks) + wanted, protocol.max_blocks)
        deaths = 0
        while record.open_cells and len(record.blocks) < goal and deaths < 2:
            if time.monotonic() >= min(until, self._deadline):
                return
            failures = len(record.failures)
            try:
                self._launch(record, turn, goal, until)
                return
            except OutOfTimeError:
                return
            except LaunchEndedError as error:
                if len(record.failures) == failures:  # nothing was announced: nobody to blame
                    deaths += 1
                    ended = Failure("failed", str(error))
        if deaths == 2:
            for key in record.open_cells:
                record.fail(key, ended)

    def _launch(self, record: Record, turn: int, goal: int, until: float) -> None:
        record.launches += 1
        plan = {
            "workload": asdict(record.experiment.workload),
            "arms": [asdict(a) for a in record.experiment.arms if a.key not in record.failures],
            "steps": record.steps,
            "control_steps": record.control_steps,
            "task_time_s": self._protocol.task_time_s,
            "start_method": self._protocol.start_method,
        }
        with Launch(plan) as launch, _noting_prints(launch, record):
            conversation = _Conversation(launch, record, self._protocol.timeout_s, self._deadline)
            conversation.listen_until("calibrated")
            warm = record.block_s >= _SHORT_BLOCK_S
            while record.open_cells and len(record.blocks) < goal:
                now = time.monotonic()
                # A launch that is paid for gives one block at least, while there is time at all.
                end = until if conversation.kept else self._deadline
                if conversation.blocks and now + record.block_s > min(end, self._deadline):
                    break
                if turn >= self._protocol.launches and self._is_enough(record):
                    break
                order = [a.key for a in record.experiment.arms if a.key not in record.failures]
                self._random.shuffle(order)
                conversation.run_block(order, keep=warm)
                record.block_s = max(record.block_s, time.monotonic() - now)
                warm = True
                self._on_block(record, self._deadline - time.monotonic())
            # It takes less than a block: fewer arms, each once.
            if conversation.kept and time.monotonic() + record.block_s <= self._deadline:
                conversation.meter()


@contextmanager
def _noting_prints(launch: Launch, record: Record) -> Iterator[None]:
    try:
        yield
    finally:
        if launch.stderr_bytes > _MUCH_BYTES:
            record.note("prints much to standard error")


class _Conversation:
    """What passes between a launch and its parent, entered into the record line by line."""

    def __init__(self, launch: Launch, record: Record, timeout_s: float, deadline: float) -> None:
        self._launch = launch
        self._record = record
        self._timeout_s = timeout_s
        self._deadline = deadline
        self._announced: str | None = None
        self._seconds: dict[str, float] = {}
        self._cores: dict[str, float] = {}
        self.blocks = 0
        self.kept = 0

    def run_block(self, order: list[str], keep: bool) -> None:
        """Have one block run; what is measured of it is kept even where the launch dies."""
        self._seconds, self._cores = {}, {}
        noise: Counters = {}
        self._launch.send({"order": order})
        self.blocks += 1
        try:
            noise = self.listen_until("block")["noise"]
        finally:
            if keep and self._seconds:
                self.kept += 1
                record = self._record
                record.blocks.append(
                    Block(
                        record.experiment.workload.name,
                        record.launches,
                        tuple(order),
                        self._seconds,
                        self._cores,
                        noise,
                    )
                )

    def meter(self) -> None:
        """Have the GIL metered while each arm runs once more, apart from all that is timed.

        Nothing measured depends on it, so that a launch which dies or hangs here is let go.
        """
        self._launch.send({"meter": True})
        with suppress(LaunchEndedError, OutOfTimeError):
            self.listen_until("metered")

    def listen_until(self, last: str) -> dict[str, Any]:
        """Take events in until the one of that name, and return it."""
        while True:
            event = self._receive()
            self._take(event)
            if event["event"] == last:
                return event

    def _receive(self) -> dict[str, Any]:
        budget_s = self._deadline + _GRACE_S - time.monotonic()
        try:
            return self._launch.receive(min(self._timeout_s, budget_s))
        except TimeoutError:
            if budget_s <= self._timeout_s:
                raise OutOfTimeError from None
            reason = f"did not return within {self._timeout_s:g} s (--timeout)"
            self._blame(reason)
            raise LaunchEndedError(reason) from None
        except LaunchEndedError as error:
            self._blame(str(error))
            raise

    def _blame(self, reason: str) -> None:
        if self._announced is not None:
            self._record.fail(self._announced, Failure("failed", reason))

    def _take(self, event: dict[str, Any]) -> None:
        record = self._record
        match event:
            case {"event": "announce", "arm": key}:
                self._announced = key
            case {"event": "ready", "arm": key, "setup_s": setup_s}:
                self._announced = None
                record.setups_s.setdefault(key, []).append(setup_s)
            case {"event": "failed", "arm": key, "status": status, "reason": reason}:
                self._announced = None
                record.fail(key, Failure(status, reason))
            case {"event": "measured", "arm": key, "seconds": seconds, "cores": cores}:
                self._announced = None
                self._seconds[key] = seconds
                self._cores[key] = cores
            case {"event": "calibrated", "cell": steps, "control": control_steps}:
                self._announced = None
                record.steps, record.control_steps = steps, control_steps
            case {"event": "held", "arm": key, "held": held}:
                record.held.setdefault(key, []).append(held)
            case {"event": "block", "notes": notes}:
                for note in notes:
                    record.note(note)


def check_functions(experiments: Sequence[Experiment], timeout_s: float) -> None:
    """Look in a fresh interpreter whether the functions that are workloads exist.

    UsageError where one does not. A module that cannot be imported for another reason is left for
    the measuring to report.
    """
    workloads = [experiment.workload for experiment in experiments]
    names = [workload.name for workload in workloads if workload.kind == "function"]
    if not names:
        return
    with Launch({"functions": names}) as launch:
        for _ in names:
            try:
                event = launch.receive(timeout_s)
            except (TimeoutError, LaunchEndedError):
                return
            if event["event"] == "unusable":
                raise UsageError(event["reason"])
