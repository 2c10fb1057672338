"""How many steps a task has, found by workloads that only pretend to take their time."""

from __future__ import annotations

import pytest

from gillab.blocks.arm import ArmError, OpenArm, describe_first_call
from gillab.blocks.messages import Announced, Calibrated, Failed, OpenArms
from gillab.blocks.plan import SERIAL, Arm
from gillab.blocks.runner import Runner
from gillab.launch.messages import Message
from gillab.workload import Workload

STEP_S = 1e-6
TASK_S = 0.04


class FakeArm(OpenArm):
    """Takes a microsecond a step, and the first call what an import or a compilation may take."""

    def __init__(self, first_s: float, workers: int = 1, step_s: float = STEP_S) -> None:
        self.plan = SERIAL if workers == 1 else Arm("threads", workers)
        self.key, self.role, self.workers = self.plan.key, self.plan.role, workers
        self.steps: list[int] = []
        self._first_s = first_s
        self._step_s = step_s

    def measure(self, steps: int) -> tuple[int, int]:
        self.steps.append(steps)
        task_s = steps * self._step_s + (self._first_s if len(self.steps) == 1 else 0.0)
        elapsed_ns = int(task_s * self.workers * 1e9)
        return elapsed_ns, elapsed_ns

    def close(self) -> None:
        pass


def calibrate(arm: FakeArm) -> int:
    """Return the steps that a launch finds by that arm."""
    said: list[Message] = []
    plan = OpenArms(Workload("w", "statement"), (arm.plan,), TASK_S, 30.0, None, 9, None)
    runner = Runner(plan, said.append, task=lambda steps: None)
    runner._open[arm.key] = arm
    runner.calibrate()
    *announced, last = said
    assert set(announced) == {Announced(arm.key)}
    assert len(announced) == len(arm.steps), "every call is announced, or nobody could be blamed"
    assert isinstance(last, Calibrated)
    assert last.control_steps == 9
    assert last.steps is not None
    return last.steps


@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize("first_s", [0.0, 0.05, 0.5, 60.0])
def test_a_first_call_that_is_slow_once_leaves_a_task_its_steps(
    first_s: float, workers: int
) -> None:
    assert TASK_S <= calibrate(FakeArm(first_s, workers)) * STEP_S < 10 * TASK_S


def test_a_call_that_is_always_slow_is_one_step_and_read_twice() -> None:
    arm = FakeArm(first_s=3.0, step_s=20.0)
    assert (calibrate(arm), arm.steps) == (1, [1, 1])


def test_steps_are_those_that_reach_the_time_in_two_runs_one_after_the_other() -> None:
    """A single long run, by what else the machine did, does not end the search."""

    class Disturbed(FakeArm):
        def measure(self, steps: int) -> tuple[int, int]:
            elapsed_ns, cpu_ns = super().measure(steps)
            return elapsed_ns + (int(1e9) if len(self.steps) == 3 else 0), cpu_ns

    arm = Disturbed(0.0)
    steps = calibrate(arm)
    assert arm.steps[-2:] == [steps, steps]
    assert arm.steps[3] == arm.steps[2], "asked again whether it is so"
    assert steps * STEP_S >= TASK_S


def test_the_time_is_a_single_tasks_however_many_run_at_once() -> None:
    alone, together = FakeArm(0.0), FakeArm(0.0, workers=4)
    assert calibrate(alone) == calibrate(together)


def test_a_clock_that_stands_still_is_no_division_by_zero() -> None:
    """On Windows a clock may not move within a short call."""

    class Coarse(FakeArm):
        def measure(self, steps: int) -> tuple[int, int]:
            elapsed_ns, cpu_ns = super().measure(steps)
            return elapsed_ns // 15_000_000 * 15_000_000, cpu_ns

    assert calibrate(Coarse(0.0)) * STEP_S >= TASK_S


class FailingArm(FakeArm):
    def measure(self, steps: int) -> tuple[int, int]:
        raise ArmError("ValueError: no luck")


def test_where_serial_fails_the_first_strategy_that_works_is_asked() -> None:
    said: list[Message] = []
    serial, threads = FailingArm(0.0), FakeArm(0.0, workers=2)
    arms = (SERIAL, Arm("threads", 2), Arm("processes", 2))
    plan = OpenArms(Workload("w", "statement"), arms, TASK_S, 30.0, None, 9, None)
    runner = Runner(plan, said.append, task=lambda steps: None)
    runner._open.update({serial.key: serial, threads.key: threads})
    runner.calibrate()
    assert said[:3] == [
        Announced("serial/1"),
        Failed("serial/1", "failed", "ValueError: no luck"),
        Announced("threads/2"),
    ]
    assert said[-1] == Calibrated(threads.steps[-1], 9)


def test_where_nothing_works_there_are_no_steps() -> None:
    said: list[Message] = []
    plan = OpenArms(Workload("w", "statement"), (SERIAL,), TASK_S, 30.0, None, None, None)
    Runner(plan, said.append, task=lambda steps: None).calibrate()
    assert said == [Calibrated(None, None)]


def test_a_first_call_that_does_other_work_is_noted() -> None:
    arm = FakeArm(0.033)
    calibrate(arm)
    note = "its first call took 33 ms and later ones 1 µs: it may use up what its setup makes"
    assert arm.note == note


@pytest.mark.parametrize(("first_s", "later_s"), [(0.0009, 1e-6), (0.05, 1e-3), (0.04, 0.04)])
def test_a_first_call_that_takes_somewhat_longer_is_not_noted(
    first_s: float, later_s: float
) -> None:
    assert describe_first_call(first_s, later_s) == ""
