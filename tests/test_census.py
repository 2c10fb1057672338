"""The census: its list is sound, its table fits, and nothing measured is lost."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from gillab import census
from gillab.census import main, take_census
from gillab.census_calls import CALLS, CensusCall
from gillab.errors import Interrupted, UsageError
from gillab.estimates import Estimate, Spread
from gillab.meter import why_unavailable
from gillab.release import examine
from gillab.release.findings import Finding
from gillab.report.census import name_outcome, summarize_census
from gillab.workload import Workload

needs_meter = pytest.mark.skipif(why_unavailable() is not None, reason=str(why_unavailable()))


# In a child, since what a setup opens is closed when Python sees fit.
MAKE_EVERY_CALL = """
from gillab.census_calls import CALLS
from gillab.release.call import prepare_call
from gillab.workload import resolve_workload

for call in CALLS:
    try:
        made = prepare_call(
            resolve_workload(call.statement, f"N = {call.small}\\n{call.setup}")
        )
        made.function(*made.arguments, **made.named)
    except ImportError:
        pass  # this Python is built without it
    except Exception as error:
        print(call.statement, type(error).__name__, error)
"""


def test_every_call_of_the_list_can_be_made() -> None:
    child = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", MAKE_EVERY_CALL],
        capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    assert (child.returncode, child.stdout, child.stderr) == (0, "", "")


def test_the_list_holds_what_people_ask_about() -> None:
    text = " ".join(call.statement for call in CALLS)
    for name in (
        "hashlib", "zlib", "bz2", "lzma", "json", "findall", "pickle", "db.execute", "struct",
        "os.pread", "a.send", "sorted", "np.sqrt", "np.matmul", "np.fft", "rng.random", "pow(",
    ):  # fmt: skip
        assert name in text


def pretend(verdict: str, workload: Workload, variant: str) -> Finding:
    half = Estimate(0.5, 0.4, 0.6)
    return Finding(
        workload.name, "3.13.0", "ok", variant, verdict=verdict, released=half,  # type: ignore[arg-type]
        longest_hold_s=Estimate(1e-4, 0.0, 2e-4), call=Spread(1e-3, 0.0, 1e-3),
        holder=Estimate(0.0, 0.0, 0.01), releaser=Estimate(1.0, 0.99, 1.0),
    )  # fmt: skip


@pytest.fixture
def pretended(monkeypatch: pytest.MonkeyPatch) -> None:
    def examine_nothing(
        workload: Workload, seconds: float, timeout_s: float, variant: str = ""
    ) -> tuple[Finding, bool]:
        return pretend("releases", workload, variant), False

    monkeypatch.setattr(examine, "examine", examine_nothing)
    monkeypatch.setattr(examine, "find_obstacle", lambda: None)


@pytest.mark.usefixtures("pretended")
def test_every_call_is_a_row_and_the_table_fits_80_columns(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    markdown, whole = tmp_path / "c.md", tmp_path / "c.json"
    assert main(["--export-markdown", str(markdown), "--export-json", str(whole)]) == 0
    printed = capfd.readouterr().out
    assert max(map(len, printed.splitlines())) <= 80
    assert "\x1b" not in printed
    assert len([line for line in markdown.read_text().splitlines() if line[:3] == "| `"]) == len(
        CALLS
    )
    cells = json.loads(whole.read_text())["gillab"]["cells"]
    assert {cell["workload"] for cell in cells} == {call.statement for call in CALLS}


def test_an_interruption_loses_nothing_that_was_measured(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    def interrupt(
        workload: Workload, seconds: float, timeout_s: float, variant: str = ""
    ) -> tuple[Finding | None, bool]:
        if "bz2" in workload.name:
            return None, True
        return pretend("holds", workload, variant), False

    monkeypatch.setattr(examine, "examine", interrupt)
    monkeypatch.setattr(examine, "find_obstacle", lambda: None)
    whole = tmp_path / "c.json"
    assert main(["compress", "--export-json", str(whole)]) == 130
    gillab = json.loads(whole.read_text())["gillab"]
    assert gillab["partial"] is True
    assert [cell["workload"] for cell in gillab["cells"]][:2] == ["zlib.compress(data)"] * 2
    assert "interrupted" in capfd.readouterr().out


@pytest.mark.parametrize("small", ["holds", "releases", "undecided"])
@pytest.mark.parametrize("when", ["between the sizes", "in the large one"])
def test_a_call_whose_large_size_was_interrupted_has_no_class(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    small: str,
    when: str,
) -> None:
    def interrupt(
        workload: Workload, seconds: float, timeout_s: float, variant: str = ""
    ) -> tuple[Finding | None, bool]:
        if variant == "N=1":
            return pretend(small, workload, variant), False
        cut = replace(pretend("undecided", workload, variant), reason="interrupted")
        return (None if when == "between the sizes" else cut), True

    calls = [CensusCall("made up", f"call({n})", "", small=1, large=2) for n in (1, 2)]
    monkeypatch.setattr("gillab.census_calls.CALLS", calls)
    monkeypatch.setattr(examine, "examine", interrupt)
    monkeypatch.setattr(examine, "find_obstacle", lambda: None)
    monkeypatch.setenv("COLUMNS", "80")
    whole, markdown = tmp_path / "c.json", tmp_path / "c.md"
    exports = ["--export-json", str(whole), "--export-markdown", str(markdown)]
    assert main(exports) == 130
    gillab = json.loads(whole.read_text())["gillab"]
    assert gillab["summary"] == ["1 of 1 were interrupted: call(1)."]
    assert [(cell["variant"], cell["reason"]) for cell in gillab["cells"]] == [
        ("N=1", None), ("N=2", "interrupted"),
    ]  # fmt: skip
    large = "" if when == "between the sizes" else "1.0 ms (N=2)"
    (row,) = (line for line in markdown.read_text().splitlines() if line.startswith("| `"))
    columns = [column.strip() for column in row.strip("|").split("|")]
    assert columns[1:3] == ["1.0 ms (N=1)", "50 %"]
    assert columns[3] == large
    assert [bool(column) for column in columns[3:6]] == [bool(large)] * 3
    assert columns[-1] == "cut short"
    printed = capfd.readouterr().out
    assert max(map(len, printed.splitlines())) <= 80
    (line,) = (line for line in printed.splitlines() if line.startswith("call(1)"))
    assert line.endswith(" cut short")


def test_a_call_of_one_size_that_was_measured_keeps_its_class_when_interrupted_later(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def interrupt(
        workload: Workload, seconds: float, timeout_s: float, variant: str = ""
    ) -> tuple[Finding | None, bool]:
        if workload.name == "second":
            return None, True
        return pretend("holds", workload, variant), False

    calls = [CensusCall("made up", name, "", small=1, large=1) for name in ("first", "second")]
    monkeypatch.setattr("gillab.census_calls.CALLS", calls)
    monkeypatch.setattr(
        "gillab.workload.resolve_workload", lambda text, *_: Workload(text, "statement")
    )
    monkeypatch.setattr(examine, "examine", interrupt)
    monkeypatch.setattr(examine, "find_obstacle", lambda: None)
    with pytest.raises(Interrupted) as interruption:
        take_census()
    assert interruption.value.result.summary == [
        "1 of 1 hold it for nearly all of their time: first."
    ]


@pytest.mark.parametrize(
    ("verdicts", "outcome"),
    [
        (("releases", "releases"), "yes"),
        (("holds", "releases"), "large"),
        (("holds", "holds"), "no"),
        (("holds", "partly"), "in part"),
        (("releases", "holds"), "in part"),
        (("no_gil", "no_gil"), "no GIL"),
        (("undecided", "releases"), "undecided"),
    ],
)
def test_a_row_says_in_a_word_when_the_gil_is_released(
    verdicts: tuple[str, str], outcome: str
) -> None:
    workload = Workload("f()", "statement")
    assert name_outcome([pretend(verdict, workload, "") for verdict in verdicts]) == outcome


def test_what_this_python_lacks_is_a_row_that_says_so() -> None:
    reason = "ModuleNotFoundError: No module named 'compression'"
    missing = Finding("f()", "3.13.0", "unavailable", "N=1", reason=reason)
    assert name_outcome([missing]) == "no module"
    left_out = replace(missing, variant="N=2", reason="interrupted")
    assert name_outcome([missing, left_out]) == "no module"


def test_what_the_machine_does_not_let_be_told_is_undecided_and_says_why(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    busy = "from gillab.release import rounds; rounds.measure_rounds = lambda *call: ()"
    calls = [CensusCall("made up", "len('')", busy, small=1, large=1)]
    monkeypatch.setattr("gillab.census_calls.CALLS", calls)
    monkeypatch.setattr(examine, "find_obstacle", lambda: None)
    whole, markdown = tmp_path / "c.json", tmp_path / "c.md"
    exports = ["--export-json", str(whole), "--export-markdown", str(markdown)]
    assert main(["len", *exports]) == 0
    told = "len('') (the machine was too busy: no sample of the GIL could be taken)."
    for text in (capfd.readouterr().out, markdown.read_text()):
        assert f"1 of 1 could not be decided on this machine now: {told}" in " ".join(text.split())
    (cell,) = json.loads(whole.read_text())["gillab"]["cells"]
    assert (cell["status"], cell["verdict"]) == ("ok", "undecided")
    assert name_outcome([Finding(**cell)]) == "undecided"


@pytest.mark.parametrize("quiet", [[], ["-q"]], ids=["", "quiet"])
@pytest.mark.parametrize(
    ("reason", "told"),
    [
        ("ModuleNotFoundError: No module named 'x'", "need a module that this Python lacks: f()."),
        ("there is no meter.", "could not be measured: f() (there is no meter)."),
        (None, "were interrupted: f()."),
    ],
)
def test_what_was_not_measured_is_told(
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    reason: str | None,
    told: str,
    quiet: list[str],
) -> None:
    cell = Finding("f()", "3.13.0", "unavailable", "N=1", reason=reason or "interrupted")
    calls = [CensusCall("made up", "f()", "", small=1, large=1)]
    monkeypatch.setattr("gillab.census_calls.CALLS", calls)
    monkeypatch.setattr(examine, "find_obstacle", lambda: None)
    monkeypatch.setattr(examine, "examine", lambda *rest: (cell, reason is None))
    assert main(quiet) == (130 if reason is None else 0)
    assert f"1 of 1 {told}" in " ".join(capfd.readouterr().out.split())


def test_an_interruption_before_anything_was_measured_is_told_in_quiet_too(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(examine, "find_obstacle", lambda: None)
    monkeypatch.setattr(examine, "examine", lambda *rest: (None, True))
    assert main(["-q"]) == 130
    assert capfd.readouterr().out == "nothing was measured.\n"


@pytest.mark.parametrize("name", ["time_s", "timeout_s"])
@pytest.mark.parametrize("value", [0, -1, float("nan"), float("inf")])
def test_times_in_which_nothing_can_be_measured_are_refused(name: str, value: float) -> None:
    times: dict[str, Any] = {name: value}
    with pytest.raises(UsageError, match=name):
        take_census("math.factorial", **times)


def test_a_call_that_failed_is_told_with_its_reason() -> None:
    failed = Finding("f()", "3.13.0", "failed", "N=1", reason="ValueError: no.")
    assert summarize_census([failed]) == ["1 of 1 failed: f() (ValueError: no)."]


@needs_meter
def test_a_real_call_is_examined() -> None:
    result = take_census("time.sleep", time_s=0.2)
    assert [cell.workload for cell in result.cells] == ["time.sleep(pause)"] * 2
    for cell in result.cells:
        assert cell.status == "ok", cell.reason


def test_a_pattern_that_matches_nothing_is_refused() -> None:
    with pytest.raises(UsageError, match="no call"):
        take_census("no such call")
    assert census.build_parser().parse_args([]).patterns == []


@needs_meter
def test_a_module_that_this_python_lacks_is_no_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    call = CensusCall("len", "nosuch.f(N)", "import nosuch", 1, 1)
    monkeypatch.setattr("gillab.census_calls.CALLS", [call])
    result = take_census()
    assert [cell.status for cell in result.cells] == ["unavailable"]
    assert not result.failed
