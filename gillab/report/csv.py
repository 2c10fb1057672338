"""The cells as comma-separated values (RFC 4180), every figure unrounded."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence

from gillab.estimates import Estimate
from gillab.results import Cell, Result


def render_csv(result: Result) -> str:
    """Return one row a cell, under a row of names that carry the units."""
    return _render([_row(cell) for cell in result.cells])


def _render(rows: Sequence[dict[str, object]]) -> str:
    names = list(rows[0]) if rows else list(_row(Cell("", "", 0, "", "ok")))
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, names, lineterminator="\r\n")
    writer.writeheader()
    writer.writerows(rows)
    # A lone surrogate (an argument that is not UTF-8) could not be written to a file.
    return text.getvalue().encode("utf-8", "backslashreplace").decode("utf-8")


def render_job_csv(result: Result) -> str:
    """Return one row an arm of a job, with where its time went and from where on it pays."""
    return _render([{**_row(cell), **_job_row(cell)} for cell in result.cells])


def render_versus_csv(result: Result) -> str:
    """Return one row a version."""
    return _render([{**_row(cell), "variant": cell.variant} for cell in result.cells])


def _job_row(cell: Cell) -> dict[str, object]:
    parts, pays = cell.parts, cell.pays_from
    names = ("start", "send", "compute", "receive", "idle")
    return {
        "chunksize": cell.chunksize,
        **{f"{name}_fraction": getattr(parts, name) if parts else None for name in names},
        "pays_from_items": pays.items.estimate if pays else None,
        "pays_from_item_s": pays.item_s.estimate if pays else None,
        "results_equal": cell.results_equal,
    }


def _row(cell: Cell) -> dict[str, object]:
    seconds = cell.seconds
    return {
        "workload": cell.workload,
        "strategy": cell.strategy,
        "workers": cell.workers,
        "data": cell.data,
        "python": cell.python,
        "status": cell.status,
        "reason": cell.reason,
        "notes": "; ".join(cell.notes),
        "blocks": cell.blocks,
        "task_median_s": seconds.median if seconds else None,
        "task_mad_s": seconds.mad if seconds else None,
        "task_min_s": seconds.min if seconds else None,
        **_estimate("speedup", cell.speedup),
        **_estimate("speedup_later", cell.speedup_later),
        **_estimate("speedup_quiet", cell.speedup_quiet),
        **_estimate("of_ceiling", cell.of_ceiling),
        **_estimate("of_fastest", cell.of_fastest),
        "cores": cell.cores,
        "idle_cores": cell.idle_cores,
        "cpu_cost_ratio": cell.cpu_cost,
        "gil_held_fraction": cell.held,
        "setup_s": cell.setup_s,
        "verdict": cell.verdict,
        "proved_by": cell.proved_by,
        "cause": cell.cause,
        "interpreter": cell.interpreter,
        **_estimate("of_own_serial", cell.of_own_serial),
    }


def _estimate(name: str, estimate: Estimate | None) -> dict[str, float | None]:
    return {
        f"{name}_ratio": estimate.estimate if estimate else None,
        f"{name}_low_ratio": estimate.low if estimate else None,
        f"{name}_high_ratio": estimate.high if estimate else None,
    }
