"""Runs each arm of a block in a fresh interpreter of its own.

What a program pays once, for a fork server or a process that tracks resources, it pays for its
first pool. So every arm needs a program that has made none.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from types import TracebackType

from gillab.blocks.messages import (
    Announced,
    BlockDone,
    Calibrated,
    Failed,
    Measured,
    MeterArms,
    Metered,
    OpenArms,
    RunBlock,
)
from gillab.blocks.noise import difference, read_counters
from gillab.blocks.plan import Arm
from gillab.launch.launch import Launch, LaunchEndedError
from gillab.launch.messages import Message
from gillab.pools.messages import MakePool, PoolMade
from gillab.strategies import get_strategy
from gillab.strategies.worker import read_cpu_ns

CHILD = "gillab.pools.child"
_PATIENCE = 0.8
"""Workers that came wait for this share of the timeout: a missing one is reported before it is
up."""


class FreshLaunches:
    """Answers a session as one launch would, and starts one for each arm of each block."""

    stderr_bytes = 0

    def __init__(self) -> None:
        self._plan: OpenArms | None = None
        self._answers: Iterator[Message] = iter(())
        self._timeout_s = 0.0

    def await_start(self, timeout_s: float, budget_s: float) -> None:
        """Return at once: nothing is started yet."""

    def send(self, message: Message) -> None:
        """Note what is to be done; it is done when the answers are asked for."""
        match message:
            case OpenArms():
                self._plan = message
                self._answers = self._open(message)
            case RunBlock(order) if self._plan is not None:
                self._answers = self._run_block(self._plan, order)
            case MeterArms():
                self._answers = iter((Metered(),))

    def receive(self, timeout_s: float) -> Message:
        """Return the next answer; TimeoutError, LaunchEndedError."""
        self._timeout_s = timeout_s
        return next(self._answers)

    def _open(self, plan: OpenArms) -> Iterator[Message]:
        failure = self._try_program(plan)
        for arm in plan.arms:
            obstacle = get_strategy(arm.strategy).find_obstacle()
            if obstacle:
                yield Failed(arm.key, "unavailable", obstacle)
            elif failure:
                yield Failed(arm.key, "failed", failure)
        yield Calibrated(1, None)

    def _try_program(self, plan: OpenArms) -> str | None:
        """Run the setup alone, and return how it fails: that is the same for every arm."""
        try:
            answer = self._ask(plan, None)
        except LaunchEndedError as error:
            return f"{error}; it was still in the setup"
        except TimeoutError:
            if self._timeout_s < plan.timeout_s:
                raise  # the whole run's time is up
            return f"the setup did not return within {plan.timeout_s:g} s (--timeout)"
        return answer.reason if isinstance(answer, Failed) else None

    def _run_block(self, plan: OpenArms, order: tuple[str, ...]) -> Iterator[Message]:
        arms = {arm.key: arm for arm in plan.arms}
        before, cpu_ns = read_counters(), read_cpu_ns()
        for key in order:
            yield Announced(key)
            answer = self._ask(plan, arms[key])
            yield _describe(key, answer) if isinstance(answer, PoolMade) else answer
        cpu_s = (read_cpu_ns() - cpu_ns) / 1e9
        yield BlockDone(difference(before, read_counters(), cpu_s), ())

    def _ask(self, plan: OpenArms, arm: Arm | None) -> Message:
        deadline = time.monotonic() + self._timeout_s
        with Launch(CHILD) as launch:
            launch.await_start(self._timeout_s, self._timeout_s)
            launch.send(MakePool(plan.workload.setup, arm, _PATIENCE * plan.timeout_s))
            return launch.receive(max(0.0, deadline - time.monotonic()))

    def __enter__(self) -> FreshLaunches:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._answers = iter(())


def _describe(key: str, made: PoolMade) -> Measured:
    figures = {"end_s": made.end_s, "again_s": made.again_s}
    if made.memory_bytes is not None:
        figures["memory_bytes"] = float(made.memory_bytes)
    return Measured(key, made.ready_s, made.cores, figures)
