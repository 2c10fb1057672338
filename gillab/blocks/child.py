"""What runs in a launch: ``python -m gillab.blocks.child FOLDER``, told what to do by its input.

Each line of standard input and output is one JSON object. The first line in is the plan; that it is
known is the first line out, whatever is to be done. Every arm is announced before it runs, so that
the parent knows which one it was that never came back. The workload itself sees an empty standard
input and a standard output that leads nowhere.
"""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Callable
from contextlib import nullcontext, suppress
from typing import Any

from gillab.blocks.arm import ArmError, OpenArm
from gillab.blocks.noise import difference, read_counters
from gillab.blocks.plan import REFERENCE, Arm
from gillab.environment import is_gil_enabled
from gillab.errors import GillabError, UsageError
from gillab.launch.pipes import Line
from gillab.launch.process_group import guard_group
from gillab.launch.side_effects import SideEffects
from gillab.launch.temporary import adopt_folder
from gillab.strategies import recall_strategy
from gillab.strategies.failure import describe_exception
from gillab.workload import Workload, find_function


class Child:
    """One launch: its open arms and its line to the parent."""

    def __init__(self, plan: dict[str, Any], say: Callable[..., None]) -> None:
        self._plan = plan
        self.say = say
        self._workload = Workload(**plan["workload"])
        self._side_effects = SideEffects()
        self._arms = [Arm(**arm) for arm in plan["arms"]]
        self._open: dict[str, OpenArm] = {}

    def open_arms(self) -> None:
        """Start every arm's workers, those that fork first, while there are no threads."""
        kernel = Workload("countdown_nogil", "kernel")
        for arm in sorted(self._arms, key=lambda arm: not _forks(arm)):
            workload = kernel if arm.runs_loop else self._workload
            self.say("announce", arm=arm.key)
            try:
                opened = self._open_arm(arm, workload)
                self._check_gil(opened)
            except ArmError as error:
                self.fail(arm.key, error)
            except UsageError as error:
                self.fail(arm.key, ArmError(str(error), "unavailable"))
            else:
                self._open[arm.key] = opened
                self.say("ready", arm=arm.key, setup_s=opened.setup_s)

    def _open_arm(self, arm: Arm, workload: Workload) -> OpenArm:
        # A serial arm has no threads: those that its setup starts are the workload's.
        strategy = recall_strategy(arm.strategy)
        serial = strategy is not None and not strategy.parallel
        with nullcontext() if serial else self._side_effects.expecting_threads():
            plan = self._plan
            return OpenArm(arm, workload, plan["start_method"], plan["timeout_s"])

    def fail(self, key: str, error: ArmError) -> None:
        """Give an arm up."""
        self._open.pop(key, None)
        self.say("failed", arm=key, status=error.status, reason=str(error))

    def calibrate(self) -> dict[str, Any]:
        """Return the steps of one task, for the workload's arms and for the controls.

        Serial is asked first; where it fails, the first strategy that works.
        """
        steps = {"cell": self._plan["steps"], "control": self._plan["control_steps"]}
        askable = {
            "cell": [arm.key for arm in self._arms if arm.role == "cell"],
            "control": [REFERENCE.key],
        }
        for group, keys in askable.items():
            for key in keys:
                if steps[group] is None and key in self._open:
                    try:
                        steps[group] = self._calibrate(self._open[key])
                    except ArmError as error:
                        self.fail(key, error)
        self.say("calibrated", **steps)
        return steps

    def _calibrate(self, arm: OpenArm) -> int:
        """Find the steps that reach the task time in two runs one after the other.

        Twice however long it is: a first call may import or compile what the others need not.
        """
        target_ns = self._plan["task_time_s"] * 1e9
        steps, reached = 1, 0
        while True:
            self.say("announce", arm=arm.key)
            elapsed_ns = arm.measure(steps)[0] / arm.workers
            if elapsed_ns >= target_ns:
                reached += 1
                if reached == 2:
                    return steps
                continue
            reached = 0
            # No more than tenfold at once: a first reading of a microsecond tells little.
            factor = min(10.0, 1.1 * target_ns / max(elapsed_ns, 1))
            steps = max(steps + 1, int(steps * factor))

    def run_block(self, order: list[str], steps: dict[str, Any]) -> None:
        """Run every open arm once, in the order given, and report each as soon as it is known."""
        loops = {arm.key for arm in self._arms if arm.runs_loop}
        before = read_counters()
        cpu_ns = 0
        given_up = []
        for key in order:
            arm = self._open.get(key)
            if arm is None:
                continue
            group = "control" if key in loops else "cell"
            self.say("announce", arm=key)
            try:
                elapsed_ns, arm_cpu_ns = arm.measure(steps[group])
                self._check_gil(arm)
            except ArmError as error:
                self.fail(key, error)
                # Its processes go with it, and their CPU time must not come to another arm's.
                given_up.append(arm)
                continue
            cpu_ns += arm_cpu_ns
            self.say(
                "measured",
                arm=key,
                seconds=elapsed_ns / arm.workers / 1e9,
                cores=arm_cpu_ns / elapsed_ns,
            )
        noise = difference(before, read_counters(), cpu_ns / 1e9)
        self.say("block", noise=noise, notes=self._side_effects.list_notes())

    def meter_arms(self, steps: int | None) -> None:
        """Run the cells that share this interpreter's GIL once each, untimed, under a meter.

        How much of the time it was held is said of each; nothing where that cannot be read.
        """
        from gillab.meter import GilMeter, why_unavailable

        keys = [
            arm.key
            for arm in self._arms
            if arm.role == "cell"
            and arm.key in self._open
            and self._open[arm.key].strategy.shares_gil
        ]
        if steps is not None and is_gil_enabled() and why_unavailable() is None:
            for key in keys:
                with suppress(ArmError), GilMeter() as meter:
                    self._open[key].measure(steps)
                    reading = meter.read()
                    if reading.samples and reading.gil_enabled:
                        self.say("held", arm=key, held=reading.held)
        self.say("metered")

    def examine(self, seconds: float) -> None:
        """Tell how much of the time one call of the workload releases the GIL."""
        from gillab.release.examine import examine_here
        from gillab.release.rounds import TooBusyError

        try:
            examine_here(self._workload, seconds, self.say)
        except TooBusyError as error:
            self.say("undecided", reason=str(error))
        except GillabError as error:
            self.say("failed", status="unavailable", reason=str(error))
        except ModuleNotFoundError as error:
            self.say("failed", status="missing", reason=describe_exception(error))
        except BaseException as error:
            self.say("failed", status="failed", reason=describe_exception(error))

    def _check_gil(self, arm: OpenArm) -> None:
        """Fail parallel arms of this process once the GIL is back: their answer is another's."""
        cause = self._side_effects.explain_gil()
        if cause and arm.strategy.parallel and not arm.strategy.own_process:
            raise ArmError(f"it turned the GIL back on: {cause}")


