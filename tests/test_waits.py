"""How long a thread that asks for the GIL waits: asked beside known calls, and judged."""

from __future__ import annotations

import csv
import io
import json
import sys
import threading
import time
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
from report_fixtures import ENVIRONMENT

from gillab import gil_assertions
from gillab._repeat import ask
from gillab.check import check, main
from gillab.environment import is_gil_enabled
from gillab.errors import UsageError
from gillab.estimates import Estimate, Spread
from gillab.gil_assertions import GilAssertions
from gillab.launch.messages import decode, encode
from gillab.meter import why_unavailable
from gillab.release import examine
from gillab.release.call import Call
from gillab.release.findings import Finding, Findings, Floor, Handover, Waits
from gillab.release.judge import pass_gate
from gillab.release.messages import Examine, WaitsRead
from gillab.release.preemption import open_delays
from gillab.release.waits import (
    WaitRound,
    find_longest_pause,
    find_quantile,
    measure_waits,
    spread_moments,
    summarize_waits,
)
from gillab.report.findings import render_findings_csv, render_findings_markdown
from gillab.report.release import tell_finding, tell_gate
from gillab.report.waits import describe_floor, tell_waits
from gillab.workload import Workload

needs_gil = pytest.mark.skipif(not is_gil_enabled(), reason="without a GIL nobody waits for it")
needs_meter = pytest.mark.skipif(why_unavailable() is not None, reason=str(why_unavailable()))
INTERVAL_S = 5e-3

BYTECODE = WaitRound("bytecode", (5.1e-3,) * 20, (0.0,) * 20, True, 0.2, INTERVAL_S)
WAITS = Waits(
    p50_s=5.1e-3,
    p99_s=5.4e-3,
    longest_s=Estimate(6.2e-3, 6.0e-3, 6.4e-3),
    handover="interrupted",
    asked=110,
    duration_s=1.0,
    switch_interval_s=INTERVAL_S,
    floor=Floor(5.1e-3, 5.2e-3, 5.2e-3, 30),
)
FOUND = Finding(
    "f(x)",
    "3.13.0",
    "ok",
    verdict="holds",
    released=Estimate(0.0, 0.0, 0.0),
    longest_hold_s=Estimate(30e-3, 30e-3, 30e-3),
    call=Spread(30e-3, 0.0, 30e-3),
    holder=Estimate(0.0, 0.0, 0.0),
    releaser=Estimate(1.0, 1.0, 1.0),
    waits=WAITS,
)


def beside(*waits_s: float, delays_s: tuple[float, ...] = (), clean: bool = True) -> WaitRound:
    return WaitRound("call", waits_s, delays_s, clean, 0.1, INTERVAL_S)


def summarize(*rounds: WaitRound, call_s: float = 30e-3, most_hold_s: float | None = None) -> Waits:
    waits = summarize_waits([BYTECODE, *rounds], call_s, most_hold_s)
    assert waits is not None
    return waits


def test_the_figures_are_of_all_waits_beside_the_call_and_nothing_is_subtracted() -> None:
    waits = summarize(beside(*(1e-3 * n for n in range(1, 51))), beside(*(1e-3 * n for n in range(51, 101))))  # fmt: skip  # noqa: E501
    assert (waits.p50_s, waits.p99_s, waits.longest_s.estimate) == (50e-3, 99e-3, 100e-3)
    assert waits.asked == 100
    assert waits.floor == Floor(5.1e-3, 5.1e-3, 5.1e-3, 20)


def test_where_nobody_asked_beside_both_there_are_no_waits() -> None:
    assert summarize_waits([], 1e-3, None) is None
    assert summarize_waits([BYTECODE], 1e-3, None) is None
    assert summarize_waits([beside(1e-3)], 1e-3, None) is None


@pytest.mark.parametrize(
    ("ordered", "fraction", "quantile"),
    [([1.0], 0.5, 1.0), ([1.0, 2.0], 0.5, 1.0), ([1.0, 2.0, 3.0], 0.5, 2.0), ([1.0, 2.0], 0.99, 2)],
)
def test_a_quantile_is_a_wait_that_was_seen(
    ordered: list[float], fraction: float, quantile: float
) -> None:
    assert find_quantile(ordered, fraction) == quantile


def test_what_the_system_kept_a_thread_waiting_is_not_the_calls_doing() -> None:
    waits = summarize(beside(5e-3, 60e-3, delays_s=(0.0, 55e-3)))
    assert waits.longest_s.estimate == 60e-3
    assert waits.longest_s.low is not None
    assert waits.longest_s.low <= 5e-3


