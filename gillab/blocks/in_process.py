"""Runs blocks in this process instead of a launch, for calls that only this process has.

Such as the calls of a test. The ceiling is the released C loop in as many threads, since a process
that runs a test should not be forked.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from functools import partial
from itertools import repeat
from types import TracebackType

from gillab.blocks.messages import MeterArms, OpenArms, RunBlock
from gillab.blocks.pair import Pair
from gillab.blocks.plan import Experiment, plan_arms
from gillab.blocks.protocol import Protocol
from gillab.blocks.run import run_blocks
from gillab.blocks.runner import Runner
from gillab.blocks.stopping import Look, look
from gillab.errors import Interrupted
from gillab.launch.messages import Message
from gillab.results import Result
from gillab.workload import Task, Workload


class LocalLaunch:
    """Carries out each message at once, and keeps the answers until they are asked for."""

    stderr_bytes = 0

    def __init__(
        self, task: Task, raised: list[BaseException], other_task: Task | None = None
    ) -> None:
        """Take what the threads run, and where it leaves what it raises."""
        self._task = task
        self._other_task = other_task
        self._raised = raised
        self._answers: deque[Message] = deque()
        self._runner: Runner | None = None

    def await_start(self, timeout_s: float, budget_s: float) -> None:
        """Return at once: this process has started."""

    def send(self, message: Message) -> None:
        """Do what the message says; whatever the task raises."""
        match message:
            case OpenArms():
                say = self._answers.append
                self._runner = Runner(message, say, self._task, other_task=self._other_task)
                self._runner.open_arms()
                self._runner.calibrate()
            case RunBlock() if self._runner is not None:
                self._runner.run_block(message)
            case MeterArms(order, traced) if self._runner is not None:
                self._runner.meter_arms(order, traced)
        # A worker keeps what was raised as text; who called us wants it as it was.
        if self._raised:
            raise self._raised[0]

    def receive(self, timeout_s: float) -> Message:
        """Return the next answer."""
        return self._answers.popleft()

    def __enter__(self) -> LocalLaunch:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._runner is not None:
            self._runner.close()


def run_here(
    command: str, name: str, call: Callable[[], object], workers: int, protocol: Protocol
) -> Result:
    """Measure a call of this process in threads against serial; whatever the call raises."""
    arms = plan_arms(("threads",), (workers,), ceiling="threads")
    experiment = Experiment(Workload(name, "statement"), arms)
    return _run(command, experiment, (call,), protocol, look)


def run_pair_here(
    command: str,
    names: tuple[str, str],
    calls: tuple[Callable[[], object], Callable[[], object]],
    pair: Pair,
    protocol: Protocol,
    look: Look,
) -> Result:
    """Measure two calls of this process by turns, old and new; whatever a call raises."""
    old, new = (Workload(name, "statement") for name in names)
    return _run(command, Experiment(old, pair.arms, new), calls, protocol, look)


def _run(
    command: str,
    experiment: Experiment,
    calls: Sequence[Callable[[], object]],
    protocol: Protocol,
    look: Look,
) -> Result:
    raised: list[BaseException] = []
    tasks = [partial(_repeat, call, raised) for call in calls]

    def start() -> LocalLaunch:
        return LocalLaunch(tasks[0], raised, tasks[-1])

    try:
        return run_blocks(command, [experiment], protocol, start=start, look=look)
    except Interrupted as error:
        interruption = error
    raise raised[0] if raised else interruption


def _repeat(call: Callable[[], object], raised: list[BaseException], times: int) -> None:
    try:
        for _ in repeat(None, times):
            call()
    except BaseException as error:
        raised.append(error)
        raise