def _forks(arm: Arm) -> bool:
    strategy = recall_strategy(arm.strategy)
    return strategy is not None and strategy.forks


def _look_for(functions: list[str], say: Callable[..., None]) -> None:
    """Say of each whether it exists; what its module raises on import is for the measuring."""
    for name in functions:
        try:
            find_function(name)
        except UsageError as error:
            say("unusable", reason=str(error))
            continue
        except BaseException:
            traceback.print_exc()
        say("usable")


def main() -> None:
    """Obey the parent until it closes the line."""
    line = Line()
    guard_group(line.descriptors[0], adopt_folder())
    plan = line.read()
    sys.path[:] = plan["path"]
    os.environ.pop("PYTHONPATH", None)
    if plan["pythonpath"] is not None:
        os.environ["PYTHONPATH"] = plan["pythonpath"]
    if "examine_s" in plan:
        import gillab.release.examine  # noqa: F401  # of the start, and not of the workload's time
    line.say("started")
    if "functions" in plan:
        _look_for(plan["functions"], line.say)
        return
    child = Child(plan, line.say)
    if "examine_s" in plan:
        child.examine(plan["examine_s"])
        return
    child.open_arms()
    steps = child.calibrate()
    for command in line:
        if "order" in command:
            child.run_block(command["order"], steps)
        else:
            child.meter_arms(steps["cell"])


if __name__ == "__main__":
    code = 1
    try:
        main()
        code = 0
    except BaseException:
        traceback.print_exc()
    # Whatever threads or exit handlers the workload left must not keep the launch alive.
    sys.stderr.flush()
    os._exit(code)
