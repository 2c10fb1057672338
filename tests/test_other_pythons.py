"""What is concluded and said of other interpreters, and a run that has some."""

from __future__ import annotations

import io
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from compare_run import PATIENTLY, run_compare
from rich.console import Console

from gillab.blocks.analysis import analyze
from gillab.blocks.evidence import Machine
from gillab.blocks.messages import Held
from gillab.blocks.plan import plan_experiments
from gillab.blocks.record import Block, Failure, Record
from gillab.command.gates import check_gates, decide_gate, parse_gate
from gillab.report.baseline import find_changes
from gillab.report.csv import render_csv
from gillab.report.markdown import render_markdown
from gillab.report.summary import summarize
from gillab.report.terminal import render
from gillab.results import Cell, Result

NAME = "countdown_nogil"
MACHINE = Machine(2.0, gil_enabled=True, elsewhere={"3.14t": False, "3.13": True})
PYTHONS = [
    {"label": "3.14t", "python": "3.14.7", "implementation": "cpython", "gil_enabled": False},
    {"label": "3.13", "python": "3.13.0", "implementation": "cpython", "gil_enabled": True},
]
FREE = {"serial/1/3.14t": 0.94, "threads/2/3.14t": 1.81}
"""What free-threading costs one thread and gives two."""


def make_record(paces: dict[str, float], *, wobble: float = 0.01) -> Record:
    """Return a record of arms with these speedups; those not named are as fast as serial."""
    (experiment,) = plan_experiments(
        ["nogil"], strategies=("serial", "threads"), workers=2, interpreters=["3.14t", "3.13"]
    )
    record = Record(experiment, steps=1)
    for number in range(20):
        shaken = 1 + wobble * (number % 5 - 2) / 2
        seconds = {
            arm.key: {"ceiling/2": 0.5}.get(arm.key, 1 / paces.get(arm.key, 1.0))
            for arm in experiment.arms
        }
        for key in seconds:
            seconds[key] *= 1.0 if key == "serial/1" else shaken if "3.14t" in key else 1 / shaken
        cores = {
            key: 1.9 if "threads" in key and paces.get(key, 1) > 1.5 else 1.0 for key in seconds
        }
        noise = {"wall_s": 1.0, "other_cores": 0.0}
        record.blocks.append(Block(NAME, 1, tuple(seconds), seconds, cores, noise))
    return record


def conclude(record: Record) -> Result:
    cells, null, ceiling, choices, noise = analyze([record], 0.95, MACHINE, "3.11.7")
    environment = {"python": "3.11.7", "implementation": "cpython", "pythons": PYTHONS}
    result = Result("compare", False, 1, {}, environment, cells, null, ceiling, noise, choices)
    return replace(result, summary=summarize(result))


def find(result: Result, key: str) -> Cell:
    return next(cell for cell in result.cells if cell.key == key)


def render_terminal(result: Result, width: int = 80) -> str:
    text = io.StringIO()
    render(result, Console(file=text, width=width))
    return text.getvalue()


def test_all_are_compared_with_serial_in_this_interpreter() -> None:
    result = conclude(make_record(FREE))
    one, two = (find(result, key) for key in FREE)
    assert (one.verdict, two.verdict) == ("loses", "wins")
    assert one.speedup is not None
    assert one.speedup.estimate == pytest.approx(0.94, rel=0.01)
    assert two.speedup is not None
    assert two.speedup.estimate == pytest.approx(1.81, rel=0.01)
    assert two.of_own_serial is not None
    assert two.of_own_serial.estimate == pytest.approx(1.81 / 0.94, rel=0.01)
    assert find(result, "serial/1").speedup is None


def test_the_sentence_says_what_free_threading_costs_and_gives() -> None:
    summary = conclude(make_record(FREE)).summary
    assert f"{NAME}: 3.14t: one thread 0.94x, two threads 1.81x." in summary
    assert f"{NAME}: 3.13: one thread 1.00x, two threads 1.00x." in summary


