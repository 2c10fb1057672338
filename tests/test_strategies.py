"""Every strategy keeps the contract of an executor, and says what cannot be had here."""

from __future__ import annotations

import multiprocessing
import os
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import Executor
from pathlib import Path
from typing import Any

import pytest
from compare_run import BRIEF, PATIENT, run_compare
from long_tests import in_long, only_long

from gillab.compare import compare
from gillab.errors import UsageError
from gillab.strategies import DEFAULT, get_strategy, recall_strategy
from gillab.strategies.failure import describe_exception, describe_exit
from gillab.strategies.worker import answer, initialize, run
from gillab.workload import Workload

WORKERS = 2
ISOLATED = str(Path(__file__).parent / "isolated")
# As text, so that it can be run where this module cannot be imported.
LEAVE_FILE = """
import os, pathlib, threading, time
name = f"{os.getpid()}-{threading.get_native_id()}-{time.monotonic_ns()}"
pathlib.Path(folder, name).touch()
"""
TELL_WORKER = """(
    __import__("time").sleep(0.05),
    __import__("os").getpid(),
    __import__("threading").get_native_id(),
)[1:]"""


def start_methods() -> list[Any]:
    names = multiprocessing.get_all_start_methods()
    return [pytest.param(("processes", name), id=f"processes-{name}") for name in names]


@pytest.fixture(
    params=[
        *(("serial", None), ("threads", None), ("interpreters", None), ("loky", None)),
        *(("joblib", None), pytest.param(("cluster", None), marks=only_long)),
        *start_methods(),
    ],
    ids=lambda param: param[0],
)
def executor(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Executor]:
    """Give an executor of each strategy, with each way to start processes."""
    name, start_method = request.param
    strategy = get_strategy(name)
    if obstacle := strategy.find_obstacle():
        pytest.skip(obstacle)
    initargs = (LEAVE_FILE, {"folder": str(tmp_path)})
    with strategy.create(WORKERS, exec, initargs, start_method) as executor:
        executor.strategy = name  # type: ignore[attr-defined]
        yield executor


def workers_of(executor: Executor) -> int:
    return 1 if executor.strategy == "serial" else WORKERS  # type: ignore[attr-defined]


@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")  # forks beside threads
class TestExecutor:
    def test_returns_results(self, executor: Executor) -> None:
        assert executor.submit(pow, 2, 10).result() == 1024

    def test_keeps_the_order(self, executor: Executor) -> None:
        futures = [executor.submit(divmod, number, 7) for number in range(20)]
        assert [future.result() for future in futures] == [divmod(n, 7) for n in range(20)]
        assert list(executor.map(abs, range(-20, 0))) == list(range(20, 0, -1))

    def test_hands_exceptions_on(self, executor: Executor) -> None:
        future = executor.submit(divmod, 1, 0)
        with pytest.raises(ZeroDivisionError):
            future.result()
        assert executor.submit(pow, 2, 2).result() == 4

    def test_has_so_many_workers_and_initializes_each_once(
        self, executor: Executor, tmp_path: Path
    ) -> None:
        expected = workers_of(executor)
        workers: set[tuple[int, int]] = set()
        while len(workers) < expected:  # a worker may be slow to come
            futures = [executor.submit(eval, TELL_WORKER) for _ in range(2 * WORKERS)]
            workers |= {future.result() for future in futures}
        files = [path.name.rpartition("-")[0] for path in tmp_path.iterdir()]
        assert sorted(files) == sorted(f"{pid}-{thread}" for pid, thread in workers)


@pytest.mark.parametrize("name", DEFAULT)
def test_a_workload_runs_in_its_workers(name: str) -> None:
    strategy = get_strategy(name)
    if obstacle := strategy.find_obstacle():
        pytest.skip(obstacle)
    workload = Workload("total += 1", "statement", setup="total = 0")
    with strategy.create(1, initialize, ("pool", workload, sys.path, None), None) as executor:
        ready = executor.submit(answer, "pool", 0.0).result()
        outcome = executor.submit(run, "pool", 100).result()
        assert ready.failure is None
        assert outcome.failure is None
        assert (outcome.pid != os.getpid()) == strategy.own_process


