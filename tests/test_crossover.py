"""From which size of a task on a pool pays: sizes, brackets, the prediction and the sentences."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import pytest
from compare_run import PATIENT
from report_fixtures import arm, make_result, missing, serial

from gillab.blocks.plan import NULL, SERIAL
from gillab.crossover import crossover
from gillab.errors import Interrupted, UsageError
from gillab.estimates import Estimate
from gillab.report.crossover import summarize_crossover
from gillab.results import Cell, Result
from gillab.sweeps.crossover import (
    Rung,
    chart_crossover,
    find_crossing,
    find_crossovers,
    predict_speedup,
)
from gillab.sweeps.sizes import Size, list_sizes, plan_sizes, read_size

SIZES = [Size(1, 200), Size(10, 200), Size(100, 16), Size(1000, 2)]
"""Of 10 µs, 100 µs, 1 ms and 10 ms."""
DISPATCH_S = 80e-6


def test_sizes_go_from_a_microsecond_to_thirty_milliseconds() -> None:
    sizes = list_sizes(1e-7, 2)
    assert (sizes[0].steps, sizes[-1].steps) == (10, 316228)
    assert len(sizes) == 10
    assert sizes[0].tasks == 200
    assert sizes[-1].tasks == 2


def test_a_step_that_takes_long_is_the_smallest_size() -> None:
    sizes = list_sizes(0.05, 4)
    assert sizes[0].steps == 1
    assert len(sizes) >= 4
    assert all(size.tasks == 4 for size in sizes)


def test_sizes_that_were_asked_for_are_met_as_nearly_as_steps_can() -> None:
    assert list_sizes(1e-3, 2, [2.4e-3, 1e-6, 1e-3]) == [Size(1, 16), Size(2, 8)]


def test_the_largest_size_in_a_loop_is_the_baseline() -> None:
    arms = plan_sizes(["threads", "serial"], 2, SIZES)
    keys = [each.key for each in arms]
    assert arms[0] == SERIAL
    assert NULL in arms
    assert keys.count("threads/2/200 of 1") == 1
    assert "serial/1/16 of 100" in keys
    assert "serial/1/2 of 1000" not in keys
    assert keys[-1] == "ceiling/2"
    assert read_size("16 of 100") == Size(100, 16)


def climb(*speedups: tuple[float, float, float]) -> list[Rung]:
    return [Rung(10.0**place, Estimate(*each)) for place, each in enumerate(speedups)]


def test_a_crossing_lies_between_the_sizes_on_either_side() -> None:
    rungs = climb((0.5, 0.4, 0.6), (0.9, 0.8, 1.05), (1.1, 1.02, 1.2), (1.9, 1.8, 2.0))
    found = find_crossing(rungs, 1.0)
    assert found.estimate == pytest.approx(10**1.5)
    assert (found.low, found.high) == (1.0, 100.0)


@pytest.mark.parametrize(
    ("speedups", "estimate", "low", "high"),
    [
        ([(1.2, 1.1, 1.3), (1.5, 1.4, 1.6)], 1.0, None, 1.0),
        ([(0.2, 0.1, 0.3), (0.5, 0.4, 0.6)], None, 10.0, None),
        ([(0.2, 0.1, 0.3), (1.1, 0.9, 1.3)], 10 ** (8 / 9), 1.0, None),
        # It is above for good only after the last dip.
        ([(1.2, 1.1, 1.3), (0.8, 0.7, 0.9), (1.2, 1.1, 1.3)], 10**1.5, 10.0, 100.0),
    ],
    ids=["everywhere", "nowhere", "perhaps at last", "after a dip"],
)
def test_a_crossing_may_be_open_on_either_side(
    speedups: Sequence[tuple[float, float, float]],
    estimate: float | None,
    low: float | None,
    high: float | None,
) -> None:
    found = find_crossing(climb(*speedups), 1.0)
    assert found.estimate == (None if estimate is None else pytest.approx(estimate))
    assert (found.low, found.high) == (low, high)


def make_run(best: float = 2.0) -> Result:
    """Make a run without noise whose pool takes 80 µs more for each task."""
    cells: list[Cell] = [serial("nogil")]
    seconds = {}
    for size in SIZES:
        share = 1000 / size.steps
        task_s = size.steps * 10e-6
        loop = SERIAL.key if size == SIZES[-1] else f"serial/1/{size.variant}"
        seconds[loop] = task_s * share
        pool_s = DISPATCH_S + task_s / best
        seconds[f"processes/2/{size.variant}"] = pool_s * share
        cell = arm("processes", 0.01 / (pool_s * share), "wins", variant=size.variant)
        cells.append(cell)
    blocks = [{"workload": "nogil", "seconds": seconds, "steps": 1000} for _ in range(12)]
    return replace(make_result(cells), blocks=blocks, command="crossover")


def test_the_bracket_the_best_and_the_dispatch_cost_are_found() -> None:
    (found,) = find_crossovers(make_run(), "nogil", SIZES)
    assert [rung.task_s for rung in found.rungs] == pytest.approx([1e-5, 1e-4, 1e-3, 1e-2])
    assert found.rungs[0].speedup.estimate == pytest.approx(10 / 85)
    assert (found.pays_from.low, found.pays_from.high) == pytest.approx((1e-4, 1e-3))
    assert found.pays_from.estimate is not None
    assert 1e-4 < found.pays_from.estimate < 1e-3
    assert found.best.estimate == pytest.approx(0.01 / (80e-6 + 0.005))
    assert found.dispatch_s == pytest.approx(DISPATCH_S, rel=0.01)
    assert found.predicted_s == pytest.approx(DISPATCH_S / (1 - 1 / found.best.estimate), rel=0.01)
    assert predict_speedup(found, math.inf) != predict_speedup(found, 1e-3)
    assert predict_speedup(found, 1e-3) == pytest.approx(found.rungs[2].speedup.estimate, rel=0.02)


def test_the_answer_says_from_which_size_on_and_the_chart_shows_both() -> None:
    result = make_run()
    found = find_crossovers(result, "nogil", SIZES)
    first, *more = summarize_crossover(result, {"nogil": found})
    assert first.startswith("nogil: processes pay for tasks from ")
    assert first.endswith("[100 µs, 1.0 ms] on.")
    assert any("costs 80 µs" in sentence for sentence in more)
    (chart,) = chart_crossover("nogil", found)
    assert [series.name for series in chart.series] == ["processes", "processes, predicted"]
    assert chart.marks[0].at.high == pytest.approx(1e-3)


def test_a_pool_that_never_pays_and_one_that_may_are_told_apart() -> None:
    result = make_run(best=1.0)
    found = find_crossovers(result, "nogil", SIZES)
    (sentence,) = summarize_crossover(result, {"nogil": found})
    assert sentence.startswith("nogil: processes do not pay, however large a task is: 0.99x")
    wide = [replace(found[0].rungs[-1], speedup=Estimate(0.99, 0.8, 1.2))]
    (sentence,) = summarize_crossover(result, {"nogil": [replace(found[0], rungs=tuple(wide))]})
    assert "processes are not shown to pay at any size" in sentence


def test_what_failed_is_said_once() -> None:
    cells = [missing("serial", "it raised", workers=1), missing("threads", "it raised.")]
    result = make_result(cells)
    assert find_crossovers(result, "nogil", SIZES) == []
    sentences = summarize_crossover(result, {"nogil": []})
    assert sentences == ["nogil: serial failed: it raised.", "nogil: threads failed: it raised."]


@pytest.mark.parametrize(
    ("named", "message"),
    [
        ({"sizes_s": [0.0]}, "sizes are times above 0 s"),
        ({"workers": [1, 2]}, "takes one number of workers"),
        ({"strategies": ["fibres"]}, "fibres"),
    ],
)
def test_what_cannot_be_measured_is_refused(named: dict[str, object], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        crossover("nogil", **named)  # type: ignore[arg-type]


def test_a_short_run_has_every_size_in_every_pool() -> None:
    result = crossover(
        "sum(range(10))",
        sizes_s=[1e-6, 1e-3],
        strategies=["threads"],
        workers=2,
        max_blocks=1,
        **PATIENT,
    )
    ok = [cell for cell in result.cells if cell.status == "ok"]
    assert [cell.strategy for cell in ok] == ["serial", "serial", "threads", "threads"]
    (chart,) = result.charts
    assert [series.name for series in chart.series] == ["threads", "threads, predicted"]
    assert len(chart.xs) == 2


def test_a_workload_that_raises_is_quoted() -> None:
    result = crossover("1 / 0", strategies=["threads"], workers=2, max_blocks=1, **PATIENT)
    assert result.failed
    assert "ZeroDivisionError" in result.summary[0]


@pytest.mark.parametrize("released", [None, "nogil"])
def test_what_was_measured_before_an_interrupt_is_drawn(released: str | None) -> None:
    def interrupt(at: object) -> None:
        raise KeyboardInterrupt

    strategies = [] if released else ["threads"]
    with pytest.raises(Interrupted) as interruption:
        crossover(
            "held",
            released=released,
            sizes_s=[1e-4],
            strategies=strategies,
            on_block=interrupt,
            **PATIENT,
        )
    result = interruption.value.result
    assert result.partial
    assert result.charts
    assert result.summary