def test_the_best_of_all_interpreters_is_recommended() -> None:
    result = conclude(make_record(FREE))
    best = result.choices[0].elsewhere
    assert best is not None
    assert (best.interpreter, best.strategy, best.relation) == ("3.14t", "threads", "faster")
    assert result.choices[0].advice == "stay_serial"
    first, here = result.summary[:2]
    assert first.startswith(f"{NAME}: use threads in 3.14t, 1.8")
    assert first.endswith(" as fast as serial here.")
    assert here.startswith(f"{NAME}: here (3.11.7): stay serial")


@pytest.mark.parametrize(
    ("pace", "relation", "words"),
    [
        (1.5, "no_faster", "no other Python is better: threads in 3.14t are 0.83x"),
        (1.89, "open", "whether to use threads in 3.14t is undecided, 1.05x"),
    ],
)
def test_what_is_chosen_here_is_held_against_the_best_elsewhere(
    pace: float, relation: str, words: str
) -> None:
    result = conclude(make_record({"threads/2": 1.8, "threads/2/3.14t": pace}, wobble=0.02))
    best = result.choices[0].elsewhere
    assert best is not None
    assert best.relation == relation
    assert result.summary[0].startswith(f"{NAME}: {words}")
    assert result.summary[0].endswith("as fast as threads here.")


def test_serial_in_a_faster_python_is_the_simplest_of_equals() -> None:
    result = conclude(make_record({"serial/1/3.13": 1.3, "threads/2/3.13": 1.31}))
    best = result.choices[0].elsewhere
    assert best is not None
    assert (best.interpreter, best.strategy) == ("3.13", "serial")
    assert find(result, "threads/2/3.13").verdict == "wins"


def test_what_holds_threads_elsewhere_is_told_by_the_serial_arm_there() -> None:
    record = make_record({"serial/1/3.13": 0.9, "threads/2/3.13": 0.9})
    for key in ("serial/1/3.13", "threads/2/3.13"):
        record.held[key] = [Held(key, 0.99, 0.98, 1.0)]
    threads = find(conclude(record), "threads/2/3.13")
    assert (threads.verdict, threads.cause, threads.proved_by) == ("loses", "gil", None)


def test_nothing_is_withheld_that_is_only_faster_than_this_interpreter_on_one_core() -> None:
    result = conclude(make_record({"serial/1/3.13": 1.3, "threads/2/3.13": 1.3}))
    assert find(result, "threads/2/3.13").verdict == "wins"


def test_where_serial_differs_from_itself_all_verdicts_are_withheld() -> None:
    result = conclude(make_record({**FREE, "null/1": 1.1}))
    assert {find(result, key).verdict for key in FREE} == {"withheld"}
    assert f"{NAME}: 3.14t: one thread 0.90x, two threads 1.73x (in doubt)." in result.summary
    assert result.choices[0].elsewhere is None


def fail(record: Record, *keys: str) -> Result:
    for key in keys:
        record.fail(key, Failure("failed", "it ended with exit code 3"))
    return conclude(record)


def test_an_interpreter_that_fails_is_one_row_with_its_reason() -> None:
    result = fail(make_record(FREE), "serial/1/3.13", "threads/2/3.13")
    assert f"{NAME}: 3.13: failed: it ended with exit code 3." in result.summary
    text = render_terminal(result)
    assert text.count("  failed: it ended with exit code 3\n") == 1
    assert "  threads ×2" in text


def test_where_one_strategy_fails_the_other_has_its_figure() -> None:
    result = fail(make_record(FREE), "threads/2/3.14t")
    told = f"{NAME}: 3.14t: one thread 0.94x, threads failed: it ended with exit code 3."
    assert told in result.summary


def test_the_table_has_the_rows_of_each_interpreter_under_its_name() -> None:
    result = conclude(make_record(FREE))
    for width in (80, 40):
        lines = render_terminal(result, width).splitlines()
        assert max(map(len, lines)) <= width
        rows = lines[lines.index("countdown_nogil") :]
        free = rows.index(" 3.14t: CPython 3.14.7, GIL off")
        other = rows.index(" 3.13: CPython 3.13.0, GIL on")
        starts = [
            place for place, row in enumerate(rows) if row.startswith(("  serial", " serial"))
        ]
        assert starts == [1, free + 1, other + 1]


