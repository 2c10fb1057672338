"""The fixture ``gil``, in suites of its own that pytest runs here."""

from __future__ import annotations

import math
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from functools import partial

import pytest
from long_tests import only_long

# Loaded here: the suites that run in this process forget what they alone have loaded, and no
# compiled module can be loaded twice.
import gillab._repeat
import gillab.kernels  # noqa: F401
from gillab import gil_assertions
from gillab.environment import is_gil_enabled
from gillab.errors import UsageError
from gillab.estimates import Estimate, Spread
from gillab.gil_assertions import GilAssertions, name_call
from gillab.meter import why_unavailable
from gillab.release.findings import Finding, Verdict

needs_meter = pytest.mark.skipif(why_unavailable() is not None, reason=str(why_unavailable()))
needs_gil = pytest.mark.skipif(not is_gil_enabled(), reason="needs a GIL")

KERNELS = "from gillab.kernels import countdown_held, countdown_nogil\n"
BLIND = """
import pytest
from gillab import gil_assertions

@pytest.fixture(autouse=True)
def blind(monkeypatch):
    monkeypatch.setattr(gil_assertions, "is_gil_enabled", lambda: True)
    monkeypatch.setattr(gil_assertions, "find_obstacle", lambda: "this is no CPython")
"""
BUSY = """
import pytest
from gillab import gil_assertions
from gillab.release import rounds

@pytest.fixture(autouse=True)
def busy(monkeypatch):
    monkeypatch.setattr(gil_assertions, "is_gil_enabled", lambda: True)
    monkeypatch.setattr(gil_assertions, "find_obstacle", lambda: None)
    monkeypatch.setattr(rounds, "measure_rounds", lambda *call: ())
"""
FREE = """
import pytest
from gillab import gil_assertions

@pytest.fixture(autouse=True)
def free(monkeypatch):
    monkeypatch.setattr(gil_assertions, "is_gil_enabled", lambda: False)
"""


OPTIONS = ("-rs", "-p", "no:cacheprovider", "-p", "no:hypothesispytest")


def run(pytester: pytest.Pytester, test: str, *options: str) -> pytest.RunResult:
    """Run a suite in a process of its own, as what reads the GIL needs."""
    pytester.makepyfile(KERNELS + test)
    return pytester.runpytest_subprocess(*OPTIONS, *options)


def run_here(pytester: pytest.Pytester, test: str, *options: str) -> pytest.RunResult:
    """Run a suite that reads no GIL in this process, which is a start of pytest cheaper."""
    import gillab.release.examine  # noqa: F401 - what this run loads first is unloaded after it

    pytester.makepyfile(KERNELS + test)
    return pytester.runpytest_inprocess(*OPTIONS, *options)


@needs_meter
def test_a_releaser_passes(pytester: pytest.Pytester) -> None:
    outcome = run(
        pytester, "def test(gil): gil.assert_releases(countdown_nogil, 10**6, at_least=0.5)"
    )
    outcomes = outcome.parseoutcomes()
    if "skipped" in outcomes:
        pytest.skip(outcome.stdout.str())
    assert outcomes == {"passed": 1}


@needs_meter
@needs_gil
def test_a_holder_fails_with_a_sentence(pytester: pytest.Pytester) -> None:
    outcome = run(pytester, "def test(gil): gil.assert_releases(countdown_held, 10**6)")
    printed = outcome.stdout.str()
    if "skipped" in outcome.parseoutcomes() or "seemed to release the GIL" in printed:
        pytest.skip(printed)
    outcome.assert_outcomes(failed=1)
    outcome.stdout.fnmatch_lines(
        ["*countdown_held(1000000): holds the GIL for 100.0 % *at least 90 % was asked for.*"]
    )
    assert "gil_assertions.py" not in outcome.stdout.str()


