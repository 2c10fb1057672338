"""The run of a whole experiment: launch after launch, block after block, until it is enough."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict

from gillab.blocks.client import Client, OutOfTimeError
from gillab.blocks.plan import SERIAL, Experiment, Protocol
from gillab.blocks.record import Failure, Record
from gillab.errors import UsageError
from gillab.launch.launch import Launch, LaunchEndedError

_GRACE_S = 2.0
"""So long at most an arm that runs when the time is up is waited for."""
_MUCH_BYTES = 100_000
"""A workload that prints more than this is printing, not complaining."""
_SHORT_BLOCK_S = 3.0
"""Blocks longer than this are too dear for one to be thrown away as a warm-up."""

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
        self._grace_s = 0.0

    def run(self) -> None:
        """Measure until every interval is narrow enough, or until the time is up."""
        protocol = self._protocol
        budget_s = protocol.time_budget_s
        # An arm that runs when the time is up is waited for a little, which is of the budget too.
        self._grace_s = min(_GRACE_S, budget_s / 10)
        self._deadline = time.monotonic() + budget_s - self._grace_s
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
            "timeout_s": self._protocol.timeout_s,
        }
        with Launch(plan) as launch, _noting_prints(launch, record):
            last = self._deadline + self._grace_s
            client = Client(launch, record, self._protocol.timeout_s, last)
            client.await_start()
            client.listen_until("calibrated")
            while record.open_cells and len(record.blocks) < goal:
                now = time.monotonic()
                # A launch that is paid for gives one block at least, while there is time at all.
                end = until if client.kept else self._deadline
                if client.blocks and now + record.block_s > min(end, self._deadline):
                    break
                if turn >= self._protocol.launches and self._is_enough(record):
                    break
                order = [a.key for a in record.experiment.arms if a.key not in record.failures]
                self._random.shuffle(order)
                warm_up_s = 0.0 if client.blocks else _SHORT_BLOCK_S
                client.run_block(order, warm_up_s)
                record.block_s = max(record.block_s, time.monotonic() - now)
                self._on_block(record, self._deadline - time.monotonic())
            # It takes less than a block: fewer arms, each once.
            if client.kept and time.monotonic() + record.block_s <= self._deadline:
                client.meter()


@contextmanager
def _noting_prints(launch: Launch, record: Record) -> Iterator[None]:
    try:
        yield
    finally:
        if launch.stderr_bytes > _MUCH_BYTES:
            record.note("prints much to standard error")


def check_functions(experiments: Sequence[Experiment], timeout_s: float) -> None:
    """Look in a fresh interpreter whether the functions that are workloads exist.

    UsageError where one does not. A module that cannot be imported for another reason is left for
    the measuring to report.
    """
    workloads = [experiment.workload for experiment in experiments]
    names = [workload.name for workload in workloads if workload.kind == "function"]
    if not names:
        return
    # Whether it starts at all is for the measuring to report, too.
    with Launch({"functions": names}) as launch, suppress(TimeoutError, LaunchEndedError):
        launch.await_start(timeout_s)
        for _ in names:
            event = launch.receive(timeout_s)
            if event["event"] == "unusable":
                raise UsageError(event["reason"])
