"""Strategies of other packages: loky, joblib, Dask and Ray."""

from __future__ import annotations

import importlib
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from compare_run import BRIEF, run_compare
from long_tests import only_long

from gillab.blocks.arm import ArmError, OpenArm, call_roll
from gillab.blocks.plan import SERIAL, Arm, Experiment, choose_strategies, plan_arms
from gillab.blocks.record import Block, Failure, Record
from gillab.compare import main
from gillab.errors import UsageError
from gillab.jobs.plan import plan_job
from gillab.strategies import EXTRA, Strategy, cluster, get_strategy
from gillab.strategies.cluster import check_scheduler
from gillab.strategies.failure import LostError, UnavailableError
from gillab.strategies.mapping import ChunkingExecutor
from gillab.strategies.ray import RayExecutor
from gillab.strategies.worker import Ready
from gillab.workload import Workload

ADDRESS = "tcp://there:8786"
HERE = cluster._HERE


@pytest.mark.parametrize("name", EXTRA)
def test_without_its_package_a_strategy_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    module = importlib.import_module(f"gillab.strategies.{name}")
    monkeypatch.setattr(module, "find_spec", lambda package: None)
    obstacle = get_strategy(name).find_obstacle()
    extra = "ray" if name == "ray" else "cluster"
    assert obstacle is not None
    assert obstacle.endswith(f": pip install 'gillab[{extra}]'")


class HereExecutor(ChunkingExecutor):
    """Runs at once what is submitted, and counts it."""

    def __init__(self) -> None:
        self.submitted = 0

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        self.submitted += 1
        future: Future[Any] = Future()
        future.set_result(fn(*args, **kwargs))
        return future


@pytest.mark.parametrize(("chunksize", "submitted"), [(1, 7), (3, 3), (100, 1)])
def test_items_travel_in_chunks_and_results_keep_their_order(
    chunksize: int, submitted: int
) -> None:
    executor = HereExecutor()
    results = executor.map(divmod, range(7), range(1, 8), chunksize=chunksize)
    assert list(results) == [divmod(n, n + 1) for n in range(7)]
    assert executor.submitted == submitted


# What is planned.


def test_a_scheduler_is_for_the_strategies_that_can_use_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[str] = []
    monkeypatch.setattr("gillab.strategies.cluster.check_scheduler", asked.append)
    assert choose_strategies(["threads"]) == ("threads",)
    assert asked == []
    assert choose_strategies(["threads"], ADDRESS) == ("threads", "cluster")
    assert choose_strategies(["cluster"], ADDRESS) == ("cluster",)
    assert asked == [ADDRESS, ADDRESS]
    arms = plan_arms(("threads", "cluster"), (2,), scheduler=ADDRESS)
    assert {arm.key: arm.scheduler for arm in arms if arm.scheduler} == {"cluster/2": ADDRESS}
    jobs = plan_job(("processes", "cluster"), (2,), (1,), 10, 9.0, ADDRESS)
    assert {arm.key: arm.scheduler for arm in jobs if arm.scheduler} == {"cluster/2/1": ADDRESS}


def test_joblib_finds_the_size_of_its_batches_by_itself() -> None:
    arms = plan_job(("joblib", "loky"), (2,), (1, 5), 10, 9.0)
    cells = [(arm.strategy, arm.chunksize) for arm in arms if arm.role == "cell"]
    assert cells == [("serial", None), ("joblib", None), ("loky", 1), ("loky", 5)]


def test_a_scheduler_that_is_given_has_other_workers() -> None:
    there = get_strategy("cluster", ADDRESS)
    assert there.remote
    assert not get_strategy("cluster").remote
    assert get_strategy("threads", ADDRESS) is get_strategy("threads")


@pytest.mark.parametrize("address", ["nonsense", "tcp://there", "http://there:8786", ""])
def test_what_is_no_address_is_one_sentence(
    capsys: pytest.CaptureFixture[str], address: str
) -> None:
    pytest.importorskip("distributed")
    with pytest.raises(UsageError, match="is no address of a Dask scheduler"):
        check_scheduler(address)
    if address:
        assert main(["pass", "--scheduler", address]) == 2
        assert capsys.readouterr().err.count("\n") == 1


# Which workers a scheduler has.


class FakeClient:
    """A scheduler's workers, each with its threads and its versions."""

    def __init__(self, threads: dict[str, int], versions: dict[str, Any]) -> None:
        self._threads = threads
        self._versions = versions

    def nthreads(self) -> dict[str, int]:
        return self._threads

    def run(self, *_: Any, workers: list[str], **named: Any) -> dict[str, Any]:
        return {worker: self._versions.get(worker, HERE) for worker in workers}

    def run_on_scheduler(self, *_: Any) -> Any:
        found = self._versions.get("scheduler", HERE)
        if isinstance(found, Exception):
            raise found
        return found


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cluster, "_COMING_S", 0.0)
    monkeypatch.setattr(cluster, "_LOOK_AGAIN_S", 0.0)