@pytest.mark.parametrize("verdict", ["undecided", "too_short"])
def test_a_failure_without_a_class_says_what_was_read(
    monkeypatch: pytest.MonkeyPatch, verdict: Verdict
) -> None:
    read = Finding(
        "call()", "3.13.0", "ok", verdict=verdict, reason="the interval is too wide",
        released=Estimate(0.4, 0.05, 0.85), longest_hold_s=Estimate(3e-3, 3e-3, 3e-3),
        holder=Estimate(0.0, 0.0, 0.0), releaser=Estimate(1.0, 1.0, 1.0),
        call=Spread(2e-2, 0.0, 2e-2),
    )  # fmt: skip
    monkeypatch.setattr(gil_assertions, "is_gil_enabled", lambda: True)
    monkeypatch.setattr(gil_assertions, "find_obstacle", lambda: None)
    monkeypatch.setattr(gil_assertions, "examine_call", lambda *rest: read)
    said: list[str] = []
    gil = GilAssertions(said.append, said.append)
    told = (
        "call(): seemed to release the GIL for 40.0 % [5.0, 85.0] of its 20 ms; longest hold 3.0 ms"
    )
    with pytest.raises(AssertionError) as failure:
        gil.assert_releases(len)
    assert str(failure.value) == f"{told}; at least 90 % was asked for."
    with pytest.raises(AssertionError) as failure:
        gil.assert_holds_at_most("1ms", len)
    assert str(failure.value) == f"{told}; at most 1ms was asked for."
    assert said == []
    gil.assert_releases(len, at_least=0.5)
    assert "the interval is too wide" in said[0]


@needs_meter
@needs_gil
def test_a_long_hold_fails_and_a_short_one_passes(pytester: pytest.Pytester) -> None:
    outcome = run(
        pytester,
        "def test_long(gil): gil.assert_holds_at_most('10us', countdown_held, 10**7)\n"
        "def test_short(gil): gil.assert_holds_at_most(60.0, countdown_nogil, 10**6)",
    )
    if "skipped" in outcome.parseoutcomes():
        pytest.skip(outcome.stdout.str())
    outcome.assert_outcomes(failed=1, passed=1)
    outcome.stdout.fnmatch_lines(["*longest hold * at most 10us was asked for.*"])


SCALING = """
import subprocess, sys, threading, time
from dataclasses import replace
import pytest
from gillab.blocks import scaling

scaling._BUDGET_HERE_S = 20.0 # a busy machine takes longer for as many blocks
lock = threading.Lock()

def alone():
    with lock:
        time.sleep(0.002)

@pytest.fixture
def busy_machine():
    spin = [sys.executable, "-c", "while True: pass"]
    children = [subprocess.Popen(spin) for _ in range(2)]
    yield
    for child in children:
        child.kill()
        child.wait()

def test_waits(gil, busy_machine):
    try:
        gain = gil.assert_scales(time.sleep, 0.001, workers=2, at_least=1.5)
    except pytest.skip.Exception: # others had the machine for seconds
        gain = gil.assert_scales(time.sleep, 0.001, workers=2, at_least=1.5)
    assert gain.workers == 2
    assert gain.speedup.low >= 1.5
    assert gain.of_ceiling is None

def test_alone(gil, monkeypatch):
    make = scaling._make_protocol
    brief = lambda *given, **named: replace(make(*given, **named), max_blocks=12)
    monkeypatch.setattr(scaling, "_make_protocol", brief)
    gil.assert_scales(alone, workers=4, at_least=3)
"""


@only_long
def test_what_waits_scales_beside_busy_processes_and_what_cannot_scale_fails(
    pytester: pytest.Pytester,
) -> None:
    """Neither needs that the machine gives anything: no CPU is computed on."""
    outcome = run(pytester, SCALING, "-v")
    assert outcome.parseoutcomes() == {"passed": 1, "failed": 1}, outcome.stdout.str()
    outcome.stdout.fnmatch_lines(["*::test_waits PASSED*", "*::test_alone FAILED*"])
    outcome.stdout.fnmatch_lines(["*alone(): 4 threads *; at least 3x was asked for.*"])
    assert "gil_assertions.py" not in outcome.stdout.str()


