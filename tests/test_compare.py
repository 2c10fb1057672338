"""The experiment, end to end, in small: what it measures is real, what it asserts is not a time."""

from __future__ import annotations

import csv
import json
import math
import os
import re
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
from compare_run import LIMIT_S, PATIENT, PATIENTLY
from long_tests import in_long

import gillab
from gillab.blocks.evidence import MOSTLY_HELD, SELDOM_HELD, Machine, explain_no_gain
from gillab.blocks.protocol import PRESETS
from gillab.compare import build_parser, compare, main
from gillab.environment import is_gil_enabled
from gillab.errors import UsageError
from gillab.meter import why_unavailable
from gillab.results import Result

TINY = ["-n", "1000", "-j", "2", "--min-blocks", "3", "--max-blocks", "3", *PATIENTLY]


def run(*arguments: str, cwd: Path | None = None, **env: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "gillab.compare", *arguments],
        capture_output=True,
        text=True,
        check=False,
        timeout=LIMIT_S,
        cwd=cwd,
        env={**os.environ, "COLUMNS": "80", **env},
    )


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """One small run with every export, and what it printed."""
    folder = tmp_path_factory.mktemp("run")
    child = run(
        *TINY, "held", "sum(numbers)", "-s", "numbers = [1, 2]", "--export-json", "r.json",
        "--export-csv", "r.csv", "--export-markdown", "r.md", "--seed", "7", cwd=folder,
    )  # fmt: skip
    assert child.returncode == 0, child.stderr
    return folder, child.stdout


def test_the_json_holds_a_cell_for_every_strategy(measured: tuple[Path, str]) -> None:
    gillab = json.loads((measured[0] / "r.json").read_text())["gillab"]
    # Without a GIL threads have two cells if there are data to share.
    assert list(dict.fromkeys((c["workload"], c["strategy"]) for c in gillab["cells"])) == [
        (workload, strategy)
        for workload in ("countdown_held", "sum(numbers)")
        for strategy in ("serial", "threads", "processes", "interpreters")
    ]
    for cell in gillab["cells"]:
        if cell["strategy"] == "interpreters" and sys.version_info < (3, 14):
            assert (cell["status"], cell["reason"][:18]) == ("unavailable", "needs Python 3.14;")
        else:
            assert cell["status"] == "ok", cell["reason"]
            assert cell["blocks"] == 3
            assert cell["seconds"]["min"] > 0
    assert gillab["seed"] == 7
    assert gillab["options"]["steps"] == 1000
    assert {block["launch"] for block in gillab["blocks"]} == {1, 2, 3}
    choices = [choice["workload"] for choice in gillab["choices"]]
    assert choices == ["countdown_held", "sum(numbers)"]


def test_orders_differ_between_blocks(measured: tuple[Path, str]) -> None:
    blocks = json.loads((measured[0] / "r.json").read_text())["gillab"]["blocks"]
    assert len({tuple(block["order"]) for block in blocks}) > 1
    assert len({tuple(sorted(block["order"])) for block in blocks}) == 1


