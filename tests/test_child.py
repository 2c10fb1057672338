"""What a launch does with its plan, and how it speaks to its parent."""

from __future__ import annotations

import math
import subprocess
import sys
from concurrent.futures import Executor, Future
from dataclasses import asdict
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from gillab.blocks.arm import ArmError, OpenArm
from gillab.blocks.child import Child
from gillab.blocks.plan import Arm, plan_arms
from gillab.check import check
from gillab.release.examine import find_obstacle
from gillab.release.findings import Finding
from gillab.strategies import Strategy
from gillab.strategies.worker import Ready
from gillab.workload import Workload

posix = pytest.mark.skipif(sys.platform == "win32", reason="descriptors are POSIX's")
needs_meter = pytest.mark.skipif(find_obstacle() is not None, reason=str(find_obstacle()))


class FakeArm:
    """Keeps the steps that it was to take."""

    def __init__(self, plan: Arm) -> None:
        self.workers = plan.workers
        self.steps: list[int] = []

    def measure(self, steps: int) -> tuple[int, int]:
        self.steps.append(steps)
        return 1000, 1000


def test_a_strategy_of_any_name_takes_the_steps_of_the_workload() -> None:
    names = ("reference_pool:LOKY", "ceilings:POOL")
    arms = plan_arms(names, (2, 3))
    plan = {
        "workload": {"name": "w", "kind": "statement"},
        "arms": [asdict(arm) for arm in arms],
    }
    child = Child(plan, lambda event, **facts: None)
    opened: dict[str, Any] = {arm.key: FakeArm(arm) for arm in arms}
    child._open = opened
    child.run_block(list(opened), {"cell": 7, "control": 9})
    assert {key: arm.steps for key, arm in opened.items()} == {
        arm.key: [9] if arm.role in ("ceiling", "reference") else [7] for arm in arms
    }


def test_what_forks_is_started_before_there_are_threads(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "forking.py").write_text(
        "from gillab.strategies import Strategy, get_strategy\n"
        "POOL = Strategy('pool', get_strategy('processes').create, forks=True)\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    started: list[str] = []

    def open_arm(child: Child, arm: Arm, workload: Workload) -> OpenArm:
        started.append(arm.strategy)
        raise ArmError("it is not needed")

    monkeypatch.setattr(Child, "_open_arm", open_arm)
    arms = [asdict(Arm(name, 2)) for name in ("threads", "forking:POOL", "gone:POOL", "processes")]
    plan = {"workload": {"name": "w", "kind": "statement"}, "arms": arms}
    Child(plan, lambda event, **facts: None).open_arms()
    assert started == ["forking:POOL", "processes", "threads", "gone:POOL"]


# What a daemon does to the descriptors it inherited, then opens files of its own.
CLOSE = """
import os
os.closerange(3, {end})
files = [open(os.path.join({folder!r}, str(number)), "wb") for number in range({count})]
"""


def close_and_open(folder: Path, end: int, count: int) -> Finding:
    """Check a call whose setup does so; nothing but what it writes may be in its files."""
    setup = CLOSE.format(folder=str(folder), end=end, count=count)
    result = check("sum(range(99))", setup=setup, time_s=0.05, scaling=False)
    files = list(folder.iterdir())
    assert len(files) == count
    assert {file.read_bytes() for file in files} == {b""}
    (cell,) = result.cells
    return cell


@needs_meter
@posix
def test_a_workload_that_closes_what_it_inherited_is_measured(tmp_path: Path) -> None:
    assert close_and_open(tmp_path, 64, 20).status == "ok"


@needs_meter
@posix
@pytest.mark.parametrize("count", [1, 220], ids=["closed", "taken"])
def test_nothing_is_written_to_a_workloads_own_files(tmp_path: Path, count: int) -> None:
    cell = close_and_open(tmp_path, 4096, count)
    assert cell.status == "failed"
    assert "the workload closed the pipes between gillab and its process" in (cell.reason or "")


@needs_meter
@posix
def test_few_descriptors_are_enough_for_a_launch() -> None:
    import resource

    script = (
        "from gillab.check import check; "
        "print(check('held', time_s=0.05, scaling=False).cells[0].status)"
    )
    child = subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True, text=True, timeout=300, check=True,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64)),
    )  # fmt: skip
    assert child.stdout == "ok\n", child.stderr


class SlowPool(Executor):
    """Its first worker answers at once, the second when so many seconds of its clock are over."""

    def __init__(self, late_s: float) -> None:
        self.now = 0.0
        self._late_s = late_s
        self._turn = 0

    def submit(self, *arguments: Any, **named: Any) -> Future[Any]:
        *_, pause_s = arguments
        self.now += pause_s
        self._turn += 1
        worker = self._turn % 2 if self.now > self._late_s else 0
        future: Future[Any] = Future()
        future.set_result(Ready((1, worker), int(self.now * 1e9), None))
        return future


@pytest.mark.parametrize(
    ("late_s", "timeout_s", "comes"),
    [(20.0, 30.0, True), (50.0, 1e6, True), (math.inf, 30.0, False), (math.inf, 1e6, False)],
)
def test_a_late_worker_is_waited_for_until_the_timeout_is_near(
    monkeypatch: pytest.MonkeyPatch, late_s: float, timeout_s: float, comes: bool
) -> None:
    pool = SlowPool(late_s)
    monkeypatch.setattr("gillab.blocks.arm.get_strategy", lambda name: Strategy(name, create))
    clock = SimpleNamespace(monotonic=lambda: pool.now, monotonic_ns=lambda: int(pool.now * 1e9))
    monkeypatch.setattr("gillab.blocks.arm.time", clock)

    def create(*arguments: Any, **named: Any) -> Executor:
        return pool

    workload = Workload("w", "statement")
    if comes:
        arm = OpenArm(Arm("late", 2), workload, None, timeout_s)
        assert arm.setup_s > late_s
    else:
        with pytest.raises(ArmError, match="only 1 of 2 workers came"):
            OpenArm(Arm("late", 2), workload, None, timeout_s)
        assert pool.now < min(timeout_s, 65.0)
