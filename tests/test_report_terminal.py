from __future__ import annotations

import io
from dataclasses import replace
from typing import Any

import pytest
from report_fixtures import STATEMENT, arm, full_result, make_result, ratio, serial
from rich.cells import cell_len
from rich.console import Console

from gillab.estimates import Estimate
from gillab.report.figures import format_workers
from gillab.report.terminal import render
from gillab.results import Noise, Result


def show(result: Result, width: int = 80, **options: Any) -> str:
    file = io.StringIO()
    render(result, Console(width=width, file=file, **options))
    return file.getvalue()


@pytest.mark.parametrize("width", [40, 60, 80, 120])
@pytest.mark.parametrize("held", [False, True])
@pytest.mark.parametrize("noisy", [False, True])
def test_every_line_fits(width: int, held: bool, noisy: bool) -> None:
    lines = show(full_result(held=held, noisy=noisy), width).splitlines()
    assert max(cell_len(line) for line in lines) <= width
    assert not any(line.endswith(" ") for line in lines)


@pytest.mark.parametrize("held", [False, True])
@pytest.mark.parametrize("width", [50, 80])
def test_every_figure_is_shown_whole(held: bool, width: int) -> None:
    text = show(full_result(held=held), width)
    figures = (
        "20.1 ± 0.3 ms",
        "1.92 [1.89, 1.95]",
        "1.95",
        "98",
        "62 ms",
        "wins",
        "same",
        "123 µs",
    )
    for figure in figures:
        assert figure in text
    assert ("GIL" in text.split("controls")[0]) == held


def test_the_table_stands_at_80_columns() -> None:
    lines = show(full_result()).splitlines()
    row = (
        f" processes {format_workers(2)}     "
        "20.1 ± 0.3 ms   1.95  1.92 [1.89, 1.95]  98%   62 ms  wins"
    )
    assert row in lines
    held = show(full_result(held=True)).splitlines()
    assert any(line.split()[-2:] == ["100%", "wins"] for line in held)


def test_text_from_outside_is_printed_as_it_is_without_markup_or_codes() -> None:
    text = show(full_result(), force_terminal=True, color_system=None)
    joined = " ".join(text.split())
    assert "[bold]a|b[/bold]" in text
    assert " ".join(STATEMENT.split()) in joined
    assert "moved to [another] directory" in joined
    assert r"[red]signal 9\x1b[31m" in joined
    assert "the start method is [fork]" in joined


def test_a_terminal_has_colour_and_a_pipe_and_no_color_have_no_codes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in ("NO_COLOR", "FORCE_COLOR"):
        monkeypatch.delenv(name, raising=False)
    result = full_result()
    coloured = show(result, force_terminal=True, color_system="standard")
    assert "\x1b[1;32mwins" in coloured
    piped = show(result)
    assert "\x1b" not in piped
    monkeypatch.setenv("NO_COLOR", "1")
    assert show(result, force_terminal=True, color_system="standard") == piped


def test_reasons_stand_on_the_row_and_fold_beside_the_name() -> None:
    lines = show(full_result()).splitlines()
    assert f" interpreters {format_workers(2)}" not in lines
    (row,) = (line for line in lines if line.startswith(" interpreters"))
    assert row.split(None, 2)[2] == "unavailable: needs Python 3.14"
    (at,) = (i for i, line in enumerate(lines) if line.startswith(" cluster"))
    assert lines[at].index("failed: ") == len(lines[at + 1]) - len(lines[at + 1].lstrip())


def test_both_figures_are_shown_only_where_blocks_were_noisy() -> None:
    assert "in quiet blocks 1.93 [1.90, 1.96]" in " ".join(show(full_result(noisy=True)).split())
    assert "36 of 40 blocks quiet" in show(full_result(noisy=True))
    assert "in quiet blocks" not in show(full_result())


def test_why_a_verdict_is_withheld_is_told_once() -> None:
    reason = "the machine was busy: two identical serial arms differ"
    arms = [arm(name, 1.9, "withheld", reason=reason) for name in ("threads", "processes")]
    text = " ".join(show(make_result([serial(), *arms])).split())
    assert text.count("withheld") == 2
    assert text.count(reason) == 1
    assert f"nogil: no verdict, because {reason}." in text


