"""Transfers as they run: every way, what goes wrong in one, and what is left of shared memory."""

from __future__ import annotations

import multiprocessing
import os
import re
import signal
import sys
from collections.abc import Iterator
from contextlib import suppress
from multiprocessing.shared_memory import SharedMemory
from pathlib import Path
from typing import Any

import pytest
from compare_run import PATIENT
from long_tests import only_long

from gillab.blocks.arm import ArmError
from gillab.blocks.messages import Calibrated, OpenArms, Ready
from gillab.blocks.session import Progress
from gillab.errors import Interrupted, UsageError
from gillab.results import Result
from gillab.strategies import get_strategy
from gillab.transfer import main, transfer
from gillab.transfers import arm as arms
from gillab.transfers import segments
from gillab.transfers.arm import TransferArm, make_array
from gillab.transfers.carriers import open_carrier
from gillab.transfers.segments import TransferLaunch, start_tracker
from gillab.transfers.ways import PROCESSES, Way, list_ways, plan_size

ONCE: dict[str, Any] = {"min_blocks": 1, "max_blocks": 1, **PATIENT}
posix = pytest.mark.skipif(sys.platform == "win32", reason="signals are POSIX's")
METHODS = [  # the first is the default
    pytest.param(method, marks=only_long if place else [])
    for place, method in enumerate(multiprocessing.get_all_start_methods())
]


@pytest.fixture(autouse=True)
def _nothing_is_left() -> Iterator[None]:
    """Hold what lies in shared memory before and after."""
    start_tracker()
    before = list_segments()
    yield
    assert list_segments() <= before


def list_segments() -> set[str]:
    """Return the segments of this process and of its launches; other runs have their own."""
    return {file.name for file in Path("/dev/shm").glob(f"gillab-{os.getpid()}-*")}


def is_there(name: str) -> bool:
    return Path("/dev/shm", name).exists()


def open_arm(way: Way, *, returns: bool = False, method: str | None = None) -> TransferArm:
    return TransferArm(way.arm, make_array(10_000), returns, 0.001, method)


def list_statuses(result: Result) -> dict[str, str]:
    return {cell.key: cell.status for cell in result.cells}


def test_a_run_measures_every_way_and_draws_it() -> None:
    result = transfer(["1kB", 5000], strategies=("threads", "processes"), **ONCE)
    assert set(list_statuses(result).values()) == {"ok"}
    assert [cell.workload for cell in result.cells] == ["1 kB"] * 6 + ["5 kB"] * 6
    cost, rate, pays = result.charts
    assert [len(chart.series) for chart in (cost, rate, pays)] == [5, 3, 5]
    assert cost.xs == [1000.0, 5000.0]
    assert result.summary[0].startswith("5 kB costs a process ")
    assert result.options["sizes"] == [1000, 5000]


@pytest.mark.parametrize("returns", [False, True])
@pytest.mark.parametrize("way", list_ways(("threads", "processes", "interpreters")), ids=str)
def test_the_worker_sees_the_array_and_sends_it_back(way: Way, returns: bool) -> None:
    strategy = get_strategy(way.strategy)
    obstacle = strategy.find_obstacle()
    if obstacle:
        pytest.skip(obstacle)
    array = make_array(10_000)
    array[::4096] = (1, 2, 3)
    carrier = open_carrier(strategy, way.variant, array, returns, None)
    try:
        for _ in range(2):
            answer = carrier.call()
            sent = returns and way.variant not in ("placed", "memoryview", "buffers")
            assert bytes(answer) == array.tobytes() if sent else answer == 6
    finally:
        carrier.close()


def test_a_run_has_a_call_at_least() -> None:
    arm = open_arm(list_ways(["threads"])[0])
    try:
        assert arm.tasks >= 1
        elapsed_ns, cpu_ns = arm.measure(1)
        assert elapsed_ns > 0
        assert cpu_ns >= 0
    finally:
        arm.close()


@posix
@pytest.mark.parametrize("way", PROCESSES, ids=str)
def test_a_killed_worker_is_named_and_leaves_nothing(way: Way) -> None:
    arm = open_arm(way)
    try:
        (worker,) = arm.pids - {os.getpid()}
        os.kill(worker, signal.SIGKILL)
        with pytest.raises(ArmError, match="a worker process was killed by SIGKILL"):
            arm.measure(1)
    finally:
        arm.close()


