"""What a release of the GIL costs the caller and gives to all: plan, figures and sentences."""

from __future__ import annotations

from dataclasses import replace

import pytest
from compare_run import PATIENT
from report_fixtures import ENVIRONMENT, make_result, missing, serial

from gillab.blocks.plan import NULL, SERIAL
from gillab.crossover import crossover
from gillab.errors import UsageError
from gillab.estimates import Bracket
from gillab.report.release_cost import summarize_release
from gillab.results import Result
from gillab.sweeps.release import Release, chart_release, find_release
from gillab.sweeps.release_arm import Call, ReleaseArm
from gillab.sweeps.release_plan import BUSY, Place, find_key, list_places, plan_release, read_place

STEPS = [10, 1000]
"""Of 10 µs and 1 ms."""


def test_every_place_has_an_arm_that_says_what_it_is() -> None:
    arms = plan_release(STEPS)
    assert (arms[0], arms[-2], arms[-1]) == (SERIAL, BUSY, NULL)
    assert len({arm.key for arm in arms}) == len(arms) == 2 * 2 * 3 + 2
    assert [read_place(arm, 1000) for arm in arms[1:-2]] == [
        place for place in list_places(STEPS) if place != Place("held", "alone", 1000)
    ]
    assert read_place(SERIAL, 1000) == Place("held", "alone", 1000)
    assert read_place(BUSY, 1000) is None


def make_run(**seconds: float) -> Result:
    """Make a run without noise in which both calls take 1 µs a step; times are of the largest."""
    found = {BUSY.key: 1e-4}
    for place in list_places(STEPS):
        factor = seconds.get(f"{place.call}_{place.where}", 1.0)
        base_s = 1e-4 if place.where == "turns" else 1e-3
        found[find_key(place, 1000)] = base_s * factor
    blocks = [{"workload": "nogil", "seconds": found, "steps": 1000} for _ in range(30)]
    return replace(make_result([serial("nogil")]), blocks=blocks, command="crossover")


def find(result: Result) -> Release:
    release = find_release(result, "nogil", STEPS)
    assert release is not None
    return release


def test_the_ratios_and_rates_of_each_size_are_found() -> None:
    # Beside the busy thread a held call halves both; a released one waits, and the other does not.
    result = make_run(held_beside=2.0, held_turns=2.0, released_beside=4.0, released_turns=1.0)
    small, large = find(result).costs
    assert (small.call_s, large.call_s) == pytest.approx((1e-5, 1e-3))
    assert small.rates["held", "alone"] == pytest.approx(1e5)
    assert large.rates["released", "beside"] == pytest.approx(250.0)
    assert large.rates["held", "turns"] == pytest.approx(5000.0)
    assert large.alone.estimate == pytest.approx(1.0)
    assert large.beside.estimate == pytest.approx(0.5)
    assert large.turns.estimate == pytest.approx(2.0)
    assert large.together.estimate == pytest.approx((0.25 + 1.0) / (0.5 + 0.5))


def test_what_is_worth_it_is_said_with_what_it_costs_the_caller() -> None:
    result = make_run(held_beside=2.0, held_turns=2.0, released_beside=4.0, released_turns=1.0)
    sentences = summarize_release(result, find(result), "nogil")
    assert sentences[0] == (
        "Releasing the GIL (nogil) is worth it for calls from 10 µs [?, 10 µs] on: beside a busy "
        "thread both together get more done."
    )
    assert any("500/s held and 250/s released" in sentence for sentence in sentences)
    assert any("2.00x [2.00, 2.00] the turns" in sentence for sentence in sentences)


def test_what_is_not_worth_it_at_any_size_is_said() -> None:
    result = make_run(held_beside=2.0, held_turns=2.0, released_beside=8.0, released_turns=2.0)
    first = summarize_release(result, find(result), "nogil")[0]
    assert "is not shown to be worth it at any size: both threads together 0.62x" in first


@pytest.mark.parametrize(
    ("released_turns", "words"),
    [(1.0, "is worth it beside a busy thread"), (4.0, "is not worth it"), (2.0, "is open")],
)
def test_one_call_is_worth_it_or_not_or_open(released_turns: float, words: str) -> None:
    result = make_run(
        held_beside=2.0, held_turns=2.0, released_beside=2.0, released_turns=released_turns
    )
    release = find_release(result, "nogil", [1000])
    assert release is not None
    if words == "is open":
        (cost,) = release.costs
        wide = replace(cost, together=replace(cost.together, low=0.9, high=1.1))
        release = replace(release, costs=(wide,))
    assert words in summarize_release(result, release, "nogil")[0]


def test_the_charts_show_ratios_and_rates() -> None:
    result = make_run(held_beside=2.0)
    ratios, rates = chart_release(find(result), "nogil")
    names = ["calls alone", "calls beside", "other's turns", "together"]
    assert [series.name for series in ratios.series] == names
    assert ratios.marks[0].at == Bracket(pytest.approx(1e-5), None, pytest.approx(1e-5))  # type: ignore[arg-type]
    assert rates.series[0].name == "held alone"
    assert chart_release(None, "nogil") == []


def test_without_a_gil_there_is_nothing_to_give() -> None:
    result = replace(make_run(), environment={**ENVIRONMENT, "gil_enabled": False})
    assert any("There is no GIL here" in s for s in summarize_release(result, find(result), "x"))


def test_a_call_that_fails_is_told() -> None:
    result = make_result([missing("serial", "it raised", workers=1)])
    assert find_release(result, "nogil", STEPS) is None
    assert summarize_release(result, None, "nogil") == ["serial failed: it raised."]


def test_calls_and_turns_are_counted() -> None:
    calls: list[int] = []
    for where in ("alone", "beside", "turns"):
        place = Place("held", where, 5)
        arm = ReleaseArm(place.arm, place, 10, Call(calls.append))
        elapsed_ns, _ = arm.measure(10)
        assert elapsed_ns > 0
        assert calls
        if where != "turns":
            assert arm.tasks == len(calls) / 2
        assert arm.tasks > 0
        calls.clear()
    busy = ReleaseArm(BUSY, None, 10, None)
    busy.measure(10)
    assert busy.tasks >= 1


@pytest.mark.parametrize(
    ("workloads", "named", "message"),
    [
        (("held", "nogil"), {}, "name one workload"),
        (("held",), {"strategies": ["threads"]}, "neither workers nor strategies"),
        (("sum([])",), {"sizes_s": [1e-3]}, "--sizes goes with kernels"),
    ],
)
def test_what_does_not_go_together_is_refused(
    workloads: tuple[str, ...], named: dict[str, object], message: str
) -> None:
    with pytest.raises(UsageError, match=message):
        crossover(*workloads, released="nogil", **named)  # type: ignore[arg-type]


def test_a_short_run_measures_both_calls_everywhere() -> None:
    result = crossover("held", released="nogil", sizes_s=[1e-4], max_blocks=1, **PATIENT)
    assert {cell.status for cell in result.cells} == {"ok"}
    assert [chart.title for chart in result.charts][1] == "calls a second"
    assert "countdown_nogil" in result.summary[0]


def test_a_release_that_raises_is_quoted() -> None:
    result = crossover("pass", released="1 / 0", max_blocks=1, **PATIENT)
    assert result.failed
    failed = {cell.reason for cell in result.cells if cell.status == "failed"}
    assert failed == {"ZeroDivisionError: division by zero"}