def test_as_many_workers_are_chosen_as_are_asked_for() -> None:
    client = FakeClient({"d": 1, "a": 1, "e": 4, "c": 1, "b": 1}, {"b": ImportError()})
    assert cluster._choose(client, 2) == ["a", "c"]
    assert cluster._choose(client, 3) == ["a", "c", "d"]


@pytest.mark.parametrize(
    ("threads", "versions", "told"),
    [
        ({"a": 1}, {}, "the scheduler has 1 of 2 workers"),
        (
            {"a": 1, "b": 2},
            {},
            "the scheduler has 1 of 2 workers; 1 more run several threads: start them with "
            "--nthreads 1",
        ),
        (
            {"a": 1, "b": 1},
            {"a": ModuleNotFoundError("gillab"), "b": ModuleNotFoundError("gillab")},
            "a, b: gillab is not installed there",
        ),
        (
            {"a": 1, "b": 1},
            {"scheduler": ModuleNotFoundError("gillab")},
            "the scheduler: gillab is not installed there",
        ),
        (
            {"a": 1, "b": 1},
            {"b": ["0.0.1", 3, 2]},
            "b: gillab 0.0.1 on Python 3.2 there, gillab {} on Python {}.{} here".format(*HERE),
        ),
        ({"a": 1, "b": 1}, {"a": OSError("no route")}, "a: OSError: no route"),
    ],
)
@pytest.mark.usefixtures("impatient")
def test_workers_that_cannot_be_had_are_named(
    threads: dict[str, int], versions: dict[str, Any], told: str
) -> None:
    with pytest.raises(UnavailableError) as caught:
        cluster._choose(FakeClient(threads, versions), 2)
    assert str(caught.value) == told


def roll(answers: dict[str, Ready]) -> Any:
    """Return an executor whose workers answer so."""

    def submit_to(address: str, *_: Any) -> Future[Ready]:
        future: Future[Ready] = Future()
        future.set_result(answers[address])
        return future

    return SimpleNamespace(addresses=tuple(answers), submit_to=submit_to)


def test_workers_alike_in_process_and_thread_are_told_apart() -> None:
    ready = call_roll(roll({"a": Ready((7, 1), 10, None), "b": Ready((7, 1), 20, None)}), "pool")
    assert sorted(ready.values()) == [10, 20]


def test_each_worker_that_cannot_run_the_workload_is_named() -> None:
    missing = "ModuleNotFoundError: No module named 'x'"
    answers = {
        "a": Ready((1, 1), 0, missing),
        "b": Ready((2, 1), 0, None),
        "c": Ready((3, 1), 0, missing),
    }
    with pytest.raises(ArmError) as caught:
        call_roll(roll(answers), "pool")
    assert str(caught.value) == f"a, c: {missing}"


# What a failure means.


@pytest.mark.parametrize(
    ("error", "status"),
    [(LostError("it went"), "failed"), (UnavailableError("it went"), "unavailable")],
)
def test_lost_workers_are_a_failure_and_missing_ones_are_not(
    monkeypatch: pytest.MonkeyPatch, error: Exception, status: str
) -> None:
    def create(*_: Any, **__: Any) -> Executor:
        raise error

    monkeypatch.setattr("gillab.blocks.arm.get_strategy", lambda name, _: Strategy(name, create))
    with pytest.raises(ArmError, match=r"^it went$") as caught:
        OpenArm(Arm("s", 2), Workload("pass", "statement"), None, 9.0)
    assert caught.value.status == status


@pytest.mark.parametrize(("ran", "status"), [(True, "failed"), (False, "unavailable")])
def test_what_has_run_before_has_failed(ran: bool, status: str) -> None:
    arm = Arm("cluster", 2)
    record = Record(Experiment(Workload("w", "statement"), (SERIAL, arm)), 1)
    if ran:
        record.blocks.append(Block("w", 1, (arm.key,), {arm.key: 1.0}, {arm.key: 1.0}, {}, {}))
    record.fail(arm.key, Failure("unavailable", "the scheduler has 1 of 2 workers"))
    assert record.failures[arm.key].status == status


# Ray, played by threads.


class FakeRay:
    """As much of Ray as the executor uses."""

    def __init__(self) -> None:
        self.running = False
        self.killed = 0
        self.exceptions = SimpleNamespace(RayActorError=ConnectionError)

    def is_initialized(self) -> bool:
        return self.running

    def init(self, **_: Any) -> None:
        self.running = True

    def shutdown(self) -> None:
        self.running = False

    def kill(self, actor: Any) -> None:
        self.killed += 1
        actor.pool.shutdown()

    def remote(self, **_: Any) -> Callable[[type], Any]:
        def decorate(kind: type) -> Any:
            return SimpleNamespace(remote=lambda *args: FakeActor(kind(*args)))

        return decorate


class FakeActor:
    def __init__(self, worker: Any) -> None:
        self.pool = ThreadPoolExecutor(1)

        def remote(*args: Any) -> Any:
            return SimpleNamespace(future=lambda: self.pool.submit(worker.run, *args))

        self.run = SimpleNamespace(remote=remote)


