"""A workload that misbehaves spoils its own cell and nothing else."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import sysconfig
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from compare_run import (
    BRIEF,
    LIMIT_S,
    PATIENTLY,
    Compare,
    Run,
    find_marked,
    run_compare,
    wait_until,
)
from long_tests import in_long, only_long

from gillab.compare import main

STRATEGIES = ("serial", "threads", "processes", "interpreters")
HEALTHY = "sum(range(1000))"
QUICK = (*BRIEF, "--task-time", "2ms")
posix = pytest.mark.skipif(sys.platform == "win32", reason="signals and limits are POSIX's")
needs_proc = pytest.mark.skipif(not os.path.exists("/proc/self/environ"), reason="looks in /proc")


def assert_whole(run: Run, *healthy: str) -> None:
    """Exit code 1, a whole file, and every cell of the healthy workloads measured."""
    assert run.code == 1, run.err
    assert run.data is not None
    assert run.data["partial"] is False
    for workload in healthy:
        for strategy in ("serial", "threads", "processes"):
            cell = run.cell(workload, strategy)
            assert (cell["status"], cell["blocks"]) == ("ok", 1), cell


# What a task does without harm to its process.

RAISING = {
    "raises": "ValueError: no luck",
    "raises_on_fifth_call": "ValueError: no more",
    "raises_unpicklable": "UnpicklableError: 1 and 2",
    "exits": "it called sys.exit('enough')",
    "asks_for_input": "EOFError: EOF when reading a line",
}
HARMLESS = {
    "prints_megabytes": "prints much to standard error",
    "reads_input": None,
    "changes_folder": "changes the working directory",
    "removes_folder": "changes the working directory",
    "starts_threads": "leaves threads of its own running",
    "returns_unpicklable": None,
    "leaves_zombies": "leaves child processes that it never waits for",
}


@pytest.fixture(scope="module")
def mixed(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """One run of every workload that raises or is merely strange, and of a healthy one."""
    functions = [f"faulty:{name}" for name in (*RAISING, *HARMLESS)]
    folder = tmp_path_factory.mktemp("mixed")
    with Compare(folder, *functions, HEALTHY, "-n", "5", *QUICK, stdin=subprocess.PIPE) as compare:
        return compare.finish()


@pytest.mark.parametrize("name", RAISING)
def test_what_raises_is_quoted_in_every_cell(mixed: Run, name: str) -> None:
    for strategy in STRATEGIES:
        cell = mixed.cell(f"faulty:{name}", strategy)
        if cell["status"] != "unavailable":
            assert (cell["status"], cell["reason"]) == ("failed", RAISING[name])


@pytest.mark.parametrize("name", HARMLESS)
def test_what_is_merely_strange_is_measured_and_noted(mixed: Run, name: str) -> None:
    if name == "leaves_zombies" and not os.path.exists("/proc/self/task"):
        pytest.skip("zombies are seen in /proc alone")
    assert_whole(mixed, f"faulty:{name}")
    note = HARMLESS[name]
    assert mixed.cell(f"faulty:{name}", "serial")["notes"] == ([note] if note else [])


def test_other_workloads_are_measured_all_the_same(mixed: Run) -> None:
    assert_whole(mixed, HEALTHY)


# What ends the process that it runs in.

DEADLY = {
    "ends_process": "ended with exit code 3",
    "crashes": "was killed by SIG",
    "is_killed": "was killed by SIGKILL (by the out-of-memory killer, perhaps)",
}


@pytest.fixture(scope="module")
def deadly(tmp_path_factory: pytest.TempPathFactory) -> Run:
    functions = [f"faulty:{name}" for name in DEADLY]
    folder = tmp_path_factory.mktemp("deadly")
    return run_compare(folder, *functions, HEALTHY, "-n", "1", *QUICK)


@posix
@pytest.mark.parametrize("name", DEADLY)
def test_the_death_of_a_process_is_told_by_its_cause(deadly: Run, name: str) -> None:
    for strategy in STRATEGIES:
        cell = deadly.cell(f"faulty:{name}", strategy)
        if cell["status"] != "unavailable":
            whose = "a worker process" if strategy == "processes" else "its process"
            assert cell["status"] == "failed"
            assert cell["reason"].startswith(f"{whose} {DEADLY[name]}")
    assert_whole(deadly, HEALTHY)


@posix
@pytest.mark.parametrize(
    "strategy",
    [
        "serial",
        in_long("threads"),
        "processes",
        pytest.param(
            "interpreters",
            marks=pytest.mark.skipif(sys.version_info < (3, 14), reason="needs Python 3.14"),
        ),
    ],
)
def test_a_crash_under_one_strategy_leaves_the_others(tmp_path: Path, strategy: str) -> None:
    """Calibrated as by default: where serial crashes, another strategy is asked."""
    workload = "faulty:fails_in"
    run = run_compare(tmp_path, workload, "--args", f"('{strategy}', 'is_killed')", *QUICK)
    assert_whole(run)
    for other in STRATEGIES:
        cell = run.cell(workload, other)
        if cell["status"] != "unavailable":
            assert cell["status"] == ("failed" if other == strategy else "ok"), cell
            assert (cell["blocks"] == 1) == (other != strategy)


@only_long
def test_what_never_returns_is_given_up(tmp_path: Path) -> None:
    hanging = "faulty:hangs_in_threads"
    options = ("-n", "1", "--strategies", "threads,processes", *QUICK)
    # Whatever the timeout, a machine can be too slow for it: where it took a healthy arm for one
    # that hangs, the next is far longer.
    for timeout in ("5 s", "20 s", "60 s", "200 s"):
        late = ("failed", f"did not return within {timeout} (--timeout)")
        run = run_compare(
            tmp_path, hanging, HEALTHY, *options, "--timeout", timeout.replace(" ", "")
        )
        assert run.data is not None, run.err
        given_up = [
            (cell["workload"], cell["strategy"])
            for cell in run.data["cells"]
            if (cell["status"], cell["reason"]) == late
        ]
        sound = [cell for cell in run.data["cells"] if cell["status"] == "ok"]
        if given_up == [(hanging, "threads")] and len(sound) == len(run.data["cells"]) - 1:
            break
    assert given_up == [(hanging, "threads")]
    assert_whole(run, HEALTHY)
    assert run.cell(hanging, "serial")["status"] == "ok"
    assert run.cell(hanging, "processes")["status"] == "ok"


@pytest.fixture(scope="module")
def module_that_needs_the_gil(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Compile a C extension that does not say that it does without the GIL."""
    folder = tmp_path_factory.mktemp("extension")
    source = folder / "needsgil.c"
    source.write_text(
        "#include <Python.h>\n"
        "static PyModuleDef_Slot slots[] = {{0, NULL}};\n"
        "static struct PyModuleDef module = {\n"
        '    PyModuleDef_HEAD_INIT, .m_name = "needsgil", .m_slots = slots};\n'
        "PyMODINIT_FUNC PyInit_needsgil(void) { return PyModuleDef_Init(&module); }\n"
    )
    target = folder / f"needsgil{sysconfig.get_config_var('EXT_SUFFIX')}"
    include = sysconfig.get_path("include")
    subprocess.run(
        ["cc", "-shared", "-fPIC", f"-I{include}", str(source), "-o", str(target)], check=True
    )
    return folder


