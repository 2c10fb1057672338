"""What a launch does with its plan, and how it speaks to its parent."""

from __future__ import annotations

import io
from dataclasses import asdict
from typing import Any

from gillab.measure.child import Child
from gillab.measure.plan import Arm, plan_arms


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
    child = Child(plan, io.StringIO())
    opened: dict[str, Any] = {arm.key: FakeArm(arm) for arm in arms}
    child._open = opened
    child.run_block(list(opened), {"cell": 7, "control": 9})
    assert {key: arm.steps for key, arm in opened.items()} == {
        arm.key: [9] if arm.role in ("ceiling", "reference") else [7] for arm in arms
    }
