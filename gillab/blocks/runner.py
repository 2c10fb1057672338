"""Runs blocks in its own process: opens the arms, calibrates, runs each block, meters the GIL.

Every arm is announced before it runs, so that the listener knows which one never came back.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from contextlib import nullcontext, suppress
from functools import partial
from typing import Protocol

from gillab.blocks.arm import ArmError, OpenArm
from gillab.blocks.messages import (
    Announced,
    BlockDone,
    Calibrated,
    Counters,
    Failed,
    Held,
    Measured,
    MeterArms,
    Metered,
    OpenArms,
    Ready,
    RunBlock,
    Traced,
)
from gillab.blocks.noise import difference, read_counters
from gillab.blocks.plan import NEW, REFERENCE, SERIAL, Arm, Role
from gillab.blocks.turns import PlainArm, Reading, find_undisturbed
from gillab.environment import is_gil_enabled
from gillab.errors import UsageError
from gillab.launch.messages import End, Message
from gillab.launch.side_effects import SideEffects
from gillab.strategies import Strategy, recall_strategy
from gillab.workload import Task, Workload, has_data

WARM_UP = 8
"""So much shorter a task is in a warm-up."""
_METERED_S = 0.1
_MOST_TIMES = 50
"""A task of the other workload takes at most so many times as long as was asked for."""
_LOOP = Workload("countdown_nogil", "kernel")
"""The task of the ceiling and its reference: it shows what the machine gives."""


class Measurable(Protocol):
    """What a runner needs of an open arm; `gillab.blocks.arm.OpenArm` is the usual one."""

    key: str
    role: Role
    workers: int
    strategy: Strategy
    shares_data: bool
    pids: set[int]
    setup_s: float | None
    """How long it took to start; None where that is part of every run."""

    @property
    def tasks(self) -> float:
        """By so many the time of a run is divided."""

    def measure(self, steps: int) -> tuple[int, int]:
        """Run once; return elapsed and CPU time in nanoseconds. ArmError."""

    def calibrate(self, task_time_s: float, announce: Callable[[], None]) -> int:
        """Return the steps of a task that takes so long. ArmError."""

    def warn(self) -> str:
        """Return what may keep a run from returning, as a clause; empty for nothing known."""

    def trace(self) -> Traced | None:
        """Run once more, to see where the time goes; None where nothing tells. ArmError."""

    def close(self) -> None:
        """End the workers."""


class Runner:
    """The open arms of one plan; their results are sent as messages."""

    def __init__(
        self,
        plan: OpenArms,
        say: Callable[[Message], None],
        task: Task | None = None,
        open_arm: Callable[[Arm], Measurable] | None = None,
        other_task: Task | None = None,
    ) -> None:
        """Take a plan; ``task`` is run in place of its workload, by threads of this process.

        ``other_task`` is run likewise in place of its other workload. ``open_arm`` opens an arm of
        the workload, unless it is to be one whose workers wait for tasks.
        """
        self._plan = plan
        self._say = say
        self._task = task
        self._other_task = other_task
        self._make_arm = open_arm or self._make_open_arm
        # Of this process itself nobody wants to know; a task of its own is its caller's.
        self._side_effects = SideEffects() if task is None else None
        self._open: dict[str, Measurable] = {}
        self._given_up: list[Measurable] = []
        """Closed once nothing is timed: the CPU time of their processes must not come to another
        arm's."""
        self._notes: list[str] = []
        self._readings: dict[str, list[Reading]] = {}
        """Of the turns of this block so far, by the arm's key."""
        self._steps: int | None = plan.steps
        self._control_steps: int | None = plan.control_steps

    def open_arms(self) -> None:
        """Start every arm's workers, those that fork first, while there are no threads."""
        for arm in sorted(self._plan.arms, key=_forks_late):
            self._say(Announced(arm.key))
            try:
                self._open[arm.key] = opened = self._open_arm(arm)
                self._check_gil(opened)
            except ArmError as error:
                self._fail(arm.key, error)
            except UsageError as error:
                self._fail(arm.key, ArmError(str(error), "unavailable"))
            else:
                if opened.setup_s is not None:
                    self._say(Ready(arm.key, opened.setup_s))
        self._close_given_up()

    def _make_open_arm(self, arm: Arm) -> OpenArm:
        plan = self._plan
        what = _LOOP if arm.runs_loop else self._task or plan.workload
        if arm.variant == NEW and plan.other is not None:
            what = self._other_task or plan.other
        # Short tasks are called plainly where they can be: a queue takes a part of their time.
        kind = PlainArm if plan.block_s and arm.strategy == "serial" else OpenArm
        return kind(arm, what, plan.start_method, plan.timeout_s, plan.inner_threads)

    def _open_arm(self, arm: Arm) -> Measurable:
        # A serial arm has no threads: those that its setup starts are the workload's.
        strategy = recall_strategy(arm.strategy)
        serial = strategy is not None and not strategy.parallel
        watched = None if serial else self._side_effects
        with watched.expecting_threads() if watched else nullcontext():
            return self._make_open_arm(arm) if arm.runs_loop else self._make_arm(arm)

    def _hint(self, arm: Measurable, error: ArmError) -> ArmError:
        """Say what to do where threads may not be able to share what the setup made."""
        shares = arm.role == "cell" and arm.shares_data and has_data(self._plan.workload)
        if not shares or SERIAL.key not in self._open:
            return error
        hint = "if threads cannot share its data, --data own gives each its own"
        return ArmError(f"{error}; {hint}", error.status)

    def _fail(self, key: str, error: ArmError) -> None:
        if key in self._open:
            self._given_up.append(self._open.pop(key))
        self._say(Failed(key, error.status, str(error)))

    def calibrate(self) -> None:
        """Find the steps of one task, for the workload's arms and for the controls.

        Serial is tried first; if it fails, the first strategy that works.
        """
        cells = [arm.key for arm in self._plan.arms if arm.role == "cell"]
        if self._steps is None:
            self._steps = self._calibrate_first(cells)
            self._spare_other()
        if self._control_steps is None:
            self._control_steps = self._calibrate_first([REFERENCE.key])
        self._close_given_up()
        self._say(Calibrated(self._steps, self._control_steps))

    def _spare_other(self) -> None:
        """Take fewer steps where the other workload is so much slower that it takes up the block.

        Both have as many steps, so the quicker one then has a short task.
        """
        others = [arm.key for arm in self._plan.arms if arm.variant == NEW]
        if self._plan.other is not None and self._steps is not None and self._plan.block_s:
            steps = self._calibrate_first(others)
            self._steps = min(self._steps, _MOST_TIMES * (steps or self._steps))

    def _calibrate_first(self, keys: list[str]) -> int | None:
        for key in keys:
            if key in self._open:
                self._announce(key)
                arm = self._open[key]
                try:
                    steps = arm.calibrate(self._plan.task_time_s, partial(self._announce, key))
                    if isinstance(arm, OpenArm) and arm.role == "cell" and arm.note:
                        self._notes.append(arm.note)
                    return steps
                except ArmError as error:
                    self._fail(key, error)
        return None

    def run_block(self, block: RunBlock) -> None:
        """Run every open arm once, in the order given, and report each as soon as it is known.

        As a warm-up it takes an eighth of the steps. If the arms are to take turns, each is
        reported at the end.
        """
        before = self._read_counters()
        if self._plan.block_s and not block.warm_up:
            cpu_ns = self._take_turns(block)
        else:
            cpu_ns = 0
            for key in block.order:
                reading = self._run_arm(key, WARM_UP if block.warm_up else 1)
                if reading is not None:
                    cpu_ns += reading.cpu_ns
                    self._report(key, reading)
        noise = difference(before, self._read_counters(), cpu_ns / 1e9)
        self._close_given_up()
        notes = self._side_effects.list_notes() if self._side_effects else []
        self._say(BlockDone(noise, (*self._notes, *notes), cpu_ns / 1e9))

    def _take_turns(self, block: RunBlock) -> int:
        """Run the arms by turns, there and back; return their CPU time in ns.

        Where no more turns of the block follow, each is reported.
        """
        most_s = self._plan.block_s if block.turns_s is None else block.turns_s
        cpu_ns = 0
        begun = time.perf_counter()
        turns, spent_s = 0, 0.0
        # Stop where another turn would end further from the time than this one does.
        while turns == 0 or spent_s * (1 + 0.5 / turns) < most_s:
            for key in block.order if turns % 2 == 0 else reversed(block.order):
                reading = self._run_arm(key)
                if reading is not None:
                    self._readings.setdefault(key, []).append(reading)
                    cpu_ns += reading.cpu_ns
            turns += 1
            spent_s = time.perf_counter() - begun
        if not block.goes_on:
            for key, own in self._readings.items():
                if key in self._open:
                    self._report(key, find_undisturbed(own))
            self._readings = {}
        return cpu_ns

    def _run_arm(self, key: str, shorter: int = 1) -> Reading | None:
        """Announce an arm and run it once; None where it cannot run or fails."""
        loops = {arm.key for arm in self._plan.arms if arm.runs_loop}
        arm = self._open.get(key)
        steps = self._control_steps if key in loops else self._steps
        if arm is None or steps is None:
            return None
        self._announce(key)
        # The workload is elsewhere: threads that start here are the executor's.
        watched = self._side_effects if arm.strategy.own_process else None
        try:
            with watched.expecting_threads() if watched else nullcontext():
                reading = Reading(*arm.measure(max(1, steps // shorter)))
            self._check_gil(arm)
        except ArmError as error:
            self._fail(key, self._hint(arm, error))
            return None
        return reading

    def _report(self, key: str, reading: Reading) -> None:
        elapsed_ns, cpu_ns = reading
        self._say(Measured(key, elapsed_ns / self._open[key].tasks / 1e9, cpu_ns / elapsed_ns))

    def _announce(self, key: str) -> None:
        self._say(Announced(key, self._open[key].warn()))

    def _read_counters(self) -> Counters:
        return read_counters({pid for arm in self._open.values() for pid in arm.pids})

    def meter_arms(self, order: tuple[str, ...], traced: tuple[str, ...] = ()) -> None:
        """Run the cells that share this interpreter's GIL once each, untimed, under a meter.

        How much of the time it was held is said of each; nothing where that cannot be read. Then
        those that are to be ``traced`` run, and it is said where the time of each run went.
        """
        from gillab.meter import GilMeter, why_unavailable

        arms = [self._open[key] for key in order if key in self._open]
        if self._steps is not None and is_gil_enabled() and why_unavailable() is None:
            for arm in arms:
                if arm.role != "cell" or not arm.strategy.shares_gil:
                    continue
                with suppress(ArmError), GilMeter() as meter:
                    reading = meter.read()
                    # Some hundreds of samples, of a short task too.
                    while reading.duration_s < _METERED_S:
                        arm.measure(self._steps)
                        reading = meter.read()
                    if reading.samples and reading.gil_enabled:
                        self._say(Held(arm.key, reading.held, *reading.held_interval))
        for key in traced:
            if key in self._open:
                with suppress(ArmError):
                    trace = self._open[key].trace()
                    if trace is not None:
                        self._say(trace)
        self._say(Metered())

    def serve(self, commands: Iterable[Message], *, meters: bool = True) -> None:
        """Start, calibrate, and do what is asked until the end; without ``meters`` meter no arm."""
        self.open_arms()
        self.calibrate()
        for command in commands:
            match command:
                case RunBlock():
                    self.run_block(command)
                case MeterArms(order, traced) if meters:
                    self.meter_arms(order, traced)
                case MeterArms():
                    self.meter_arms(())
                case End():
                    break
        self.close()

    def close(self) -> None:
        """End the workers and wait for them."""
        self._given_up += self._open.values()
        self._open = {}
        self._close_given_up()

    def _close_given_up(self) -> None:
        while self._given_up:
            self._given_up.pop().close()

    def _check_gil(self, arm: Measurable) -> None:
        """Fail parallel arms of this process once the GIL is back: their answer is another's."""
        cause = self._side_effects.explain_gil() if self._side_effects else None
        if cause and arm.strategy.parallel and not arm.strategy.own_process:
            raise ArmError(f"it turned the GIL back on: {cause}")


def _forks_late(arm: Arm) -> bool:
    strategy = recall_strategy(arm.strategy)
    return strategy is None or not strategy.forks
