"""What a person would say of two versions that were compared: which is faster, and by how much."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.text import Text

from gillab.blocks.pair import Comparison
from gillab.estimates import Estimate, Spread
from gillab.pythons.revision import shorten_commit
from gillab.report.conditions import describe_interpreter
from gillab.report.figures import format_duration, format_speedup, format_spread, shorten
from gillab.report.printer import Printer
from gillab.report.terminal import print_conditions
from gillab.results import Cell, Result
from gillab.text import printable

if TYPE_CHECKING:
    from rich.console import Console

_NARROW = 0.02
_REASON_WIDTH = 200


def summarize_versus(result: Result, found: Comparison, within: float) -> list[str]:
    """Return the answer, and what to do where there is none."""
    failures = _tell_failures(result)
    if found.ratio is None:
        return failures or ["nothing was measured that can be compared."]
    advice = "" if result.partial else f"; {_advise(found.ratio)}"
    return [_answer(found, found.ratio, within, advice), *failures]


def _tell_failures(result: Result) -> list[str]:
    """Say of each version that was not measured why; once where that is the same for both."""
    names: dict[str, list[str]] = {}
    for cell in result.cells:
        if cell.status != "ok":
            reason = shorten(cell.reason or "", _REASON_WIDTH).rstrip(". ")
            why = f"{cell.status}: {reason}" if reason else cell.status
            names.setdefault(why, []).append(cell.variant or "old")
    return [f"{' and '.join(of)} {why}." for why, of in names.items()]


def _answer(found: Comparison, ratio: Estimate, within: float, advice: str) -> str:
    margin = f"{100 * within:g} %"
    figure = _write(ratio)
    if found.answer == "doubtful":
        assert found.null is not None
        return (
            f"in doubt: new is {figure} as fast as old, but old against itself came to "
            f"{_write(found.null)}; run again when the machine is quieter, and see that "
            "each setup makes the same work (seed its random data)."
        )
    if found.answer in ("faster", "slower"):
        return f"new is {figure} as fast as old."
    if found.answer == "same":
        return f"the same within {margin}: new is {figure} as fast as old."
    return f"undecided: {_tell_open(ratio, figure, margin)}{advice}."


def _tell_open(ratio: Estimate, figure: str, margin: str) -> str:
    if ratio.low is None or ratio.high is None:
        return f"new is {figure} as fast as old, by too few blocks for an interval"
    if ratio.low > 1:
        return f"new is faster than old, but not surely by {margin}: {figure}"
    if ratio.high < 1:
        return f"new is slower than old, but not surely by {margin}: {figure}"
    return f"new may be faster or slower than old by {margin}: {figure}"


def _advise(ratio: Estimate) -> str:
    if ratio.low is None:
        return "give it more time with --time-budget"
    return "this machine cannot tell in this time, and more may (--time-budget)"


def _write(ratio: Estimate) -> str:
    """Write a ratio with its interval, to three decimals where two would show it as none."""
    if ratio.low is None or ratio.high is None or ratio.high - ratio.low >= _NARROW:
        return format_speedup(ratio)
    return f"{ratio.estimate:.3f}x [{ratio.low:.3f}, {ratio.high:.3f}]"


def render_versus(result: Result, console: Console) -> None:
    """Print the answer, what each version takes, and what that rests on."""
    printer = Printer(console)
    for sentence in result.summary:
        printer.print(Text(printable(sentence), "bold"))
    printer.print(Text())
    for cell in result.cells:
        name = cell.variant or "old"
        text = Text(printable(_find_text(result, name)))
        printer.print(text, name=name, style="bold", indent=5)
        if where := _tell_place(result, name):
            printer.print(Text(printable(where), "dim"), indent=5)
        if cell.status == "ok":
            printer.print(Text(_tell_times(cell, result), "dim"), indent=5)
        for note in cell.notes:
            printer.print(Text(f"note: {printable(note)}", "yellow"), indent=5)
    printer.print(Text())
    print_conditions(result, printer)


def _find_text(result: Result, version: str) -> str:
    return str(result.options["versus"][version]["name"])


def _tell_place(result: Result, version: str) -> str:
    """Say where a version is, if the two are in different places."""
    asked = result.options["versus"][version]
    (facts,) = (
        each
        for each in result.environment.get("pythons", [{}])
        if each.get("label", version) == version
    )
    if not facts:
        return ""
    if asked["revision"]:
        commit = shorten_commit(facts.get("commit", ""))
        return f"at {asked['revision']} ({commit})" if commit else f"at {asked['revision']}"
    if not asked["python"]:
        return "as it is here"
    about = describe_interpreter(facts) if facts.get("python") else ""
    return f"in {asked['python']} ({about})" if about else f"in {asked['python']}"


def _tell_times(cell: Cell, result: Result) -> str:
    """Say what a call takes, or what a task of so many steps does."""
    assert cell.seconds is not None
    steps = result.blocks[0]["steps"] or 1
    kernel = result.options["versus"]["old"]["kind"] == "kernel"
    each = 1 if kernel else steps
    spread = Spread(*(value / each for value in (cell.seconds.median, cell.seconds.mad, 0.0)))
    fastest = format_duration(cell.seconds.min / each)
    what = f"{steps:,} steps" if kernel else "a call"
    text = f"{format_spread(spread)} {what}, at least {fastest}"
    if cell.strategy != "serial" and cell.cores is not None:
        text += f", {cell.workers} {cell.strategy}, {cell.cores:.2f} cores"
    return text
