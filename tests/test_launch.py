"""A fresh interpreter, seen from its parent."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from gillab.check import check
from gillab.errors import UsageError
from gillab.launch.functions import check_functions
from gillab.launch.inner_threads import limit_by_environment
from gillab.launch.launch import Launch, LaunchEndedError
from gillab.launch.messages import FindFunctions, Found
from gillab.launch.temporary import make_folder, remove_folder
from gillab.release.examine import find_obstacle
from gillab.release.findings import Finding
from gillab.workload import Workload

posix = pytest.mark.skipif(sys.platform == "win32", reason="descriptors are POSIX's")
needs_meter = pytest.mark.skipif(find_obstacle() is not None, reason=str(find_obstacle()))


@pytest.mark.usefixtures("removed_folder")
def test_a_path_that_leads_to_a_removed_folder_is_no_obstacle(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sys, "path", ["", *sys.path])
    with Launch() as launch:
        launch.await_start(300.0)


@pytest.mark.skipif(sys.platform == "win32", reason="pipes have no files there")
def test_a_temporary_folder_of_a_long_name_is_not_used_for_sockets(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    long = tmp_path / ("n" * 100)
    long.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(long))
    folder = make_folder()
    try:
        assert folder is not None
        assert os.path.isdir(folder)
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(f"{folder}/listener-12345678")
    finally:
        remove_folder(folder)
    assert not os.path.exists(folder)


def test_a_launch_can_be_waited_for_any_number_of_seconds() -> None:
    with Launch() as launch:
        launch.await_start(1e300)
        launch.send(FindFunctions(("json:dumps",)))
        assert launch.receive(1e300) == Found()


def test_a_launch_that_is_waited_for_in_slices_is_waited_for_as_long(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gillab.launch.launch._LONGEST_WAIT_S", 0.01)
    monkeypatch.syspath_prepend(str(tmp_path))
    (tmp_path / "slow_to_import.py").write_text("import time\ntime.sleep(3600)\n")
    with Launch() as launch:
        launch.await_start(300.0)  # which takes longer than a slice
        launch.send(FindFunctions(("json:dumps", "slow_to_import:f")))
        assert launch.receive(300.0) == Found()
        for timeout_s in (0.1, 0.0, -1.0):
            with pytest.raises(TimeoutError):
                launch.receive(timeout_s)
    with pytest.raises(LaunchEndedError):
        launch.receive(300.0)


def test_ctrl_c_while_a_launch_is_being_made_ends_it(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[subprocess.Popen[bytes]] = []

    class Popen(subprocess.Popen[bytes]):
        def __init__(self, *args: Any, **named: Any) -> None:
            super().__init__(*args, **named)
            made.append(self)

    def interrupt(**named: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("gillab.launch.launch.subprocess.Popen", Popen)
    monkeypatch.setattr("gillab.launch.launch.threading.Thread", interrupt)
    with pytest.raises(KeyboardInterrupt):
        Launch()
    (process,) = made
    assert process.poll() is not None
    for pipe in (process.stdout, process.stderr):  # there are no threads to close them
        assert pipe is not None
        pipe.close()


def test_a_launch_that_is_told_to_end_may_do_so_by_itself(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So it waits for its own workers, and multiprocessing removes what it has made."""
    monkeypatch.setattr("gillab.launch.launch._POLITE_S", 300.0)
    monkeypatch.syspath_prepend(str(tmp_path))
    (tmp_path / "ends_gently.py").write_text(
        "from pathlib import Path\n"
        "from gillab.launch.child import run_child\n"
        "from gillab.launch.messages import End\n"
        "def serve(pipes):\n"
        "    assert pipes.read() == End()\n"
        f"    Path({str(tmp_path / 'ended')!r}).touch()\n"
        "run_child(serve)\n"
    )
    with Launch("ends_gently") as launch:
        launch.await_start(300.0)
    assert (tmp_path / "ended").exists()
    with pytest.raises(LaunchEndedError, match="ended with exit code 0"):
        launch.receive(300.0)


def test_a_launch_starts_with_the_variables_that_hold_libraries_to_so_many_threads(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Some libraries read them when they are loaded, and can be asked for less no more."""
    assert limit_by_environment(None) == {}
    variables = limit_by_environment(2)
    assert {"OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"} <= variables.keys()
    monkeypatch.setenv("OMP_NUM_THREADS", "64")
    monkeypatch.syspath_prepend(str(tmp_path))
    (tmp_path / "asks_for_two.py").write_text(
        "import os\nif os.environ['OMP_NUM_THREADS'] == '2':\n    def f(): pass\n"
    )
    for environment, reason in ((variables, None), ({}, "asks_for_two:f: there is no 'f'.")):
        with Launch(environment=environment) as launch:
            launch.await_start(300.0)
            launch.send(FindFunctions(("asks_for_two:f",)))
            assert launch.receive(300.0) == Found(reason)
    assert os.environ["OMP_NUM_THREADS"] == "64"


def test_functions_are_looked_for_where_they_will_be_called() -> None:
    found = [Workload("json:dumps", "function"), Workload("nothing of the kind", "statement")]
    check_functions(found, 300.0)
    with pytest.raises(UsageError, match="json:dmups: there is no 'dmups'; did you mean dumps"):
        check_functions([*found, Workload("json:dmups", "function")], 300.0)


def test_what_a_module_raises_is_left_for_the_measuring_to_report(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(str(tmp_path))
    (tmp_path / "raises_on_import.py").write_text("raise SystemExit(3)\n")
    check_functions([Workload("raises_on_import:f", "function")], 300.0)


# What a daemon does to the descriptors it inherited, then opens files of its own.
CLOSE = """
import os
os.closerange(3, {end})
files = [open(os.path.join({folder!r}, str(number)), "wb") for number in range({count})]
"""


def close_and_open(folder: Path, end: int, count: int) -> Finding:
    """Check a call whose setup does so; nothing but what it writes may be in its files."""
    setup = CLOSE.format(folder=str(folder), end=end, count=count)
    result = check("sum(range(99))", setup=setup, time_s=0.05, scaling=False)
    files = list(folder.iterdir())
    assert len(files) == count
    assert {file.read_bytes() for file in files} == {b""}
    (cell,) = result.cells
    return cell


@needs_meter
@posix
def test_a_workload_that_closes_what_it_inherited_is_measured(tmp_path: Path) -> None:
    assert close_and_open(tmp_path, 64, 20).status == "ok"


@needs_meter
@posix
@pytest.mark.parametrize("count", [1, 220], ids=["closed", "taken"])
def test_nothing_is_written_to_a_workloads_own_files(tmp_path: Path, count: int) -> None:
    cell = close_and_open(tmp_path, 4096, count)
    assert cell.status == "failed"
    assert "the workload closed the pipes between gillab and its process" in (cell.reason or "")


@needs_meter
@posix
def test_few_descriptors_are_enough_for_a_launch() -> None:
    import resource

    script = (
        "from gillab.check import check; "
        "print(check('held', time_s=0.05, scaling=False).cells[0].status)"
    )
    child = subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True, text=True, timeout=300, check=True,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64)),
    )  # fmt: skip
    assert child.stdout == "ok\n", child.stderr