def test_the_exports_agree(measured: tuple[Path, str]) -> None:
    folder, printed = measured
    cells = json.loads((folder / "r.json").read_text())["gillab"]["cells"]
    with (folder / "r.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["workload"] for row in rows] == [cell["workload"] for cell in cells]
    markdown = (folder / "r.md").read_text()
    for cell in cells:
        assert cell["workload"] in markdown
        assert cell["workload"] in printed


def test_piped_output_is_plain_and_80_columns(measured: tuple[Path, str]) -> None:
    assert "\x1b" not in measured[1]
    assert max(map(len, measured[1].splitlines())) <= 80


@pytest.mark.parametrize("command", ["show", "stats", "compare_to"])
def test_pyperf_takes_a_real_run(measured: tuple[Path, str], command: str) -> None:
    files = [str(measured[0] / "r.json")] * (2 if command == "compare_to" else 1)
    child = subprocess.run(
        [sys.executable, "-m", "pyperf", command, *files],
        capture_output=True,
        text=True,
        check=False,
    )
    assert child.returncode == 0, child.stderr
    assert "countdown_held serial 1" in child.stdout


def test_quiet_prints_the_summary_alone() -> None:
    child = run(
        *TINY, "--min-blocks", "1", "--max-blocks", "1", "--quiet", "--strategies", "threads",
        "held",
    )  # fmt: skip
    assert child.returncode == 0
    assert child.stdout.startswith("countdown_held: ")
    assert "serial" not in child.stdout.partition(":")[0]
    assert child.stderr == ""


def test_quiet_prints_what_the_output_cannot_show_as_an_escape() -> None:
    """A pipe's encoding lacks much on Windows; here any is made to."""
    child = run(
        *TINY, "--min-blocks", "1", "--max-blocks", "1", "-q", "--strategies", "threads",
        "'\u00e9\u2192'.upper()", PYTHONIOENCODING="ascii:strict",
    )  # fmt: skip
    assert child.returncode == 0, child.stderr
    assert child.stdout.startswith(r"'\xe9\u2192'.upper(): ")
    assert child.stderr == ""


def test_a_run_that_measured_nothing_has_failed(tmp_path: Path) -> None:
    child = run(
        "-q", "time.sleep(3600)", "-s", "import time", "-j", "1", "--time-budget", "2s",
        "--timeout", "300s", "--export-json", "r.json", cwd=tmp_path,
    )  # fmt: skip
    assert child.returncode == 1, child.stderr
    gillab = json.loads((tmp_path / "r.json").read_text())["gillab"]
    assert {cell["status"] for cell in gillab["cells"]} == {"unavailable"}
    assert "every strategy" in child.stdout or "serial arm" in child.stdout
    assert "--time-budget" in child.stdout


def test_a_fraction_of_a_cpu_more_is_a_worker_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gillab.environment.read_cpu_quota", lambda: 1.5)
    monkeypatch.setattr("gillab.environment.count_affinity", lambda: 4)
    result = compare("held", steps=10, strategies=["threads"], max_blocks=1, **PATIENT)
    assert [cell.workers for cell in result.cells] == [1, 2]
    assert [(control.workers, control.expected) for control in result.ceiling] == [(2, 1.5)]
    assert not any("one CPU only" in sentence for sentence in result.summary)


@pytest.mark.parametrize("own", [in_long(None), os.path.join("users", "own")], ids=repr)
def test_a_workload_sees_the_users_own_path_and_the_launch_finds_gillab(
    tmp_path: Path, own: str | None
) -> None:
    """Here gillab is found by what a script adds to ``sys.path``, and so in each launch."""
    script = tmp_path / "script.py"
    script.write_text(
        textwrap.dedent(f"""
            import sys
            sys.path.insert(0, {str(Path(gillab.__file__).parents[1])!r})
            from gillab.compare import compare
            note = "open('seen', 'a').write(repr(os.environ.get('PYTHONPATH')) + chr(10))"
            result = compare(note, setup="import os", workers=2, steps=1, max_blocks=1,
                             data="shared", **{PATIENT})
            for cell in result.cells:
                print(cell.strategy, cell.status, cell.reason)
        """)
    )
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    child = subprocess.run(
        [sys.executable, script],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        timeout=LIMIT_S,
        env=environment if own is None else {**environment, "PYTHONPATH": own},
    )
    assert child.returncode == 0, child.stderr
    statuses = [line.split()[:2] for line in child.stdout.splitlines()]
    assert statuses == [
        ["serial", "ok"],
        ["threads", "ok"],
        ["processes", "ok"],
        ["interpreters", "ok" if sys.version_info >= (3, 14) else "unavailable"],
    ], child.stdout
    assert set((tmp_path / "seen").read_text().splitlines()) == {repr(own)}


def test_a_script_needs_no_main_guard(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(
        textwrap.dedent(f"""
            from gillab.compare import compare
            print("start")
            result = compare("mine:double", args="(21,)", workers=2, steps=10,
                             strategies=["processes"], max_blocks=1, **{PATIENT})
            print(*(cell.status for cell in result.cells))
            assert result.to_json().startswith("{{")
        """)
    )
    (tmp_path / "mine.py").write_text("def double(n):\n    return 2 * n\n")
    child = subprocess.run(
        [sys.executable, script], capture_output=True, text=True, check=False, timeout=LIMIT_S
    )
    assert (child.stdout.split(), child.stderr) == (["start", "ok", "ok"], "")


MINE = "plugged:POOL"
"""A pool of threads that somebody else wrote."""
OWN_LOCK = "own_lock:parse"
NUMBER = r"\d+\.\d+"


@pytest.fixture(scope="module")
def metered() -> Result:
    """Two workloads that run one at a time, for two reasons."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(Path(__file__).parent / "isolated"))
        # Long tasks, of which a starved sampler sees something too.
        return compare(
            "held",
            OWN_LOCK,
            workers=2,
            task_time_s=0.1,
            max_blocks=1,
            strategies=["threads", "processes", "interpreters", MINE],
            **PATIENT,
        )


def test_the_gil_is_metered_for_cells_of_this_interpreter(metered: Result) -> None:
    held = {name: metered.cell("countdown_held", name).held for name in ("serial", "threads", MINE)}
    for name in ("processes", "interpreters"):
        assert metered.cell("countdown_held", name).held is None
    if why_unavailable() is None and is_gil_enabled():
        if None in held.values() and any(held.values()):
            pytest.skip(f"the machine is busy: {held} were metered, and None had no sample")
        assert all(fraction is not None and fraction > 0.5 for fraction in held.values()), held
        assert all("held" not in block for block in metered.blocks)
    else:
        assert set(held.values()) == {None}


@pytest.mark.skipif(why_unavailable() is not None, reason=str(why_unavailable()))
@pytest.mark.skipif(not is_gil_enabled(), reason="needs a GIL")
@pytest.mark.parametrize("strategy", ["threads", MINE])
def test_what_the_meter_read_tells_one_lock_from_another_however_few_blocks_there_are(
    metered: Result, strategy: str
) -> None:
    held, own = (metered.cell(name, strategy) for name in ("countdown_held", OWN_LOCK))
    alone, serial = (metered.cell(name, "serial") for name in ("countdown_held", OWN_LOCK))
    if held.held is None or own.held is None or serial.held is None or alone.held_interval is None:
        pytest.skip("the machine is busy: the meter had no sample")
    if alone.held_interval[0] < 1 / 1.05 or held.held < MOSTLY_HELD:
        pytest.skip(f"the machine is busy: of a held lock {alone.held_interval}, {held.held}")
    if (held.cores or 0.0) * max(1.0, 1 / (alone.cores or 1.0)) > 1.25:
        pytest.skip("the machine is busy: others kept one thread from the CPU more than two")
    assert (held.verdict, held.proved_by, held.cause) == ("no_gain", "gil", "gil")
    if strategy == "threads":
        proof = rf"the GIL is held \d+ % of the time and one core is busy \(measured {NUMBER}x\)"
        assert re.search(rf"; threads gain nothing: {proof}", metered.summary[0])
    # Whether one block proves the other lock rests on what the machine gave the loops.
    assert own.proved_by in (None, "other_lock")
    assert own.cause in (None, "other_lock")
    if max(own.held, serial.held) >= SELDOM_HELD:
        pytest.skip("the machine is busy: what held the GIL was kept from the CPU")
    assert explain_no_gain(own, serial, Machine(2.0, True)) in ("other_lock", "gil_in_part")


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="needs a choice of CPUs")
def test_one_cpu_decides_that_nothing_which_computes_can_gain(tmp_path: Path) -> None:
    script = (
        "import os, sys\n"
        "from gillab.compare import main\n"
        "os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})\n"
        "sys.exit(main())\n"
    )
    arguments = ["nogil", "-q", "-j", "2", "--strategies", "threads,processes", *PATIENTLY]
    arguments += ["--max-blocks", "3", "--task-time", "20ms", "--export-json", "r.json"]
    child = subprocess.run(
        [sys.executable, "-c", script, *arguments],
        capture_output=True, text=True, check=False, timeout=LIMIT_S, cwd=tmp_path,
    )  # fmt: skip
    assert child.returncode == 0, child.stderr
    gillab = json.loads((tmp_path / "r.json").read_text())["gillab"]
    serial, *others = gillab["cells"]
    (choice,) = gillab["choices"]
    # Beside others on that CPU two loops alike may get unlike shares of it, which proves nothing.
    proved = serial["busy"] >= 1 / 1.05
    assert {cell["proved_by"] for cell in others} == {"one_cpu" if proved else None}
    assert ("this process may use one CPU only" in child.stdout) == proved
    if proved:
        assert [cell["verdict"] for cell in others] == ["no_gain", "no_gain"]
        assert (choice["advice"], choice["because"]) == ("stay_serial", "one_cpu")


def test_interactive_code_can_compare(tmp_path: Path) -> None:
    """As in a notebook: no file stands behind __main__."""
    child = subprocess.run(
        [sys.executable, "-i", "-q"],
        input="from gillab.compare import compare\n"
        f"r = compare('held', workers=2, steps=10, max_blocks=1, **{PATIENT})\n"
        "print('cells:', r.cell('countdown_held', 'processes').status)\n",
        capture_output=True,
        text=True,
        check=False,
        timeout=LIMIT_S,
        cwd=tmp_path,
    )
    assert "cells: ok" in child.stdout, child.stderr


def test_several_numbers_of_workers_are_each_a_cell_with_its_ceiling() -> None:
    result = compare(
        "held", workers=(1, 3), steps=10, strategies=["threads"], max_blocks=1, **PATIENT
    )
    assert [(c.strategy, c.workers) for c in result.cells] == [
        ("serial", 1),
        ("threads", 1),
        ("threads", 3),
    ]
    assert [control.workers for control in result.ceiling] == [1, 3]


def test_calibration_reaches_the_task_time() -> None:
    result = compare(
        "held", workers=1, strategies=["serial"], task_time_s=0.01, max_blocks=1, **PATIENT
    )
    assert result.blocks[0]["steps"] > 100_000


def test_too_short_a_budget_says_so_and_what_to_do() -> None:
    result = compare(
        "time.sleep(0.2)", setup="import time", workers=1, time_budget_s=2.0, strategies=["threads"]
    )
    assert any("--time-budget" in warning for warning in result.warnings)
    assert "wins" not in result.verdicts.values()


@pytest.mark.parametrize(
    ("named", "message"),
    [
        ({"workers": 0}, "workers must be a number from 1 on"),
        ({"confidence": 1.0}, "between 0 and 1"),
        ({"min_blocks": 9, "max_blocks": 3}, "more than --max-blocks"),
        ({"start_method": "clone"}, "cannot be started by 'clone'"),
        ({"strategies": ["treads"]}, "did you mean threads"),
        ({"preset": "quick"}, "there is no preset 'quick'"),
        ({"task_time_s": -1.0}, "task_time_s"),
        ({"timeout_s": math.inf}, "timeout_s is a finite number above 0, not inf"),
        ({"time_budget_s": math.inf}, "time_budget_s is a finite number above 0, not inf"),
        ({"timeout_s": math.nan}, "timeout_s is a finite number above 0, not nan"),
        ({"steps": 0}, "steps must be a number from 1 on, not 0"),
        ({"steps": -3}, "steps must be a number from 1 on, not -3"),
        ({"inner_threads": 0}, "inner_threads must be a number from 1 on, not 0"),
    ],
)
def test_arguments_that_cannot_be_followed_are_refused(
    named: dict[str, object], message: str
) -> None:
    with pytest.raises(UsageError, match=message):
        compare("held", **named)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "arguments",
    [
        ["nogli"],
        ["-j", "two"],
        ["-j", "0"],
        ["--task-time", "soon"],
        ["--strategies", "treads"],
        ["--export-json", "/nowhere/at/all.json"],
        ["--export-csv", "."],
        ["held", "held"],
        ["--fast", "--rigorous"],
        ["nosuchmodule_:f"],
        ["x +"],
        ["--confidence", "95"],
        ["--min-blocks", "5", "--max-blocks", "3"],
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
    assert code == 2
    assert printed.out == ""
    assert "Traceback" not in printed.err
    assert len(printed.err.splitlines()) == 1, printed.err


def test_the_presets_keep_their_promises() -> None:
    assert PRESETS["default"].time_budget_s < 60
    assert PRESETS["fast"].time_budget_s < 15
    assert build_parser().parse_args([]).preset == "default"


def test_a_result_holds_what_was_asked_for_measured_and_concluded() -> None:
    result = compare(
        "held", workers=1, steps=10, strategies=["serial"], max_blocks=1, seed=7, **PATIENT
    )
    assert isinstance(result, Result)
    assert (result.command, result.partial, result.failed, result.seed) == (
        "compare", False, False, 7,
    )  # fmt: skip
    assert (result.options["steps"], result.options["max_blocks"]) == (10, 1)
    cell = result.cell("countdown_held", "serial")
    (block,) = result.blocks
    assert cell.seconds is not None
    assert cell.seconds.median == cell.seconds.min == block["seconds"]["serial/1"]
    assert result.environment["python"] == cell.python
    assert [(choice.workload, choice.advice) for choice in result.choices] == [
        ("countdown_held", "none")
    ]
    # So short a task may also seem to keep several cores busy, or the machine be busy.
    said = " a task in serial, and no other strategy to compare with."
    assert any(sentence.endswith(said) for sentence in result.summary)
    plain = json.loads(result.to_json())["gillab"]
    assert (plain["summary"], plain["seed"]) == (list(result.summary), 7)
