"""bench: what its report claims of a goal, and that it fits the terminal."""

from __future__ import annotations

import json
import random
import subprocess
import sys
from pathlib import Path

import pytest
from long_tests import only_long

pytest.importorskip("bench", reason="bench lies in a checkout, not in an installed package")

from bench.__main__ import SECTIONS, main
from bench.blocks import measure_blocks
from bench.model_error import Blocks, make_row, summarize
from bench.report import render_rows, render_summary, write_json
from bench.rows import Goal, Row, compare_difference, compare_ratio
from gillab.estimates import Estimate

ROWS = [
    compare_ratio("A call", "a peer", [1e-8] * 20, [5e-8] * 20, Goal(1.0)),
    compare_ratio("A call", "a slower goal", [1.2e-8] * 20, [1e-8] * 20, Goal(1.0), "A reason."),
    Row("A call", "an absent peer", goal=Goal(1.0), note="No module; " + "say how " * 20),
    compare_difference("A start", "python -c pass", [0.123456] * 20, [0.02] * 20, Goal(100)),
]


@pytest.mark.parametrize(
    ("low", "high", "goal", "status"),
    [
        (0.90, 0.95, Goal(1.0), "met"),
        (0.90, 1.05, Goal(1.0), "undecided"),
        (1.01, 1.05, Goal(1.0), "missed"),
        (0.99, 1.00, Goal(0.98, least=True), "met"),
        (0.97, 1.00, Goal(0.98, least=True), "undecided"),
        (0.90, 0.97, Goal(0.98, least=True), "missed"),
        (None, None, Goal(1.0), "undecided"),
        (0.90, 0.95, None, "no goal"),
    ],
)
def test_a_goal_is_met_or_missed_only_with_the_whole_interval(
    low: float | None, high: float | None, goal: Goal | None, status: str
) -> None:
    assert Row("", "", estimate=Estimate(1.0, low, high), goal=goal).status == status


def test_what_was_not_measured_is_unavailable_and_says_why() -> None:
    assert ROWS[2].status == "unavailable"
    assert "No module" in render_rows(ROWS)


def test_the_report_fits_80_columns() -> None:
    text = f"{render_rows(ROWS)}\n{render_summary(ROWS)}"
    assert max(map(len, text.splitlines())) <= 80
    assert "Goals: 1 met, 2 missed, 1 unavailable." in text


def test_every_figure_shown_is_in_the_file(tmp_path: Path) -> None:
    path = tmp_path / "bench.json"
    write_json(path, {"call": ROWS}, seed=1)
    written = json.loads(path.read_text())
    assert [row["status"] for row in written["sections"]["call"]] == [row.status for row in ROWS]
    assert written["sections"]["call"][0]["estimate"]["estimate"] == pytest.approx(0.2)
    assert [file.name for file in tmp_path.iterdir()] == ["bench.json"]


def test_the_model_is_held_against_what_was_measured() -> None:
    seconds = {"serial": 0.04, "threads": 0.025, "loop": 0.04, "ceiling": 0.02}
    blocks = Blocks({arm: [value] * 12 for arm, value in seconds.items()}, every=12)
    row = make_row("0% held, 0.4 ms", blocks, handover_s=1e-5)
    assert row.turn_s == pytest.approx(0.4e-3)
    assert row.prediction.expected == pytest.approx(2)
    assert row.measured.estimate == pytest.approx(1.6)
    assert row.error == pytest.approx(0.25)
    assert "off by 25.0% at the median and 25.0% at most; 0 of 1" in summarize([row])
    assert "too busy" in summarize([])


@only_long
def test_every_block_holds_every_arm_in_an_order_that_the_seed_gives() -> None:
    def order(seed: int) -> list[str]:
        calls: list[str] = []

        def arm(name: str) -> float:
            calls.append(name)
            return 1.0

        arms = {name: (lambda name=name: arm(name)) for name in "abc"}
        measured = measure_blocks(arms, 10, random.Random(seed))
        assert {name: len(values) for name, values in measured.items()} == dict.fromkeys("abc", 10)
        return calls

    assert order(1) == order(1)
    assert order(1) != order(2)
    blocks = [order(1)[start : start + 3] for start in range(0, 33, 3)]
    assert all(sorted(block) == ["a", "b", "c"] for block in blocks)


@pytest.mark.parametrize("arguments", [["nosuch"], ["step", "--export-json", "no/such/folder/f"]])
def test_a_usage_error_is_said_before_anything_is_measured(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(arguments)
    assert "error:" in capsys.readouterr().err


@only_long
@pytest.mark.parametrize("section", [section for section in SECTIONS if section != "call"])
def test_a_section_runs_from_one_end_to_the_other(section: str, tmp_path: Path) -> None:
    path = tmp_path / "bench.json"
    run = subprocess.run(
        [sys.executable, "-m", "bench", "--fast", "--seed", "1", "--export-json", path, section],
        cwd=Path(__file__).parent.parent,
        check=False,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert run.returncode == 0, run.stderr
    assert "\x1b" not in run.stdout
    assert max(map(len, run.stdout.splitlines())) <= 80
    assert list(json.loads(path.read_text())["sections"]) == [section]