def test_where_the_system_tells_no_delay_the_undisturbed_rounds_count() -> None:
    disturbed = beside(60e-3, clean=False)
    for rounds, sure_s in (
        ([beside(20e-3), disturbed], 20e-3),
        # A call that makes wait in every round does so itself.
        ([beside(40e-3, clean=False), disturbed], 40e-3),
    ):
        low = summarize(*rounds).longest_s.low
        assert low == pytest.approx(sure_s - 0.1e-3)  # which the machine adds beside bytecode too


def test_what_a_thread_waits_too_long_beside_bytecode_is_the_machines() -> None:
    slow = replace(BYTECODE, waits_s=(25e-3,) * 20)
    waits = summarize_waits([slow, beside(24e-3)], 1e-3, None)
    assert waits is not None
    assert waits.longest_s.low == pytest.approx(4e-3)


def test_few_waits_leave_open_how_long_the_longest_is_unless_no_hold_is_as_long() -> None:
    few, many = beside(*[10e-3] * 2), beside(*[10e-3] * 200)
    assert summarize(few).longest_s.high == pytest.approx(10e-3 * 20**0.5)
    assert summarize(many).longest_s.high == pytest.approx(10e-3, rel=0.02)
    held = summarize(few, most_hold_s=15e-3).longest_s.high
    assert held == pytest.approx(15e-3 + INTERVAL_S + 0.1e-3)
    # Whatever is known of holds, what was seen was seen.
    assert summarize(few, most_hold_s=1e-6).longest_s.high == 10e-3


@pytest.mark.parametrize(
    ("waits_s", "call_s", "handover"),
    [
        ((5e-6, 1e-4, 2e-3), 30e-3, "released"),
        ((5.1e-3, 5.2e-3, 6e-3), 30e-3, "interrupted"),
        ((5.1e-3, 5.2e-3, 5.3e-3), 1e-6, "between_calls"),
        ((5.1e-3, 6.5e-3, 8.9e-3), 4e-3, "between_calls"),
        ((5.1e-3, 5.2e-3, 190e-3), 300e-3, "late"),
        ((5e-6, 5e-6, 30e-3), 300e-3, "late"),
        ((5.1e-3, 8e-3, 9e-3), 30e-3, None),
    ],
)
def test_the_waits_tell_what_can_be_interrupted(
    waits_s: tuple[float, ...], call_s: float, handover: Handover | None
) -> None:
    assert summarize(beside(*waits_s), call_s=call_s).handover == handover


def test_waits_that_are_mostly_delays_tell_nothing() -> None:
    busy = beside(*[30e-3] * 9, delays_s=(25e-3,) * 9)
    assert summarize(busy).handover is None


@pytest.mark.parametrize(
    ("waits", "clause"),
    [
        (
            WAITS,
            "a thread that asks waits 5.1 ms (p99 5.4 ms, longest 6.2 ms): it can be interrupted, "
            "at the switch interval of 5 ms",
        ),
        (
            replace(WAITS, handover="between_calls", asked=40),
            "a thread that asks waits 5.1 ms (longest 6.2 ms): it gets the lock between calls, "
            "after the switch interval of 5 ms",
        ),
        (
            replace(WAITS, handover="late", longest_s=Estimate(0.19, 0.18, 0.2), p50_s=0.1),
            "a thread that asks waits up to 190 ms (median 100 ms): a stretch of it cannot be "
            "interrupted",
        ),
        (
            replace(WAITS, handover="late", longest_s=Estimate(0.3, 0.29, 1.3), p50_s=0.1),
            "a thread that asks waits up to 300 ms, perhaps 1.3 s (median 100 ms): a stretch of it "
            "cannot be interrupted",
        ),
        (
            replace(WAITS, handover=None),
            "a thread that asks waits 5.1 ms (p99 5.4 ms, longest 6.2 ms)",
        ),
    ],
)
def test_the_sentence_tells_what_can_be_interrupted(waits: Waits, clause: str) -> None:
    assert tell_waits(waits) == clause
    assert f"; longest hold 30 ms; {clause}." in tell_finding(replace(FOUND, waits=waits))


def test_of_a_call_that_releases_the_lock_nothing_is_said() -> None:
    assert "asks" not in tell_finding(replace(FOUND, waits=replace(WAITS, handover="released")))
    assert "asks" not in tell_finding(replace(FOUND, waits=None))


@pytest.mark.parametrize(
    ("limit_s", "passed", "sentence"),
    [
        (20e-3, True, "gate passed: a thread that asks waits at most 20 ms."),
        (5e-3, False, "gate FAILED: a thread that asks waits at most 5.0 ms."),
        (
            6.2e-3,
            None,
            "gate undecided: a thread that asks waits at most 6.2 ms; the call surely makes it "
            "wait 6 ms, and 6.4 ms at most.",
        ),
    ],
)
def test_the_gate_fails_only_for_what_is_the_calls_for_sure(
    limit_s: float, passed: bool | None, sentence: str
) -> None:
    gate = pass_gate(FOUND, "longest_wait", limit_s)
    assert gate.passed is passed
    assert tell_gate(gate) == sentence


