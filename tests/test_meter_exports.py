"""The files that a metered program leaves behind: whole or not at all, and said where not."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from timelines import make_hostile, make_stopped_loop

from gillab.errors import UsageError
from gillab.files import write_whole
from gillab.meter.exports import OPTIONS, PAGE, TRACE, Exports, prepare_exports
from gillab.meter.timeline import Timeline

# Imported here, so that what a test changes of it is what is used.
from gillab.report.page import extra

HANG_S = 120


def write(exports: Exports, timeline: Timeline) -> list[str]:
    assert exports.want_timeline
    return [*exports.write(None, timeline)]  # type: ignore[arg-type]  # no file needs a reading


def test_the_ending_of_the_name_tells_the_format(tmp_path: Path) -> None:
    for name, key in (("t.json", "traceEvents"), ("t.gecko.json", "threads"), ("t", "traceEvents")):
        file = tmp_path / name
        exports = prepare_exports({TRACE: str(file)}, 1e-4, ["a.py"])
        assert write(exports, make_stopped_loop()) == []
        assert key in json.loads(file.read_text())


def test_the_trace_names_the_program_as_it_was_given(tmp_path: Path) -> None:
    file = tmp_path / "t.json"
    write(prepare_exports({TRACE: str(file)}, 1e-4, ["-m", "my.app"]), make_stopped_loop())
    assert json.loads(file.read_text())["otherData"]["program"] == ["-m", "my.app"]


@pytest.mark.parametrize("make", [make_stopped_loop, make_hostile])
def test_the_page_is_made_by_a_child(tmp_path: Path, make: type) -> None:
    pytest.importorskip("jinja2", reason="needs jinja2")
    pytest.importorskip("matplotlib", reason="needs matplotlib")
    known = {*sys.modules}
    file = tmp_path / "page.html"
    (tmp_path / "random.py").write_text("raise SystemExit('the wrong module')")
    exports = prepare_exports({PAGE: str(file)}, 1e-4, ["a.py"])
    assert "matplotlib" in known or "matplotlib" not in sys.modules
    assert write(exports, make()) == []
    assert "The longest holds" in file.read_text(encoding="utf-8")
    assert {path.name for path in tmp_path.iterdir()} == {"page.html", "random.py"}


def test_a_child_that_dies_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gillab.meter.exports._RENDER", "import os; os._exit(9)")
    monkeypatch.setattr(extra, "list_missing", list)
    file = tmp_path / "page.html"
    (said,) = write(prepare_exports({PAGE: str(file)}, 1e-4, ["a.py"]), make_stopped_loop())
    assert said.startswith(f"{file} could not be written: ")
    assert "ended with 9" in said
    assert [*tmp_path.iterdir()] == []


def test_the_page_needs_its_extra_before_the_program_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(extra, "list_missing", lambda: ["jinja2"])
    with pytest.raises(UsageError, match=r"needs jinja2: run pip install 'gillab\[report\]'"):
        prepare_exports({PAGE: str(tmp_path / "page.html")}, 1e-4, ["a.py"])


def test_what_fails_half_way_leaves_the_old_file_and_no_other(tmp_path: Path) -> None:
    def break_off() -> Iterator[str]:
        yield "half"
        raise KeyboardInterrupt

    file = tmp_path / "t.json"
    file.write_text("old")
    with pytest.raises(KeyboardInterrupt):
        write_whole(file, break_off())
    assert file.read_text() == "old"
    assert [*tmp_path.iterdir()] == [file]


@pytest.mark.parametrize("other", ["--export-json", PAGE])
def test_two_files_are_not_one(tmp_path: Path, other: str) -> None:
    child = subprocess.run(
        [sys.executable, "-m", "gillab.meter", TRACE, "x", other, "./x", "-c", "print(1)"],
        capture_output=True, text=True, timeout=HANG_S, check=False, cwd=tmp_path,
    )  # fmt: skip
    assert (child.returncode, child.stdout) == (2, "")
    assert "name the same file" in child.stderr
    assert child.stderr.count("\n") == 1


def test_every_file_is_an_option_of_the_command() -> None:
    from gillab.meter.command import _parser

    assert all(option in _parser().format_help() for option in OPTIONS)
