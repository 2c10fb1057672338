"""check, end to end: what it says of calls whose answer is known; no test asserts a time."""

from __future__ import annotations

import csv
import itertools
import json
import math
import subprocess
import sys
import textwrap
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from long_tests import in_long, only_long
from rounds import ROUND

from gillab.blocks.messages import BlockDone
from gillab.check import check, main, parse_variation
from gillab.environment import is_gil_enabled
from gillab.errors import UsageError
from gillab.estimates import Estimate, Spread
from gillab.launch.launch import Launch
from gillab.launch.messages import Message
from gillab.meter import why_unavailable
from gillab.release import examine, rounds
from gillab.release.call import Call
from gillab.release.findings import Finding, Scaling, Verdict
from gillab.release.messages import Filled, Prepared, Returned, RoundRead
from gillab.report.figures import format_speedup
from gillab.results import Status
from gillab.workload import Workload

BYTES = "import random; data = random.Random(1).randbytes(N)"
ARRAY = "import numpy as np; a = np.ones(N); b = np.ones(N)"
WORDS = "text = ' '.join(str(i) for i in range(10_000))"
# No sample can be taken, as where others have the whole machine.
BUSY = "from gillab.release import rounds; rounds.measure_rounds = lambda *call: ()"
NO_SAMPLE = "the machine was too busy: no sample of the GIL could be taken"
TIME_S = 0.3

needs_meter = pytest.mark.skipif(why_unavailable() is not None, reason=str(why_unavailable()))


def look(workload: str, setup: str = "", args: str = "") -> Finding:
    (cell,) = check(workload, setup=setup, args=args, scaling=False, time_s=TIME_S).cells
    assert cell.status == "ok", cell.reason
    # Of few samples the interval is so wide that the loop around a short call makes the difference.
    too_few = cell.verdict == "too_short" and cell.samples < 500
    if cell.verdict == "undecided" or too_few:
        pytest.skip(f"{cell.reason}: read as {cell.released} in {cell.samples} samples")
    return cell


@needs_meter
@pytest.mark.parametrize(
    ("workload", "setup"),
    [
        ("hashlib.sha256(data)", f"import hashlib; N = 1_000_000; {BYTES}"),
        in_long("zlib.compress(data)", f"import zlib; N = 200_000; {BYTES}"),
        in_long("bz2.compress(data)", f"import bz2; N = 200_000; {BYTES}"),
        in_long("lzma.compress(data)", f"import lzma; N = 50_000; {BYTES}"),
        ("time.sleep(0.001)", "import time"),
        in_long("np.sqrt(a, out=b)", f"N = 1_000_000; {ARRAY}"),
        ("nogil", ""),
        in_long("countdown_nogil(1_000_000)", "from gillab.kernels import countdown_nogil"),
    ],
)
def test_what_releases_the_gil_is_said_to(workload: str, setup: str) -> None:
    cell = look(workload, setup)
    # What a call holds, it holds over a descheduling too: on a busy machine that is a part, and
    # the interval says so.
    assert cell.verdict in (("releases", "partly") if is_gil_enabled() else ("no_gil",))
    assert cell.released is not None
    assert cell.released.high is not None
    assert cell.released.high >= 0.85


@needs_meter
def test_a_short_call_that_now_and_then_holds_long_is_not_taken_for_a_short_hold() -> None:
    setup = """
        import itertools
        from gillab.kernels import countdown_held
        calls = itertools.count()
        def now_and_then():
            if next(calls) % 2000 == 0:
                countdown_held(20_000_000)
    """
    cell = look("now_and_then()", textwrap.dedent(setup))
    if is_gil_enabled():
        assert cell.longest_hold_s is not None
        assert cell.longest_hold_s.low == 0.0
        assert cell.longest_hold_s.high is not None
        assert cell.longest_hold_s.high > 1e-3