@pytest.mark.skipif(
    not sysconfig.get_config_var("Py_GIL_DISABLED"), reason="needs a free-threaded build"
)
def test_what_turns_the_gil_back_on_is_named(
    tmp_path: Path, module_that_needs_the_gil: Path
) -> None:
    workload = "needsgil.__name__"
    setup = f"import sys; sys.path.insert(0, {str(module_that_needs_the_gil)!r}); import needsgil"
    run = run_compare(tmp_path, "-s", setup, workload, "-n", "100", *QUICK)
    assert_whole(run)
    threads = run.cell(workload, "threads")
    assert threads["status"] == "failed"
    assert "turned the GIL back on" in threads["reason"]
    assert "needsgil" in threads["reason"]
    named = "turns the GIL back on, to load module needsgil"
    assert run.cell(workload, "serial")["notes"] == [named]
    assert run.cell(workload, "processes")["status"] == "ok"


# How a run is ended from outside.

TRACING = "open('trace', 'a').write('x')"
LONG = (
    "-q",
    "-n",
    "1",
    "-j",
    "2",
    "--max-blocks",
    "100000",
    *PATIENTLY,
    "--target-error",
    "1e-9",
)
BOUND_S = 120.0
"""Two seconds are the goal; a loaded machine may take its time."""