def test_notes_of_another_interpreter_stand_there() -> None:
    record = make_record(FREE)
    record.note("turns the GIL back on, to load module x", interpreter="3.14t")
    result = conclude(record)
    assert find(result, "serial/1").notes == ()
    assert find(result, "serial/1/3.14t").notes == ("turns the GIL back on, to load module x",)
    assert "3.14t serial ×1: turns the GIL back on" in render_markdown(result)


def test_markdown_and_csv_name_the_interpreter_of_a_row() -> None:
    result = conclude(make_record(FREE))
    assert "| `countdown_nogil` | `3.14t` | threads | 2 |" in render_markdown(result)
    assert "t: CPython 3.14.7, GIL off\n" in render_markdown(result)
    names, *rows = (line.split(",") for line in render_csv(result).splitlines())
    column = names.index("interpreter")
    assert [row[column] for row in rows] == ["", "", "3.14t", "3.14t", "3.13", "3.13"]


@pytest.mark.parametrize(
    ("text", "passed"),
    [
        ("nogil.3.14t.threads.speedup < 1.5", True),
        ("nogil.3.14t.speedup < 1.5", False),
        ("3.13.threads.speedup < 0.9", True),
        ("threads.speedup > 1.5", True),
    ],
)
def test_a_gate_means_another_interpreter_only_where_it_names_it(text: str, passed: bool) -> None:
    gate = parse_gate(text)
    check_gates([gate], ["nogil"], ())
    assert decide_gate(gate, conclude(make_record(FREE))).passed is passed


def test_changes_are_told_by_interpreter() -> None:
    run = conclude(make_record(FREE)).to_dict()["gillab"]
    changes = find_changes(run, run)
    names = [change.key.name for change in changes.cells]
    assert names == [
        "threads ×2",
        "3.14t serial",
        "3.14t threads ×2",
        "3.13 serial",
        "3.13 threads ×2",
    ]
    assert not changes.unmatched


def test_verdicts_and_cells_are_of_this_interpreter_unless_another_is_named() -> None:
    result = conclude(make_record(FREE))
    assert result.verdicts[NAME, "threads", 2] == find(result, "threads/2").verdict
    assert result.cell(NAME, "threads").interpreter == ""
    assert result.cell(NAME, "threads", interpreter="3.14t").verdict == "wins"


def list_cells(data: dict[str, Any], label: str) -> dict[str, dict[str, Any]]:
    return {each["strategy"]: each for each in data["cells"] if each["interpreter"] == label}


def test_a_run_with_other_pythons_measures_what_works_and_says_why_the_rest_does_not(
    tmp_path: Path,
) -> None:
    (tmp_path / "broken.py").write_text("raise SystemExit(3)")
    same, broken = f'"{sys.executable}"', f'"{sys.executable}" "{tmp_path / "broken.py"}"'
    options = ("-j", "2", "--min-blocks", "1", "--max-blocks", "1", "-n", "1000")
    pythons = [same, f"GILLAB_OTHER=1 {same} -X utf8", broken, "python9.9"]
    named = (word for text in pythons for word in ("--python", text))
    run = run_compare(
        tmp_path,
        "os.environ.get('GILLAB_OTHER', 'no')",
        *("-s", "import os"),
        *("--strategies", "threads", "--data", "shared", *options, *PATIENTLY, *named),
    )
    assert run.data is not None, run.err
    assert run.code == 1, run.err  # since a Python failed
    version = ".".join(map(str, sys.version_info[:2]))
    known = {each["label"]: each for each in run.data["environment"]["pythons"]}
    one, other, third, gone = known
    assert one.startswith(version)
    assert other.startswith("GILLAB_OTHER=1")
    assert other.endswith("-X utf8")
    assert known[third]["reason"] == "it ended with exit code 3"
    for label in (one, other):
        cells = list_cells(run.data, label)
        assert set(cells) == {"serial", "threads"}
        for cell in cells.values():
            assert cell["status"] == "ok", cell["reason"]
            assert cell["python"] == known[label]["python"]
            assert cell["speedup"]["estimate"] > 0
    assert list_cells(run.data, third)["threads"]["status"] == "failed"
    assert list_cells(run.data, gone)["threads"]["status"] == "unavailable"
    (block,) = run.data["blocks"]
    assert len(block["order"]) == len(block["seconds"]) == 9
    assert "python9.9: unavailable: there is no python9.9" in " ".join(run.out.split())
