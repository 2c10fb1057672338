"""What a launch does with its plan, and what it says of it."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from gillab.blocks.arm import ArmError, OpenArm
from gillab.blocks.messages import (
    Announced,
    BlockDone,
    Failed,
    Held,
    Measured,
    Metered,
    OpenArms,
    Ready,
    RunBlock,
)
from gillab.blocks.plan import Arm, plan_arms
from gillab.blocks.runner import Runner
from gillab.environment import is_gil_enabled
from gillab.launch.messages import Message
from gillab.release.examine import find_obstacle
from gillab.strategies import worker
from gillab.strategies.serial import SERIAL
from gillab.workload import Workload

needs_meter = pytest.mark.skipif(find_obstacle() is not None, reason=str(find_obstacle()))
ARMS = plan_arms(("threads",), (2,), ceiling="threads")
ORDER = ("threads/2", "serial/1", "ceiling/2", "null/1", "reference/1")


@pytest.fixture(autouse=True)
def no_task_is_kept(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(worker, "_pools", {})
    yield
    assert not worker._pools


class Recorder:
    """A runner of this process, and what it said."""

    def __init__(self, arms: tuple[Arm, ...] = ARMS, task: Any = None, **named: Any) -> None:
        options: dict[str, Any] = {
            "task_time_s": 0.001, "timeout_s": 600.0, "steps": 7, "control_steps": 9,
            "start_method": None,
        }  # fmt: skip
        self.said: list[Message] = []
        plan = OpenArms(Workload("w", "statement"), arms, **(options | named))
        self.runner = Runner(plan, self.said.append, task or (lambda steps: None))

    def take(self) -> list[Message]:
        """Return what was said since the last time."""
        said, self.said[:] = list(self.said), []
        return said


class FakeArm(OpenArm):
    """Keeps the steps that it was to take."""

    shares_data = False

    def __init__(self, plan: Arm, error: ArmError | None = None) -> None:
        self.key, self.role, self.workers = plan.key, plan.role, plan.workers
        self.tasks = plan.workers
        self.strategy = SERIAL
        self.pids: set[int] = set()
        self.steps: list[int] = []
        self.closed = False
        self._error = error

    def measure(self, steps: int) -> tuple[int, int]:
        self.steps.append(steps)
        if self._error is not None:
            raise self._error
        return 2000, 1000

    def close(self) -> None:
        self.closed = True


def test_each_arm_is_announced_before_it_is_started_and_before_it_runs() -> None:
    recorder = Recorder()
    recorder.runner.open_arms()
    said = recorder.take()
    assert said[::2] == [Announced(arm.key) for arm in ARMS]
    assert [type(message) for message in said[1::2]] == [Ready] * len(ARMS)
    recorder.runner.run_block(RunBlock(ORDER))
    *said, done = recorder.take()
    assert said[::2] == [Announced(key) for key in ORDER]
    assert [message.arm for message in said[1::2] if isinstance(message, Measured)] == list(ORDER)
    assert isinstance(done, BlockDone)
    assert done.noise["wall_s"] > 0
    assert done.notes == (), "of this process itself nobody wants to know"
    recorder.runner.close()


def test_a_strategy_of_any_name_takes_the_steps_of_the_workload() -> None:
    arms = plan_arms(("reference_pool:LOKY", "ceilings:POOL"), (2, 3))
    recorder = Recorder(arms)
    opened = {arm.key: FakeArm(arm) for arm in arms}
    recorder.runner._open.update(opened)
    recorder.runner.run_block(RunBlock(tuple(opened)))
    assert {key: arm.steps for key, arm in opened.items()} == {
        arm.key: [9] if arm.role in ("ceiling", "reference") else [7] for arm in arms
    }


@pytest.mark.parametrize(("steps", "short"), [(80, 10), (5, 1)])
def test_a_warm_up_takes_an_eighth_of_the_steps_and_one_at_least(steps: int, short: int) -> None:
    recorder = Recorder(steps=steps)
    recorder.runner._open["threads/2"] = arm = FakeArm(Arm("threads", 2))
    recorder.runner.run_block(RunBlock(ORDER, warm_up=True))
    assert arm.steps == [short]


def test_seconds_are_of_one_task_and_cores_of_all_workers() -> None:
    recorder = Recorder()
    recorder.runner._open["threads/2"] = FakeArm(Arm("threads", 2))
    recorder.runner.run_block(RunBlock(ORDER))
    assert recorder.take()[:2] == [Announced("threads/2"), Measured("threads/2", 1e-6, 0.5)]


def test_an_arm_that_fails_is_said_closed_after_the_block_and_not_run_again() -> None:
    recorder = Recorder()
    failing = FakeArm(Arm("threads", 2), ArmError("it is gone", "unavailable"))
    seen: list[bool] = []

    class Watching(FakeArm):
        def measure(self, steps: int) -> tuple[int, int]:
            seen.append(failing.closed)
            return super().measure(steps)

    recorder.runner._open = {"threads/2": failing, "serial/1": Watching(Arm("serial", 1))}
    recorder.runner.run_block(RunBlock(ORDER))
    said = recorder.take()
    assert said[:2] == [
        Announced("threads/2"),
        Failed("threads/2", "unavailable", "it is gone"),
    ]
    assert isinstance(said[3], Measured)
    assert seen == [False], "its processes' CPU time must not come to the arm that runs"
    assert failing.closed
    recorder.runner.run_block(RunBlock(ORDER))
    assert [message for message in recorder.take() if isinstance(message, Announced)] == [
        Announced("serial/1")
    ]
    assert len(failing.steps) == 1


def test_an_arm_without_steps_is_not_run() -> None:
    recorder = Recorder(steps=None)
    recorder.runner._open["threads/2"] = arm = FakeArm(Arm("threads", 2))
    recorder.runner.run_block(RunBlock(ORDER))
    assert not arm.steps
    (done,) = recorder.take()
    assert isinstance(done, BlockDone)


def test_a_strategy_that_is_not_there_is_unavailable_and_the_others_open() -> None:
    recorder = Recorder((Arm("gone_missing:POOL", 2), Arm("threads", 2)))
    recorder.runner.open_arms()
    said = recorder.take()
    assert said[::2] == [Announced("gone_missing:POOL/2"), Announced("threads/2")]
    failed, ready = said[1::2]
    assert isinstance(failed, Failed)
    assert isinstance(ready, Ready)
    assert (failed.arm, failed.status) == ("gone_missing:POOL/2", "unavailable")
    recorder.runner.close()


def test_what_forks_is_started_before_there_are_threads(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "forking.py").write_text(
        "from gillab.strategies import Strategy, get_strategy\n"
        "POOL = Strategy('pool', get_strategy('processes').create, forks=True)\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    started: list[str] = []

    def open_arm(runner: Runner, arm: Arm) -> OpenArm:
        started.append(arm.strategy)
        raise ArmError("it is not needed")

    monkeypatch.setattr(Runner, "_open_arm", open_arm)
    names = ("threads", "forking:POOL", "gone:POOL", "processes")
    Recorder(tuple(Arm(name, 2) for name in names)).runner.open_arms()
    assert started == ["forking:POOL", "processes", "threads", "gone:POOL"]


@needs_meter
@pytest.mark.skipif(not is_gil_enabled(), reason="needs a GIL")
def test_what_shares_the_lock_is_metered_and_controls_are_not() -> None:
    recorder = Recorder(task=lambda steps: sum(range(steps)), steps=1_000_000)
    recorder.runner.open_arms()
    recorder.take()
    recorder.runner.meter_arms(("serial/1", "threads/2", "null/1"))
    *said, last = recorder.take()
    recorder.runner.close()
    assert last == Metered()
    held = [message for message in said if isinstance(message, Held)]
    assert [message.arm for message in held] == ["serial/1", "threads/2"]
    for message in held:
        assert 0.0 <= message.low <= message.held <= message.high <= 1.0


def test_where_the_lock_cannot_be_read_nothing_is_said_of_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("gillab.meter.why_unavailable", lambda: "another implementation")
    recorder = Recorder()
    recorder.runner._open["threads/2"] = arm = FakeArm(Arm("threads", 2))
    recorder.runner.meter_arms(("threads/2",))
    assert recorder.take() == [Metered()]
    assert not arm.steps


def test_what_turned_the_lock_back_on_fails_what_runs_in_this_process(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(warnings, "showwarning", warnings.showwarning)  # which it replaces
    arms = (Arm("serial", 1), Arm("threads", 2))
    said: list[Message] = []
    plan = OpenArms(Workload("pass", "statement"), arms, 0.001, 600.0, 7, 9, None)
    monkeypatch.setattr("gillab.launch.side_effects.is_gil_enabled", lambda: False)
    runner = Runner(plan, said.append)
    runner.open_arms()
    monkeypatch.setattr("gillab.launch.side_effects.is_gil_enabled", lambda: True)
    runner.run_block(RunBlock(("serial/1", "threads/2")))
    runner.close()
    failed = [message for message in said if isinstance(message, Failed)]
    assert failed == [Failed("threads/2", "failed", "it turned the GIL back on: by an import.")]
    assert isinstance(said[-1], BlockDone)
    assert said[-1].notes == ("turns the GIL back on",)
