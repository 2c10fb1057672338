"""What runs in a launch: ``python -m gillab.measure.child``, told what to do on standard input.

Each line of standard input and output is one JSON object. The first line in is the plan. Every
arm is announced before it runs, so that the parent knows which one it was that never came back.
The workload itself sees an empty standard input and a standard output that leads nowhere.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import sys
import threading
import time
import traceback
import warnings
from concurrent.futures import Executor
from concurrent.futures.process import BrokenProcessPool
from typing import Any, TextIO

from gillab.environment import is_gil_enabled
from gillab.errors import UsageError
from gillab.measure.noise import difference, read_counters
from gillab.measure.plan import Arm
from gillab.strategies import Strategy, get_strategy
from gillab.strategies.failure import describe_exception, describe_exit
from gillab.strategies.worker import answer, initialize, run
from gillab.workload import Workload, find_function

_MANY_TIMES = 10
"""A calibrating run that takes the target so many times over need not be repeated."""


class ArmError(Exception):
    """An arm that cannot go on; its text is the reason."""

    def __init__(self, reason: str, status: str = "failed") -> None:
        super().__init__(reason)
        self.status = status


class OpenArm:
    """An arm whose workers are ready."""

    def __init__(self, arm: Arm, workload: Workload, start_method: str | None) -> None:
        self.key = arm.key
        self.workers = arm.workers
        self.strategy: Strategy = get_strategy(arm.strategy)
        obstacle = self.strategy.find_obstacle()
        if obstacle:
            raise ArmError(obstacle, "unavailable")
        started_ns = time.monotonic_ns()
        try:
            self._executor: Executor = self.strategy.create(
                arm.workers, initialize, (self.key, workload, sys.path), start_method
            )
            ready_ns = self._await_workers()
        except ArmError:
            raise
        except Exception as error:
            raise ArmError(self._explain(error)) from error
        self.setup_s = max(0, ready_ns - started_ns) / 1e9

    def _await_workers(self) -> int:
        """Return when the last worker was ready, having heard from each of them."""
        ready: dict[tuple[int, int], int] = {}
        pause_s = 0.005
        self._processes: list[Any] = []
        while len(ready) < self.workers and pause_s < 1:
            futures = [
                self._executor.submit(answer, self.key, pause_s) for _ in range(self.workers)
            ]
            # Kept, since a broken pool forgets its processes and with them their exit codes.
            self._processes = multiprocessing.active_children()
            for future in futures:
                worker, ready_ns, failure = future.result()
                if failure:
                    raise ArmError(failure, self._status_of(failure))
                ready[worker] = ready_ns
            pause_s *= 2
        return max(ready.values())

    def _status_of(self, failure: str) -> str:
        """Tell what cannot be had here from what went wrong."""
        if "does not support loading in subinterpreters" in failure:
            return "unavailable"
        return "failed"

    def measure(self, steps: int) -> tuple[int, int]:
        """Run one task a worker; return elapsed and CPU time in nanoseconds."""
        own_cpu_ns = time.process_time_ns()
        started_ns = time.perf_counter_ns()
        try:
            futures = [self._executor.submit(run, self.key, steps) for _ in range(self.workers)]
            outcomes = [future.result() for future in futures]
        except Exception as error:
            raise ArmError(self._explain(error)) from error
        elapsed_ns = time.perf_counter_ns() - started_ns
        cpu_ns = time.process_time_ns() - own_cpu_ns
        for pid, task_cpu_ns, failure in outcomes:
            if failure:
                raise ArmError(failure)
            if pid != os.getpid():
                cpu_ns += task_cpu_ns
        return elapsed_ns, cpu_ns

    def _explain(self, error: Exception) -> str:
        if not isinstance(error, BrokenProcessPool):
            return describe_exception(error)
        time.sleep(0.1)  # the pool is still ending the other workers
        codes = [process.exitcode for process in self._processes]
        # The pool itself ends the workers that are left with SIGTERM.
        telling = [code for code in codes if code not in (None, 0, -15)] or [
            code for code in codes if code is not None
        ]
        return f"a worker process {describe_exit(telling[0])}" if telling else "a worker died"


class Child:
    """One launch: its open arms and its line to the parent."""

    def __init__(self, plan: dict[str, Any], answers: TextIO) -> None:
        self._plan = plan
        self._answers = answers
        self._workload = Workload(**plan["workload"])
        self._open: dict[str, OpenArm] = {}
        self._gil_at_start = is_gil_enabled()
        self._gil_warning = ""
        self._cwd = os.getcwd()
        show = warnings.showwarning

        def notice(message: Warning | str, *rest: Any, **named: Any) -> None:
            if "global interpreter lock" in str(message):
                self._gil_warning = str(message).partition(" To override")[0]
            show(message, *rest, **named)

        warnings.showwarning = notice

    def say(self, event: str, **facts: Any) -> None:
        """Send the parent one line."""
        self._answers.write(json.dumps({"event": event, **facts}) + "\n")
        self._answers.flush()

    def open_arms(self) -> None:
        """Start every arm's workers, those that fork first, while there are no threads."""
        arms = [Arm(**arm) for arm in self._plan["arms"]]
        kernel = Workload("countdown_nogil", "kernel")
        for arm in sorted(arms, key=lambda arm: arm.strategy != "processes"):
            workload = kernel if arm.role in ("ceiling", "reference") else self._workload
            self.say("announce", arm=arm.key, phase="setup")
            try:
                opened = OpenArm(arm, workload, self._plan["start_method"])
                self._check_gil(opened)
            except ArmError as error:
                self.fail(arm.key, error)
            except UsageError as error:
                self.fail(arm.key, ArmError(str(error), "unavailable"))
            else:
                self._open[arm.key] = opened
                self.say("ready", arm=arm.key, setup_s=opened.setup_s)

    def fail(self, key: str, error: ArmError) -> None:
        """Give an arm up."""
        self._open.pop(key, None)
        self.say("failed", arm=key, status=error.status, reason=str(error))

    def calibrate(self) -> dict[str, int]:
        """Return the steps of one task, for the workload's arms and for the controls."""
        steps = {
            "cell": self._plan["steps"],
            "control": self._plan["control_steps"],
        }
        for group, key in (("cell", "serial/1"), ("control", "reference/1")):
            if steps[group] is None and key in self._open:
                self.say("announce", arm=key, phase="calibrate")
                try:
                    steps[group] = self._calibrate(self._open[key])
                except ArmError as error:
                    self.fail(key, error)
        self.say("calibrated", **steps)
        return steps

    def _calibrate(self, arm: OpenArm) -> int:
        """Find the steps that reach the task time in two runs one after the other."""
        target_ns = self._plan["task_time_s"] * 1e9
        steps, reached = 1, 0
        while True:
            elapsed_ns, _ = arm.measure(steps)
            if elapsed_ns >= _MANY_TIMES * target_ns:
                return steps
            if elapsed_ns >= target_ns:
                reached += 1
                if reached == 2:
                    return steps
                continue
            reached = 0
            # No more than tenfold at once: a first reading of a microsecond tells little.
            factor = min(10.0, 1.1 * target_ns / max(elapsed_ns, 1))
            steps = max(steps + 1, int(steps * factor))

    def run_block(self, order: list[str], steps: dict[str, int]) -> None:
        """Run every open arm once, in the order given, and report each as soon as it is known."""
        before = read_counters()
        cpu_ns = 0
        for key in order:
            arm = self._open.get(key)
            if arm is None:
                continue
            group = "control" if key.startswith(("ceiling", "reference")) else "cell"
            self.say("announce", arm=key, phase="run")
            try:
                elapsed_ns, arm_cpu_ns = arm.measure(steps[group])
                self._check_gil(arm)
            except ArmError as error:
                self.fail(key, error)
                continue
            cpu_ns += arm_cpu_ns
            self.say(
                "measured",
                arm=key,
                seconds=elapsed_ns / arm.workers / 1e9,
                cores=arm_cpu_ns / elapsed_ns,
            )
        noise = difference(before, read_counters(), cpu_ns / 1e9)
        self.say("block", noise=noise, notes=self._notes())

    def _check_gil(self, arm: OpenArm) -> None:
        """Fail parallel arms of this process once the GIL is back: their answer is another's."""
        if self._gil_at_start or not is_gil_enabled():
            return
        if arm.strategy.parallel and not arm.strategy.own_process:
            raise ArmError(f"it turned the GIL back on: {self._gil_warning or 'by an import.'}")

    def _notes(self) -> list[str]:
        notes = []
        if os.getcwd() != self._cwd:
            notes.append("changes the working directory")
        strangers = [thread for thread in threading.enumerate() if not _is_ours(thread)]
        if strangers:
            notes.append("leaves threads of its own running")
        if _has_zombies():
            notes.append("leaves child processes that it never waits for")
        if not self._gil_at_start and is_gil_enabled():
            notes.append("turns the GIL back on")
        return notes