def wait_for_blocks(folder: Path) -> None:
    """Wait until the workload was run so often that some blocks have ended."""
    trace = folder / "trace"
    assert wait_until(lambda: trace.exists() and trace.stat().st_size > 60)


def assert_saved_as_partial(run: Run) -> None:
    assert run.code == 130, run.err
    assert run.data is not None
    assert run.data["partial"] is True
    assert run.data["blocks"]
    assert run.out.strip(), "nothing was shown"
    assert "Traceback" not in run.err


@posix
@needs_proc
@pytest.mark.parametrize("number", [in_long(signal.SIGINT), signal.SIGTERM])
def test_a_signal_ends_the_run_and_keeps_what_was_measured(
    tmp_path: Path, number: signal.Signals
) -> None:
    with Compare(tmp_path, TRACING, *LONG) as compare:
        wait_for_blocks(tmp_path)
        sent = time.monotonic()
        compare.process.send_signal(number)
        run = compare.finish()
        took_s = time.monotonic() - sent
        print(f"{number.name}: ended after {took_s:.2f} s")
        assert_saved_as_partial(run)
        assert took_s < BOUND_S
        assert wait_until(lambda: not find_marked(compare.mark), BOUND_S)


@posix
@needs_proc
def test_ctrl_c_in_a_terminal_ends_the_run_and_keeps_what_was_measured(tmp_path: Path) -> None:
    import pty

    main, terminal = pty.openpty()
    with (
        os.fdopen(main, "wb", buffering=0) as keyboard,
        Compare(
            tmp_path,
            TRACING,
            *LONG,
            stdin=terminal,
            start_new_session=True,
            preexec_fn=_take_terminal,
        ) as compare,
    ):
        os.close(terminal)
        wait_for_blocks(tmp_path)
        keyboard.write(b"\x03")
        run = compare.finish()
        assert_saved_as_partial(run)
        assert wait_until(lambda: not find_marked(compare.mark), BOUND_S)


def _take_terminal() -> None:
    import fcntl
    import termios

    fcntl.ioctl(0, termios.TIOCSCTTY, 0)


@posix
@needs_proc
@pytest.mark.parametrize("workload", ["faulty:hangs", "faulty:hangs_with_gil"])
def test_a_launch_goes_with_a_parent_that_is_killed(tmp_path: Path, workload: str) -> None:
    with Compare(tmp_path, workload, *LONG) as compare:
        assert wait_until((tmp_path / "hanging").exists)
        assert len(find_marked(compare.mark)) > 1
        compare.process.kill()
        compare.process.wait()
        assert wait_until(lambda: not find_marked(compare.mark), BOUND_S)
    assert not compare.file.exists()


@posix
def test_a_launch_goes_with_its_parent_though_commands_lie_unread() -> None:
    """What came down the pipe last is not for the guard, and must not hide the pipe's end."""
    script = (
        "import time; from gillab.launch.process_group import guard_group; guard_group(0); "
        "print('guarded', flush=True); time.sleep(3600)"
    )
    with subprocess.Popen(
        [sys.executable, "-c", script],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        start_new_session=True,
    ) as launch:
        try:
            assert launch.stdin is not None
            assert launch.stdout is not None
            assert launch.stdout.readline() == b"guarded\n"
            launch.stdin.write(b'{"order": []}\n' * 3)
            launch.stdin.flush()
            with pytest.raises(subprocess.TimeoutExpired):
                launch.wait(0.1)  # commands alone end nothing
            launch.stdin.close()  # as the system does for a parent that is killed
            assert launch.wait(BOUND_S) == -signal.SIGTERM
            assert launch.stdout.read() == b"", "the guard too has let go of it"
        finally:
            launch.kill()


