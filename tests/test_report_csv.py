from __future__ import annotations

import csv
import io

from report_fixtures import STATEMENT, full_result, make_result, serial

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
    assert any(row["workload"] == STATEMENT for row in rows)


def test_lines_end_as_rfc_4180_says() -> None:
    text = render_csv(full_result())
    assert text.count("\r\n") == text.count("\n") == 1 + len(full_result().cells)


def test_a_statement_of_several_lines_and_quotes_stays_one_field() -> None:
    name = 'a = "1",\n\tb\r\nc\udc80'
    (row,) = csv.DictReader(io.StringIO(render_csv(make_result([serial(name)])), newline=""))
    assert row["workload"] == name.replace("\udc80", "\\udc80")


def test_a_run_without_cells_is_a_row_of_names() -> None:
    assert render_csv(make_result([])).startswith("workload,strategy,workers,")