def test_only_what_runs_in_the_calling_interpreter_shares_its_gil() -> None:
    sharing = [name for name in DEFAULT if get_strategy(name).shares_gil]
    assert sharing == ["serial", "threads"]


def test_the_simpler_a_strategy_the_lower_its_rank(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(ISOLATED)
    simplest_first = ("threads", "interpreters", "processes", "plugged:POOL")
    ranks = [get_strategy(name).rank for name in simplest_first]
    assert ranks == sorted(set(ranks))


def test_a_strategy_that_cannot_be_loaded_is_recalled_as_unknown() -> None:
    """Since whoever reads a saved result need not have it."""
    assert recall_strategy("no_such:thing") is None
    assert recall_strategy("threads") is get_strategy("threads")


@pytest.mark.skipif(sys.platform == "win32", reason="Windows does not tell of other programs")
def test_the_cpu_time_of_a_task_is_that_of_its_programs_too() -> None:
    burn = "import time\nwhile time.process_time() < 0.2: pass"
    workload = Workload(f"subprocess.run([{sys.executable!r}, '-c', {burn!r}])", "statement",
        setup="import subprocess")  # fmt: skip
    initialize("burning", workload, sys.path.copy(), None)
    outcome = run("burning", 1)
    assert outcome.failure is None
    assert outcome.cpu_ns >= 0.2e9


def test_a_failed_setup_is_the_workers_answer() -> None:
    workload = Workload("pass", "statement", setup="1 / 0")
    with get_strategy("threads").create(
        1, initialize, ("pool", workload, sys.path, None), None
    ) as pool:
        ready = pool.submit(answer, "pool", 0.0).result()
    assert ready.failure == "ZeroDivisionError: division by zero"


# Which strategies there are.


def test_a_strategy_registered_as_an_entry_point_is_measured_by_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In the fresh interpreters too, as for any package that pip installed."""
    (tmp_path / "pools.py").write_text(
        "from gillab.strategies import Strategy, get_strategy\n"
        "POOL = Strategy('pooled', get_strategy('threads').create)\n"
    )
    metadata = tmp_path / "pools-1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: pools\nVersion: 1.0\n")
    (metadata / "entry_points.txt").write_text("[gillab.strategies]\npooled = pools:POOL\n")
    monkeypatch.syspath_prepend(tmp_path)
    result = compare("held", strategies=["pooled"], workers=2, steps=10, max_blocks=1, **PATIENT)
    assert result.cell("countdown_held", "pooled").status == "ok"


def test_a_strategy_is_found_by_module_and_attribute(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(ISOLATED)
    assert get_strategy("plugged:POOL").name == "plugged"


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("proceses", "did you mean processes"),
        ("plugged:NONE", "cannot be loaded: AttributeError"),
        ("plugged:create", "is no gillab.strategies.Strategy"),
        ("plugged_wrongly:POOL", "cannot be loaded: ZeroDivisionError: division by zero"),
    ],
)
def test_what_is_no_strategy_is_one_sentence(
    monkeypatch: pytest.MonkeyPatch, name: str, sentence: str
) -> None:
    monkeypatch.syspath_prepend(ISOLATED)
    with pytest.raises(UsageError, match=sentence):
        get_strategy(name)


def test_plugged_strategies_are_measured_or_say_why_not(tmp_path: Path) -> None:
    names = ("POOL", "ABSENT", "SMALLER", "CARELESS", "BROKEN")
    plugged = [f"plugged:{name}" for name in names]
    result = run_compare(tmp_path, "sum(range(9))", "--strategies", ",".join(plugged), *BRIEF)
    assert result.code == 1, result.err
    outcomes = {
        name: (cell["status"], cell["reason"])
        for name, place in zip(names, plugged, strict=True)
        for cell in [result.cell("sum(range(9))", place)]
    }
    assert outcomes.pop("POOL")[0] == "ok"
    assert outcomes == {
        "ABSENT": ("unavailable", "needs a cluster"),
        "SMALLER": ("failed", "only 1 of 2 workers came"),
        "CARELESS": ("failed", "its executor did not run the initializer"),
        "BROKEN": ("failed", "OSError: no route to it"),
    }


@pytest.mark.parametrize(
    "start_method",
    [in_long(m) if m == "forkserver" else m for m in multiprocessing.get_all_start_methods()],
)
def test_every_start_method_is_measured_with_the_cost_of_its_start(
    tmp_path: Path, start_method: str
) -> None:
    options = ("--strategies", "processes", "--start-method", start_method)
    result = run_compare(tmp_path, "pass", *options, *BRIEF)
    assert result.code == 0, result.err
    for strategy in ("serial", "processes"):
        cell = result.cell("pass", strategy)
        assert cell["status"] == "ok"
        assert cell["setup_s"] >= 0
    assert result.cell("pass", "processes")["setup_s"] > 0


@pytest.mark.skipif(sys.version_info >= (3, 14), reason="there are subinterpreters")
def test_subinterpreters_need_a_newer_python() -> None:
    here = f"{sys.version_info[0]}.{sys.version_info[1]}"
    obstacle = get_strategy("interpreters").find_obstacle()
    assert obstacle == f"needs Python 3.14; this is {here}"


@pytest.mark.skipif(sys.version_info < (3, 14), reason="needs Python 3.14")
@pytest.mark.parametrize("when", ["setup", "call"])
def test_a_module_that_subinterpreters_cannot_load_is_named(tmp_path: Path, when: str) -> None:
    code = "import numpy; numpy.zeros(3)"
    arguments = ["-s", code, "pass"] if when == "setup" else [code]
    workload = arguments[-1]
    result = run_compare(tmp_path, *arguments, *BRIEF)
    assert result.code == 0, result.err
    cell = result.cell(workload, "interpreters")
    assert cell["status"] == "unavailable"
    assert cell["reason"].startswith("numpy: module numpy.")
    assert cell["reason"].endswith("does not support loading in subinterpreters")
    assert result.cell(workload, "threads")["status"] == "ok"


# How a failure is told.


class UnprintableError(Exception):
    def __str__(self) -> str:
        raise RuntimeError


def refused() -> Exception:
    """Return what numpy makes of a refusal: advice, with the refusal as its cause."""
    error = ImportError("Please read this advice.")
    error.__cause__ = ImportError("module a.b does not support loading in subinterpreters")
    return error


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (ValueError("first\nsecond"), "ValueError: first"),
        (ValueError(), "ValueError"),
        (ValueError("\x1b[31m\udcff"), "ValueError: ?[31m?"),
        (ValueError("x" * 10_000), "ValueError: " + "x" * 300),
        (UnprintableError(), "UnprintableError: (its message cannot be shown)"),
        (SystemExit(), "it called sys.exit()"),
        (SystemExit(3), "it called sys.exit(3)"),
        (refused(), "a: module a.b does not support loading in subinterpreters"),
    ],
)
def test_an_exception_is_told_in_a_line(error: BaseException, told: str) -> None:
    assert describe_exception(error) == told


@pytest.mark.parametrize(
    ("code", "told"),
    [
        (0, "ended with exit code 0"),
        (3, "ended with exit code 3"),
        (-11, "was killed by SIGSEGV"),
        (-9, "was killed by SIGKILL (by the out-of-memory killer, perhaps)"),
        (-99, "was killed by signal 99"),
    ],
)
@pytest.mark.skipif(sys.platform == "win32", reason="signals are POSIX's")
def test_the_end_of_a_process_is_told_by_its_signal(code: int, told: str) -> None:
    assert describe_exit(code) == told


def test_workers_import_nothing_large() -> None:
    program = "import sys, gillab.strategies.worker as w; sys.exit('numpy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
