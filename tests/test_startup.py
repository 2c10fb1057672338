"""What starting workers costs: the plan, the figures, the sentences, and programs that fail."""

from __future__ import annotations

import multiprocessing
import os
import re
import signal
import sys
import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from compare_run import PATIENT
from long_tests import in_long
from report_fixtures import arm, make_result, missing

from gillab.blocks.messages import Failed
from gillab.charts import Point
from gillab.errors import Interrupted, UsageError
from gillab.estimates import Estimate
from gillab.launch.launch import LaunchEndedError
from gillab.launch.messages import Message
from gillab.pools import fresh
from gillab.pools.costs import Costs, chart_costs, find_costs
from gillab.pools.memory import list_helpers, read_pss
from gillab.pools.messages import MakePool, PoolMade, ProgramLoaded
from gillab.pools.plan import choose_methods, plan_pools
from gillab.pools.worker import answer, initialize
from gillab.report.startup import summarize_startup
from gillab.results import Cell, Result
from gillab.startup import build_parser, main, startup

METHODS = multiprocessing.get_all_start_methods()
ONCE: dict[str, Any] = {"max_blocks": 1, **PATIENT}
MB = 1e6
# Ready, ready again, ended, memory; by strategy, start method and workers.
FIGURES: dict[tuple[str, str, int], tuple[float, float, float, float | None]] = {
    ("threads", "", 1): (80e-6, 70e-6, 50e-6, 0.1 * MB),
    ("threads", "", 4): (170e-6, 160e-6, 90e-6, 0.16 * MB),
    ("processes", "fork", 1): (4e-3, 3.9e-3, 2e-3, 4 * MB),
    ("processes", "fork", 4): (13e-3, 12e-3, 5e-3, 10 * MB),
    ("processes", "spawn", 1): (0.29, 0.1, 0.02, 16 * MB),
    ("processes", "spawn", 4): (0.59, 0.3, 0.04, 46 * MB),
}


def make_run(figures: Mapping[tuple[str, str, int], tuple[Any, ...]] = FIGURES) -> Result:
    """Make a run of 12 blocks, of which the whole machine is slower in each second one."""
    cells: list[Cell] = []
    seconds: dict[str, float] = {}
    others: dict[str, dict[str, float]] = {}
    for (strategy, variant, workers), (ready, again, end, memory) in figures.items():
        cell = arm(strategy, None, None, workers=workers, workload="startup")
        cells.append(replace(cell, variant=variant, blocks=12))
        seconds[cells[-1].key] = ready
        others[cells[-1].key] = {"again_s": again, "end_s": end}
        if memory is not None:
            others[cells[-1].key]["memory_bytes"] = memory
    blocks = [{"workload": "startup", "seconds": seconds, "figures": others} for _ in range(12)]
    return replace(make_result(cells), blocks=blocks, command="startup")


def find(result: Result) -> dict[str, Costs]:
    return {each.name: each for each in find_costs(result)}


def exact(value: float) -> Estimate:
    return Estimate(*[pytest.approx(value)] * 3)  # type: ignore[arg-type]


def test_a_further_worker_is_the_difference_divided_among_them() -> None:
    costs = find(make_run())
    assert list(costs) == ["threads", "fork", "spawn"], "the cheapest first"
    assert costs["threads"].first == exact(80e-6)
    assert costs["threads"].further == exact(30e-6)
    assert costs["fork"].further == exact(3e-3)
    assert costs["spawn"].further == exact(0.1)
    assert costs["spawn"].once == exact(0.19)
    assert costs["spawn"].later == exact(0.1)
    assert costs["spawn"].end == exact(0.04)
    assert costs["fork"].further_memory == exact(2 * MB)
    assert costs["spawn"].first_memory == exact(16 * MB)


