"""What threads do without a GIL: the arithmetic, and programs whose answer is known."""

from __future__ import annotations

import gc
import json
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from schema_check import check_export
from test_meter_reading import Counter

from gillab.environment import is_gil_enabled
from gillab.meter import GilMeter, Reading, Stops, ThreadState, why_no_functions, why_unavailable
from gillab.meter.command import render
from gillab.meter.counters import Function, StateCounts
from gillab.meter.reading import read
from gillab.meter.states import find_contention, list_states, read_stops
from gillab.meter.states_text import answer, list_threads

ADD = Function("/home/me/app.py", 12, "add")
WAIT = Function("/usr/lib/python3.14t/threading.py", 341, "Condition.wait")
JOIN = Function("/usr/lib/python3.14t/threading.py", 1097, "Thread.join")
FIGHT = """
import threading, time
lock = threading.Lock()
def work():
    for _ in range(60):
        with lock:
            time.sleep(0.003)
threads = [threading.Thread(target=work) for _ in range(3)]
for thread in threads: thread.start()
for thread in threads: thread.join()
"""
NAMES = {0: "MainThread", 1: "worker-1", 2: "worker-2"}
COUNTS = StateCounts(
    covered=1000,
    stopped=20,
    longest_stop=3_000_000,
    objects_told=True,
    rows={
        (0, "waiting", None, JOIN): 1000,
        (1, "attached", None, ADD): 600,
        (1, "waiting", "dict", ADD): 380,
        (1, "stopped", None, ADD): 20,
        (2, "attached", None, None): 250,
        (2, "waiting", "_thread.lock", ADD): 50,
        (2, "waiting", "_thread.lock", WAIT): 500,
        (2, "waiting", "_queue.SimpleQueue", ADD): 100,
        (2, "detached", None, None): 100,
    },
)


def test_the_rows_are_fractions_of_the_time_greatest_first() -> None:
    rows = list_states(COUNTS, NAMES)
    assert rows[0] == ThreadState("MainThread", "waiting", None, *as_fields(JOIN), 1.0)
    assert [row.share for row in rows] == sorted((row.share for row in rows), reverse=True)
    assert {row.kind for row in rows} == {None, "dict", "threading.Lock", "queue.SimpleQueue"}
    of_one = [row.share for row in rows if row.thread == "worker-1"]
    assert sum(of_one) == pytest.approx(1.0)
    assert read_stops(COUNTS).share == pytest.approx(0.02)
    assert read_stops(COUNTS).longest_s == 0.003


def test_a_thread_whose_name_is_not_known_yet_is_left_out() -> None:
    assert {row.thread for row in list_states(COUNTS, {1: "worker-1"})} == {"worker-1"}


def as_fields(function: Function) -> tuple[str, int, str]:
    return function.file, function.line, function.name


def test_who_waits_for_a_signal_does_not_fight() -> None:
    found = find_contention(list_states(COUNTS, NAMES))
    # 600, 380 and 20 of the first, 250 and 50 of the second wanted to run.
    assert [(each.kind, round(each.share, 4)) for each in found] == [
        ("dict", round(380 / 1300, 4)),
        ("threading.Lock", round(50 / 1300, 4)),
    ]
    assert found[0].longest.thread == "worker-1"


def test_the_first_sentence_names_the_object_and_the_place() -> None:
    said = answer(list_states(COUNTS, NAMES), objects_told=True)
    assert said == (
        "Threads waited for a dict 29.2% of the time that they wanted to run, most of all in "
        "me/app.py:12 add (worker-1); for a threading.Lock 3.8%."
    )


@pytest.mark.parametrize(
    ("rows", "objects_told", "said"),
    [
        ((), True, "Threads fought over no object"),
        ((ThreadState("a", "attached", None, None, None, None, 1.0),), True, "fought over no"),
        ((), False, "What threads wait for is not told here"),
        (
            (ThreadState("a\x1b", "waiting", "Account", None, None, None, 1.0),),
            True,
            "Threads waited for an Account 100.0% of the time that they wanted to run, most of "
            "all (a\\x1b).",
        ),
    ],
)
def test_without_an_answer_it_says_so(
    rows: tuple[ThreadState, ...], objects_told: bool, said: str
) -> None:
    assert said in answer(rows, objects_told=objects_told)


