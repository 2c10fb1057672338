"""Meters start, stop, nest, fork and end without a crash, a leak or a hang."""

from __future__ import annotations

import gc
import os
import shutil
import subprocess
import sys
import threading
import time
import weakref
from collections import deque
from pathlib import Path

import pytest
from long_tests import only_long

from gillab.errors import GillabError
from gillab.meter import (
    GilMeter,
    MeterUnavailableError,
    _sampler,
    thread_names,
    why_unavailable,
)
from gillab.meter.thread_names import Named

ISOLATED = Path(__file__).parent / "isolated"
HANG_S = 120  # far beyond what any of them takes: only a hang gets there

available = pytest.mark.skipif(
    why_unavailable() is not None, reason=f"the meter is unavailable: {why_unavailable()}"
)


def run_isolated(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *arguments], capture_output=True, text=True, timeout=HANG_S, check=False
    )


@available
def test_a_meter_starts_once_at_a_time_and_stops_any_number_of_times() -> None:
    meter = GilMeter()
    meter.stop()
    meter.start()
    assert meter.running
    with pytest.raises(GillabError, match="runs already"):
        meter.start()
    meter.stop()
    meter.stop()
    assert not meter.running


@available
def test_batches_go_on_where_a_meter_was_stopped() -> None:
    meter = GilMeter()
    for _ in range(20):
        meter.start()
        while meter.read().samples % 7 != 3:
            time.sleep(0.0002)
        meter.stop()
    counts = meter.read()._raw.counts
    whole = [counts.batches[0] // 2**level for level in range(len(counts.batches))]
    assert list(counts.batches) == whole


@available
def test_an_interrupt_while_it_starts_leaves_nothing_running(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def interrupt(self: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("gillab.meter.gil_meter._Knocker.start", interrupt)
    meter = GilMeter(knock=True)
    with pytest.raises(KeyboardInterrupt):
        meter.start()
    assert not meter.running
    assert "add" not in vars(threading._dangling)  # type: ignore[attr-defined]
    with GilMeter():
        assert "add" in vars(threading._dangling)  # type: ignore[attr-defined]


@available
def test_a_meter_that_starts_again_goes_on_counting() -> None:
    meter = GilMeter()
    with meter:
        pass
    first = meter.read()
    with meter:
        pass
    second = meter.read()
    assert second.duration_s > first.duration_s
    assert meter.read().duration_s == second.duration_s


@available
def test_one_thread_starts_another_reads_a_third_stops() -> None:
    meter = GilMeter()
    for act in (meter.start, meter.read, meter.stop):
        thread = threading.Thread(target=act)
        thread.start()
        thread.join()
    assert not meter.running


@available
def test_many_meters_at_once_nested_and_read_from_many_threads() -> None:
    meters = [GilMeter(2e-3) for _ in range(20)]
    for meter in meters:
        meter.start()

    def read_all() -> None:
        for meter in meters:
            for _ in range(5):
                meter.read()

    threads = [threading.Thread(target=read_all) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for meter in meters:
        meter.stop()
    assert all(meter.read().duration_s > 0 for meter in meters)


@available
def test_a_running_meter_that_is_dropped_stops() -> None:
    GilMeter().start()
    gc.collect()
    assert "add" not in vars(threading._dangling)  # type: ignore[attr-defined]


@available
@pytest.mark.parametrize("meters", ["500", pytest.param("10000", marks=only_long)])
def test_many_meters_leave_no_thread_file_or_memory(meters: str) -> None:
    result = run_isolated(str(ISOLATED / "meter_leaks.py"), meters)
    assert result.returncode == 0, result.stderr
    assert result.stdout.split()[-1] == "ok"


@available
@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_a_fork_has_no_meter_and_says_so() -> None:
    result = run_isolated("-W", "ignore", str(ISOLATED / "meter_fork.py"))
    assert result.returncode == 0, result.stderr
    assert "forked from" in result.stdout
    assert result.stdout.split()[-1] == "ok"


FORK_BESIDE_A_FOREIGN_THREAD = """
import _thread, os, threading
from gillab.meter import GilMeter

kept, started, over = [], _thread.allocate_lock(), _thread.allocate_lock()
started.acquire()
over.acquire()

def work():
    kept.append(threading.current_thread())
    started.release()
    over.acquire()

_thread.start_new_thread(work, ())
started.acquire()
if os.fork() == 0:
    with GilMeter() as meter:
        meter.read()
    os._exit(3)
assert os.waitstatus_to_exitcode(os.wait()[1]) == 3
"""


@available
@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_a_fork_beside_a_thread_that_threading_did_not_start_is_metered() -> None:
    result = run_isolated("-W", "ignore", "-c", FORK_BESIDE_A_FOREIGN_THREAD)
    assert result.returncode == 0, result.stderr


@available
@pytest.mark.parametrize(
    "way", ["return", "exit", "exception", "os_exit", "daemon", "knock", "signal"]
)
def test_an_interpreter_ends_with_a_meter_running(way: str) -> None:
    result = run_isolated(str(ISOLATED / "meter_exit.py"), way)
    expected = {"exit": 3, "exception": 1, "os_exit": 4, "signal": -2}.get(way, 0)
    if way == "signal" and os.name == "nt":
        pytest.skip("an interrupt does not end a process here")
    assert result.returncode == expected, result.stderr
    assert "Fatal" not in result.stderr
    assert result.stderr == "" or way in ("exception", "signal")


@available
@pytest.mark.skipif(sys.version_info < (3, 13), reason="own-GIL interpreters: from 3.13 on here")
@pytest.mark.parametrize("way", ["sample", "knock"])
def test_an_own_gil_interpreter_has_a_meter_of_its_own(way: str) -> None:
    result = run_isolated(str(ISOLATED / "meter_interpreter.py"), way)
    assert result.returncode == 0, result.stderr
    if result.stdout.startswith("skip"):
        pytest.skip(result.stdout.strip())
    assert result.stdout.split()[-1] == "ok"


@available
@pytest.mark.skipif(
    getattr(sys, "_is_gil_enabled", lambda: True)() or shutil.which("gcc") is None,
    reason="needs a free-threaded build that runs without the GIL, and gcc",
)
def test_a_gil_that_is_turned_back_on_is_read(tmp_path: Path) -> None:
    result = run_isolated(str(ISOLATED / "meter_gil_back.py"), str(tmp_path))
    assert result.returncode == 0, result.stderr
    if result.stdout.startswith("skip"):
        pytest.skip(result.stdout.strip())
    assert result.stdout.split()[-1] == "ok"


@pytest.fixture
def known(monkeypatch: pytest.MonkeyPatch) -> dict[int, Named]:
    """Stand in for what threading knows of threads, by native id and by ident."""
    known: dict[int, Named] = {}
    monkeypatch.setattr(thread_names, "collect_names", lambda: (known, known))
    return known


def name(thread: threading.Thread) -> Named:
    return Named(thread.name, weakref.ref(thread))


@available
@pytest.mark.parametrize("native_id", [7, 0], ids=["native id", "ident"])
def test_an_ended_thread_keeps_its_name_when_another_has_its_id(
    known: dict[int, Named], native_id: int
) -> None:
    """As on Windows, where each state of a thread has a place and ids come again soon."""
    meter = GilMeter()
    thread = threading.Thread(name="first")
    known[7] = name(thread)
    assert meter._find_names([(0, 7, native_id, "")]) == {0: "first"}
    # Where the first is freed, the second may well lie in the same memory.
    del thread
    gc.collect()
    second = threading.Thread(name="second")
    known[7] = name(second)
    shares = [(0, 7, native_id, ""), (1, 7, native_id, "")]
    assert meter._find_names(shares[:1]) == {0: "first"}
    assert meter._find_names(shares) == {0: "first", 1: "second"}
    second.name = "renamed"
    known[7] = name(second)
    assert meter._find_names(shares) == {0: "first", 1: "renamed"}


@available
def test_a_thread_that_threading_learns_of_late_is_named_then(known: dict[int, Named]) -> None:
    meter = GilMeter()
    share = (0, 7, 7, "")
    assert meter._find_names([share]) == {0: "thread 7"}
    thread = threading.Thread(name="late")
    known[7] = name(thread)
    assert meter._find_names([share]) == {0: "late"}
    known.clear()
    assert meter._find_names([share]) == {0: "late"}


def test_an_id_that_was_given_again_is_the_living_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    class Pretended(threading.Thread):
        alive = False
        native_id = 2**40 + 1  # which no system gives

        def is_alive(self) -> bool:
            return self.alive

    ended, living = Pretended(name="ended"), Pretended(name="living")
    living.alive = True
    for order in ([ended, living], [living, ended]):
        monkeypatch.setattr(thread_names, "_threads", deque(order))
        by_native_id, _ = thread_names.collect_names()
        assert by_native_id[Pretended.native_id].name == "living"


def test_where_the_lock_cannot_be_read_the_meter_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*settings: int, budget: float, states_every: int, other: None) -> None:
        raise RuntimeError("this is not CPython, whose lock it reads")

    monkeypatch.setattr(_sampler, "new", refuse)
    with pytest.raises(MeterUnavailableError, match="not CPython"):
        GilMeter()


def test_the_meter_imports_nothing_large() -> None:
    result = run_isolated(
        "-c", "import sys, gillab.meter; print(*{'numpy', 'rich'} & sys.modules.keys())"
    )
    assert result.stdout.strip() == ""
    assert result.returncode == 0, result.stderr
