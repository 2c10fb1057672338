"""Whole jobs, run as a program would run them."""

from __future__ import annotations

import json
import multiprocessing
import os
import re
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import pytest
from compare_run import LIMIT_S, PATIENT, PATIENTLY, wait_until
from long_tests import in_long, only_long

from gillab.errors import UsageError
from gillab.job import job, main
from gillab.results import Cell, Result

ISOLATED = Path(__file__).parent / "isolated"
ONCE: dict[str, Any] = {"min_blocks": 1, "max_blocks": 1, "workers": 2, **PATIENT}
METHODS = multiprocessing.get_all_start_methods()
start_methods = pytest.mark.parametrize("method", METHODS)
forks = pytest.mark.skipif("fork" not in METHODS, reason="there is no fork here")


@pytest.fixture(autouse=True)
def _path(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(ISOLATED))


def find(result: Result, strategy: str) -> Cell:
    return result.cell(result.cells[0].workload, strategy)


def add_up(cell: Cell) -> float:
    parts = cell.parts
    assert parts is not None
    return parts.start + parts.send + parts.compute + parts.receive + parts.idle


WORK = {
    "function": ("job_work:add_one", ""),
    "expression": ("double(item)", "def double(x): return 2 * x"),
    "statement": ("y = item; y += add(y)", "def add(y): return y + k\nk = 2"),
}


@pytest.mark.parametrize(
    ("method", "kind"),
    [
        # Each way to start is in one pair, and so is each kind of work.
        (pytest.param if at % len(WORK) == row % len(WORK) else in_long)(method, kind)
        for row, method in enumerate(METHODS)
        for at, kind in enumerate(WORK)
    ],
)
def test_every_way_to_start_processes_runs_every_kind_of_work(method: str, kind: str) -> None:
    work, setup = WORK[kind]
    result = job(
        work, "range(50)", setup=setup, strategies=("processes",), chunksizes=(10,),
        start_method=method, **ONCE,
    )  # fmt: skip
    cell = find(result, "processes")
    assert (cell.status, cell.reason, cell.chunksize) == ("ok", None, 10)
    assert cell.results_equal is True
    # Each worker imports something, and a tick of the system's clock is long.
    assert cell.cores is not None
    assert add_up(cell) == pytest.approx(1.0)


def test_threads_are_sent_nothing() -> None:
    cell = find(job("job_work:add_one", "range(50)", strategies=("threads",), **ONCE), "threads")
    assert cell.parts is not None
    assert (cell.parts.send, cell.parts.receive) == (0.0, 0.0)
    assert add_up(cell) == pytest.approx(1.0)
    assert cell.chunksize is None


def test_many_small_items_stay_in_the_loop() -> None:
    """A loop of a millisecond, beside a pool that takes at least tens of them to start."""
    result = job(
        "job_work:add_one", "range(10_000)", strategies=("processes",), chunksizes=(2500,),
        **{**ONCE, "min_blocks": 6, "max_blocks": 6},
    )  # fmt: skip
    assert find(result, "processes").verdict == "loses"
    assert [choice.advice for choice in result.choices] == ["stay_serial"]
    assert result.summary[1].startswith("Stay with the loop: the other (2 processes, chunks of")
    # From where on they would pay is told, or that they never would: beside other programs two
    # processes may compute no faster than one.
    assert find(result, "processes").pays_from is not None


@only_long
def test_items_that_wait_go_into_threads() -> None:
    result = job(
        "job_work:wait", "[0.03] * 8", strategies=("threads",),
        **{**ONCE, "min_blocks": 12, "max_blocks": 27},
    )  # fmt: skip
    assert [(choice.advice, choice.strategy) for choice in result.choices] == [("use", "threads")]
    assert result.summary[1].startswith("Use 2 threads: ")


def test_one_chunk_size_of_those_that_are_tried_is_kept() -> None:
    result = job(
        "job_work:add_one", "range(400)", strategies=("processes",), chunksizes=("auto",), **ONCE
    )
    sizes = [cell.chunksize for cell in result.cells if cell.strategy == "processes"]
    assert len(sizes) == 1
    assert sizes[0] in (1, 4, 14, 50)


def test_results_that_are_not_the_loops_are_said() -> None:
    result = job("job_work:tell_process", "range(4)", strategies=("processes",), **ONCE)
    cell = find(result, "processes")
    assert cell.results_equal is False
    assert cell.notes == ("4 results are not the loop's, the first at item 0",)
    assert any(cell.notes[0] in sentence for sentence in result.summary)