def test_why_a_ceiling_failed_is_told_in_its_place() -> None:
    result = make_result([serial(), arm("threads", 1.9, "wins")])
    (control,) = result.ceiling
    reason = "OSError: no more [red]processes"
    text = show(
        replace(result, ceiling=[replace(control, speedup=None, passed=None, reason=reason)])
    )
    said = " ".join(text.split("controls")[1].split())
    assert f"; ceiling {format_workers(2)} failed: {reason} " in said
    assert "not measured" not in said


def test_a_run_that_finished_no_block_says_so() -> None:
    nothing = Noise(0, 0, None, None, None, None, None, None, None)
    result = make_result([serial()], nothing)
    (control,) = result.ceiling
    ceiling = [replace(control, speedup=None, passed=None)]
    text = " ".join(show(replace(result, ceiling=ceiling)).split())
    assert "no block was finished" in text
    assert "does not tell" not in text
    assert f"; ceiling {format_workers(2)} not measured noise" in text


def test_a_system_that_tells_nothing_is_not_called_quiet() -> None:
    silent = Noise(40, 0, None, None, None, None, None, 321, None)
    text = " ".join(show(make_result([serial()], silent)).split())
    assert "40 blocks; this system does not tell whether others kept it busy; 321 inv" in text
    assert "quiet" not in text


def test_the_summary_comes_last() -> None:
    result = full_result()
    end = " ".join(show(result).split())
    assert end.endswith(" ".join(" ".join(result.summary).split()))


def test_an_interrupted_run_says_so() -> None:
    result = make_result([serial()], partial=True)
    assert "interrupted: only what was measured until then is shown" in show(result)


def test_an_interrupted_run_without_cells_prints() -> None:
    assert "interrupted" in show(make_result([], partial=True))


def test_figures_without_intervals_stand_alone() -> None:
    cells = [serial(), arm("threads", Estimate(1.9, None, None), None)]
    assert "1.90\n" in show(make_result(cells))


def test_how_much_wider_intervals_for_the_minutes_after_are_is_told() -> None:
    text = " ".join(show(full_result()).split())
    assert "its interval during this run (all together at 95 %); for the minutes after it, " in text
    assert "after it, intervals are 1.4 times as wide; of max" in text
    later = [
        serial(),
        *(arm("threads", 1.9, "wins", speedup_later=ratio(1.9, h)) for h in (0.036, 0.06)),
    ]
    assert "intervals are 1.2 to 2.0 times as wide" in " ".join(show(make_result(later)).split())
    assert "minutes after" not in show(make_result([serial(), arm("threads", 1.9, "wins")]))


def test_what_does_not_help_is_shown_so_and_what_waits_has_no_share() -> None:
    waiting = replace(serial(), busy=0.02)
    no_gain = arm("processes", Estimate(0.93, 0.85, 0.98), "no_gain", share=0.5)
    threads = arm("threads", 1.99, "wins", share=4.2)
    coloured = show(make_result([waiting, no_gain]), force_terminal=True, color_system="standard")
    assert "\x1b[33mno_gain" in coloured
    text = show(make_result([waiting, no_gain, threads]))
    assert "%" not in text.split("a task: median")[0]
    assert "50%" in show(make_result([serial(), no_gain]))


def test_an_output_that_is_not_utf8_gets_what_it_can_show() -> None:
    file = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    render(full_result(), Console(width=80, file=file))
    file.seek(0)
    assert "threads x2" in file.read()


def test_the_share_held_has_a_line_of_its_own_where_the_table_has_no_room() -> None:
    alone = arm("serial", None, None, workers=1, cores=1.0, held=1.0)
    wide = arm("interpreters", 0.99, "inconclusive", share=1, cores=1, setup_s=0.123, held=0.98)
    lines = show(make_result([alone, wide])).splitlines()
    assert f" GIL held: serial 100 %, interpreters {format_workers(2)} 98 %" in lines
    assert any(line.endswith("inconclusive") for line in lines)
    assert max(cell_len(line) for line in lines) <= 80