def test_a_row_a_thread_and_where_it_waited() -> None:
    lines = list_threads(list_states(COUNTS, NAMES), 16, 80)
    assert lines == [
        " attached  waiting  stopped detached",
        "    60.0%    38.0%     2.0%     0.0%  worker-1",
        "             38.0%  for dict in me/app.py:12 add",
        "    25.0%    65.0%     0.0%    10.0%  worker-2",
        "              5.0%  for threading.Lock in me/app.py:12 add",
        "             50.0%  for threading.Lock in …3.14t/threading.py:341 Condition.wait",
        "             10.0%  for queue.SimpleQueue in me/app.py:12 add",
        "     0.0%   100.0%     0.0%     0.0%  MainThread",
        "            100.0%  for a signal in python3.14t/threading.py:1097 Thread.join",
    ]


@pytest.mark.parametrize("room", [3, 4, 5, 40])
def test_it_keeps_to_its_room_and_its_width(room: int) -> None:
    long = Function("/a/" + "b" * 90 + ".py", 1, "c" * 90)
    rows: dict[tuple[int, str, str | None, Function | None], int] = {
        (place, "waiting", "dict", long): 900 for place in range(20)
    }
    names = {place: f"worker-{place}" + "w" * 60 for place in range(20)}
    lines = list_threads(list_states(replace(COUNTS, rows=rows), names), room, 80)
    assert len(lines) <= room
    assert max(map(len, lines)) <= 80
    assert (lines[-1].split(maxsplit=1)[1] == "other threads") == (room < 21)


def reading_of(states: StateCounts | None, enabled: int = 0) -> Reading:
    raw = Counter().read()._raw
    counts = replace(raw.counts, samples=10, covered=10**6, doubled_enabled=enabled)
    threads = {place: (name, 0) for place, name in NAMES.items()}
    return read(replace(raw, counts=counts, threads=threads, states=states))


def test_a_reading_has_them_only_where_there_was_no_lock() -> None:
    reading = reading_of(COUNTS)
    assert reading.states == list_states(COUNTS, NAMES)
    assert (reading.stops, reading.objects_told) == (Stops(0.02, 0.003), True)
    for without in (reading_of(None), reading_of(replace(COUNTS, covered=0), 2 * 10**6)):
        assert (without.states, without.stops, without.objects_told) == (None, None, None)


def test_two_readings_are_subtracted_row_by_row() -> None:
    row = (1, "attached", None, ADD)
    later = replace(COUNTS, covered=1500, rows={**COUNTS.rows, row: 1000})
    between = (reading_of(later) - reading_of(COUNTS))._raw.states
    assert between is not None
    assert (between.covered, between.stopped, between.longest_stop) == (500, 0, 0)
    assert dict(between.rows) == {row: 400}
    stopped = replace(COUNTS, stopped=30)
    for longest, told in ((3_000_000, None), (4_000_000, 4_000_000)):
        between = (
            reading_of(replace(stopped, longest_stop=longest)) - reading_of(COUNTS)
        )._raw.states
        assert between is not None
        assert between.longest_stop == told


def test_the_report_begins_with_the_answer() -> None:
    lines = render(reading_of(COUNTS)).splitlines()
    assert lines[0].startswith("Threads waited for a dict 29.2% of the time")
    assert lines[2] == "All threads were stopped 2.0% of the time, at most 3 ms long."
    assert lines[3].startswith("GIL: there is none")
    assert max(map(len, lines)) <= 80
    assert render(reading_of(None)).startswith("GIL: there is none")


@pytest.mark.skipif(
    why_unavailable() is not None or not is_gil_enabled(), reason="there is no GIL here"
)
def test_with_a_lock_there_are_none() -> None:
    with GilMeter(profile=True) as meter:
        time.sleep(0.05)
    assert meter.read().states is None


# The rest needs a Python without a GIL.

free_threaded = pytest.mark.skipif(
    bool(why_unavailable() or why_no_functions()) or is_gil_enabled(),
    reason="needs a free-threaded build that runs without the GIL",
)
MOST_S = 10.0
LOCK = threading.Lock()
SHARED = dict.fromkeys(range(100_000))
NUMBERS = list(range(500_000))
over = threading.Event()


def guard() -> None:
    while not over.is_set():
        with LOCK:
            time.sleep(0.003)


def copy() -> None:
    while not over.is_set():
        SHARED.copy()


def sort() -> None:
    while not over.is_set():
        NUMBERS.sort()


def collect() -> None:
    while not over.is_set():
        gc.collect()
        time.sleep(0.001)


def compute() -> None:
    steps = 0
    while not over.is_set():
        steps += 1


def sleep() -> None:
    while not over.is_set():
        time.sleep(0.01)


def wait() -> None:
    over.wait(MOST_S)


