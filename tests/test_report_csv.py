from __future__ import annotations

import csv
import io
from dataclasses import replace

from report_fixtures import STATEMENT, arm, full_result, make_result, serial

from gillab.estimates import Estimate
from gillab.report.csv import render_csv


def test_what_is_read_back_is_what_the_cells_hold() -> None:
    result = full_result(held=True, noisy=True)
    rows = list(csv.DictReader(io.StringIO(render_csv(result), newline="")))
    assert len(rows) == len(result.cells)
    for row, cell in zip(rows, result.cells, strict=True):
        assert row["workload"] == cell.workload
        assert row["reason"] == (cell.reason or "")
        assert row["verdict"] == (cell.verdict or "")
        if cell.speedup and cell.seconds:
            assert float(row["task_median_s"]) == cell.seconds.median
            assert float(row["speedup_low_ratio"]) == cell.speedup.low
            assert float(row["gil_held_fraction"]) == cell.held
            assert cell.speedup_later is not None
            assert float(row["speedup_later_low_ratio"]) == cell.speedup_later.low
            assert float(row["cpu_cost_ratio"]) == cell.cpu_cost
        assert row["cause"] == (cell.cause or "")
    assert "gil" in {row["cause"] for row in rows}
    assert any(row["workload"] == STATEMENT for row in rows)


def test_what_decides_a_verdict_and_what_runs_between_tasks_are_columns() -> None:
    base = replace(serial(), idle_cores=0.42, held=1.0, held_interval=(0.99, 1.0))
    wide = Estimate(1.06, 1.0, 1.18)
    threads = arm("threads", wide, "inconclusive", cores=1.01, held=1.0)
    text = render_csv(make_result([base, threads]))
    first, second = csv.DictReader(io.StringIO(text, newline=""))
    assert (first["idle_cores"], first["proved_by"]) == ("0.42", "")
    assert (second["verdict"], second["proved_by"]) == ("no_gain", "gil")


def test_lines_end_as_rfc_4180_says() -> None:
    text = render_csv(full_result())
    assert text.count("\r\n") == text.count("\n") == 1 + len(full_result().cells)


def test_a_statement_of_several_lines_and_quotes_stays_one_field() -> None:
    name = 'a = "1",\n\tb\r\nc\udc80'
    (row,) = csv.DictReader(io.StringIO(render_csv(make_result([serial(name)])), newline=""))
    assert row["workload"] == name.replace("\udc80", "\\udc80")


def test_a_run_without_cells_is_a_row_of_names() -> None:
    assert render_csv(make_result([])).startswith("workload,strategy,workers,")
