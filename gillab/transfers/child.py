"""A launch that hands an array to workers: ``python -m gillab.transfers.child``."""

from __future__ import annotations

import ast
from typing import Any

from gillab.blocks.arm import ArmError
from gillab.blocks.messages import OpenArms
from gillab.blocks.plan import Arm
from gillab.blocks.runner import Measurable, Runner
from gillab.launch.child import run_child
from gillab.launch.pipes import ParentPipes
from gillab.transfers.arm import TransferArm, make_array
from gillab.transfers.segments import start_tracker


def serve(pipes: ParentPipes) -> None:
    """Run blocks of one size, as asked."""
    plan = pipes.read()
    assert isinstance(plan, OpenArms)
    size, returns = ast.literal_eval(plan.workload.args)
    array: Any = None
    obstacle: ArmError | None = None
    try:
        array = make_array(size)
    except ArmError as error:
        obstacle = error
    start_tracker()

    def open_arm(arm: Arm) -> Measurable:
        if obstacle is not None:
            raise obstacle
        return TransferArm(arm, array, returns, plan.task_time_s, plan.start_method)

    runner = Runner(plan, pipes.say, open_arm=open_arm)
    # Whether the GIL is held while bytes are copied is not asked.
    runner.serve(pipes, meters=False)


if __name__ == "__main__":
    run_child(serve)
