"""The gates of ``--fail-if``: what an expression means, and when it is surely true."""

from __future__ import annotations

import argparse
import subprocess
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import pytest
from command_run import run
from report_fixtures import arm, make_result, missing, ratio, serial

from gillab.command.gates import FIGURES, Gate, Outcome, check_gates, decide_gate, parse_gate
from gillab.errors import UsageError
from gillab.estimates import Estimate, Spread
from gillab.results import Cell, Control, Parts, PaysFrom, Result


@pytest.mark.parametrize(
    ("text", "where", "figure", "sign", "limit"),
    [
        ("nogil.threads.speedup < 1.5", "nogil.threads", "speedup", "<", 1.5),
        ("speedup<=1.5x", "", "speedup", "<=", 1.5),
        ("1.threads.2.of_ceiling < 90%", "1.threads.2", "of_ceiling", "<", 0.9),
        ("seconds.median > 20ms", "", "seconds.median", ">", 0.02),
        ("my.mod:f.threads.held >= 1e-1", "my.mod:f.threads", "held", ">=", 0.1),
    ],
)
def test_an_expression_is_cells_a_figure_and_a_limit(
    text: str, where: str, figure: str, sign: str, limit: float
) -> None:
    assert parse_gate(text) == Gate(text, where, figure, sign, limit)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("nogil.threads.speedup", "is no comparison such as 'nogil.threads.speedup < 1.5'"),
        ("speedup == 1", "is no comparison"),
        ("threads.pace < 1", "names no figure of a cell; there are speedup, "),
        ("speedup < fast", "'fast' is no number, such as 1.5 or 90%"),
    ],
)
def test_a_bad_expression_is_one_sentence(text: str, message: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError, match=message):
        parse_gate(text)


def test_every_figure_of_a_cell_can_be_named() -> None:
    kinds = {"seconds": Spread, "parts": Parts, "pays_from": PaysFrom}
    found = set()
    for field in fields(Cell):
        if field.name in kinds:
            found |= {f"{field.name}.{each.name}" for each in fields(kinds[field.name])}
        elif str(field.type).startswith(("Estimate", "float", "int")) and field.name not in (
            "workers",
            "chunksize",
        ):
            found.add(field.name)
    assert found == set(FIGURES)


def make_run(**named: Any) -> Result:
    cells = [
        serial("countdown_nogil"),
        arm("threads", 1.9, "wins", workload="countdown_nogil"),
        serial("f(1)"),
        arm("threads", 1.0, "no_gain", workload="f(1)"),
        arm("processes", 1.6, "wins", workload="f(1)"),
    ]
    return replace(make_result(cells), **named)


def decide(text: str, result: Result | None = None) -> Outcome:
    return decide_gate(parse_gate(text), result or make_run())


@pytest.mark.parametrize(
    ("text", "passed"),
    [
        ("nogil.threads.speedup < 1.5", True),
        ("countdown_nogil.threads.2.shared.speedup < 1.5", True),
        ("nogil.threads.speedup < 1.9", None),
        ("nogil.threads.speedup < 1.95", False),
        ("2.threads.speedup < 1.5", False),
        ("2.processes.speedup > 1.5", False),
        ("f(1).processes.speedup > 1.7", True),
        # Of all cells: one that surely is below is enough, and serial has no speedup.
        ("speedup < 1.5", False),
        ("speedup < 0.9", True),
        ("threads.speedup < 1.01", None),
    ],
)
def test_the_interval_decides(text: str, passed: bool | None) -> None:
    assert decide(text).passed is passed


def test_a_gate_tells_the_cell_and_its_figure() -> None:
    assert decide("nogil.threads.speedup < 1.95") == (
        False,
        "gate nogil.threads.speedup < 1.95: failed, nogil.threads.2 has 1.90 [1.87, 1.93].",
    )


def test_a_gate_that_names_no_cell_says_what_there_is() -> None:
    with pytest.raises(
        UsageError, match=r"names no cell; there are nogil.serial.1, nogil.threads.2"
    ):
        decide("nogil.threads.8.speedup < 1")


def test_what_was_not_measured_or_is_in_doubt_is_undecided() -> None:
    failed = make_result([serial("w"), missing("threads", "it raised.")])
    assert decide("threads.speedup < 9", failed).passed is None
    assert decide("serial.speedup < 9", failed).passed is None
    doubt = make_result([serial("w"), arm("threads", 1.0, "withheld")])
    outcome = decide("threads.speedup < 1.5", doubt)
    assert outcome.passed is None
    assert "but a control failed" in outcome.sentence
    few = make_result([serial("w"), arm("threads", Estimate(1.0, None, None), "inconclusive")])
    assert decide("threads.speedup < 1.5", few).passed is None


def test_controls_and_figures_without_an_interval_count_too() -> None:
    null = Control("countdown_nogil", 1, ratio(1.0), True, 1.0)
    result = make_run(null=[null])
    assert decide("null.speedup > 1.1", result).passed is True
    cells = [replace(serial("w"), held=0.5, held_interval=(0.4, 0.6), cores=1.5)]
    assert decide("held > 0.3", make_result(cells)).passed is False
    assert decide("held > 0.5", make_result(cells)).passed is None
    assert decide("cores > 1.4", make_result(cells)).passed is False


def test_versions_are_named_old_and_new() -> None:
    new = replace(arm("serial", 0.9, "loses", workers=1), variant="new", workload="a")
    result = replace(make_result([serial("a"), new]), command="versus")
    assert decide("new.speedup < 0.95", result).passed is False
    assert decide("old.cores > 9", result).passed is True


def test_a_word_that_can_name_nothing_is_refused_before_the_run() -> None:
    check_gates([parse_gate("nogil.threads.2.speedup < 1")], [""], ())
    check_gates([parse_gate("f.fibres.speedup < 1")], ["m:f"], ["fibres"])
    with pytest.raises(UsageError, match=r"'thread' names no cell; name a workload"):
        check_gates([parse_gate("nogil.thread.speedup < 1")], ["nogil"], ())


def test_the_exit_code_says_how_it_ended() -> None:
    few = run("compare", "-q", "-j", "2", "--fail-if", "nogil.threads.speedup < 9")
    assert few.returncode == 4, few.stderr
    failed = run("compare", "-q", "-j", "2", "--fail-if", "threads.blocks < 9")
    assert failed.returncode == 3, failed.stderr
    refused = run("compare", "--fail-if", "nogil.thread.speedup < 9")
    assert refused.returncode == 2
    assert "'thread' names no cell" in refused.stderr


def test_a_baseline_is_read_before_the_run_and_told_after_it(tmp_path: Path) -> None:
    refused = run("compare", "--baseline", str(tmp_path / "none.json"))
    assert refused.returncode == 2
    assert "none.json cannot be read" in refused.stderr
    path = tmp_path / "run.json"
    path.write_text(make_run().to_json())
    told = run("compare", "-q", "-j", "2", "--baseline", str(path), stdout=subprocess.PIPE)
    assert told.returncode == 0, told.stderr
    assert f"Since {path}:" in told.stdout
    assert "The environment differs: " in told.stdout