@posix
@pytest.mark.skipif(not os.path.isdir("/dev/shm"), reason="named semaphores are seen in /dev/shm")
def test_no_semaphore_is_left_in_the_system(tmp_path: Path) -> None:
    workload = "faulty:waits_in_processes"
    options = ("-n", "1", "--strategies", "plugged:MARKED", *QUICK)
    found: list[str] = []
    with Compare(tmp_path, workload, *options) as compare:

        def look() -> bool:
            found.extend(find_semaphores(compare.mark))
            return bool(found) or compare.has_ended()

        assert wait_until(look)
        assert found, "the pool's semaphores were seen while it ran"
        (tmp_path / "seen").touch()
        run = compare.finish()
        assert run.cell(workload, "plugged:MARKED")["status"] == "ok"
        assert wait_until(lambda: not find_semaphores(compare.mark), BOUND_S)


@posix
@needs_proc
@pytest.mark.parametrize("start_method", [in_long("forkserver"), "spawn"])
@pytest.mark.parametrize(
    "end",
    [
        "itself",
        "it is killed",
        *map(in_long, ("Ctrl-C", "its launch is killed")),
    ],
)
def test_nothing_is_left_in_the_temporary_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, start_method: str, end: str
) -> None:
    # Not in that of the test, whose name may be too long for a socket's.
    folder = tempfile.TemporaryDirectory()
    temporary = Path(folder.name)
    monkeypatch.setenv("TMPDIR", folder.name)
    options = ("-n", "1", "--strategies", "processes", "--start-method", start_method, *QUICK)
    with folder, Compare(tmp_path, "faulty:makes_a_socket_and_waits", *options) as compare:
        assert wait_until((tmp_path / "waiting").exists)
        assert list(temporary.iterdir()), "while it ran there was something"
        if end == "itself":
            (tmp_path / "seen").touch()
        elif end == "Ctrl-C":
            compare.process.send_signal(signal.SIGINT)
        elif end == "it is killed":
            compare.process.kill()
        else:
            os.kill(int((tmp_path / "waiting").read_text()), signal.SIGKILL)
            (tmp_path / "seen").touch()
        compare.process.communicate(timeout=LIMIT_S)
        if end == "it is killed":  # its launch sees that and ends, a little later
            assert wait_until(lambda: not find_marked(compare.mark), BOUND_S)
        assert list(temporary.iterdir()) == []


def find_semaphores(mark: str) -> list[str]:
    return [name for name in os.listdir("/dev/shm") if mark in name]


# Files that cannot be written.


def limit_files(size: int) -> Any:
    """Return what lets a child write files of that many bytes at most, as a full disk would."""
    import resource

    return lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))


@posix
def test_a_disk_that_fills_up_is_said_and_leaves_no_half_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    run = run_compare(tmp_path, HEALTHY, "-n", "10", *QUICK, preexec_fn=limit_files(4500))
    assert run.code == 1
    assert run.data is None
    assert run.out.strip(), "what was measured is shown even so"
    assert "could not be written (File too large), nor could a copy be saved" in run.err
    assert list(tmp_path.iterdir()) == []


@posix
@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="there is no /dev/full")
def test_what_could_not_be_written_is_saved_elsewhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    run = run_compare(tmp_path, HEALTHY, "-n", "10", "--export-json", "/dev/full", *QUICK)
    assert run.code == 1
    assert "/dev/full could not be written (No space left on device); it was saved as" in run.err
    (saved,) = tmp_path.glob("gillab-*/full")
    assert saved.read_text().endswith("}\n")


