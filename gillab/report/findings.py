"""What check and census found: on a terminal, as Markdown, and as comma-separated values."""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING

from gillab.estimates import Estimate
from gillab.release.findings import Finding, Findings
from gillab.report.conditions import describe_environment
from gillab.report.figures import format_duration, format_percent
from gillab.report.markdown import bullets, code, escape, table
from gillab.report.release import format_fraction, format_hold, name_class
from gillab.report.waits import describe_floor, format_waits
from gillab.text import printable

if TYPE_CHECKING:
    from rich.console import Console

WORDS = ("call", "with", "verdict")
"""The columns of the table that hold words; the others hold figures."""
_STYLES = {"passed": "bold green", "FAILED": "bold red", "undecided": "magenta"}
INTERRUPTED = "interrupted: only what was measured until then is shown"


def print_summary(result: Findings, console: Console, *, quiet: bool = False) -> None:
    """Print the sentences and what they rest on; if quiet, leave out what passed its gates."""
    from rich.text import Text

    from gillab.report.printer import Printer

    printer = Printer(console)
    for sentence in _pick_sentences(result) if quiet else result.summary:
        text = Text(printable(sentence))
        if sentence.startswith("gate "):
            for word, style in _STYLES.items():
                text.highlight_words([f"gate {word}"], style)
        printer.print(text)
    if quiet:
        if result.partial:
            printer.print(Text(INTERRUPTED))
        return
    printer.print(Text())
    for name, line in (
        ("warning", INTERRUPTED if result.partial else ""),
        ("controls", describe_controls(result)),
        ("waits", describe_floor(result.cells)),
        ("measured on", describe_environment(result.environment)),
    ):
        if line:
            printer.print(Text(line), name=name, style="bold", indent=13)


def _pick_sentences(result: Findings) -> list[str]:
    """Return the sentences of the gates, after those of the calls that explain an outcome.

    Without gates, all sentences. The summary begins with one sentence for each call and ends with
    those of the gates.
    """
    sentences = list(result.summary)
    if not result.gates:
        return sentences
    open_ = {(gate.workload, gate.variant) for gate in result.gates if gate.passed is not True}
    telling = [
        sentence
        for cell, sentence in zip(result.cells, sentences, strict=False)
        if _went_wrong(cell) or (cell.workload, cell.variant) in open_
    ]
    return [*telling, *sentences[-len(result.gates) :]]


def _went_wrong(cell: Finding) -> bool:
    return cell.status != "ok" or (cell.scaling is not None and cell.scaling.status != "ok")


def describe_controls(result: Findings) -> str:
    """Describe the worst readings of the two controls: a loop that holds, one that releases."""
    # Without a GIL nothing holds it, and nothing was read.
    cells = [cell for cell in result.cells if cell.verdict != "no_gil"]
    holders = [cell.holder.estimate for cell in cells if cell.holder]
    releasers = [cell.releaser.estimate for cell in cells if cell.releaser]
    if not holders or not releasers:
        return ""
    return (
        f"a loop that holds the GIL seemed to release it for {format_percent(max(holders), 1)}, "
        f"one that releases it for {format_percent(min(releasers), 1)}"
    )


def list_findings(result: Findings) -> list[dict[str, str]]:
    """Return a row of plain text for each finding, by the names of the columns."""
    return [
        {
            "call": printable(cell.workload),
            "with": printable(cell.variant),
            "one call": format_duration(cell.call.median, 2) if cell.call else "",
            "released": format_fraction(cell.released) if cell.released else "",
            "longest hold": format_hold(cell.longest_hold_s) if cell.longest_hold_s else "",
            "longest wait": format_waits(cell.waits),
            "verdict": name_class(cell),
        }
        for cell in result.cells
    ]


def render_findings_markdown(result: Findings) -> str:
    """Return a table with one row for each finding, what it rests on, and the sentences."""
    rows = [
        {
            **row,
            "call": code(row["call"]),
            "with": escape(row["with"]),
            "verdict": escape(row["verdict"]),
        }
        for row in list_findings(result)
    ]
    controls = [describe_controls(result), describe_floor(result.cells)]
    sections = [
        table(rows, text=WORDS),
        bullets("Controls", [control for control in controls if control]),
        bullets("Environment", [describe_environment(result.environment)]),
        bullets("Warnings", [*([INTERRUPTED] if result.partial else []), *result.warnings]),
        bullets("Summary", result.summary),
    ]
    return "\n".join(section for section in sections if section)


def render_findings_csv(result: Findings) -> str:
    """Return one row for each finding, under a row of names with units."""
    rows = [_row(cell) for cell in result.cells]
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, list(_row(Finding("", "", "ok"))), lineterminator="\r\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue().encode("utf-8", "backslashreplace").decode("utf-8")


def _row(cell: Finding) -> dict[str, object]:
    scaling = cell.scaling
    return {
        "workload": cell.workload,
        "variant": cell.variant,
        "python": cell.python,
        "status": cell.status,
        "reason": cell.reason,
        "notes": "; ".join(cell.notes),
        "call_median_s": cell.call.median if cell.call else None,
        **_estimate("released", "fraction", cell.released),
        "gil_held_fraction": cell.held_mean,
        **_estimate("longest_hold", "s", cell.longest_hold_s),
        "wait_p50_s": cell.waits.p50_s if cell.waits else None,
        "wait_p99_s": cell.waits.p99_s if cell.waits else None,
        **_estimate("longest_wait", "s", cell.waits.longest_s if cell.waits else None),
        "handover": cell.waits.handover if cell.waits else None,
        "samples": cell.samples,
        "workers": scaling.workers if scaling else None,
        **_estimate("speedup", "ratio", scaling.speedup if scaling else None),
        **_estimate("of_ceiling", "ratio", scaling.of_ceiling if scaling else None),
        "verdict": cell.verdict,
    }


def _estimate(name: str, unit: str, estimate: Estimate | None) -> dict[str, float | None]:
    return {
        f"{name}_{unit}": estimate.estimate if estimate else None,
        f"{name}_low_{unit}": estimate.low if estimate else None,
        f"{name}_high_{unit}": estimate.high if estimate else None,
    }