def _is_ours(thread: threading.Thread) -> bool:
    kind = type(thread).__module__
    return (
        thread is threading.main_thread()
        or kind.startswith(("concurrent.futures", "multiprocessing"))
        or thread.name.startswith(("ThreadPoolExecutor", "InterpreterPoolExecutor", "QueueFeeder"))
    )


def _has_zombies() -> bool:
    """Whether a child of this process has ended unawaited, where /proc tells."""
    try:
        with open(f"/proc/self/task/{threading.get_native_id()}/children") as file:
            children = file.read().split()
    except OSError:
        return False
    for pid in children:
        try:
            with open(f"/proc/{pid}/stat") as file:
                if file.read().rpartition(")")[2].split()[0] == "Z":
                    return True
        except OSError:
            continue
    return False


def _take_over_streams() -> tuple[TextIO, TextIO]:
    """Keep standard input and output for the parent; the workload gets the null device."""
    commands = os.fdopen(os.dup(0), encoding="utf-8")
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    null = os.open(os.devnull, os.O_RDWR)
    os.dup2(null, 0)
    os.dup2(null, 1)
    os.close(null)
    return commands, answers


def main() -> None:
    """Obey the parent until it closes the line."""
    commands, answers = _take_over_streams()
    plan = json.loads(commands.readline())
    sys.path[:] = plan["path"]
    child = Child(plan, answers)
    if plan["probe"]:
        try:
            find_function(plan["workload"]["name"])
        except UsageError as error:
            child.say("unusable", reason=str(error))
        else:
            child.say("usable")
        return
    child.open_arms()
    steps = child.calibrate()
    for line in commands:
        child.run_block(json.loads(line)["order"], steps)


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
