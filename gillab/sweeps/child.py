"""A launch that runs tasks of several sizes: ``python -m gillab.sweeps.child``."""

from __future__ import annotations

import time

from gillab.blocks.arm import ArmError, OpenArm
from gillab.blocks.messages import OpenArms
from gillab.blocks.plan import SERIAL, Arm
from gillab.blocks.runner import Measurable, Runner
from gillab.errors import UsageError
from gillab.launch.child import run_child
from gillab.launch.pipes import ParentPipes
from gillab.strategies.failure import describe_exception
from gillab.sweeps.arm import Pools, SizedArm
from gillab.sweeps.messages import StepTimed, TimeStep
from gillab.sweeps.release_arm import Call, ReleaseArm
from gillab.sweeps.release_plan import read_place
from gillab.sweeps.sizes import Size, read_size
from gillab.workload import Workload, prepare

_TIMED_S = 0.005
"""A step is timed in a task that takes so long."""


def serve(pipes: ParentPipes) -> None:
    """Time a step, or run blocks, as asked."""
    plan = pipes.read()
    if isinstance(plan, TimeStep):
        pipes.say(StepTimed(_time_step(plan)))
        return
    assert isinstance(plan, OpenArms)
    if plan.other is None:
        _run_sizes(plan, pipes)
    else:
        _run_releases(plan, plan.other, pipes)


def _run_sizes(plan: OpenArms, pipes: ParentPipes) -> None:
    largest = _find_largest(plan)

    def open_pool(arm: Arm) -> OpenArm:
        return OpenArm(arm, plan.workload, plan.start_method, plan.timeout_s, plan.inner_threads)

    pools = Pools(open_pool)

    def open_arm(arm: Arm) -> Measurable:
        size = read_size(arm.variant) if arm.variant else largest
        return SizedArm(arm, size, largest, pools.get(arm))

    Runner(plan, pipes.say, open_arm=open_arm).serve(pipes)
    pools.close()


def _run_releases(plan: OpenArms, released: Workload, pipes: ParentPipes) -> None:
    """Run calls of two workloads alike, of which the second releases the GIL."""
    places = {arm.key: read_place(arm, plan.steps or 1) for arm in plan.arms}
    calls: dict[Workload, Call] = {}

    def open_arm(arm: Arm) -> Measurable:
        place = places[arm.key]
        call = None
        if place is not None:
            workload = plan.workload if place.call == "held" else released
            if workload not in calls:
                try:
                    calls[workload] = Call(prepare(workload))
                except UsageError:
                    raise
                except BaseException as error:
                    raise ArmError(describe_exception(error)) from error
            call = calls[workload]
        return ReleaseArm(arm, place, plan.steps or 1, call)

    Runner(plan, pipes.say, open_arm=open_arm).serve(pipes, meters=False)


def _find_largest(plan: OpenArms) -> Size:
    """Return the size of the arms that say none: as many steps as were planned."""
    sizes = [read_size(arm.variant) for arm in plan.arms if arm.variant]
    return max(sizes, default=Size(plan.steps or 1, 1))


def _time_step(asked: TimeStep) -> float | None:
    try:
        arm = OpenArm(SERIAL, asked.workload, None, 60.0)
        steps = arm.calibrate(_TIMED_S, lambda: None)
        begun_ns = time.perf_counter_ns()
        arm.run_here([steps])
        elapsed_ns = time.perf_counter_ns() - begun_ns
        arm.close()
    except (ArmError, UsageError):
        return None
    return elapsed_ns / steps / 1e9


if __name__ == "__main__":
    run_child(serve)
