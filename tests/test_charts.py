"""Charts as tables, as rows of figures and as pictures."""

from __future__ import annotations

import csv
import io
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from report_fixtures import full_result
from rich.console import Console

from gillab.charts import Axis, Chart, Mark, Point, Series
from gillab.environment import is_gil_enabled
from gillab.errors import UsageError
from gillab.estimates import Bracket, Estimate
from gillab.report.figures import format_measured, format_value
from gillab.report.forms import find_form
from gillab.report.lab import render_lab
from gillab.results import Result

HOSTILE = "$x_1$ <b>|\x1b[31m"


def point(x: float, y: float, half: float | None = None) -> Point:
    return Point(x, Estimate(y, None if half is None else y - half, half and y + half))


def make_chart(group: str = "nogil") -> Chart:
    return Chart(
        "speedup over workers",
        Axis("workers"),
        Axis("speedup", "x"),
        (
            Series("threads", (point(1, 1.0), point(2, 1.93, 0.03), point(4, 3.8, 0.1))),
            Series("threads, predicted", (point(8, 7.5),), "predicted"),
            Series("ceiling", (point(2, 1.97, 0.02), point(4, 3.9, 0.02)), "ceiling"),
            Series("ideal", (point(1, 1.0), point(4, 4.0)), "ideal"),
        ),
        (
            Mark("90 % of its best from", Bracket(2.0, 1.0, 4.0), "threads"),
            Mark("pays from", Bracket(None), HOSTILE),
        ),
        group,
    )


def make_result(*charts: Chart, command: str = "scaling") -> Result:
    summary = ["Use 4 threads."]
    return replace(full_result(), command=command, charts=charts, summary=summary)


def print_lab(result: Result, width: int) -> list[str]:
    stream = io.StringIO()
    render_lab(result, Console(file=stream, width=width))
    return stream.getvalue().splitlines()


def test_a_chart_is_a_table_with_a_row_for_each_place_and_a_column_for_each_series() -> None:
    lines = print_lab(make_result(make_chart()), 100)
    at = lines.index("nogil: speedup over workers")
    assert lines[0] == "Use 4 threads."
    assert lines[at + 1].split() == [
        "workers",
        "threads",
        "threads,",
        "predicted",
        "ceiling",
        "ideal",
    ]
    assert "1.93x [1.90, 1.96]" in lines[at + 3]
    assert lines[at + 6] == "  threads: 90 % of its best from 2 [1, 4]"
    assert "pays from never" in lines[at + 7]
    assert "\x1b" not in "\n".join(lines)


@pytest.mark.parametrize("width", [80, 40])
def test_a_table_that_is_too_wide_is_parted_and_loses_no_series(width: int) -> None:
    lines = print_lab(make_result(make_chart()), width)
    assert all(len(line) <= width for line in lines)
    heads = [line for line in lines if "workers " in line and "speedup" not in line]
    assert len(heads) > (width < 80)
    for name in ("threads", "predicted", "ceiling", "ideal"):
        assert any(name in line for line in heads)


def test_the_rows_hold_every_figure_unrounded() -> None:
    text = find_form("csv").render(make_result(make_chart()), Path("r.csv"))
    assert isinstance(text, str)
    rows = list(csv.DictReader(io.StringIO(text)))
    assert len(rows) == 8
    assert rows[1]["series"] == "threads"
    assert (rows[1]["x"], rows[1]["y"], rows[1]["y_low"]) == ("2", "1.93", "1.9")
    assert rows[0]["y_low"] == ""


def test_markdown_holds_the_answer_the_table_and_what_was_not_measured() -> None:
    text = find_form("markdown").render(make_result(make_chart(HOSTILE)), Path("r.md"))
    assert isinstance(text, str)
    assert text.startswith("Use 4 threads.\n")
    assert "| 2 | 1.93x [1.90, 1.96] |  | 1.97x [1.95, 1.99] |  |" in text
    assert "\\<b\\>" in text
    assert "### Not measured" in text


@pytest.mark.parametrize(
    ("suffix", "begin"), [(".png", b"\x89PNG"), (".svg", b"<?xml"), (".PDF", b"%PDF")]
)
@pytest.mark.parametrize("charts", [(), (make_chart(HOSTILE), make_chart())], ids=["none", "two"])
def test_a_plot_is_drawn_in_every_format(
    suffix: str, begin: bytes, charts: tuple[Chart, ...]
) -> None:
    pytest.importorskip("matplotlib", reason="needs matplotlib")
    if suffix == ".PDF" and not is_gil_enabled():
        pytest.skip("a PDF's fonts would turn the GIL on, for every later test of this process")
    path = Path(f"r{suffix}")
    form = find_form("plot")
    form.check(path)
    picture = form.render(make_result(*charts), path)
    assert isinstance(picture, bytes)
    assert picture.startswith(begin)
    assert picture == form.render(make_result(*charts), path)


def test_a_wrong_ending_and_a_missing_library_are_said(monkeypatch: pytest.MonkeyPatch) -> None:
    form = find_form("plot")
    with pytest.raises(UsageError, match=r"^--plot: r\.gif must end in \.png, \.svg, \.pdf"):
        form.check(Path("r.gif"))
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    monkeypatch.setattr("gillab.report.plot.find_spec", lambda name: None)
    with pytest.raises(UsageError, match=r"pip install 'gillab\[report\]'"):
        form.check(Path("r.png"))


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (0.0123, "s", "12.3 ms"),
        (1e6, "B", "1 MB"),
        (1500.0, "B", "1.5 kB"),
        (100, "B", "100 B"),
        (2.5e9, "B/s", "2.5 GB/s"),
        (55000.4, "1/s", "55,000/s"),
        (1.934, "x", "1.93x"),
        (0.123, "fraction", "12.3 %"),
        (8, "", "8"),
        (0, "B", "0 B"),
        (0.0, "s", "0 s"),
    ],
)
def test_values_are_written_with_their_unit(value: float, unit: str, text: str) -> None:
    assert format_value(value, unit) == text  # type: ignore[arg-type]


def test_an_interval_stands_in_the_unit_of_its_estimate() -> None:
    assert format_measured(Estimate(0.0201, 0.00951, 0.1), "s") == "20.1 [9.51, 100] ms"
    assert format_measured(Estimate(990.0, 850.0, 1200.0), "1/s") == "990 [850, 1,200]/s"