def test_differences_are_paired_within_blocks() -> None:
    """A machine that is ten times slower in every second block leaves no doubt which is dearer."""
    run = make_run()
    slow = {key: 10 * value for key, value in run.blocks[0]["seconds"].items()}
    blocks = [dict(block, seconds=slow) if n % 2 else block for n, block in enumerate(run.blocks)]
    costs = find(replace(run, blocks=blocks))
    low, high = costs["fork"].further.low, costs["fork"].further.high  # type: ignore[union-attr]
    assert (low, high) == (pytest.approx(3e-3), pytest.approx(30e-3))
    # What has only one of two numbers of workers has no difference.
    alone = [{**block, "seconds": {"processes/1/fork": 4e-3}} for block in run.blocks]
    assert find(replace(run, blocks=alone))["fork"].further is None


def test_charts_go_over_workers_and_hold_a_series_for_each_way() -> None:
    charts = chart_costs(make_run())
    first, again, end, memory = charts
    assert [series.name for series in first.series] == ["threads", "fork", "spawn"]
    assert first.series[2].points == (Point(1, exact(0.29)), Point(4, exact(0.59)))
    assert again.series[2].points[0].y == exact(0.1)
    assert end.series[0].points[1].y == exact(90e-6)
    assert memory.series[1].points[1].y == exact(10 * MB)
    assert memory.y.unit == "B"
    assert chart_costs(make_run({})) == []


def tell(result: Result, setup: str = "") -> list[str]:
    return summarize_startup(result, find_costs(result), setup)


def test_the_answer_comes_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(multiprocessing, "get_all_start_methods", lambda: ["spawn", "fork"])
    assert tell(make_run(), "import json") == [
        "The first worker is ready in 80 [80, 80] µs as a thread, 4 [4, 4] ms as a process by fork "
        "and 290 [290, 290] ms by spawn (Python's default).",
        "Each further one, up to 4, adds 30 [30, 30] µs as a thread, 3 [3, 3] ms as a process by "
        "fork and 100 [100, 100] ms by spawn.",
        "Some of that is paid once, for imports and helper processes: a later pool's first "
        "worker is ready in 100 [100, 100] ms as a process by spawn.",
        "In memory (PSS) each further one takes 20 [20, 20] kB as a thread, 2 [2, 2] MB as a "
        "process by fork and 10 [10, 10] MB by spawn.",
        "A forked worker shares the program's memory until one of the two writes to it, and using "
        "a Python object can be writing.",
        "To end a pool of 4 workers takes at most 40 [40, 40] ms (spawn).",
        "The program had run the setup itself before: threads and forked workers have what it "
        "made, the others run it again (the fork server of a newer Python once for all of its "
        "workers).",
    ]


def test_what_is_not_told_is_said() -> None:
    unknown = {key: (*figures[:3], None) for key, figures in FIGURES.items()}
    run = make_run(unknown)
    assert "This system does not tell what memory a worker takes." in tell(run)
    assert len(chart_costs(run)) == 3
    alone = make_run({("threads", "", 1): FIGURES["threads", "", 1]})
    assert tell(alone) == [
        "The first worker is ready in 80 [80, 80] µs as a thread.",
        "In memory (PSS) it takes 100 [100, 100] kB as a thread.",
        "To end a pool of 1 worker takes at most 50 [50, 50] µs (threads).",
    ]
    level = make_run({**FIGURES, ("threads", "", 4): (70e-6, 70e-6, 50e-6, 0.1 * MB)})
    assert "adds nothing that shows as a thread" in tell(level)[1]


def test_what_failed_is_told_and_what_all_failed_of_once() -> None:
    dead = replace(missing("processes", "it died"), variant="spawn")
    run = make_run()
    assert tell(replace(run, cells=[*run.cells, dead]))[-1] == (
        "processes by spawn failed: it died."
    )
    assert tell(replace(run, cells=[dead, missing("threads", "it died")])) == [
        "No worker was started: it died."
    ]