@posix
@pytest.mark.skipif(sys.platform != "linux", reason="looks in /dev/shm")
@pytest.mark.parametrize("tracker", [True, False], ids=["with its tracker", "alone"])
def test_a_killed_launch_leaves_no_segment(tracker: bool) -> None:
    (way,) = (way for way in PROCESSES if way.variant == "placed")
    plan = plan_size("1 kB", 1000, [way], returns=False)
    launch = TransferLaunch()
    try:
        launch.await_start(300.0)
        launch.send(OpenArms(plan.workload, plan.arms, 0.001, 300.0, None, None, None))
        while not isinstance(launch.receive(300.0), Calibrated):
            pass
        name = f"{launch._stem}-placed"
        assert is_there(name)
        mapped = Path(f"/proc/{launch._process.pid}/maps").read_text()
        # By their numbers: the names there are those that they were made under.
        semaphores = set(map(int, re.findall(r"(\d+) +/dev/shm/sem\.", mapped)))
        if tracker:
            os.killpg(launch._process.pid, signal.SIGKILL)
        else:
            launch._process.kill()
    finally:
        launch.close()
    assert not is_there(name)
    for path in Path("/dev/shm").glob("sem.*"):  # nobody is left that would remove them
        with suppress(FileNotFoundError):
            if path.stat().st_ino in semaphores:
                path.unlink()


@pytest.mark.parametrize("method", METHODS)
def test_the_resource_tracker_has_no_segment_to_warn_of_where_a_launch_ends(method: str) -> None:
    plan = plan_size("1 kB", 1000, PROCESSES, returns=False)
    opened = set()
    with TransferLaunch() as launch:
        launch.await_start(300.0)
        launch.send(OpenArms(plan.workload, plan.arms, 0.001, 300.0, None, None, method))
        while not isinstance(message := launch.receive(300.0), Calibrated):
            if isinstance(message, Ready):
                opened.add(message.arm)
    assert opened == {arm.key for arm in plan.arms}
    assert b"shared_memory" not in launch._stderr_tail


def test_a_size_that_does_not_fit_into_shared_memory_is_a_row_with_its_reason(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(segments, "find_room", lambda: 9_999)
    for way in PROCESSES[2:]:
        with pytest.raises(ArmError) as refused:
            open_arm(way)
        assert str(refused.value) == "10 kB do not fit into /dev/shm, which has 9.99 kB free"
        assert refused.value.status == "unavailable"


def test_a_size_that_does_not_fit_into_memory_is_a_row_with_its_reason(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(arms, "_find_memory", lambda: 59_999)
    with pytest.raises(ArmError) as refused:
        make_array(10_000)
    told = "10 kB and its copies need 60 kB of memory, and 59.9 kB are free"
    assert (str(refused.value), refused.value.status) == (told, "unavailable")


def test_a_run_whose_size_is_too_large_says_so_of_every_way() -> None:
    result = transfer(["9000TB"], strategies=("threads",), **ONCE)
    assert set(list_statuses(result).values()) == {"unavailable"}
    assert "memory" in (result.cells[0].reason or "")
    assert result.summary == ["No way was measured."]
    assert result.failed


def test_an_interrupted_run_keeps_what_it_measured() -> None:
    def interrupt(at: Progress) -> None:
        if at.block:  # the first may be a warm-up
            raise KeyboardInterrupt

    with pytest.raises(Interrupted) as interrupted:
        transfer(["1kB"], strategies=("processes",), on_block=interrupt, **PATIENT)
    result = interrupted.value.result
    assert result.partial
    assert len(result.charts) == 3
    assert result.summary[0].startswith("1 kB costs a process ")


def test_a_strategy_that_is_not_available_is_a_row() -> None:
    obstacle = get_strategy("interpreters").find_obstacle()
    result = transfer(["1kB"], strategies=("interpreters",), **ONCE)
    statuses = list_statuses(result)
    expected = "unavailable" if obstacle else "ok"
    assert statuses["interpreters/1/bytes"] == statuses["interpreters/1/memoryview"] == expected
    if obstacle:
        assert result.cells[1].reason == obstacle


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        ("--sizes 1MiB", "argument --sizes: '1MiB' is no size; write 1kB"),
        ("--sizes 1kB,", "argument --sizes: '' is no size"),
        ("--sizes 0", "argument --sizes: '0' is no whole number of bytes from 1 on"),
        ("-j 1", "a call is shared out among one number of workers from 2 on, not 1."),
        ("-j 2,4", "a call is shared out among one number of workers from 2 on, not 2, 4."),
        ("--strategies serial", "there is nothing to send to; name a strategy"),
        ("--strategies thread", "there is no strategy 'thread'; did you mean threads?"),
        ("1kB", "unrecognized arguments: 1kB"),
        ("--min-blocks 9 --max-blocks 3", "--min-blocks 9 is more than --max-blocks 3"),
    ],
)
def test_bad_input_is_one_sentence_and_exit_code_2(
    arguments: str, complaint: str, capsys: pytest.CaptureFixture[str]
) -> None:
    try:
        code: object = main(arguments.split())
    except SystemExit as end:
        code = end.code
    printed = capsys.readouterr().err
    assert code == 2
    assert printed.startswith(f"python -m gillab.transfer: {complaint}")
    assert len(printed.splitlines()) == 1


def test_no_size_at_all_is_refused() -> None:
    with pytest.raises(UsageError, match="no size to send"):
        transfer([])


def test_a_segment_that_is_removed_twice_is_no_error() -> None:
    name = f"gillab-{os.getpid()}-x"
    segment = SharedMemory(name, create=True, size=10)
    segment.close()
    segment.unlink()
    segments.remove_segment(name)