@pytest.fixture
def unwritable(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "locked"
    folder.mkdir()
    folder.chmod(0o500)
    if os.access(folder, os.W_OK):  # root may write anywhere but here
        folder.rmdir()
        folder = Path("/proc/self")
        if not folder.exists():
            pytest.skip("every folder is writable")
    yield folder
    if folder.parent == tmp_path:
        folder.chmod(0o700)


def assert_refused(run: Run, sentence: str) -> None:
    """Exit code 2 and one sentence, before anything was measured."""
    assert run.data is None
    assert_one_sentence(run.code, run.out, run.err, sentence)


def assert_one_sentence(code: int, out: str, err: str, sentence: str) -> None:
    assert code == 2, err
    assert sentence in err
    assert err.count("\n") == 1, err
    assert out == ""


@posix
def test_a_full_disk_is_said_before_measuring(tmp_path: Path) -> None:
    run = run_compare(tmp_path, HEALTHY, *QUICK, preexec_fn=limit_files(1000))
    assert_refused(run, "run.json cannot be written (File too large); name another file.")
    assert list(tmp_path.iterdir()) == []


def test_a_path_that_cannot_be_written_is_said_before_measuring(
    tmp_path: Path, unwritable: Path
) -> None:
    for path, sentence in (
        (unwritable / "out.csv", "cannot be written"),
        (tmp_path / "missing" / "out.csv", "cannot be written (No such file or directory)"),
        (tmp_path, "is a folder; name a file in it."),
    ):
        assert_refused(run_compare(tmp_path, HEALTHY, "--export-csv", str(path)), sentence)


# Usage.


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["nogli"], "did you mean nogil"),
        (["jsno:dumps"], "there is no module 'jsno' on the path of this Python; did you mean json"),
        (["json:dmups"], "json:dmups: there is no 'dmups'; did you mean dumps"),
        (["json:__doc__"], "json:__doc__ is str, which cannot be called."),
        (["asyncio:sleep", "--args", "0"], "asyncio:sleep is a coroutine function, and calling"),
        (["json:dumps", "--args", "(1,"], "--args is not valid Python"),
        (["nogil", "--args", "1"], "--args goes with package.module:function"),
        (["pass", "-s", "x ="], "the setup is not valid Python"),
        (["a b c"], "the workload is not valid Python"),
        ([" "], "the workload is empty"),
        (["nogil", "nogil"], "countdown_nogil is named twice; name it once."),
        (["nogil", "-j", "two"], "'two' is no whole number from 1 on"),
        (["nogil", "-j", "0"], "'0' is no whole number from 1 on"),
        (["nogil", "-n", "1.5"], "'1.5' is no whole number from 1 on"),
        (["nogil", "--task-time", "soon"], "'soon' is no duration; write 20ms, 1.5s or 2min"),
        (["nogil", "--timeout", "0s"], "'0s' is no duration above zero"),
        (["nogil", "--confidence", "95"], "'95' is no fraction between 0 and 1"),
        (["nogil", "--strategies", "treads"], "no strategy 'treads'; did you mean threads?"),
        (["nogil", "--strategies", "no_such:thing"], "cannot be loaded: ModuleNotFoundError"),
        (["nogil", "--strategies", "json:dumps"], "json:dumps is no gillab.strategies.Strategy."),
        (["nogil", "--start-method", "teleport"], "invalid choice: 'teleport'"),
        (["nogil", "--min-blocks", "9", "--max-blocks", "3"], "--min-blocks 9 is more than"),
        (["nogil", "--fast", "--rigorous"], "not allowed with argument"),
        (
            ["nogil", "--export-csv", "run.json", *QUICK],
            "--export-json and --export-csv name the same file",
        ),
        (["nogil", "--export-yaml", "x"], "unrecognized arguments: --export-yaml"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_a_mistake_in_usage_is_one_sentence(
    arguments: list[str],
    sentence: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    try:
        code = main(["--export-json", "run.json", *arguments])
    except SystemExit as end:  # argparse's
        code = int(str(end.code))
    assert_one_sentence(code, *capfd.readouterr(), sentence)
    assert list(tmp_path.iterdir()) == []