@pytest.fixture
def ray(monkeypatch: pytest.MonkeyPatch) -> FakeRay:
    fake = FakeRay()
    monkeypatch.setitem(sys.modules, "ray", fake)
    for name in ("RAY_AUTH_TOKEN", "RAY_USAGE_STATS_ENABLED"):
        monkeypatch.setenv(name, "")
    return fake


def test_actors_take_tasks_from_a_queue_and_ray_ends_with_the_last_executor(ray: FakeRay) -> None:
    initialized: list[int] = []
    with RayExecutor(2, initialized.append, (1,)) as executor:
        assert initialized == [1, 1]
        assert list(executor.map(abs, range(-30, 0))) == list(range(30, 0, -1))
        with RayExecutor(1, int, ()) as other:
            assert other.submit(pow, 2, 5).result() == 32
        assert ray.running
        with pytest.raises(ZeroDivisionError):
            executor.submit(divmod, 1, 0).result()
    assert not ray.running
    assert ray.killed == 3
    with pytest.raises(RuntimeError):
        executor.submit(abs, 1)


def test_an_actor_that_dies_is_told_of_by_all_that_is_not_done(ray: FakeRay) -> None:
    go_on = threading.Event()

    def die() -> None:
        go_on.wait()
        raise ConnectionError

    with RayExecutor(1, int, ()) as executor:
        futures = [executor.submit(die), executor.submit(abs, 1)]
        go_on.set()
        for future in futures:
            with pytest.raises(LostError, match="a worker process was lost"):
                future.result()
        with pytest.raises(LostError):
            executor.submit(abs, 1)


# A scheduler of Dask, and workers of its own.


@pytest.fixture
def scheduler(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Any]:
    """Give a cluster of two workers, such as another machine might have."""
    distributed = pytest.importorskip("distributed")
    # They find no module of the tests: what runs there is the machine's.
    with distributed.LocalCluster(
        n_workers=2,
        threads_per_worker=1,
        dashboard_address="127.0.0.1:0",
        scheduler_kwargs={"dashboard": False, "local_directory": str(tmp_path)},
        local_directory=str(tmp_path),
        memory_limit=0,
        silence_logs=60,
    ) as running:
        yield running


def open_there(scheduler: Any, workers: int = 2) -> Any:
    strategy = get_strategy("cluster", scheduler.scheduler_address)
    return strategy.create(workers, int, (), None)


@only_long
@pytest.mark.filterwarnings("default")  # Dask's own
def test_a_lost_worker_is_named_and_a_smaller_number_still_runs(scheduler: Any) -> None:
    with open_there(scheduler) as executor:
        lost = executor.addresses[1]
        pid = executor.submit_to(lost, os.getpid).result()
        sleeping = executor.submit_to(lost, time.sleep, 600)
        os.kill(pid, signal.SIGTERM if sys.platform == "win32" else signal.SIGKILL)
        with pytest.raises(LostError, match=f"^the worker {lost} was lost$"):
            sleeping.result()
        with pytest.raises(LostError):
            executor.submit(abs, 1)
    with open_there(scheduler, 1) as executor:
        assert list(executor.map(abs, range(9), chunksize=2)) == list(range(9))
        with pytest.raises(ZeroDivisionError):
            executor.submit(divmod, 1, 0).result()


@only_long
@pytest.mark.filterwarnings("default")
def test_a_lost_scheduler_is_told_of(scheduler: Any) -> None:
    address = scheduler.scheduler_address
    with open_there(scheduler) as executor:
        sleeping = executor.submit(time.sleep, 600)
        scheduler.close()
        # The workers go before it, one of them first.
        with pytest.raises(LostError, match=r"^the (worker|scheduler) tcp://.* was lost$"):
            sleeping.result()
    with pytest.raises(UsageError, match=f"no Dask scheduler answers at {address} within"):
        check_scheduler(address)


@only_long
@pytest.mark.filterwarnings("default")
def test_a_comparison_runs_on_a_scheduler_that_is_given(scheduler: Any, tmp_path: Path) -> None:
    options = ("--scheduler", scheduler.scheduler_address, "--strategies", "cluster", *BRIEF)
    result = run_compare(tmp_path, "sum(range(9))", *options)
    assert result.code == 0, result.err
    assert result.data is not None
    assert result.data["options"]["scheduler"] == scheduler.scheduler_address
    cell = result.cell("sum(range(9))", "cluster")
    assert (cell["status"], cell["of_ceiling"]) == ("ok", None)


@only_long
def test_each_strategy_of_another_package_is_measured_and_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    temporary = tmp_path / "t"
    temporary.mkdir()
    monkeypatch.setenv("TMPDIR", str(temporary))
    names = ("loky", "joblib", "cluster")
    for name in names:
        if obstacle := get_strategy(name).find_obstacle():
            pytest.skip(obstacle)
    result = run_compare(tmp_path, "pass", "--strategies", ",".join(names), *BRIEF)
    assert result.code == 0, result.err
    for name in names:
        assert result.cell("pass", name)["status"] == "ok"
    assert list(temporary.iterdir()) == []