@only_long
@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="needs a choice of CPUs")
def test_one_cpu_leaves_undecided_whether_a_call_scales(pytester: pytest.Pytester) -> None:
    pytester.makeconftest(
        "import os, pytest\n"
        "from gillab.blocks import scaling\n"
        "scaling._BUDGET_HERE_S = 3.0\n"
        "@pytest.fixture(autouse=True)\n"
        "def one_cpu():\n"
        "    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})\n"
    )
    test = "def test(gil): gil.assert_scales(countdown_nogil, 1_000_000)"
    outcome = run(pytester, test)
    outcome.assert_outcomes(skipped=1)
    outcome.stdout.fnmatch_lines(["*undecided: countdown_nogil(1000000): two threads *"])


@pytest.mark.parametrize(
    ("conftest", "reason"),
    [
        (BLIND, "the GIL cannot be read here: this is no CPython"),
        (BUSY, "countdown_nogil(10): undecided, the machine was too busy: no sample *"),
    ],
    ids=["blind", "busy"],
)
def test_what_cannot_be_decided_is_a_skip_with_its_reason(
    pytester: pytest.Pytester, conftest: str, reason: str
) -> None:
    pytester.makeconftest(conftest)
    tests = (
        "def test_releases(gil): gil.assert_releases(countdown_nogil, 10)\n"
        "def test_holds(gil): gil.assert_holds_at_most('1ms', countdown_nogil, 10)\n"
    )
    outcome = run_here(pytester, tests, "-v")
    outcome.assert_outcomes(skipped=2)
    outcome.stdout.fnmatch_lines(
        [f"*::{name} SKIPPED*" for name in ("test_releases", "test_holds")]
    )
    outcome.stdout.fnmatch_lines([f"*{reason}*"] * 2)
    outcome = run_here(pytester, tests, "--gil-strict")
    outcome.assert_outcomes(failed=2)
    outcome.stdout.fnmatch_lines([f"*{reason}*(--gil-strict)*"] * 2)


def test_without_a_gil_it_passes_and_says_so(pytester: pytest.Pytester) -> None:
    pytester.makeconftest(FREE)
    outcome = run_here(pytester, "def test(gil): gil.assert_releases(countdown_held, 10)")
    outcome.assert_outcomes(passed=1)
    outcome.stdout.fnmatch_lines(
        ["*::test: countdown_held(10) passed, since this Python has no GIL."]
    )


def test_what_is_said_is_heard_from_another_process(pytester: pytest.Pytester) -> None:
    pytester.makeconftest(FREE)
    tests = "".join(
        f"def test_{name}(gil): gil.assert_releases(countdown_held, {steps})\n"
        for name, steps in (("ten", 10), ("twenty", 20))
    )
    outcome = run(pytester, tests, "-n", "2")
    outcome.assert_outcomes(passed=2)
    said = [line for line in outcome.outlines if "since this Python has no GIL." in line]
    assert sorted(line.partition("::")[2] for line in said) == [
        "test_ten: countdown_held(10) passed, since this Python has no GIL.",
        "test_twenty: countdown_held(20) passed, since this Python has no GIL.",
    ]


def test_what_is_said_goes_with_the_tests_own_reports(pytester: pytest.Pytester) -> None:
    """So that whoever reads them, in whatever process, has it: pytest-xdist, a JUnit file."""
    pytester.makeconftest(
        f"{FREE}\n"
        "def pytest_runtest_logreport(report):\n"
        "    print(report.when, report.user_properties)\n"
    )
    outcome = run_here(
        pytester,
        "def test(gil):\n"
        "    gil.assert_releases(countdown_held, 10)\n"
        "    gil.assert_holds_at_most('1ms', countdown_held, 20)\n",
        "-s",
    )
    outcome.assert_outcomes(passed=1)
    ten, twenty = (f"countdown_held({n}) passed, since this Python has no GIL." for n in (10, 20))
    (line,) = (line for line in outcome.outlines if "teardown [" in line)
    assert line.endswith(f"teardown [('gillab', '{ten}'), ('gillab', '{twenty}')]")
    said = [line.partition("::test: ")[2] for line in outcome.outlines if "::test: " in line]
    assert said == [ten, twenty]


