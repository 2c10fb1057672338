"""The census: one row for each call, small and large beside each other."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from gillab.release.findings import INTERRUPTED, Finding, Findings
from gillab.report.conditions import describe_environment
from gillab.report.figures import format_duration, format_percent, shorten
from gillab.report.findings import describe_controls
from gillab.report.markdown import bullets, code, escape, table
from gillab.report.release import format_hold
from gillab.text import printable

if TYPE_CHECKING:
    from rich.console import Console

_NAME = 29
_HEADINGS = (
    ("", "call"),
    ("", "small"),
    ("", "released"),
    ("", "large"),
    ("", "released"),
    ("longest", "hold"),
    ("", "releases"),
)
_WIDTHS = (_NAME, 6, 8, 6, 8, 7, 9)
_LEGEND = (
    "small, large: the time of one call; released: the fraction of it in which other threads may "
    "run; longest hold: that of the large call; releases: nearly all of the time, at both sizes "
    "(yes) or only when large (large)."
)
_CUT_SHORT = "cut short"
"""The outcome if Ctrl-C came in the middle of a call: during one size, or before the other."""
_NO_MODULE = "no module"
_OPEN = ("undecided", "unavailable", "failed")
_REASON = 200
_STYLES = {"yes": "green", "large": "green", "no": "red", "in part": "yellow"}


def print_census(result: Findings, console: Console) -> None:
    """Print the table, what it rests on, and the summary."""
    from rich.text import Text

    from gillab.report.printer import Printer

    printer = Printer(console)
    for line in zip(*_HEADINGS, strict=True):
        if any(line):
            printer.print(Text(_align(line), "dim"))
    for findings in group_by_call(result.cells):
        row = _row(findings)
        text = Text(_align((shorten(row[0], _NAME), *row[1:])))
        text.stylize(_STYLES.get(row[-1], ""), len(text) - len(row[-1]))
        printer.print(text)
    printer.print(Text())
    printer.print(Text(_LEGEND, "dim"))
    printer.print(Text())
    for name, about in _list_conditions(result):
        printer.print(Text(printable(about)), name=name, style="bold", indent=13)
    printer.print(Text())
    for sentence in result.summary:
        printer.print(Text(printable(sentence)))


def render_census_markdown(result: Findings) -> str:
    """Return the same table, what it rests on, and the summary."""
    rows = []
    for findings in group_by_call(result.cells):
        name, small, released, large, released_large, hold, verdict = _row(findings)
        rows.append(
            {
                "call": code(name),
                "small": _with_size(small, findings[0]),
                "released": released,
                "large": _with_size(large, findings[-1]),
                "released, large": released_large,
                "longest hold": hold,
                "releases": escape(verdict),
            }
        )
    conditions = [f"{name}: {about}" for name, about in _list_conditions(result)]
    sections = [
        table(rows, text=("call", "releases")),
        f"{_LEGEND}\n" if rows else "",
        bullets("Measured", conditions),
        bullets("Summary", result.summary),
    ]
    return "\n".join(section for section in sections if section)


def group_by_call(cells: Sequence[Finding]) -> list[list[Finding]]:
    """Return the findings of each call, small before large."""
    calls: dict[str, list[Finding]] = {}
    for cell in cells:
        calls.setdefault(cell.workload, []).append(cell)
    return list(calls.values())


def name_outcome(findings: Sequence[Finding]) -> str:
    """Say in a word when a call releases the lock: yes, large, no, in part."""
    verdicts = [finding.verdict for finding in findings]
    cut_short = [finding for finding in findings if finding.reason == INTERRUPTED]
    missing = [f for f in findings if f.verdict is None and f not in cut_short]
    if missing:
        no_module = "ModuleNotFoundError" in (missing[0].reason or "")
        return _NO_MODULE if no_module else missing[0].status
    if cut_short:
        return _CUT_SHORT
    if "undecided" in verdicts or "too_short" in verdicts:
        return "undecided"
    if verdicts[0] == "no_gil":
        return "no GIL"
    if verdicts[-1] == "releases":
        return "yes" if verdicts[0] == "releases" else "large"
    return "no" if set(verdicts) == {"holds"} else "in part"


def summarize_census(cells: Sequence[Finding]) -> list[str]:
    """Return a sentence for each class of calls, and one for each reason why there is no answer."""
    calls = group_by_call(cells)
    named: dict[str, dict[str, list[str]]] = {}
    for findings in calls:
        outcome = name_outcome(findings)
        reasons = [finding.reason for finding in findings if finding.reason]
        why = shorten(reasons[0], _REASON).rstrip(". ") if reasons and outcome in _OPEN else ""
        name = shorten(findings[0].workload, 50)
        named.setdefault(outcome, {}).setdefault(why, []).append(name)
    sentences = []
    for outcome, sentence in (
        ("yes", "release the GIL for nearly all of their time, small or large"),
        ("large", "release it nearly all of their time once they are large"),
        ("in part", "release it for a part of their time"),
        ("no", "hold it for nearly all of their time"),
        ("no GIL", "had no GIL to hold"),
        ("undecided", "could not be decided on this machine now"),
        (_NO_MODULE, "need a module that this Python lacks"),
        ("unavailable", "could not be measured"),
        (_CUT_SHORT, "were interrupted"),
        ("failed", "failed"),
    ):
        for why, who in named.get(outcome, {}).items():
            because = f" ({why})" if why else ""
            sentences.append(f"{len(who)} of {len(calls)} {sentence}: {', '.join(who)}{because}.")
    return sentences


def _row(findings: Sequence[Finding]) -> tuple[str, ...]:
    small, large = findings[0], findings[-1]
    figures = (*_figures(small), *(_figures(large) if large is not small else ("", "")))
    hold = format_hold(large.longest_hold_s) if large.longest_hold_s else ""
    # There is room for the upper bound only.
    for bound in ("under ", " to "):
        hold = f"<{hold.partition(bound)[2]}" if bound in hold else hold
    return (small.workload, *figures, hold, name_outcome(findings))


def _figures(finding: Finding) -> tuple[str, str]:
    if finding.call is None or finding.released is None:
        return "", ""
    return format_duration(finding.call.median, 2), format_percent(finding.released.estimate)


def _with_size(text: str, finding: Finding) -> str:
    return f"{text} ({escape(finding.variant)})" if text else ""


def _list_conditions(result: Findings) -> list[tuple[str, str]]:
    conditions = [
        ("warning", "interrupted: only what was measured until then is shown")
        if result.partial
        else ("", ""),
        ("controls", describe_controls(result)),
        ("measured on", describe_environment(result.environment)),
    ]
    return [(name, about) for name, about in conditions if about]


def _align(texts: Sequence[str]) -> str:
    first, *middle, last = texts
    figures = (text.rjust(width) for text, width in zip(middle, _WIDTHS[1:-1], strict=True))
    return f"{first.ljust(_NAME)} {' '.join(figures)} {last}".rstrip()
