from __future__ import annotations

import re

import pytest
from report_fixtures import STATEMENT, arm, full_result, make_result, serial

from gillab.estimates import Estimate
from gillab.report.markdown import render_markdown


def split_row(line: str) -> list[str]:
    """Split a table row as GitHub does: at each pipe without a backslash before it."""
    return [cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]]


@pytest.mark.parametrize("held", [False, True])
@pytest.mark.parametrize("noisy", [False, True])
def test_the_table_has_as_many_cells_in_each_row(held: bool, noisy: bool) -> None:
    result = full_result(held=held, noisy=noisy)
    table = [line for line in render_markdown(result).splitlines() if line.startswith("|")]
    heading, rule, *rows = (split_row(line) for line in table)
    assert len(rows) == len(result.cells)
    assert {len(row) for row in (rule, *rows)} == {len(heading)}
    assert ("GIL held" in heading) == held
    assert ("in quiet blocks" in heading) == noisy


def test_figures_and_reasons_stand_in_their_columns() -> None:
    lines = [line for line in render_markdown(full_result()).splitlines() if line.startswith("|")]
    heading = split_row(lines[0])
    row = dict(zip(heading, split_row(lines[4]), strict=True))
    assert row["workload"] == "`countdown_python`"
    assert row["a task"] == "20.1 ± 0.3 ms"
    assert row["speedup"] == "1.92 [1.89, 1.95]"
    assert row["in the minutes after"] == "[1.88, 1.96]"
    assert row["of the ceiling"] == "98 %"
    assert row["verdict"] == "wins"
    failed = dict(zip(heading, split_row(lines[-1]), strict=True))
    assert failed["verdict"].startswith(r"failed: died \| of \[red]signal 9\\x1b[31m")


def test_what_does_not_help_is_shown_so_and_what_is_withheld_says_why_in_the_summary() -> None:
    reason = "two identical serial arms differ"
    no_gain = arm("threads", Estimate(0.93, 0.85, 0.98), "no_gain")
    withheld = arm("processes", 1.9, "withheld", reason=reason)
    text = render_markdown(make_result([serial(), no_gain, withheld]))
    rows = [split_row(line) for line in text.splitlines() if line.startswith("|")]
    assert "in the minutes after" not in rows[0]
    assert [row[-1] for row in rows[3:]] == ["no_gain", "withheld"]
    assert text.count(reason) == 1


def test_statements_are_code_with_their_pipes_escaped() -> None:
    assert f"| `{STATEMENT.replace('|', chr(92) + '|')}` |" in render_markdown(full_result())
    text = render_markdown(make_result([serial("print(`a`)\nb")]))
    assert "| `` print(`a`) b `` |" in text


def test_controls_noise_environment_and_summary_follow() -> None:
    text = render_markdown(full_result())
    titles = re.findall(r"^### (.*)$", text, flags=re.MULTILINE)
    assert titles == ["Notes", "Controls", "Noise", "Environment", "Warnings", "Summary"]
    assert "serial against itself 1.00 [0.97, 1.03], passed; ceiling " in text
    assert "- countdown\\_python: use processes, 1.92x [1.89, 1.95], 98 %" in text
    assert "CPython 3.13.0, GIL on, 2 of 64 CPUs usable" in text


def test_what_markdown_would_read_as_markup_is_escaped() -> None:
    cells = [serial("# [a](b) *c* <d>"), arm("threads", 1.9, "wins", workload="# [a](b) *c* <d>")]
    text = render_markdown(make_result(cells))
    assert r"- \# \[a\](b) \*c\* \<d\>: use threads" in text