def test_a_machine_that_keeps_threads_waiting_fails_nothing() -> None:
    busy = replace(FOUND, waits=replace(WAITS, floor=replace(WAITS.floor, p50_s=12e-3)))
    gate = pass_gate(busy, "longest_wait", 1e-3)
    assert gate.passed is None
    assert "too busy: a thread that asks waited 12 ms beside a loop of bytecode" in tell_gate(gate)
    assert pass_gate(busy, "longest_wait", 20e-3).passed is True


def test_what_was_not_asked_is_undecided_and_without_a_gil_nobody_waits() -> None:
    assert pass_gate(replace(FOUND, waits=None), "longest_wait", 1.0).passed is None
    assert pass_gate(replace(FOUND, status="failed"), "longest_wait", 1.0).passed is None
    free = replace(FOUND, verdict="no_gil", waits=None)
    assert pass_gate(free, "longest_wait", 1e-9).passed is True


def test_every_form_has_the_waits() -> None:
    result = Findings("check", False, {}, ENVIRONMENT, [FOUND, replace(FOUND, waits=None)])
    first, second = csv.DictReader(io.StringIO(render_findings_csv(result), newline=""))
    assert float(first["wait_p50_s"]) == WAITS.p50_s
    assert float(first["wait_p99_s"]) == WAITS.p99_s
    assert float(first["longest_wait_s"]) == WAITS.longest_s.estimate
    assert first["handover"] == "interrupted"
    assert second["longest_wait_s"] == second["wait_p50_s"] == ""
    with_, without = json.loads(result.to_json())["gillab"]["cells"]
    assert with_["waits"]["floor"]["asked"] == 30
    assert without["waits"] is None
    markdown = render_findings_markdown(result)
    assert "longest wait" in markdown
    assert "6.2 ms" in markdown
    assert describe_floor(result.cells) in markdown
    assert describe_floor([replace(FOUND, waits=None)]) == ""


def test_rounds_are_the_same_after_a_line_of_json() -> None:
    for read in (BYTECODE, beside(1e-3, 2e-3), beside()):
        message = WaitsRead(read)
        assert decode(encode(message)) == message
    plan = Examine(Workload("f()", "statement"), 1.0, waits=True)
    assert decode(encode(plan)) == plan


@pytest.mark.parametrize("begin", [0.0, 0.3, 0.999])
def test_a_few_requests_already_come_early_and_late(begin: float) -> None:
    moments = list(islice(spread_moments(begin), 5))
    assert all(0 <= moment < 1 for moment in moments)
    # Of five at random the earliest comes, once in three times, later than this.
    assert min(moments) < 0.25
    assert max(moments) > 0.75


def test_it_asks_beside_the_call_and_beside_bytecode_and_no_request_is_cut_short() -> None:
    calls: list[int] = []
    rounds = list(measure_waits(Call(calls.append, (1,)), 1e-7, 0.05))
    assert [each.beside for each in rounds] == ["bytecode", *["call"] * (len(rounds) - 2), "bytecode"]  # fmt: skip  # noqa: E501
    assert len(rounds) >= 4
    assert calls
    for each in rounds:
        assert each.waits_s
        assert len(each.delays_s) in (0, len(each.waits_s))
        assert min(each.waits_s) >= 0
        assert each.switch_interval_s == sys.getswitchinterval()


@pytest.mark.parametrize(
    ("call_s", "waits_s", "pause_s"),
    [
        (0.8, (), 0.8),  # the first request comes at any moment of the call
        (0.8, (0.005,), 0.1),  # it was interrupted, so it still runs
        (0.8, (0.005, 0.4), 0.8),  # it has probably ended
        (0.04, (0.005,), 0.008),
        (0.008, (0.005,), 0.008),
        (0.008, (0.009,), 0.008),
    ],
)
def test_requests_go_through_a_long_call_in_short_steps_while_it_can_be_interrupted(
    call_s: float, waits_s: tuple[float, ...], pause_s: float
) -> None:
    assert find_longest_pause(call_s, waits_s) == pause_s


def test_a_long_call_that_can_be_interrupted_is_asked_often_enough_to_tell() -> None:
    """One request a round left a loop of 0.8 s with 24 ms as the most that a wait may be."""
    sleep = Call(time.sleep, (0.2,))
    _, *rounds, _ = measure_waits(sleep, 0.2, 0.01)
    assert len(rounds) == 2
    if min(wait for each in rounds for wait in each.waits_s) >= 0.025:
        pytest.skip("the machine is busy: nobody was let in at once")
    assert sum(len(each.waits_s) for each in rounds) > 2