def test_every_way_to_start_workers_is_an_arm_and_one_worker_always_among_them() -> None:
    arms = plan_pools(("serial", "threads", "processes"), (2, 4), ("fork", "spawn"))
    assert [arm.key for arm in arms] == [
        "threads/1", "threads/2", "threads/4",
        "processes/1/fork", "processes/2/fork", "processes/4/fork",
        "processes/1/spawn", "processes/2/spawn", "processes/4/spawn",
    ]  # fmt: skip
    assert choose_methods(()) == tuple(METHODS)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"setup": "x ="}, "the setup is not valid Python"),
        ({"strategies": ("thread",)}, "did you mean threads?"),
        ({"strategies": ("serial",)}, "serial has no workers to start"),
        ({"workers": (2, 0)}, "workers must be a number from 1 on"),
        ({"start_methods": ("forked",)}, "processes cannot be started by 'forked' here"),
        ({"min_blocks": 3, "max_blocks": 2}, "--min-blocks 3 is more than --max-blocks 2"),
        ({"time_budget_s": 0.0}, "time"),
    ],
)
def test_bad_input_is_one_sentence(options: dict[str, Any], words: str) -> None:
    with pytest.raises(UsageError, match=re.escape(words)) as caught:
        startup(**options)
    assert "\n" not in str(caught.value)


def test_bad_input_ends_with_exit_code_2(capsys: pytest.CaptureFixture[str]) -> None:
    handler = signal.getsignal(signal.SIGTERM)
    try:
        assert main(["--strategies", "thread"]) == 2
    finally:
        signal.signal(signal.SIGTERM, handler)
    assert capsys.readouterr().err.count("\n") == 1
    with pytest.raises(SystemExit) as end:
        build_parser().parse_args(["--target-error", "1%"])
    assert end.value.code == 2


class FakeLaunch:
    """Answers with what the test has laid down for the arm, raising it if it is an exception."""

    answers: Mapping[str, Message | BaseException] = {}
    made = PoolMade(0.02, 0.01, 0.015, 0.5, 1_000_000)

    def __init__(self, module: str) -> None:
        assert module == fresh.CHILD

    def await_start(self, timeout_s: float, budget_s: float) -> None:
        pass

    def send(self, message: MakePool) -> None:
        self.arm = "" if message.arm is None else message.arm.key

    def receive(self, timeout_s: float) -> Message:
        found = self.answers.get(self.arm, self.made if self.arm else ProgramLoaded())
        if isinstance(found, BaseException):
            raise found
        return found

    def __enter__(self) -> FakeLaunch:
        return self

    def __exit__(self, *_: object) -> None:
        pass


def run_fake(
    monkeypatch: pytest.MonkeyPatch,
    answers: Mapping[str, Message | BaseException],
    methods: Iterable[str] = ("spawn",),
) -> Result:
    monkeypatch.setattr(fresh, "Launch", FakeLaunch)
    monkeypatch.setattr(FakeLaunch, "answers", answers)
    return startup(
        strategies=("threads", "processes"), workers=2, start_methods=tuple(methods),
        min_blocks=3, max_blocks=3, seed=1, **PATIENT,
    )  # fmt: skip


def test_every_block_holds_each_arm_once_with_all_its_figures(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    result = run_fake(monkeypatch, {})
    assert not result.failed
    assert [cell.key for cell in result.cells] == [
        "threads/1", "threads/2", "processes/1/spawn", "processes/2/spawn",
    ]  # fmt: skip
    assert all(cell.verdict is None and cell.speedup is None for cell in result.cells)
    # The first block was too short to be kept.
    assert {cell.blocks for cell in result.cells} == {3}
    figures = {"end_s": 0.01, "again_s": 0.015, "memory_bytes": 1e6}
    assert result.blocks[0]["figures"]["processes/2/spawn"] == figures
    assert not result.null
    assert not result.choices


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (Failed("", "failed", "KeyError: 'a'"), "KeyError: 'a'"),
        (LaunchEndedError("its process ended with exit code 3"), "exit code 3; it was still in"),
        (TimeoutError(), "the setup did not return within 300 s (--timeout)"),
    ],
    ids=["raises", "ends", "hangs"],
)
def test_a_setup_that_fails_is_the_reason_of_every_row(
    monkeypatch: pytest.MonkeyPatch, answer: Message | BaseException, reason: str
) -> None:
    result = run_fake(monkeypatch, {"": answer})
    assert result.failed
    assert all(cell.status == "failed" and reason in str(cell.reason) for cell in result.cells)
    (sentence,) = result.summary
    assert sentence.startswith("No worker was started: ")


