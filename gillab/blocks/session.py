"""Runs a whole experiment: launch after launch, block after block, until it is decided."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import NamedTuple
from typing import Protocol as TypingProtocol

from gillab.blocks.client import Channel, Client, OutOfTimeError
from gillab.blocks.evidence import Machine
from gillab.blocks.messages import OpenArms
from gillab.blocks.plan import SERIAL, Experiment
from gillab.blocks.protocol import Protocol
from gillab.blocks.record import Failure, Record
from gillab.blocks.runner import WARM_UP
from gillab.blocks.stopping import Look, Standing, look
from gillab.blocks.thinning import fail_rivals, thin
from gillab.launch.inner_threads import limit_by_environment
from gillab.launch.launch import Launch, LaunchEndedError
from gillab.statistics import is_look, next_look

_GRACE_S = 2.0
"""The longest wait for an arm that is still running when the time is up."""
_MUCH_BYTES = 100_000
"""A workload that prints more than this is printing, not complaining."""
_SLOW_SHARE = 1 / 6
"""An arm that is much slower than the loop runs again only if it takes no more of the time left."""
_LAST_SHARE = 4 / 5
"""So much of the time left may go into traces of a job when all else has been decided."""
_SHORT_BLOCK_S = 3.0
"""If blocks take longer than this, none is thrown away as a warm-up: that would cost too much."""


class Launchable(Channel, AbstractContextManager["Launchable"], TypingProtocol):
    """A launch as a session needs it: a channel that is closed at the end and counts its output."""

    @property
    def stderr_bytes(self) -> int:
        """How much it has written to standard error."""


class Progress(NamedTuple):
    """Where a run stands after a block."""

    workload: str
    launch: int
    block: int
    """Blocks of this workload so far."""
    blocks: int
    """The most blocks that this workload will have."""
    left_s: float
    """Of the time budget."""
    widest: float
    """The relative half-width of the widest interval so far; infinite where one is missing."""
    target: float
    undecided: int | None
    """The cells whose verdict was open at the last look; None before the first."""


class Session:
    """Measures experiments by turns within one time budget.

    Each workload has launches of its own, so that nothing which it does to its interpreter affects
    another workload. The workloads take turns, so that each has its blocks when the time is up.
    However `run` ends, the records hold what was measured.
    """

    def __init__(
        self,
        experiments: Sequence[Experiment],
        protocol: Protocol,
        machine: Machine,
        on_block: Callable[[Progress], None] | None = None,
        start: Callable[[], Launchable] | None = None,
        look: Look = look,
    ) -> None:
        """Take the plan; ``machine`` is what the verdicts need to know of it.

        ``start`` makes a launch, in a fresh interpreter unless something else is given. ``look``
        tells how far a workload has come.
        """
        self._thins = protocol.thins
        self.records = [Record(experiment, protocol.steps) for experiment in experiments]
        self._protocol = protocol
        self._machine = machine
        self._on_block = on_block
        self._start = start or self._start_launch
        self._find_standing = look
        self._random = random.Random(protocol.seed)
        self._standings: dict[int, Standing] = {}
        self._deadline = 0.0
        self._grace_s = 0.0

    def _start_launch(self) -> Launchable:
        return Launch("gillab.blocks.child", limit_by_environment(self._protocol.inner_threads))

    def run(self) -> None:
        """Measure until every interval is narrow enough, or until the time is up."""
        protocol = self._protocol
        budget_s = protocol.time_budget_s
        # The short wait for an arm that is running when the time is up is part of the budget too.
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
            return not record.settled
        # A launch costs its start and a warm-up besides.
        if left_s < 2 * record.block_s + 1:
            return False
        if SERIAL.key in record.failures:
            return len(record.blocks) < protocol.min_blocks
        return not self._is_enough(record)

    def _is_enough(self, record: Record) -> bool:
        return record.settled or (
            self._standing(record).narrow and len(record.blocks) >= self._protocol.min_blocks
        )

    def _standing(self, record: Record) -> Standing:
        return self._standings.get(id(record), Standing())

    def _look(self, record: Record) -> None:
        """At the numbers of blocks set for looks, see whether the workload is decided."""
        blocks = len(record.blocks)
        if not is_look(blocks) and blocks < self._protocol.max_blocks:
            return
        standing = self._find_standing(record, self.records, self._protocol, self._machine)
        self._standings[id(record)] = standing
        enough = blocks >= self._protocol.min_blocks and is_look(blocks)
        if enough and standing.decided and self._protocol.until_decided:
            record.settled = True

    def _take_turn(self, record: Record, turn: int, until: float) -> None:
        """Measure some blocks in a fresh interpreter, and in another where that one dies."""
        protocol = self._protocol
        goal = len(record.blocks) + -(-protocol.min_blocks // protocol.launches)
        if turn >= protocol.launches:
            goal = next_look(len(record.blocks))
        goal = min(goal, protocol.max_blocks)
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
                if len(record.failures) == failures:  # nothing was announced: no arm is to blame
                    deaths += 1
                    ended = Failure("failed", str(error))
                else:
                    fail_rivals(record, *list(record.failures.items())[-1])
        if deaths == 2:
            for key in record.open_cells:
                record.fail(key, ended)

    def _launch(self, record: Record, turn: int, goal: int, until: float) -> None:
        record.launches += 1
        protocol = self._protocol
        arms = [arm for arm in record.experiment.arms if arm.key not in record.failures]
        if protocol.block_s and record.steps is not None:
            # What is opened first in an interpreter runs up to 3 % slower than what follows, though
            # both are alike.
            self._random.shuffle(arms)
        plan = OpenArms(
            workload=record.experiment.workload,
            arms=tuple(arms),
            task_time_s=protocol.task_time_s,
            timeout_s=protocol.timeout_s,
            steps=record.steps,
            control_steps=record.control_steps,
            start_method=protocol.start_method,
            inner_threads=protocol.inner_threads,
            other=record.experiment.other,
            block_s=protocol.block_s,
        )
        with self._start() as launch:
            try:
                last = self._deadline + self._grace_s
                client = Client(launch, record, protocol.timeout_s, last)
                client.start(plan)
                self._run_blocks(client, record, turn, goal, until)
                self._meter(client, record, turn)
            finally:
                if launch.stderr_bytes > _MUCH_BYTES:
                    record.note("prints much to standard error")

    def _meter(self, client: Client, record: Record, turn: int) -> None:
        """Have the GIL metered, and the time of a job traced, where there is time for it."""
        left_s = self._deadline - time.monotonic()
        # It takes less than a block: fewer arms, each once.
        if not client.kept or record.block_s > left_s or self._protocol.block_s:
            return
        last = turn >= self._protocol.launches - 1
        metered, traced = [], []
        # Not in the last launch that is planned, whose verdicts are asked for before.
        if not record.held or not last:
            metered = record.list_unmetered(left_s * _SLOW_SHARE)
        if self._thins:
            # What is left of the time when all is decided, nobody else needs.
            ends = last and self._is_enough(record)
            traced = record.list_untraced(left_s * (_LAST_SHARE if ends else _SLOW_SHARE))
        if metered or traced:
            client.meter(metered, traced)

    def _run_blocks(
        self, client: Client, record: Record, turn: int, goal: int, until: float
    ) -> None:
        while record.open_cells and len(record.blocks) < goal:
            now = time.monotonic()
            most_s = 0.0 if client.kept else (self._deadline - now) * _SLOW_SHARE
            order = record.list_running(most_s)
            # How long a shorter block takes is seen when one has run.
            block_s = record.block_s if len(order) >= record.block_arms else 0.0
            # A launch that is paid for gives one block at least, while there is time at all.
            end = until if client.kept else self._deadline
            if client.blocks and now + block_s > min(end, self._deadline):
                break
            if turn >= self._protocol.launches - 1 and self._is_enough(record):
                break
            self._random.shuffle(order)
            if not client.blocks and self._has_short_warm_up(record):
                client.warm_up(order)
                continue
            client.run_block(order, 0.0 if client.blocks else _SHORT_BLOCK_S)
            record.block_s = max(block_s, time.monotonic() - now)
            record.block_arms = len(order)
            if self._thins:
                thin(record, client.seconds)
            self._look(record)
            if self._on_block is not None:
                self._on_block(self._describe_progress(record))

    def _has_short_warm_up(self, record: Record) -> bool:
        """Whether its tasks can be shortened: a whole job, or one long call, cannot.

        Where arms take turns, one turn is short.
        """
        if self._protocol.block_s:
            return record.block_s < _SHORT_BLOCK_S
        return not self._protocol.thins and (record.steps or 0) >= WARM_UP

    def _describe_progress(self, record: Record) -> Progress:
        standing = self._standing(record)
        return Progress(
            workload=record.experiment.workload.name,
            launch=record.launches,
            block=len(record.blocks),
            blocks=self._protocol.max_blocks,
            left_s=self._deadline - time.monotonic(),
            widest=standing.widest,
            target=self._protocol.target_error,
            undecided=standing.undecided,
        )