@needs_meter
@pytest.mark.parametrize(
    ("workload", "setup"),
    [
        ("hashlib.sha256(data)", f"import hashlib; N = 100; {BYTES}"),
        in_long("json.loads(text)", "import json; text = json.dumps(list(range(1000)))"),
        in_long("pattern.findall(text)", f"import re; {WORDS}; pattern = re.compile('[0-4]+7')"),
        in_long("sum(numbers)", "numbers = list(range(1000))"),
        in_long("np.sqrt(a, out=b)", f"N = 10; {ARRAY}"),
        ("total = mine(100)", "def mine(n):\n    return sum(i * i for i in range(n))"),
        in_long("len('')", ""),
        ("n = 100_000\nwhile n: n -= 1", ""),  # though it hands the lock over when asked
        ("held", ""),
    ],
)
def test_what_holds_the_gil_is_said_to(workload: str, setup: str) -> None:
    cell = look(workload, setup)
    assert cell.verdict == ("holds" if is_gil_enabled() else "no_gil")


@needs_meter
@pytest.mark.skipif(not is_gil_enabled(), reason="needs a GIL")
@pytest.mark.parametrize("steps", [3_000, 1_000_000], ids=["1 µs", "0.3 ms"])
def test_what_releases_it_in_part_is_said_to_and_for_how_much(steps: int) -> None:
    cell = look("gillab.kernels:countdown_mixed", args=f"({steps}, 0.5, {min(steps, 100_000)})")
    assert cell.verdict == "partly"
    assert cell.released is not None
    # What the call itself takes, beside its steps, it holds; and a wait for the lock counts too.
    assert 0.25 < cell.released.estimate < 0.7


