"""An arm's workers: how they are waited for, timed and ended."""

from __future__ import annotations

import math
import multiprocessing
import os
import signal
import threading
from collections import Counter
from concurrent.futures import BrokenExecutor, Executor, Future
from types import SimpleNamespace
from typing import Any

import pytest
from compare_run import wait_until

from gillab.blocks.arm import ArmError, OpenArm, await_exit_codes
from gillab.blocks.plan import SERIAL, Arm, divide
from gillab.strategies import Strategy, get_strategy, worker
from gillab.strategies.processes import find_started
from gillab.strategies.worker import Ready
from gillab.workload import Workload

PATIENT_S = 600.0


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
    monkeypatch.setattr("gillab.blocks.arm.get_strategy", lambda name, _: Strategy(name, create))
    clock = SimpleNamespace(monotonic=lambda: pool.now, monotonic_ns=lambda: int(pool.now * 1e9))
    monkeypatch.setattr("gillab.blocks.arm.time", clock)

    def create(*arguments: Any, **named: Any) -> Executor:
        return pool

    workload = Workload("w", "statement")
    if comes:
        arm = OpenArm(Arm("late", 2), workload, None, timeout_s)
        assert arm.setup_s is not None
        assert arm.setup_s > late_s
    else:
        with pytest.raises(ArmError, match="only 1 of 2 workers came"):
            OpenArm(Arm("late", 2), workload, None, timeout_s)
        assert pool.now < min(timeout_s, 65.0)


def open_threads(task: Any, workers: int = 2) -> OpenArm:
    return OpenArm(Arm("threads", workers), task, None, PATIENT_S)


def test_a_task_is_queued_in_pieces_that_any_free_worker_takes() -> None:
    """One worker is stopped at its first piece, and the other does all that is left."""
    taken: list[tuple[int, int]] = []
    held = threading.Event()
    lock = threading.Lock()
    most = 2 * len(divide(80))

    def task(steps: int) -> None:
        with lock:
            taken.append((threading.get_ident(), steps))
            first = len(taken) == 1
            if len(taken) == most:
                held.set()
        if first:
            assert held.wait(PATIENT_S)

    arm = open_threads(task)
    try:
        arm.measure(80)
    finally:
        arm.close()
    assert sorted(Counter(thread for thread, _ in taken).values()) == [1, most - 1]
    assert sorted(steps for _, steps in taken) == sorted(2 * divide(80))
    assert [steps for _, steps in taken] == [40, 40, 20, 20, 10, 10, 10, 10], "the largest first"


def test_serial_takes_the_same_pieces() -> None:
    taken: list[int] = []
    arm = OpenArm(SERIAL, taken.append, None, PATIENT_S)
    arm.measure(80)
    arm.close()
    assert taken == divide(80)


def test_the_cpu_time_of_an_arm_is_that_of_its_processes() -> None:
    workload = Workload("sum(range(100_000))", "statement")
    for arm in (SERIAL, Arm("threads", 2), Arm("processes", 2)):
        opened = OpenArm(arm, workload, None, PATIENT_S)
        try:
            elapsed_ns, cpu_ns = opened.measure(50)
        finally:
            opened.close()
        assert elapsed_ns > 0
        assert cpu_ns > 0
        assert (os.getpid() in opened.pids) == (arm.strategy != "processes")
        assert len(opened.pids) == (2 if arm.strategy == "processes" else 1)


def test_an_arm_that_is_closed_keeps_no_task_and_no_worker(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(worker, "_pools", {})
    before = set(threading.enumerate())
    arms = [open_threads(lambda steps: None), open_threads(lambda steps: None)]
    assert len(worker._pools) == 4, "each pool has tasks of its own, of one name though they are"
    for arm in arms:
        arm.close()
    assert not worker._pools
    for thread in set(threading.enumerate()) - before:
        thread.join(60.0)
        assert not thread.is_alive()


def test_processes_are_gone_when_the_arm_is_closed_or_soon() -> None:
    arm = OpenArm(Arm("processes", 2), Workload("pass", "statement"), None, PATIENT_S)
    processes = list(arm._processes)
    assert processes
    arm.close()
    # Not join(): the pool waits too, and who comes second is not told by the system how it ended.
    assert wait_until(lambda: None not in [process.exitcode for process in processes], 60.0)


def test_what_an_executor_raises_at_its_end_is_nobodys_business(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ended: list[bool] = []

    class Stubborn(SlowPool):
        def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
            ended.append(True)
            raise OSError("it will not end")

    pool = Stubborn(0.0)

    def create(*arguments: Any, **named: Any) -> Executor:
        return pool

    monkeypatch.setattr("gillab.blocks.arm.get_strategy", lambda name, _: Strategy(name, create))
    OpenArm(Arm("stubborn", 1), Workload("w", "statement"), None, PATIENT_S).close()
    assert ended


def test_a_failure_of_the_task_is_told_by_its_text() -> None:
    def task(steps: int) -> None:
        raise ValueError("no luck")

    arm = open_threads(task)
    try:
        with pytest.raises(ArmError, match="ValueError: no luck") as raised:
            arm.measure(8)
    finally:
        arm.close()
    assert raised.value.status == "failed"


def test_an_exit_code_that_is_late_is_waited_for() -> None:
    class Reaped:
        """A process whose exit code another thread has taken and not yet written down."""

        looks = 0

        @property
        def exitcode(self) -> int | None:
            self.looks += 1
            return 3 if self.looks > 2 else None

    class Ended:
        exitcode = -signal.SIGTERM

    assert await_exit_codes([Reaped(), Ended()]) == {3, -signal.SIGTERM}


@pytest.mark.parametrize(("most", "told"), [(3, [3, 3]), (None, [])])
def test_every_worker_holds_its_libraries_to_so_many_threads(
    monkeypatch: pytest.MonkeyPatch, most: int | None, told: list[int]
) -> None:
    limits: list[int] = []
    monkeypatch.setattr(worker, "limit_inner_threads", limits.append)
    workload = Workload("pass", "statement")
    OpenArm(Arm("threads", 2), workload, None, PATIENT_S, most).close()
    assert limits == told


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="processes are killed otherwise here")
@pytest.mark.filterwarnings("ignore:.*multi-threaded:DeprecationWarning")
def test_a_pool_knows_its_processes_however_they_ended() -> None:
    executor = get_strategy("processes").create(1, int, (), None)
    started = find_started(executor)
    assert started == []
    with executor:
        executor.submit(int).result()
        (process,) = started
        process.kill()
        with pytest.raises(BrokenExecutor):
            executor.submit(int).result()
    # It is no longer among the children, and still it tells.
    assert process not in multiprocessing.active_children()
    assert await_exit_codes(find_started(executor)) == {-signal.SIGKILL}