def test_a_call_that_raises_ends_the_asking() -> None:
    before = threading.active_count()
    rounds = measure_waits(Call(divmod, (1, 0)), 1e-7, 0.05)
    assert next(rounds).beside == "bytecode"
    with pytest.raises(ZeroDivisionError):
        next(rounds)
    assert threading.active_count() == before


def test_a_delay_is_told_where_the_system_has_it() -> None:
    assert ask(0.0)[1] == -1
    assert ask(0.0, 10**6, 10**6)[1] == -1
    own = threading.get_native_id()
    with open_delays(own, own) as files:
        wait_ns, delay_ns = ask(1e-3, *files)
    assert wait_ns >= 0
    assert (delay_ns >= 0) == Path(f"/proc/self/task/{own}/schedstat").exists()
    with open_delays(0) as files:
        assert files == [-1]


def examined(workload: str, setup: str = "", **gates: Any) -> Findings:
    return check(workload, setup=setup, scaling=False, time_s=0.5, **gates)


@needs_meter
@needs_gil
def test_a_loop_of_bytecode_hands_the_lock_over_and_does_not_fail() -> None:
    result = examined("n = 1_000_000\nwhile n: n -= 1", longest_wait_s=60.0, longest_hold_s=1e-3)
    (cell,) = result.cells
    assert cell.waits is not None
    assert cell.waits.asked > 0
    wait, hold = result.gates[::-1]
    assert wait.gate == "longest_wait"
    assert wait.passed is not False
    assert hold.passed is not True
    assert cell.waits.handover != "released"


@needs_meter
@needs_gil
def test_json_loads_of_a_large_text_keeps_a_thread_waiting_and_fails() -> None:
    setup = "import json; text = json.dumps(list(range(1_000_000)))"
    result = examined("json.loads(text)", setup, longest_wait_s=20e-3)
    (cell,) = result.cells
    (gate,) = result.gates
    if gate.passed is None:
        pytest.skip(tell_gate(gate))
    assert gate.passed is False
    assert cell.waits is not None
    assert cell.waits.handover == "late"


@needs_meter
@needs_gil
def test_the_census_asks_nobody() -> None:
    found, _ = examine.examine(Workload("len('')", "statement"), 0.1, 60.0)
    assert found is not None
    assert found.waits is None


@pytest.mark.parametrize(
    ("waits", "code"),
    [(WAITS, 0), (replace(WAITS, longest_s=Estimate(0.3, 0.2, 0.4)), 3), (None, 4)],
)
def test_every_outcome_has_its_exit_code(
    monkeypatch: pytest.MonkeyPatch, waits: Waits | None, code: int
) -> None:
    found = replace(FOUND, waits=waits)
    monkeypatch.setattr(examine, "examine", lambda *rest: (found, False))
    assert main(["held", "--longest-wait", "20ms", "--no-scaling", "-q"]) == code


@pytest.fixture
def said(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    monkeypatch.setattr(gil_assertions, "is_gil_enabled", lambda: True)
    monkeypatch.setattr(gil_assertions, "find_obstacle", lambda: None)
    return []


def test_the_fixture_fails_with_the_sentence(
    monkeypatch: pytest.MonkeyPatch, said: list[str]
) -> None:
    asked: list[bool] = []

    def find(name: str, call: Call, seconds: float, waits: bool) -> Finding:
        asked.append(waits)
        return found

    monkeypatch.setattr(gil_assertions, "examine_call", find)
    gil = GilAssertions(said.append, said.append)
    found = FOUND
    assert gil.assert_waits_at_most("20ms", len, "") == found
    with pytest.raises(AssertionError, match=r"waits 5\.1 ms .*; at most 1ms was asked for\.$"):
        gil.assert_waits_at_most("1ms", len, "")
    assert said == []
    gil.assert_waits_at_most(6.2e-3, len, "")
    assert said[0].startswith("undecided: f(x): holds the GIL")
    found = replace(FOUND, waits=replace(WAITS, handover="released"))
    with pytest.raises(AssertionError, match=r"waits 5\.1 ms"):
        gil.assert_waits_at_most(1e-3, len, "")
    with pytest.raises(AssertionError, match="at least 90 %"):
        gil.assert_releases(len, "")
    assert asked == [True] * 4 + [False]
    with pytest.raises(UsageError):
        gil.assert_waits_at_most("soon", len, "")
    with pytest.raises(UsageError):
        gil.assert_waits_at_most(-1.0, len, "")


@pytest.mark.skipif(is_gil_enabled(), reason="needs a free-threaded build")
def test_without_a_gil_nobody_is_asked_and_the_fixture_passes_and_says_so() -> None:
    (cell,) = examined("sum(range(1000))", longest_wait_s=1e-9).cells
    assert cell.waits is None
    said: list[str] = []
    assert GilAssertions(said.append, said.append).assert_waits_at_most("1ns", len, "") is None
    assert "no GIL" in said[0]