def metered(enough: Callable[[Reading], bool], *works: Callable[[], None]) -> Reading:
    """Run the works in threads of their names until the reading is enough, or it took too long."""
    over.clear()
    threads = [
        threading.Thread(target=work, name=f"{work.__name__}-{number}")
        for number, work in enumerate(works)
    ]
    with GilMeter(profile=True) as meter:
        for thread in threads:
            thread.start()
        try:
            before = meter.read()
            until = time.monotonic() + MOST_S
            while True:
                time.sleep(0.3)
                reading = meter.read() - before
                if enough(reading) or time.monotonic() > until:
                    return reading
        finally:
            over.set()
            for thread in threads:
                thread.join()


def sum_of(reading: Reading, thread: str, state: str, kind: str | None = None) -> float:
    assert reading.states is not None
    return sum(
        row.share
        for row in reading.states
        if (row.thread, row.state) == (thread, state) and kind in (None, row.kind)
    )


def fought_over(reading: Reading) -> list[str]:
    assert reading.states is not None
    return [each.kind for each in find_contention(reading.states) if each.share > 0.01]


@free_threaded
@pytest.mark.parametrize(
    ("work", "kind"), [(guard, "threading.Lock"), (copy, "dict"), (sort, "list")]
)
def test_threads_that_share_an_object_fight_over_its_kind(
    work: Callable[[], None], kind: str
) -> None:
    reading = metered(lambda reading: kind in fought_over(reading), work, work)
    assert reading.objects_told
    assert fought_over(reading)[0] == kind
    assert reading.states is not None
    longest = find_contention(reading.states)[0].longest
    assert (longest.file, longest.name) == (__file__, work.__name__)
    assert longest.line == work.__code__.co_firstlineno


@free_threaded
def test_who_sleeps_under_a_lock_lets_the_other_wait() -> None:
    def sees_both(reading: Reading) -> bool:
        # Where CPUs are few, much of a wait is spent before the thread sleeps.
        return all(
            sum_of(reading, thread, state) > 0.02
            for thread in ("guard-0", "guard-1")
            for state in ("waiting", "detached")
        )

    reading = metered(sees_both, guard, guard)
    assert sees_both(reading)


@free_threaded
def test_a_collection_stops_the_threads_that_run() -> None:
    def enough(reading: Reading) -> bool:
        return sum_of(reading, "compute-1", "stopped") > 0

    reading = metered(enough, collect, compute)
    assert enough(reading)
    assert reading.stops is not None
    assert reading.stops.share > 0


@free_threaded
def test_who_computes_is_attached_and_who_sleeps_or_waits_for_a_signal_is_in_no_fight() -> None:
    reading = metered(lambda reading: bool(reading.states), compute, sleep, wait)
    assert sum_of(reading, "compute-0", "attached") > 0.9
    assert sum_of(reading, "sleep-1", "detached") > 0.5
    assert sum_of(reading, "wait-2", "waiting", "threading.Lock") > 0.5
    assert fought_over(reading) == []
    assert reading.states is not None
    assert all(row.share <= 1 for row in reading.states)


@free_threaded
def test_the_rows_of_a_thread_add_up_to_all_of_its_time() -> None:
    reading = metered(lambda reading: reading.samples > 2000, copy, copy, guard, guard, compute)
    assert reading.states is not None
    for thread in ("copy-0", "copy-1", "guard-2", "guard-3", "compute-4"):
        assert sum(row.share for row in reading.states if row.thread == thread) > 0.97


@free_threaded
def test_a_program_is_told_what_its_threads_fought_over(tmp_path: Path) -> None:
    program = tmp_path / "fight.py"
    program.write_text(FIGHT)
    result = subprocess.run(
        [sys.executable, "-m", "gillab.meter", "--export-json", "reading.json", program],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    document = json.loads((tmp_path / "reading.json").read_text())
    check_export(document)
    assert result.stderr.startswith("Threads waited for a threading.Lock ")
    kinds = {row["kind"] for row in document["reading"]["states"]}
    assert "threading.Lock" in kinds


@free_threaded
def test_with_the_lock_turned_on_there_are_no_states() -> None:
    code = (
        "from gillab.meter import GilMeter; import time\n"
        "with GilMeter(profile=True) as meter: time.sleep(0.1)\n"
        "print(meter.read().states)"
    )
    said = subprocess.run(
        [sys.executable, "-X", "gil=1", "-c", code], capture_output=True, text=True, check=True
    )
    assert said.stdout == "None\n"
