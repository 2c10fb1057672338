"""How many steps a task has, found by workloads that only pretend to take their time."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from typing import Any

import pytest

from gillab.blocks import in_process
from gillab.blocks.child import Child
from gillab.blocks.plan import SERIAL, Arm

STEP_S = 1e-6


class FakeArm:
    """Takes a microsecond a step, and the first call what an import or a compilation may take."""

    def __init__(self, first_s: float, workers: int = 1, step_s: float = STEP_S) -> None:
        self.workers = workers
        self.key = self.plan.key
        self.steps: list[int] = []
        self._first_s = first_s
        self._step_s = step_s

    @property
    def plan(self) -> Arm:
        return SERIAL if self.workers == 1 else Arm("threads", self.workers)

    def take_s(self, steps: int) -> float:
        self.steps.append(steps)
        return steps * self._step_s + (self._first_s if len(self.steps) == 1 else 0.0)

    def measure(self, steps: int) -> tuple[int, int]:
        elapsed_ns = int(self.take_s(steps) * self.workers * 1e9)
        return elapsed_ns, elapsed_ns


def calibrate_in_launch(arm: FakeArm, target_s: float) -> dict[str, Any]:
    """Return what a launch says of its calibration by that arm."""
    said: list[dict[str, Any]] = []
    plan = {
        "workload": {"name": "w", "kind": "statement"},
        "arms": [asdict(arm.plan)],
        "steps": None,
        "control_steps": 9,
        "task_time_s": target_s,
    }
    child = Child(plan, lambda event, **facts: said.append({"event": event, **facts}))
    opened: dict[str, Any] = {arm.key: arm}
    child._open = opened
    steps = child.calibrate()
    *announced, last = said
    assert {event["event"] for event in announced} == {"announce"}
    assert len(announced) == len(arm.steps), "every call is announced, or nobody could be blamed"
    assert last["event"] == "calibrated"
    assert (last["cell"], last["control"]) == (steps["cell"], 9)
    return last


@pytest.fixture
def calibrate_here(monkeypatch: pytest.MonkeyPatch) -> Callable[[FakeArm], int]:
    """Return the calibration of a call of this process, with a clock that the arm alone moves."""

    class Clock:
        now = 100.0

        def perf_counter(self) -> float:
            return self.now

    clock = Clock()
    monkeypatch.setattr(in_process, "time", clock)

    def calibrate(arm: FakeArm) -> int:
        def run(steps: int) -> None:
            clock.now += arm.take_s(steps)

        return in_process._calibrate(run)

    return calibrate


@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize("first_s", [0.0, 0.05, 0.5, 60.0])
def test_a_first_call_that_is_slow_once_leaves_a_launch_its_steps(
    first_s: float, workers: int
) -> None:
    arm = FakeArm(first_s, workers)
    told = calibrate_in_launch(arm, 0.04)
    assert 0.04 <= told["cell"] * STEP_S < 0.4


@pytest.mark.parametrize("first_s", [0.0, 0.05, 0.5, 60.0])
def test_a_first_call_that_is_slow_once_leaves_a_call_of_this_process_its_steps(
    calibrate_here: Callable[[FakeArm], int], first_s: float
) -> None:
    steps = calibrate_here(FakeArm(first_s))
    assert in_process._TASK_S <= steps * STEP_S < 10 * in_process._TASK_S


def test_a_call_that_is_always_slow_is_one_step_and_read_twice(
    calibrate_here: Callable[[FakeArm], int],
) -> None:
    arm = FakeArm(first_s=3.0, step_s=20.0)
    told = calibrate_in_launch(arm, 0.04)
    assert (told["cell"], arm.steps) == (1, [1, 1])
    arm = FakeArm(first_s=3.0, step_s=20.0)
    assert (calibrate_here(arm), arm.steps) == (1, [1, 1])
