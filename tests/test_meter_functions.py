"""Under which functions the lock was held, held against programs whose answer is known."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from test_meter import demand_short_gaps, processor_wait_s, run_together

from gillab.environment import is_gil_enabled
from gillab.kernels import countdown_held, countdown_nogil
from gillab.meter import GilMeter, HeldIn, Reading, why_no_functions, why_unavailable

pytestmark = pytest.mark.skipif(
    bool(why_unavailable() or why_no_functions()) or not is_gil_enabled(),
    reason="there is no GIL here, or its holder's functions cannot be read",
)

STEPS = 200_000
LEAST_READS = 30
MOST_S = 5.0


def sixty(steps: int = STEPS) -> None:
    countdown_held(6 * steps)


def twenty(steps: int = STEPS) -> None:
    countdown_held(2 * steps)


class Werkstück:
    def löse(self) -> None:
        countdown_held(STEPS)


def generate() -> Iterator[int]:
    while True:
        countdown_held(STEPS)
        yield 1


def metered(work: Callable[[], object], least: int = LEAST_READS) -> Reading:
    """Run the work again and again, until enough samples read a function."""
    with GilMeter(50e-6, profile=True) as meter:
        before = meter.read()
        until = time.monotonic() + MOST_S
        while True:
            for _ in range(50):  # reading takes time too, and counts
                work()
            reading = meter.read() - before
            if reading.samples >= 20 * least or time.monotonic() > until:
                return reading


def find(reading: Reading, name: str, thread: str = "MainThread") -> HeldIn:
    assert reading.functions is not None
    found = [each for each in reading.functions if (each.name, each.thread) == (name, thread)]
    assert len(found) == 1, reading.functions
    return found[0]


def test_a_function_is_told_by_file_line_and_qualified_name() -> None:
    held = find(metered(Werkstück().löse), "Werkstück.löse")
    assert held.file == __file__
    assert held.line == Werkstück.löse.__code__.co_firstlineno
    assert held.longest_s is not None
    assert held.longest_s > 0


def test_functions_divide_what_their_thread_held() -> None:
    def work() -> None:
        sixty()
        twenty()
        countdown_nogil(2 * STEPS)

    reading = metered(work, 150)
    most, least = find(reading, "sixty"), find(reading, "twenty")
    # Three times as much work, in turns of a millisecond.
    assert most.held > least.held > 0
    assert reading.functions is not None
    told = sum(each.held for each in reading.functions)
    assert told <= reading.threads["MainThread"] + 1e-9
    assert most.held + least.held > 0.5 * told


def test_a_long_c_call_counts_for_the_function_that_made_it() -> None:
    numbers = list(range(200_000))

    def look_for_it() -> None:
        for _ in range(2):
            assert -1 not in numbers

    held = find(metered(look_for_it), look_for_it.__qualname__)
    assert held.held > 0


def test_a_generator_is_told_under_its_own_name() -> None:
    steps = generate()
    assert find(metered(lambda: next(steps)), "generate").held > 0


def test_each_thread_has_functions_of_its_own() -> None:
    def work() -> None:
        threads = [
            threading.Thread(target=sixty, name="a"),
            threading.Thread(target=twenty, name="b"),
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    with GilMeter(50e-6, profile=True) as meter:
        until = time.monotonic() + MOST_S
        while time.monotonic() < until:
            work()
            found = {(each.thread[0], each.name) for each in meter.read().functions or ()}
            if {("a", "sixty"), ("b", "twenty")} <= found:
                break
    assert {("a", "sixty"), ("b", "twenty")} <= found
    assert not {("a", "twenty"), ("b", "sixty")} & found


def test_code_that_comes_and_goes_breaks_nothing() -> None:
    source = "def made_{n}(steps, hold=hold):\n    hold(steps)\nmade_{n}(500_000)\n"

    def make() -> None:
        for n in range(20):
            exec(source.format(n=n), {"hold": countdown_held})
        threads = [threading.Thread(target=countdown_held, args=(1000,)) for _ in range(5)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    with GilMeter(10e-6, profile=True) as meter:
        until = time.monotonic() + MOST_S
        for turn in range(10_000):
            make()
            reading = meter.read()
            functions = reading.functions or ()
            seen = any(each.name.startswith("made_") for each in functions)
            if (seen and turn > 10) or time.monotonic() > until:
                break
    assert seen
    assert all(each.name.isprintable() and each.line >= 0 for each in functions)


@pytest.mark.parametrize("letter", ["a", "é", "語", "🐍"])
def test_of_a_long_path_the_end_is_told(letter: str) -> None:
    path = f"/{letter * 300}/the_end.py"
    made: dict[str, Callable[[], None]] = {}
    code = "def hold():\n    count(200_000)\n"
    exec(compile(code, path, "exec"), {"count": countdown_held}, made)
    file = find(metered(made["hold"]), "hold").file
    assert file.endswith(f"{letter * 20}/the_end.py")
    assert set(file) <= set(path)
    assert len(file) < len(path)


def test_a_meter_that_was_not_asked_tells_no_functions() -> None:
    with GilMeter() as meter:
        reading = meter.read()
    assert reading.functions is None
    assert reading.as_dict()["functions"] is None


def test_the_json_has_a_row_for_each_function() -> None:
    rows = json.loads(json.dumps(metered(sixty).as_dict()))["functions"]
    row = next(row for row in rows if row["name"] == "sixty")
    assert set(row) == {"thread", "file", "line", "name", "held", "longest_s"}
    assert Path(row["file"]) == Path(__file__)


def test_a_hold_before_two_readings_is_not_between_them() -> None:
    with GilMeter(50e-6, profile=True) as meter:
        for _ in range(20):
            sixty(10 * STEPS)
        time.sleep(0.05)  # until the sampler has seen that it is over
        before = meter.read()
        until = time.monotonic() + MOST_S
        while time.monotonic() < until:
            twenty()
            between = meter.read() - before
            if any(each.name == "twenty" for each in between.functions or ()):
                break
    assert find(between, "twenty").held > 0
    # Of sixty's longest hold nothing is said: it lay before.
    assert all(each.longest_s is None for each in between.functions or () if each.name == "sixty")


def test_who_waits_is_told_and_for_whom() -> None:
    over = threading.Event()

    def hold() -> None:
        while not over.is_set():
            countdown_held(20 * STEPS)

    def ask() -> None:
        while not over.is_set():
            countdown_nogil(STEPS)

    threads = [threading.Thread(target=over.wait, name="idle")]
    threads += [threading.Thread(target=each, name=each.__name__) for each in (hold, ask)]
    with GilMeter(50e-6, profile=True) as meter:
        for thread in threads:
            thread.start()
        until = time.monotonic() + MOST_S
        while time.monotonic() < until:
            time.sleep(0.1)
            waits = meter.read().waits
            if waits is None or sum(each.share for each in waits if each.thread == "ask") > 0.2:
                break
        over.set()
        for thread in threads:
            thread.join()
    if waits is None:
        pytest.skip("the system does not tell which threads wait")
    told = {(each.thread, each.holder): each.share for each in waits}
    assert told["ask", "hold"] > told.get(("hold", "ask"), 0)
    assert told["ask", "hold"] > sum(told.get(("idle", each), 0) for each in ("hold", "ask", None))
    assert all(0 < share <= 1 for share in told.values())


def test_how_long_a_thread_waits_is_told_within_two_points() -> None:
    """Time with neither the lock nor a processor is the processor's: it is taken off, if told."""

    def run() -> tuple[float, Reading]:
        waited_s = 0.0

        def hold() -> None:
            while time.perf_counter() < until:
                countdown_held(20 * STEPS)
                countdown_nogil(5 * STEPS)

        def ask() -> None:
            nonlocal waited_s
            while (begun := time.perf_counter()) < until:
                ran_s = time.thread_time() + processor_wait_s()
                countdown_nogil(5 * STEPS)
                ran_s = time.thread_time() + processor_wait_s() - ran_s
                waited_s += max(time.perf_counter() - begun - ran_s, 0.0)

        threads = [threading.Thread(target=each, name=each.__name__) for each in (hold, ask)]
        with GilMeter(100e-6, profile=True) as meter:
            before = meter.read()
            until = time.perf_counter() + 0.7
            run_together(threads)
            reading = meter.read() - before
        return waited_s / reading.duration_s, reading

    offs = []
    for _ in range(6):  # on a busy machine a run may be off by what its sampler had to wait
        told, reading = run()
        if reading.waits is None:
            pytest.skip("the system does not tell which threads wait")
        assert told > 0.1
        offs.append(sum(each.share for each in reading.waits if each.thread == "ask") - told)
        if abs(offs[-1]) < 0.02:
            return
    demand_short_gaps(reading)
    pytest.fail(f"off by {offs}")


def test_a_meter_that_was_not_asked_tells_no_waits() -> None:
    with GilMeter() as meter:
        assert meter.read().waits is None


def test_a_timeline_has_the_waits_and_whom_they_were_for() -> None:
    def ask() -> None:
        for _ in range(5):
            countdown_nogil(STEPS)

    with GilMeter(50e-6, timeline=True) as meter:
        if meter.read().waits is None:
            pytest.skip("the system does not tell which threads wait")
        until = time.monotonic() + MOST_S
        found = False
        while not found and time.monotonic() < until:
            thread = threading.Thread(target=ask, name="ask")
            thread.start()
            sixty(10 * STEPS)
            thread.join()
            timeline = meter.timeline()
            names = {place: thread.name for place, thread in timeline.threads.items()}
            found = any(
                span.kind == "wait"
                and (names[span.thread], names.get(span.holder or 0)) == ("ask", "MainThread")
                and span.begin_ns <= span.end_ns
                for span in timeline.spans
            )
    assert found
