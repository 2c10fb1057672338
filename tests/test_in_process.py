"""Measuring in a test's own process: what it finds, and what it leaves as it was."""

from __future__ import annotations

import random
import sys
import threading
import warnings
from collections.abc import Callable, Iterator

import pytest

from gillab.blocks.in_process import run_here
from gillab.blocks.messages import RunBlock
from gillab.blocks.protocol import Protocol
from gillab.blocks.runner import Runner
from gillab.errors import Interrupted
from gillab.results import Result
from gillab.strategies import worker

PROTOCOL = Protocol(
    task_time_s=0.001,
    min_blocks=2,
    max_blocks=2,
    time_budget_s=600.0,
    target_error=0.05,
    confidence=0.95,
    timeout_s=600.0,
    seed=1,
    launches=1,
)


def work() -> None:
    sum(range(1000))


def measure(call: Callable[[], object] = work) -> Result:
    return run_here("check", "f()", call, 2, PROTOCOL)


@pytest.fixture(autouse=True)
def left_as_it_was(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Compare the process before each test with the process after it."""
    before = (random.getstate(), warnings.showwarning, list(sys.path))
    threads = set(threading.enumerate())
    monkeypatch.setattr(worker, "_pools", {})
    yield
    assert random.getstate() == before[0], "a sequence of random numbers that was seeded goes on"
    assert (warnings.showwarning, sys.path) == before[1:]
    for thread in set(threading.enumerate()) - threads:
        thread.join(60.0)
        assert not thread.is_alive(), thread
    assert not worker._pools, "a task is kept"


def test_a_call_is_measured_in_threads_against_serial() -> None:
    result = measure()
    assert [(cell.strategy, cell.workers, cell.status) for cell in result.cells] == [
        ("serial", 1, "ok"),
        ("threads", 2, "ok"),
    ]
    assert [len(block["seconds"]) for block in result.blocks] == [5, 5]
    (ceiling,) = result.ceiling
    assert ceiling.reason is None
    assert ceiling.speedup is not None


def test_the_call_runs_in_this_process_and_in_as_many_threads() -> None:
    seen: set[int] = set()

    def call() -> None:
        seen.add(threading.get_ident())
        work()

    measure(call)
    assert threading.get_ident() in seen, "the serial arms run in the thread that asks"
    assert len(seen) > 1


class FaultError(Exception):
    """Takes more arguments than it passes on, and so cannot be pickled."""

    def __init__(self, one: int, two: int) -> None:
        super().__init__(f"{one} and {two}")


@pytest.mark.parametrize("error", [FaultError(1, 2), SystemExit(3), KeyboardInterrupt()])
@pytest.mark.parametrize("calls", [0, 1, 50])
def test_what_the_call_raises_is_raised_as_it_was(error: BaseException, calls: int) -> None:
    left = iter(range(calls))

    def call() -> None:
        if next(left, None) is None:
            raise error
        work()

    with pytest.raises(type(error)) as raised:
        measure(call)
    assert raised.value is error
    assert raised.value.__context__ is None


def test_what_is_raised_in_a_thread_alone_is_raised_as_it_was() -> None:
    error = FaultError(1, 2)

    def call() -> None:
        if threading.current_thread() is not threading.main_thread():
            raise error
        work()

    with pytest.raises(FaultError) as raised:
        measure(call)
    assert raised.value is error


def test_ctrl_c_between_two_calls_ends_the_measuring(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(runner: Runner, block: RunBlock) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Runner, "run_block", interrupt)
    with pytest.raises(KeyboardInterrupt) as raised:
        measure()
    assert isinstance(raised.value, Interrupted)
    assert raised.value.result.partial
