"""What has changed since another run: which cells are the same, and what is said of them."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from report_fixtures import ENVIRONMENT, arm, make_result, missing, null, serial

from gillab import diff as experiment
from gillab.diff import diff
from gillab.errors import UsageError
from gillab.estimates import Estimate
from gillab.report.baseline import find_changes, tell_changes
from gillab.results import Cell, Result
from gillab.statistics import ratio_of_independent


def test_the_ratio_of_two_independent_ratios_adds_the_squares_of_their_logarithms() -> None:
    two = Estimate(2.0, 2.0 / math.exp(0.03), 2.0 * math.exp(0.03))
    one = Estimate(1.0, math.exp(-0.04), math.exp(0.04))
    found = ratio_of_independent(two, one)
    assert found.estimate == 2.0
    assert found.low == pytest.approx(2.0 * math.exp(-0.05))
    assert found.high == pytest.approx(2.0 * math.exp(0.05))


def test_each_side_takes_the_distance_that_counts_there() -> None:
    # Below, the new one's low end and the old one's high end; above, the others.
    new = Estimate(1.0, math.exp(-0.03), math.exp(0.06))
    old = Estimate(1.0, math.exp(-0.08), math.exp(0.04))
    found = ratio_of_independent(new, old)
    assert found.low == pytest.approx(math.exp(-0.05))
    assert found.high == pytest.approx(math.exp(0.10))
    # Exchanged, it is the reciprocal.
    back = ratio_of_independent(old, new)
    assert back.low == pytest.approx(math.exp(-0.10))
    assert back.high == pytest.approx(math.exp(0.05))


def test_without_both_intervals_there_is_none() -> None:
    none = Estimate(2.0, None, None)
    assert ratio_of_independent(none, Estimate(1.0, 0.9, 1.1)) == none
    assert ratio_of_independent(Estimate(2.0, 1.9, 2.1), Estimate(1.0, 0.0, 1.1)) == none


def make_run(threads: float | Cell, **named: Any) -> Any:
    cell = arm("threads", threads, "wins") if isinstance(threads, float) else threads
    result = make_result([serial(), cell], **named)
    return json.loads(result.to_json())["gillab"]


@pytest.mark.parametrize(
    ("new", "verdict", "word"),
    [
        (2.4, "wins", "gains more than then"),
        (1.5, "loses", "gains less than then"),
        (1.9, "same", "gains as much as then"),
        (2.0, "inconclusive", "undecided"),
        (1.8, "no_gain", "gains no more than then"),
    ],
)
def test_a_cell_is_compared_by_its_speedup(new: float, verdict: str, word: str) -> None:
    changes = find_changes(make_run(1.9), make_run(new))
    (change,) = changes.cells
    assert change.verdict == verdict
    assert change.ratio.estimate == pytest.approx(new / 1.9)
    (sentence,) = tell_changes(changes)
    assert sentence.startswith(f"nogil: threads ×2: {word}, {new / 1.9:.2f}x [")
    assert sentence.endswith(f"then, {new:.2f}x [{new - 0.03:.2f}, {new + 0.03:.2f}] now).")


def test_what_differs_in_the_environment_is_said_first() -> None:
    other = {**ENVIRONMENT, "python": "3.14.0", "cpu_model": "Another"}
    changes = find_changes(make_run(1.9), make_run(1.9, environment=other))
    first, _ = tell_changes(changes)
    assert first == (
        "The environment differs: python 3.13.0 then, 3.14.0 now; cpu_model Some Processor @ "
        "2.70GHz then, Another now."
    )


def test_the_interval_for_the_minutes_after_counts_where_there_is_one() -> None:
    cell = replace(arm("threads", 1.9, "wins"), speedup_later=Estimate(1.9, 1.7, 2.1))
    (change,) = find_changes(make_run(cell), make_run(1.9)).cells
    assert (change.old.low, change.new.low) == (1.7, 1.87)
    assert change.verdict == "inconclusive"


def test_a_control_that_failed_in_either_puts_its_workload_in_doubt() -> None:
    (change,) = find_changes(make_run(1.9, nulls=[null(False)]), make_run(2.4)).cells
    assert change.verdict == "withheld"


def test_a_cell_that_one_of_both_lacks_is_said() -> None:
    failed = find_changes(make_run(1.9), make_run(missing("threads", "it raised.")))
    assert tell_changes(failed)[0] == "threads ×2: failed now: it raised."
    other = find_changes(make_run(1.9), make_run(arm("processes", 1.9, "wins")))
    assert tell_changes(other) == [
        "threads ×2: not measured now.",
        "processes ×2: not measured then.",
        "No cell was measured in both runs, so nothing can be compared.",
    ]


def make_versions(new: str) -> Any:
    cell = replace(arm("serial", 1.2, "wins", workers=1), variant="new")
    result = replace(make_result([serial(), cell]), options={"versus": {"new": {"name": new}}})
    return json.loads(result.to_json())["gillab"]


def test_versions_are_the_same_by_what_they_run() -> None:
    assert len(find_changes(make_versions("f()"), make_versions("f()")).cells) == 1
    assert not find_changes(make_versions("f()"), make_versions("g()")).cells


def write(path: Path, result: Result) -> Path:
    path.write_text(result.to_json())
    return path


def test_two_files_are_compared(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    old = write(tmp_path / "old.json", make_result([serial(), arm("threads", 1.9, "wins")]))
    new = write(tmp_path / "new.json", make_result([serial(), arm("threads", 1.5, "wins")]))
    assert diff(old, new).cells[0].verdict == "loses"
    assert diff(old, new, within=0.5).cells[0].verdict == "same"
    assert experiment.main([str(old), str(new)]) == 0
    assert "threads ×2: gains less than then" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (None, "cannot be read"),
        ("{", "is no JSON; name a file of --export-json"),
        ("[1]", "is no result of gillab"),
        ('{"gillab": {"cells": []}}', "is of another version of gillab"),
        ('{"gillab": {"schema": 1, "cells": [{"workload": "w"}]}}', "holds no speedups"),
    ],
)
def test_a_file_that_is_no_result_is_one_sentence(
    tmp_path: Path, text: str | None, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "run.json"
    if text is not None:
        path.write_text(text)
    with pytest.raises(UsageError, match=message):
        diff(path, path)
    assert experiment.main([str(path), str(path)]) == 2
    assert capsys.readouterr().err.count("\n") == 1
