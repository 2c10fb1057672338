"""Speedup over workers: curves, how many are enough, what the model says, and the sentences."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Any

import pytest
from compare_run import PATIENT
from report_fixtures import arm, ceiling, make_result, missing, ratio, serial

from gillab.errors import Interrupted, UsageError
from gillab.estimates import Estimate
from gillab.report.scaling import summarize_scaling
from gillab.results import Cell, Result
from gillab.scaling import build_parser, scaling
from gillab.sweeps.paired import find_ratio
from gillab.sweeps.scaling import (
    Scaling,
    chart_scaling,
    describe_tasks,
    find_scaling,
    list_counts,
)

SECONDS = {
    "serial/1": 0.04,
    "serial/2": 0.04,
    "threads/1": 0.04,
    "threads/2": 0.03,
    "threads/4": 0.03,
    "processes/1": 0.04,
    "processes/2": 0.021,
    "processes/4": 0.021,
}


def make_run(seconds: Mapping[str, float] = SECONDS, **serials: Any) -> Result:
    """Make a run of 12 blocks without noise over 1, 2 and 4 workers on 2 CPUs."""
    cells: list[Cell] = [replace(serial("mixed"), held=0.5, held_interval=(0.5, 0.5), busy=1.0)]
    cells[0] = replace(cells[0], **serials)
    for key, time_s in seconds.items():
        strategy, workers = key.split("/")
        if strategy != "serial":
            pace = 0.04 / time_s
            verdict = "wins" if pace > 1.05 else "same"
            cell = arm(strategy, pace, verdict, workers=int(workers), workload="mixed")  # type: ignore[arg-type]
            cells.append(cell)
    blocks = [{"workload": "mixed", "seconds": dict(seconds), "steps": 4} for _ in range(12)]
    ceilings = [ceiling(workload="mixed", workers=n, expected=min(n, 2)) for n in (2, 4)]
    return replace(make_result(cells, ceilings=ceilings), blocks=blocks, command="scaling")


def find(result: Result, foresee: Sequence[int] = ()) -> Scaling:
    return find_scaling(result, "mixed", 2.0, foresee)


@pytest.mark.parametrize(
    ("cpus", "most", "counts"),
    [
        (1, 61, (1, 2)),
        (2, 61, (1, 2, 4)),
        (6, 61, (1, 2, 4, 6, 8, 12)),
        (64, 61, (1, 2, 4, 8, 16, 32)),
    ],
)
def test_workers_go_to_twice_the_cpus(cpus: int, most: int, counts: tuple[int, ...]) -> None:
    assert list_counts(cpus, most) == counts


def test_the_fewest_workers_that_are_as_fast_as_the_fastest_are_enough() -> None:
    threads, processes = find(make_run()).curves
    assert (threads.name, threads.enough.workers) == ("threads", 2)
    assert [cell.workers for cell in processes.cells] == [1, 2, 4]
    assert processes.enough.workers == 2
    faster = find(make_run({**SECONDS, "processes/4": 0.018})).curves[1]
    assert faster.enough.workers == 4


def test_the_serial_fraction_is_told_where_each_worker_has_a_cpu() -> None:
    threads, _ = find(make_run()).curves
    assert list(threads.serial_fraction) == [2]
    assert threads.serial_fraction[2].estimate == pytest.approx((0.75 - 0.5) / 0.5)


def test_a_ratio_takes_only_blocks_that_have_both() -> None:
    blocks = [{"workload": "w", "seconds": {"a": 2.0, "b": 1.0}}] * 6
    alone = [{"workload": "w", "seconds": {"a": 9.0}}]
    found = find_ratio([*blocks, *alone], "a", "b", 0.95)
    assert found is not None
    assert found.estimate == pytest.approx(2.0)
    assert find_ratio(alone, "a", "b", 0.95) is None


def test_the_model_says_what_more_cpus_give_and_how_far_it_is_off() -> None:
    found = find(make_run(), (8, 64))
    threads, processes = found.foreseen["threads"], found.foreseen["processes"]
    assert processes[64].estimate == pytest.approx(64.0, rel=0.02)
    assert all(1.5 < threads[n].estimate <= 2.0 for n in (8, 64))
    # The ceiling gave 1.97 of two cores.
    assert found.predicted["processes"][4].estimate == pytest.approx(1.97, rel=0.02)
    text = " ".join(summarize_scaling(make_run(), [found], 2.0))
    assert "The model gives processes 8.00x on 8, 64.0x on 64 CPUs" in text
    assert "the model is off by" in text.lower()
    assert "leaves out memory bandwidth" in text


def test_nothing_is_predicted_for_a_lock_that_was_not_metered() -> None:
    result = make_run(held=None)
    found = find(result, (8,))
    assert set(found.predicted) == {"processes"}
    only = replace(result, cells=[c for c in result.cells if c.strategy != "processes"])
    text = " ".join(summarize_scaling(only, [find(only, (8,))], 2.0))
    assert "Nothing is predicted" in text


def test_a_call_is_held_released_and_waited_for() -> None:
    cell = replace(serial(), busy=0.5, held=0.25, held_interval=(0.2, 0.3))
    tasks = describe_tasks(cell, 2, locked=True)
    assert tasks is not None
    call_s = 0.0201 / 2
    assert tasks[0].held_s == pytest.approx(0.25 * call_s)
    assert tasks[0].released_s == pytest.approx(0.25 * call_s)
    assert tasks[0].waiting_s == pytest.approx(0.5 * call_s)
    assert [task.held_s for task in tasks[1:]] == pytest.approx([0.2 * call_s, 0.3 * call_s])
    free = describe_tasks(replace(cell, held=None), 2, locked=False)
    assert free is not None
    assert free[0].held_s == 0.0


def test_the_chart_has_every_strategy_the_ceiling_and_the_ideal() -> None:
    result = make_run()
    speedups, fractions = chart_scaling(find(result), result.ceiling, 2.0)
    names = [series.name for series in speedups.series]
    assert names == ["threads", "processes", "ceiling", "ideal"]
    assert speedups.xs == [1.0, 2.0, 4.0]
    ideal = speedups.series[-1]
    assert ideal.find(4.0) == Estimate(4.0, None, None)
    assert speedups.marks[0].at.estimate == 2.0
    assert [series.name for series in fractions.series] == ["threads", "processes"]
    predicted, _ = chart_scaling(find(result, (8,)), result.ceiling, 2.0)
    assert "processes, a CPU each" in [series.name for series in predicted.series]
    assert predicted.xs[-1] == 8.0
    assert all(one < other for one, other in pairwise(predicted.xs))


def test_the_answer_comes_first_and_then_what_ends_it() -> None:
    result = make_run()
    sentences = summarize_scaling(result, [find(result)], 2.0)
    assert sentences[0].startswith("mixed: use 2 processes, 1.90x [")
    assert "threads reach 1.33x" in sentences[0]
    assert "(serial fraction 50" in sentences[0]
    assert "More workers than the 2 CPUs gain nothing." in sentences


def test_what_never_gains_is_said_with_its_cause() -> None:
    result = make_run({**SECONDS, "threads/2": 0.04, "threads/4": 0.04})
    cells = [
        replace(cell, cause="gil", held=1.0) if cell.strategy == "threads" else cell
        for cell in result.cells
    ]
    result = replace(result, cells=cells)
    sentence = summarize_scaling(result, [find(result)], 2.0)[0]
    assert "threads never gain, 1.00x" in sentence
    assert "the GIL is held 100 % of the time" in sentence


def test_more_workers_than_cpus_that_cost_something_are_named() -> None:
    result = make_run({**SECONDS, "processes/4": 0.03})
    cells = [
        replace(cell, speedup=ratio(1.33)) if cell.key == "processes/4" else cell
        for cell in result.cells
    ]
    result = replace(result, cells=cells)
    sentences = summarize_scaling(result, [find(result)], 2.0)
    assert any(s.startswith("They cost something in processes, 1.33x") for s in sentences)


def test_what_was_not_measured_is_said() -> None:
    cells = [missing("serial", "it raised", workers=1, workload="mixed")]
    result = make_result(cells)
    assert chart_scaling(find(result), (), 2.0) == []
    assert summarize_scaling(result, [find(result)], 2.0) == ["mixed: failed: it raised."]


def test_cpus_to_predict_for_are_checked() -> None:
    with pytest.raises(UsageError, match="CPUs to predict for are numbers from 1 on, not 0"):
        scaling("nogil", predict=[0])


def test_a_short_run_draws_its_curves() -> None:
    result = scaling("nogil", strategies=["threads"], workers=[1, 2], max_blocks=1, **PATIENT)
    assert result.command == "scaling"
    assert [cell.key for cell in result.cells] == ["serial/1", "threads/1", "threads/2"]
    (speedups, _) = result.charts
    assert [series.name for series in speedups.series] == ["threads", "ceiling", "ideal"]
    assert result.summary[0].startswith("countdown_nogil: ")
    assert "gillab" in result.to_json()


def test_what_was_measured_before_an_interrupt_is_drawn() -> None:
    def interrupt(at: object) -> None:
        raise KeyboardInterrupt

    with pytest.raises(Interrupted) as interruption:
        scaling("nogil", strategies=["threads"], workers=[1, 2], on_block=interrupt, **PATIENT)
    result = interruption.value.result
    assert result.partial
    assert result.charts
    assert result.summary[0].startswith("countdown_nogil: ")


@pytest.mark.parametrize("strategy", ["threads", "interpreters"])
def test_what_raises_is_quoted_once(strategy: str) -> None:
    result = scaling("1 / 0", strategies=[strategy], workers=[1, 2], max_blocks=1, **PATIENT)
    assert result.failed
    assert result.charts == []
    assert "ZeroDivisionError" in result.summary[0]


def test_workers_default_to_what_the_machine_has() -> None:
    arguments = build_parser().parse_mixed(["nogil", "--predict", "8,64"])
    assert (arguments.workers, arguments.predict) == (None, (8, 64))