@pytest.mark.parametrize(
    ("work", "items", "what", "cure"),
    [
        ("job_work:no_name", "range(3)", "the function", "top level of a module"),
        ("job_work:make_lock", "range(3)", "the result of item 0", "return plain data"),
        ("id(item)", "[1, lambda: 1]", "item 1", "or use threads"),
    ],
    ids=["function", "result", "item"],
)
def test_what_cannot_be_pickled_is_named_with_its_cure(
    work: str, items: str, what: str, cure: str
) -> None:
    result = job(work, items, strategies=("processes", "threads"), chunksizes=(1,), **ONCE)
    cell = find(result, "processes")
    assert cell.status == "failed"
    assert (cell.reason or "").startswith(f"{what} cannot be pickled (")
    assert cure in (cell.reason or "")
    assert find(result, "threads").status == "ok"
    assert result.failed


@only_long
@forks
def test_a_worker_that_hangs_since_its_parent_had_threads_says_so_and_what_works() -> None:
    """Where the thread holds the lock at the fork, as it nearly always does."""
    result = job(
        "job_work:take_lock", "range(3)", setup="import job_work; job_work.hold_lock()",
        strategies=("threads", "processes"), start_method="fork",
        **{**ONCE, "min_blocks": 6, "max_blocks": 6, "timeout_s": 15.0},
    )  # fmt: skip
    cell = find(result, "processes")
    assert cell.status == "failed"
    reason = cell.reason or ""
    assert "did not return within 15 s" in reason
    assert "its parent had 2 threads when it forked" in reason
    assert "use --start-method spawn or forkserver" in reason
    assert "(tried: forkserver works, spawn works)" in reason
    assert find(result, "threads").status == "ok"


@pytest.mark.parametrize("method", [m for m in METHODS if m != "fork"])
def test_a_module_that_starts_processes_at_import_needs_a_guard(method: str) -> None:
    result = job("job_unguarded:work", "range(3)", start_method=method, **ONCE)
    reasons = {cell.reason for cell in result.cells if cell.strategy in ("serial", "processes")}
    (reason,) = reasons
    assert reason is not None
    assert 'put that under `if __name__ == "__main__":`' in reason


@only_long
@forks
def test_a_module_that_forks_at_import_and_hangs_is_told_of_the_guard() -> None:
    result = job(
        "job_unguarded:work", "range(3)", start_method="fork", strategies=("threads",),
        **{**ONCE, "timeout_s": 5.0},
    )  # fmt: skip
    reasons = {cell.reason for cell in result.cells}
    (reason,) = reasons
    assert reason is not None
    assert "did not return within 5 s (--timeout); it was still in the program's setup" in reason
    assert 'put that under `if __name__ == "__main__":`' in reason


def test_a_setup_that_starts_processes_needs_a_guard_in_spawned_workers() -> None:
    setup = (
        "from concurrent.futures import ProcessPoolExecutor\n"
        "with ProcessPoolExecutor(1) as pool: pool.submit(int).result()"
    )
    result = job("abs(item)", "range(3)", setup=setup, start_method="spawn", **ONCE)
    assert '`if __name__ == "__main__":`' in (find(result, "serial").reason or "")
    guarded = setup.replace("with", 'if __name__ == "__main__":\n  with')
    result = job(
        "abs(item)", "range(3)", setup=guarded, start_method="spawn", strategies=("processes",),
        **ONCE,
    )  # fmt: skip
    assert find(result, "processes").status == "ok"


@start_methods
@pytest.mark.skipif(sys.platform == "win32", reason="there are no such signals")
def test_a_worker_that_dies_says_how(method: str) -> None:
    result = job(
        "job_work.die_in_a_worker(item)", "[os.getpid()]", setup="import job_work, os",
        strategies=("processes",), start_method=method, **ONCE,
    )  # fmt: skip
    assert "SIGKILL" in (find(result, "processes").reason or "")


def test_what_the_work_raises_is_the_reason_of_every_row() -> None:
    result = job("1 / item", "[1, 0]", strategies=("threads", "processes"), **ONCE)
    assert {cell.reason for cell in result.cells} == {"ZeroDivisionError: division by zero"}


def test_what_the_setup_raises_is_the_reason_of_every_row() -> None:
    result = job("1 / item", "[1]", setup="{}['a']", strategies=("threads",), **ONCE)
    assert {cell.reason for cell in result.cells} == {"KeyError: 'a'"}