@pytest.mark.parametrize(
    ("claim", "complaint"),
    [
        (lambda gil, call: gil.assert_releases(call, at_least=90), "at_least is a fraction"),
        (lambda gil, call: gil.assert_releases(call, at_least=math.nan), "at_least is a finite"),
        (lambda gil, call: gil.assert_holds_at_most(-1, call), "limit is a finite"),
        (lambda gil, call: gil.assert_holds_at_most(math.nan, call), "limit is a finite"),
        (lambda gil, call: gil.assert_holds_at_most("soon", call), "'soon' is no duration"),
        (lambda gil, call: gil.assert_scales(call, at_least=0), "at_least is a finite"),
        (lambda gil, call: gil.assert_scales(call, at_least=math.nan), "at_least is a finite"),
        (lambda gil, call: gil.assert_scales(call, workers=0), "workers is a finite"),
    ],
)
def test_a_limit_that_nothing_can_be_held_against_is_refused_before_the_call(
    claim: Callable[[GilAssertions, Callable[[], object]], object], complaint: str
) -> None:
    said: list[object] = []
    gil = GilAssertions(said.append, said.append)
    with pytest.raises(UsageError, match=complaint):
        claim(gil, lambda: said.append("called"))
    assert said == []


def _generator() -> Iterator[int]:
    yield 1


async def _coroutine() -> None:
    pass


@pytest.mark.parametrize(
    ("call", "complaint"),
    [
        (_generator, "_generator is a generator function, and calling it runs none of it; name"),
        (_coroutine, "_coroutine is a coroutine function, and calling it runs none of it; name"),
        (partial(_generator), "partial is a generator function"),
    ],
)
@pytest.mark.parametrize("gil_enabled", [False, True])
def test_a_call_that_would_run_nothing_is_refused(
    monkeypatch: pytest.MonkeyPatch,
    call: Callable[[], object],
    complaint: str,
    gil_enabled: bool,
) -> None:
    monkeypatch.setattr(gil_assertions, "is_gil_enabled", lambda: gil_enabled)
    said: list[object] = []
    gil = GilAssertions(said.append, said.append)
    with pytest.raises(UsageError, match=complaint):
        gil.assert_holds_at_most("0.5s", call)
    with pytest.raises(UsageError, match=complaint):
        gil.assert_releases(call)
    with pytest.raises(UsageError, match=complaint):
        gil.assert_scales(call)
    assert said == []


def test_what_the_call_raises_is_the_tests_own_error(pytester: pytest.Pytester) -> None:
    outcome = run(pytester, "def test(gil): gil.assert_releases(countdown_nogil, 'many')")
    outcome.assert_outcomes(**{"failed" if why_unavailable() is None else "skipped": 1})


def test_it_costs_nothing_where_it_is_not_used(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        "import sys\n"
        "def test():\n"
        "    loaded = {name for name in sys.modules if name.startswith('gillab')}\n"
        "    assert loaded <= {'gillab', 'gillab.pytest_plugin'}\n"
        "    assert not {'numpy', 'rich'} & sys.modules.keys()\n"
    )
    pytester.runpytest_subprocess().assert_outcomes(passed=1)


def test_its_import_loads_nothing_large() -> None:
    script = (
        "import pytest, sys; before = set(sys.modules); import gillab.pytest_plugin; "
        "print(*sorted(set(sys.modules) - before))"
    )
    child = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=300, check=True
    )
    assert child.stdout.split() == ["gillab", "gillab.pytest_plugin"]


def test_a_call_is_named_as_a_person_would() -> None:
    assert name_call(len, ("abc",)) == "len('abc')"
    assert name_call(len, (bytes(1000),)) == "len(<bytes of 1000>)"
    assert name_call(max, (1, 2.5, None, object())) == "max(1, 2.5, None, <object>)"
