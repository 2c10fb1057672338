from __future__ import annotations

import io
import math
import re
import subprocess
import sys
import threading

import pytest
from rich.console import Console

from gillab.report.progress import Progress


def draw(width: int = 80, workload: str = "countdown_nogil", terminal: bool = True) -> list[str]:
    """Return what the file holds after each update, and after the end."""
    file = io.StringIO()
    console = Console(file=file, width=width, force_terminal=terminal, _environ={"TERM": "xterm"})
    seen = []
    with Progress(console) as progress:
        for block, widest, undecided in ((1, None, None), (2, math.inf, None), (12, 0.031, 3)):
            progress.update(
                workload=workload,
                block=block,
                blocks=40,
                left_s=83.0,
                widest=widest,
                target=0.02,
                launch=2,
                undecided=undecided,
            )
            seen.append(file.getvalue())
            assert threading.active_count() == 1
    return [*seen, file.getvalue()]


def test_the_line_tells_block_launch_time_left_and_interval() -> None:
    seen = draw()
    assert "countdown_nogil  block 1/40  launch 2  1:23 left  target 2.0 %" in seen[0]
    assert "block 12/40  3 undecided  1:23 left" in seen[2]
    (*_, wide) = draw(120)
    assert "block 12/40  3 undecided  launch 2  1:23 left  widest ±3.1 %, target 2.0 %" in wide
    assert "inf" not in seen[1]


@pytest.mark.parametrize("width", [10, 20, 30, 40, 60, 80])
@pytest.mark.parametrize("workload", ["nogil", "x = '[bold]'; " * 20, "\x1b[31mred"])
def test_the_line_fits_and_names_the_block(width: int, workload: str) -> None:
    for text in draw(width, workload)[:3]:
        line = re.sub(r"\x1b\[[?\d;]*[A-Za-z]", "", text.split("\r")[-1])
        assert len(line) <= width
        assert "block" in line
        assert "\x1b[31m" not in text


def test_on_exit_the_line_is_erased_and_the_cursor_is_back() -> None:
    end = draw()[-1]
    drawn, _, erased = end.rpartition("3 undecided")
    assert drawn
    assert erased.count("\x1b[2K") == 1
    assert end.rindex("\x1b[?25h") > end.rindex("\x1b[?25l")


def test_no_terminal_gets_nothing() -> None:
    assert draw(terminal=False)[-1] == ""
    with Progress(None) as progress:
        progress.update(
            workload="a",
            block=1,
            blocks=2,
            left_s=1.0,
            widest=None,
            target=0.02,
            launch=1,
            undecided=None,
        )


def test_only_what_draws_imports_rich() -> None:
    script = (
        "import sys\n"
        "import gillab.report.summary, gillab.report.progress\n"
        "import gillab.report.csv, gillab.report.markdown\n"
        "assert 'rich' not in sys.modules and 'numpy' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", script], check=True, timeout=300)