@pytest.mark.parametrize(
    ("work", "items", "options", "words"),
    [
        ("1 + 1", "[1]", {}, "takes no item"),
        ("", "[1]", {}, "takes no item"),
        ("item +", "[1]", {}, "the work is not valid Python"),
        ("item", "", {}, "a job needs items"),
        ("item", "[1", {}, "--items is not valid Python"),
        ("item", "nothing", {}, "NameError: name 'nothing' is not defined"),
        ("item", "[]", {}, "is empty"),
        ("item", "[1]", {"setup": "x ="}, "the setup is not valid Python"),
        ("item", "[1]", {"strategies": ("thread",)}, "did you mean threads?"),
        ("item", "[1]", {"workers": 0}, "workers must be a number from 1 on"),
        ("item", "[1]", {"chunksizes": (0,)}, "a chunk size is a number from 1 on"),
        ("no_such_module:f", "[1]", {}, "there is no module 'no_such_module'"),
        ("job_work:add_two", "[1]", {}, "there is no 'add_two'"),
        ("job_work:LOCK", "[1]", {}, "cannot be called"),
    ],
)
def test_bad_input_is_one_sentence(
    work: str, items: str, options: dict[str, Any], words: str
) -> None:
    with pytest.raises(UsageError, match=re.escape(words)) as caught:
        job(work, items, **options)
    assert "\n" not in str(caught.value)


def test_bad_input_ends_with_exit_code_2(capsys: pytest.CaptureFixture[str]) -> None:
    handler = signal.getsignal(signal.SIGTERM)
    try:
        assert main(["1 + 1", "--items", "[1]"]) == 2
    finally:
        signal.signal(signal.SIGTERM, handler)
    assert capsys.readouterr().err.count("\n") == 1


@start_methods
def test_nothing_stays_in_the_temporary_folder(
    method: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Not pytest's own, whose name is too long for a socket's.
    with tempfile.TemporaryDirectory() as folder:
        monkeypatch.setenv("TMPDIR", folder)
        monkeypatch.setattr(tempfile, "tempdir", folder)
        job("item", "[1]", strategies=("processes",), start_method=method, **ONCE)
        assert os.listdir(folder) == []


@pytest.mark.skipif(sys.platform == "win32", reason="a child gets no Ctrl-C of its own there")
def test_ctrl_c_keeps_what_was_measured(tmp_path: Path) -> None:
    mark, file = tmp_path / "mark", tmp_path / "r.json"
    child = subprocess.Popen(
        [
            sys.executable, "-m", "gillab.job", "job_work:mark_and_wait",
            "--items", f"[{str(mark)!r}]", "--strategies", "threads", "-j", "2",
            "--export-json", str(file), "-q", *PATIENTLY,
        ],
        env={**os.environ, "PYTHONPATH": str(ISOLATED)}, cwd=Path(__file__).parents[1],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    with child:
        assert wait_until(lambda: mark.exists() and len(mark.read_text()) >= 8)
        child.send_signal(signal.SIGINT)
        child.communicate(timeout=LIMIT_S)
    assert child.returncode == 130
    data = json.loads(file.read_text())["gillab"]
    assert (data["command"], data["partial"]) == ("job", True)
    assert data["cells"][0]["status"] == "ok"


def test_the_file_holds_what_the_report_says(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    handler = signal.getsignal(signal.SIGTERM)
    files = {form: tmp_path / f"r.{form}" for form in ("json", "csv", "markdown")}
    exports = [text for form, file in files.items() for text in (f"--export-{form}", str(file))]
    try:
        code = main([
            "job_work:add_one", "--items", "range(20)", "--strategies", "processes", "-j", "2",
            "--chunksize", "5", "--min-blocks", "1", "--max-blocks", "1", *PATIENTLY, *exports,
        ])  # fmt: skip
    finally:
        signal.signal(signal.SIGTERM, handler)
    assert code == 0
    out = capsys.readouterr().out
    data = json.loads(files["json"].read_text())["gillab"]
    cell = data["cells"][1]
    assert cell["chunksize"] == 5
    assert set(cell["parts"]) == {
        "start", "send", "compute", "receive", "idle", "without_cpu", "of_median",
    }  # fmt: skip
    assert cell["results_equal"] is True
    assert set(cell["pays_from"]) == {"items", "item_s"}
    assert "by 5" in out
    for sentence in data["summary"]:
        assert sentence in " ".join(out.split())
    assert "processes,2," in files["csv"].read_text()
    assert "where the time goes" in files["markdown"].read_text()