@pytest.mark.parametrize(
    ("answer", "status", "reason"),
    [
        (Failed("processes/2/spawn", "unavailable", "refused"), "unavailable", "refused"),
        (LaunchEndedError("it died"), "failed", "it died"),
        (TimeoutError(), "failed", "did not return within 300 s (--timeout)"),
    ],
    ids=["unavailable", "dies", "hangs"],
)
def test_an_arm_that_fails_spoils_no_other(
    monkeypatch: pytest.MonkeyPatch, answer: Message | BaseException, status: str, reason: str
) -> None:
    result = run_fake(monkeypatch, {"processes/2/spawn": answer})
    *others, last = result.cells
    assert (last.status, last.reason) == (status, reason)
    assert {(cell.status, cell.blocks) for cell in others} == {("ok", 3)}
    assert find(result)["spawn"].further is None


def test_an_interruption_keeps_what_was_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(Interrupted) as caught:
        run_fake(monkeypatch, {"processes/2/spawn": KeyboardInterrupt()})
    result = caught.value.result
    assert result.partial
    assert result.cell("startup", "processes", 2).status == "unavailable"


def test_a_worker_says_when_it_was_ready_and_how_its_setup_failed() -> None:
    initialize("")
    (pid, _), _, failure = answer(0.0)
    assert (pid, failure) == (os.getpid(), None)
    before = sys.modules.get("__mp_main__")
    try:
        initialize("from dataclasses import dataclass\n@dataclass\nclass Point:\n  x: 'int'\n1 / 0")
    finally:
        sys.modules.pop("__mp_main__")
        if before is not None:
            sys.modules["__mp_main__"] = before
    assert answer(0.0)[2] == "ZeroDivisionError: division by zero"


def test_memory_is_the_sum_of_shares_or_not_told(tmp_path: Path) -> None:
    for pid, share in ((1, 100), (2, 23)):
        (tmp_path / str(pid)).mkdir()
        text = f"00400000-7ffd [rollup]\nRss: 900 kB\nPss:    {share} kB\nPss_Dirty: 1 kB\n"
        (tmp_path / str(pid) / "smaps_rollup").write_text(text)
    assert read_pss([1, 2], tmp_path) == 123 * 1024
    assert read_pss([1, 3], tmp_path) is None
    (tmp_path / "2" / "smaps_rollup").write_text("")
    assert read_pss([2], tmp_path) is None
    assert all(isinstance(pid, int) for pid in list_helpers())


@pytest.mark.parametrize("method", [in_long(m) if m == "forkserver" else m for m in METHODS])
def test_workers_start_and_nothing_stays_in_the_temporary_folder(
    method: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Not pytest's own, whose name is too long for a socket's.
    with tempfile.TemporaryDirectory() as folder:
        monkeypatch.setenv("TMPDIR", folder)
        monkeypatch.setattr(tempfile, "tempdir", folder)
        result = startup(
            setup="from dataclasses import dataclass\n@dataclass\nclass Point:\n  x: 'int'",
            strategies=("processes",), workers=2, start_methods=(method,), **ONCE,
        )  # fmt: skip
        assert os.listdir(folder) == []
    assert [(cell.status, cell.reason) for cell in result.cells] == [("ok", None)] * 2
    costs = find(result)[method]
    assert costs.first.estimate > 0
    assert costs.further is not None
    tells = read_pss([os.getpid()]) is not None
    assert (costs.first_memory is not None) == tells


def test_threads_and_interpreters_start_where_there_are_some() -> None:
    result = startup(setup="a = 1", strategies=("threads", "interpreters"), workers=1, **ONCE)
    threads, interpreters = result.cells
    assert threads.status == "ok"
    new = sys.version_info >= (3, 14)
    assert interpreters.status == ("ok" if new else "unavailable")
    assert result.summary[0].startswith("The first worker is ready in ")


def test_what_a_setup_does_in_workers_alone_fails_in_those_that_run_it() -> None:
    result = startup(
        setup="if __name__ != '__main__': {}['a']", strategies=("processes",), workers=1,
        start_methods=("spawn",), **ONCE,
    )  # fmt: skip
    (cell,) = result.cells
    assert cell.status == "failed"
    assert "KeyError: 'a'" in (cell.reason or "")