@needs_meter
def test_an_own_function_is_called_with_its_arguments(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text("def count(n):\n    while n:\n        n -= 1\n")
    child = subprocess.run(
        [sys.executable, "-m", "gillab.check", "mine:count", "--args", "1000", "--no-scaling",
         "--time", "0.2s"],
        capture_output=True, text=True, timeout=300, check=False, cwd=tmp_path,
    )  # fmt: skip
    assert child.returncode == 0, child.stderr
    assert child.stdout.startswith("mine:count: ")
    assert child.stderr == ""


@needs_meter
def test_the_gates_decide_the_exit_code(capfd: pytest.CaptureFixture[str]) -> None:
    def decide(kernel: str) -> tuple[int, str]:
        for time_s in ("0.3s", "1s", "5s"):  # a busy machine needs longer to tell
            code = main([kernel, "--at-least", "0.5", "--no-scaling", "--time", time_s, "-q"])
            told = capfd.readouterr().out
            if code != 4:
                break
        return code, told.splitlines()[-1]

    gate = "releases the GIL for at least 50.0 %."
    assert decide("nogil") == (0, f"gate passed: {gate}")
    holds = (3, f"gate FAILED: {gate}") if is_gil_enabled() else (0, f"gate passed: {gate}")
    assert decide("held") == holds


@pytest.mark.parametrize(
    ("status", "released", "code"),
    [
        ("ok", Estimate(0.95, 0.93, 0.97), 0),
        ("ok", Estimate(0.10, 0.05, 0.15), 3),
        ("ok", Estimate(0.50, 0.30, 0.70), 4),
        ("failed", None, 1),
    ],
)
def test_every_outcome_of_a_gate_has_its_exit_code(
    monkeypatch: pytest.MonkeyPatch, status: Status, released: Estimate | None, code: int
) -> None:
    holder, releaser = Estimate(0.0, 0.0, 0.0), Estimate(1.0, 1.0, 1.0)
    verdict: Verdict | None = "partly" if status == "ok" else None
    found = Finding(
        "w", "3.13.0", status, verdict=verdict, released=released, holder=holder, releaser=releaser
    )
    monkeypatch.setattr("gillab.release.examine.examine", lambda *rest: (found, False))
    assert main(["held", "--at-least", "0.5", "--no-scaling", "-q"]) == code


def test_quiet_tells_of_the_calls_that_explain_an_outcome_and_of_no_other(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    zero, one = Estimate(0.0, 0.0, 0.0), Estimate(1.0, 1.0, 1.0)
    below = Finding(
        "len", "3.13.0", "ok", "N=1", verdict="holds", released=zero, holder=zero, releaser=one,
        call=Spread(1e-3, 0.0, 1e-3),
    )  # fmt: skip
    cells = [
        below,
        Finding("len", "3.13.0", "failed", "N=2", reason="ValueError: no"),
        replace(below, variant="N=3", verdict="releases", released=one),
        Finding("len", "3.13.0", "unavailable", "N=4", reason="no GIL to read"),
        replace(
            below, variant="N=5", verdict="releases", released=one,
            scaling=Scaling(2, None, None, None, "OSError: full", "failed"),
        ),
    ]  # fmt: skip
    monkeypatch.setattr(examine, "examine", lambda *rest: (cells[int(rest[3][2:]) - 1], False))
    vary = ["--vary", "N=1,2,3,4,5"]
    monkeypatch.setenv("COLUMNS", "300")
    assert main(["len('')", *vary, "--at-least", "0.5", "--no-scaling", "-q"]) == 1
    lines = capfd.readouterr().out.splitlines()
    assert [line.split(":")[0] for line in lines[:4]] == [
        f"len with N={number}" for number in (1, 2, 4, 5)
    ]
    assert "failed: ValueError: no." in lines[1]
    words = [line.split()[:2] for line in lines[4:]]
    assert [gate for gate, _ in words] == ["gate"] * 5
    assert [how for _, how in words] == [
        "FAILED:",
        "undecided:",
        "passed:",
        "undecided:",
        "passed:",
    ]


def test_what_the_machine_does_not_let_be_told_is_undecided_and_says_why(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(examine, "find_obstacle", lambda: None)
    files = {form: tmp_path / f"r.{form}" for form in ("json", "csv", "markdown")}
    exports = [part for form, path in files.items() for part in (f"--export-{form}", str(path))]
    gates = ["--at-least", "0.5", "--longest-hold", "1min"]
    assert main(["len('')", "-s", BUSY, "--no-scaling", *gates, *exports]) == 4
    printed = " ".join(capfd.readouterr().out.split())
    assert printed.startswith(f"len(''): undecided, {NO_SAMPLE}. gate undecided: ")
    gillab = json.loads(files["json"].read_text())["gillab"]
    (cell,) = gillab["cells"]
    assert (cell["status"], cell["verdict"], cell["reason"]) == ("ok", "undecided", NO_SAMPLE)
    assert [gate["passed"] for gate in gillab["gates"]] == [None, None]
    with files["csv"].open(newline="") as file:
        (row,) = csv.DictReader(file)
    assert (row["verdict"], row["reason"], row["released_fraction"]) == ("undecided", NO_SAMPLE, "")
    markdown = files["markdown"].read_text()
    assert "| undecided |" in markdown
    assert NO_SAMPLE in markdown


class InterruptedLaunch(Launch):
    """Ctrl-C comes in the block after so many; the first is a warm-up and not kept."""

    blocks = 0

    def receive(self, timeout_s: float) -> Message:
        message = super().receive(timeout_s)
        if isinstance(message, BlockDone):
            InterruptedLaunch.blocks -= 1
            if InterruptedLaunch.blocks < 0:
                raise KeyboardInterrupt
        return message


@pytest.mark.parametrize(
    ("blocks", "quiet"),
    [(0, []), (3, ["-q"]), in_long(0, ["-q"]), in_long(3, [])],
    ids=["0", "3-quiet", "0-quiet", "3"],
)
def test_an_interruption_of_the_scaling_keeps_its_blocks_and_leaves_gates_undecided(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    blocks: int,
    quiet: list[str],
) -> None:
    def find(workload: Workload, *rest: object) -> tuple[Finding, bool]:
        return Finding(workload.name, "3.13.0", "ok", str(rest[2]), verdict="no_gil"), False

    monkeypatch.setattr(examine, "examine", find)
    monkeypatch.setattr("gillab.blocks.session.Launch", InterruptedLaunch)
    monkeypatch.setattr(InterruptedLaunch, "blocks", blocks)
    # A busy machine ends it sooner.
    monkeypatch.setattr("gillab.blocks.scaling._BUDGET_S", 120.0)
    file = tmp_path / "r.json"
    vary = ["--vary", "N=1,2", "--speedup", "1.5", "--at-least", "0.5"]
    assert main(["len('a')", *vary, *quiet, "--export-json", str(file)]) == 130
    printed = " ".join(capfd.readouterr().out.split())
    assert "interrupted: only what was measured until then is shown" in printed
    gillab = json.loads(file.read_text())["gillab"]
    assert gillab["partial"] is True
    (cell,) = gillab["cells"]
    assert (cell["scaling"]["speedup"] is not None) if blocks else (cell["scaling"] is None)
    gates = [(gate["variant"], gate["gate"], gate["passed"]) for gate in gillab["gates"]]
    assert gates == [
        ("N=1", "at_least", True), ("N=1", "speedup", None),
        ("N=2", "at_least", None), ("N=2", "speedup", None),
    ]  # fmt: skip
    assert printed.count("gate undecided") == 3


@pytest.mark.parametrize(
    ("verdict", "told"),
    [
        ("holds", "no answer for N=2, N=3, so it is not known where it begins to release the GIL."),
        (
            "releases",
            "it releases the GIL, at least in part, at N=1; no answer for N=2, N=3, so it is not "
            "known where it begins to release the GIL.",
        ),
        ("no_gil", "there is no GIL here; no answer for N=2, N=3."),
    ],
)
def test_values_that_an_interruption_left_out_leave_open_where_releasing_begins(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    verdict: Verdict,
    told: str,
) -> None:
    def find(workload: Workload, *rest: object) -> tuple[Finding | None, bool]:
        if rest[2] != "N=1":
            return None, True
        return Finding(workload.name, "3.13.0", "ok", str(rest[2]), verdict), False

    monkeypatch.setattr(examine, "examine", find)
    file = tmp_path / "r.json"
    vary = ["--vary", "N=1,2,3", "--no-scaling"]
    assert main(["len('a')", *vary, "--export-json", str(file)]) == 130
    gillab = json.loads(file.read_text())["gillab"]
    (onset,) = gillab["onsets"]
    assert onset["decided"] is False
    assert {onset[key] for key in ("holds_to", "releases_from", "mostly_from")} == {None}
    assert [cell["variant"] for cell in gillab["cells"]] == ["N=1"]
    assert f"len('a'): {told}" in " ".join(capfd.readouterr().out.split())


def test_an_interruption_before_anything_was_measured_leaves_all_gates_undecided(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(examine, "examine", lambda *rest: (None, True))
    assert main(["nogil", "--at-least", "0.5", "-q"]) == 130
    assert capfd.readouterr().out.splitlines() == [
        "gate undecided: releases the GIL for at least 50.0 %.",
        "interrupted: only what was measured until then is shown",
    ]


@pytest.mark.parametrize(
    "named",
    [{"at_least": 90}, {"speedup": float("nan")}, {"workers": 0}, {"time_s": 0}],
    ids=str,
)
def test_figures_that_nothing_can_be_held_against_are_refused(named: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match=next(iter(named))):
        check("held", **named)


@needs_meter
def test_a_text_that_is_varied_is_a_text() -> None:
    result = check("len(m)", vary={"m": ["fast", "slow"]}, scaling=False, time_s=0.1)
    assert [cell.variant for cell in result.cells] == ["m='fast'", "m='slow'"]
    assert not result.failed, [cell.reason for cell in result.cells]


@needs_meter
def test_the_files_hold_what_is_shown(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    json_file, csv_file, markdown = (tmp_path / f"r.{form}" for form in ("json", "csv", "md"))
    code = main(
        ["hashlib.sha256(data)", "-s", f"import hashlib; {BYTES}", "--vary", "N=10,100_000",
         "--no-scaling", "--time", "0.5s", "--longest-hold", "1min",
         "--export-json", str(json_file), "--export-csv", str(csv_file),
         "--export-markdown", str(markdown)]
    )  # fmt: skip
    assert code in (0, 4)
    printed = capfd.readouterr().out
    gillab = json.loads(json_file.read_text())["gillab"]
    assert (gillab["schema"], gillab["command"], gillab["partial"]) == (1, "check", False)
    assert [cell["variant"] for cell in gillab["cells"]] == ["N=10", "N=100000"]
    if not all(cell["samples"] for cell in gillab["cells"]):
        pytest.skip(NO_SAMPLE)
    (onset,) = gillab["onsets"]
    assert (onset["workload"], onset["varied"]) == ("hashlib.sha256(data)", "N")
    if onset["decided"] and onset["holds_to"] is not None:
        assert (onset["holds_to"], onset["releases_from"]) == (10, 100_000)
    verdicts = {"releases", "holds", "partly", "no_gil", "too_short", "undecided"}
    assert {cell["verdict"] for cell in gillab["cells"]} <= verdicts
    assert [gate["gate"] for gate in gillab["gates"]] == ["longest_hold"] * 2
    assert "".join(gillab["summary"][0].split()) in "".join(printed.split())
    with csv_file.open(newline="") as file:
        assert [row["variant"] for row in csv.DictReader(file)] == ["N=10", "N=100000"]
    assert markdown.read_text().count("| `hashlib.sha256(data)` |") == 2
    assert max(map(len, printed.splitlines())) <= 80
    for command in ("show", "stats"):
        child = subprocess.run(
            [sys.executable, "-m", "pyperf", command, str(json_file)],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert child.returncode == 0, child.stderr


@only_long
@needs_meter
def test_threads_are_measured_beside_and_the_sentence_tells_what_they_gain(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # A busy machine takes longer for as many blocks.
    monkeypatch.setattr("gillab.blocks.scaling._BUDGET_S", 20.0)
    result = check("time.sleep(0.001)", setup="import time", time_s=0.2, speedup=1.2)
    scaling = result.cells[0].scaling
    assert scaling is not None
    assert (scaling.workers, scaling.verdict) == (2, "wins")
    assert scaling.speedup is not None
    assert scaling.speedup.low is not None
    assert scaling.speedup.low >= 1.2
    # What waits gains whatever the CPUs give, and has no share of that.
    assert scaling.of_ceiling is None
    assert result.summary[0].endswith(f"; two threads {format_speedup(scaling.speedup)}.")
    assert [(gate.gate, gate.passed) for gate in result.gates] == [("speedup", True)]


@needs_meter
@pytest.mark.parametrize(
    ("workload", "reason"),
    [
        ("1 / 0", "ZeroDivisionError"),
        ("import os; os._exit(3)", "exit code 3"),
        ("import sys; sys.exit()", "sys.exit()"),
        ("import os, signal; os.kill(os.getpid(), signal.SIGKILL)", "SIGKILL"),
    ],
)
def test_a_call_that_fails_is_a_cell_that_says_why(workload: str, reason: str) -> None:
    result = check(workload, time_s=0.1)
    assert result.cells[0].status == "failed"
    assert reason in (result.cells[0].reason or "")
    assert result.failed
    json.loads(result.to_json())


# Its call ends somehow once two rounds of it are over.
LATE = """
from gillab.release import rounds
measured, seen = [], set()
def measure(call, seconds, measure=rounds._measure_round):
    measured.append(measure(call, seconds))
    return measured[-1]
rounds._measure_round = measure
def call():
    time.sleep(0.01)
    seen.add(len(measured))
    if len(seen) == 4: # none, those of the control, one and two more
        {ending}
"""


def fail_late(ending: str, reason: str, timeout_s: float = 60.0) -> tuple[Finding, str]:
    setup = "import os, time" + LATE.format(ending=ending)
    result = check("call()", setup=setup, time_s=TIME_S, timeout_s=timeout_s)
    (cell,) = result.cells
    assert (cell.status, cell.verdict, cell.scaling) == ("failed", None, None)
    assert reason in (cell.reason or "")
    if cell.samples == 0:
        pytest.skip(NO_SAMPLE)
    assert result.to_dict()["benchmarks"] == []  # which pyperf would take for a sound figure
    return cell, result.summary[0]


@needs_meter
@pytest.mark.parametrize(
    ("ending", "reason"),
    [("raise ValueError('late')", "ValueError: late"), ("os._exit(3)", "exit code 3")],
    ids=["raises", "dies"],
)
def test_what_was_measured_before_a_call_fails_is_kept(ending: str, reason: str) -> None:
    cell, sentence = fail_late(ending, reason)
    assert cell.calls >= 2
    assert (cell.released is not None) == is_gil_enabled()
    assert ("; until then it seemed to release the GIL for " in sentence) == is_gil_enabled()


@only_long
@needs_meter
def test_a_later_call_that_never_returns_is_given_up_too() -> None:
    fail_late("time.sleep(3600)", "did not return within 3 s (--timeout)", timeout_s=3.0)


@needs_meter
@pytest.mark.parametrize(("statement", "more"), [("seen.append(1)", 0), ("seen.append(1); 2", 1)])
def test_the_setup_a_loops_filling_and_the_first_call_are_told_apart(
    statement: str, more: int
) -> None:
    """Who waits allows each of them its time."""
    seen: list[int] = []
    sys.modules["_gillab_seen"] = SimpleNamespace(seen=seen)  # type: ignore[assignment]
    said: list[tuple[Message, int]] = []
    try:
        examine.examine_here(
            Workload(statement, "statement", "from _gillab_seen import seen"),
            0.01,
            lambda message: said.append((message, len(seen))),
        )
    except rounds.TooBusyError:
        pass  # all of it was said before
    finally:
        del sys.modules["_gillab_seen"]
    assert [type(message) for message, _ in said[:3]] == [Prepared, Filled, Returned]
    (_, before), (_, filled), (_, returned) = said[:3]
    assert before == 0
    assert (filled > 0) == bool(more)
    assert returned > filled


class EndedLaunch(Launch):
    """It goes no further than the second round of the call."""

    rounds = 0
    how: type[BaseException] = KeyboardInterrupt

    def receive(self, timeout_s: float) -> Message:
        if self.rounds == 2:
            raise self.how
        message = super().receive(timeout_s)
        self.rounds += isinstance(message, RoundRead)
        return message


def end_early(
    how: type[BaseException], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> tuple[int, dict[str, Any]]:
    monkeypatch.setattr(examine, "Launch", EndedLaunch)
    monkeypatch.setattr(EndedLaunch, "how", how)
    file = tmp_path / "r.json"
    arguments = ["time.sleep(0.02)", "-s", "import time", "--longest-hold", "60min"]
    code = main([*arguments, "--export-json", str(file)])
    gillab = json.loads(file.read_text())["gillab"]
    (cell,) = gillab["cells"]
    if cell["samples"] == 0:
        pytest.skip(NO_SAMPLE)
    assert cell["calls"] >= 2
    assert cell["holder"] is not None
    assert [gate["passed"] for gate in gillab["gates"]] == [None]
    return code, gillab


@needs_meter
def test_what_was_measured_before_a_call_hangs_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    code, gillab = end_early(TimeoutError, monkeypatch, tmp_path)
    assert code == 1
    assert gillab["partial"] is False
    assert gillab["cells"][0]["reason"] == "did not return within 120 s (--timeout)"


@needs_meter
def test_an_interruption_of_the_release_keeps_its_rounds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    code, gillab = end_early(KeyboardInterrupt, monkeypatch, tmp_path)
    assert code == 130
    assert gillab["partial"] is True
    (cell,) = gillab["cells"]
    assert (cell["status"], cell["verdict"], cell["reason"]) == ("ok", "undecided", "interrupted")
    assert "undecided, interrupted" in " ".join(capfd.readouterr().out.split())


@needs_meter
@pytest.mark.parametrize(
    "arguments",
    [["nosuch.f()", "-s", "import nosuch"], ["import nosuch", "--no-scaling"]],
    ids=["setup", "call alone"],
)
def test_a_module_that_is_not_there_is_a_failure(
    arguments: list[str], capfd: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments) == 1
    assert "failed: ModuleNotFoundError: No module named 'nosuch'" in capfd.readouterr().out


@needs_meter
def test_a_call_that_never_returns_is_given_up(tmp_path: Path) -> None:
    reached = tmp_path / "reached"
    call = f"open({str(reached)!r}, 'w').close(); time.sleep(3600)"
    result = check(call, setup="import time", timeout_s=3.0)
    assert result.cells[0].reason == "did not return within 3 s (--timeout)"
    assert reached.exists()


@pytest.mark.parametrize("call_s", [1e-6, 1e-3, 0.02, 0.1, 0.2, 0.4, 0.5, 0.6, 1.0, 10.0, 100.0])
@pytest.mark.parametrize("uneven", [False, True], ids=["even", "uneven"])
def test_no_sound_call_takes_longer_than_its_allowance(
    monkeypatch: pytest.MonkeyPatch, call_s: float, uneven: bool
) -> None:
    """All that is repeated, on a clock that only the calls move."""
    now = 0.0

    def repeat_for(seconds: float, *call: object) -> tuple[int, int, int, int]:
        nonlocal now
        calls = max(1, math.ceil(seconds / call_s))
        now += calls * call_s
        return calls, int(calls * call_s * 1e9), int(call_s * 1e9), int(call_s * 1e9)

    released = itertools.cycle([0.2, 0.8] if uneven else [0.5])

    def measure(call: Call, seconds: float) -> rounds.Round:
        repeat_for(seconds)
        held = 1 - next(released)
        return replace(ROUND, held=held, held_interval=(held, held), call_s=call_s, calls=1)

    monkeypatch.setattr("time.monotonic", lambda: now)
    monkeypatch.setattr("gillab._repeat.repeat_for", repeat_for)
    monkeypatch.setattr(rounds, "_measure_round", measure)
    measured = list(rounds.measure_rounds(Call(len), 1.0))
    assert len(measured) >= 3
    controls_s = 4 * 2 * 0.2
    assert now + controls_s <= examine.find_allowance(call_s, 1.0)


def test_where_the_gil_cannot_be_read_it_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(examine, "find_obstacle", lambda: "this is no CPython")
    result = check("nogil", at_least=0.9, scaling=False)
    assert result.cells[0].status == "unavailable"
    assert "cannot be read here: this is no CPython" in result.summary[0]
    assert result.passed is None


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("N=10,1000", ("10", "1000")),
        ("N=1e6", ("1000000.0",)),
        ("kind='a,b',('c', 1)", ("'a,b'", "('c', 1)")),
        ("N=10,1000,", ("10", "1000")),
        ("N=1 # one", ("1",)),
    ],
)
def test_values_are_parted_at_commas(text: str, values: tuple[str, ...]) -> None:
    assert parse_variation(text)[1] == values


@pytest.mark.parametrize(
    "arguments",
    [
        ["nogli"],
        ["nogil", "--vary", "N"],
        ["nogil", "--vary", "1=2"],
        ["nogil", "--vary", "N=1)#"],
        ["nogil", "--vary", "N=1]#"],
        ["nogil", "--vary", "N=x)+(y"],
        ["nogil", "--vary", "N=x]+[y"],
        ["nogil", "--vary", "N=1),(2"],
        ["nogil", "--vary", "N=1],[2"],
        ["nogil", "--vary", "N=*x"],
        ["nogil", "--vary", "N=i for i in x"],
        ["nogil", "--vary", "if=1"],
        ["nogil", "--vary", "N=" + "-" * 100_000 + "1"],
        ["nogil", "--at-least", "95"],
        ["nogil", "--longest-hold", "soon"],
        ["nogil", "--speedup", "1.5", "--no-scaling"],
        ["nogil", "--export-json", "/nowhere/at/all.json"],
        ["nosuchmodule_:f"],
        [],
    ],
)
def test_a_usage_error_is_one_sentence_and_exit_code_2(
    arguments: list[str], capfd: pytest.CaptureFixture[str]
) -> None:
    try:
        code = main(arguments)
    except SystemExit as end:
        code = int(str(end.code))
    printed = capfd.readouterr()
    assert (code, printed.out) == (2, "")
    assert len(printed.err.splitlines()) == 1, printed.err


def test_a_value_given_twice_is_measured_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def find(workload: Workload, *rest: object) -> tuple[Finding, bool]:
        call = Spread(1e-3, 0.0, 1e-3)
        return Finding(workload.name, "3.13.0", "ok", str(rest[2]), "holds", call=call), False

    monkeypatch.setattr(examine, "examine", find)
    file = tmp_path / "r.json"
    vary = ["--vary", "N=10,1_0,20,10", "--at-least", "0.5"]
    main(["len('')", *vary, "--no-scaling", "--export-json", str(file)])
    run = json.loads(file.read_text())
    # pyperf refuses two of one name.
    assert [b["metadata"]["name"] for b in run["benchmarks"]] == ["len('') N=10", "len('') N=20"]
    assert [gate["variant"] for gate in run["gillab"]["gates"]] == ["N=10", "N=20"]
    cells = check("len('')", vary={"N": [10, 20, 10]}, scaling=False).cells
    assert [cell.variant for cell in cells] == ["N=10", "N=20"]


def test_one_name_is_varied() -> None:
    with pytest.raises(UsageError, match="one name"):
        check("nogil", vary={"N": [1], "M": [2]})
