"""``python -m gillab.meter --pid``: another process, metered from outside."""

from __future__ import annotations

import ctypes
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from schema_check import check_export

from gillab.errors import UsageError
from gillab.meter import _sampler, elf, other_process
from gillab.meter.other_process import find_change, find_target, list_children
from gillab.meter.process_meter import ProcessMeter
from gillab.meter.python_names import ThreadNames
from gillab.pythons.command import find_program

HANG_S = 120
ISOLATED = Path(__file__).parent / "isolated"
READY = "print('ready', flush=True)"
ALLOW = f"import sys; sys.path[:0] = [{str(ISOLATED)!r}]; import let_be_read; "
NO_GIL = not getattr(sys, "_is_gil_enabled", lambda: True)()

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="--pid reads on Linux, so far")


@contextmanager
def started(*arguments: str, python: str = sys.executable) -> Iterator[subprocess.Popen[str]]:
    """Start a Python and wait until it says that it is ready; end it."""
    with subprocess.Popen(
        [python, *arguments], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline().strip()
            yield process
        finally:
            process.kill()


def start_code(code: str) -> Any:
    return started("-c", f"{ALLOW}{code}")


@pytest.fixture(scope="module", autouse=True)
def readable() -> None:
    """Skip where this machine lets no process read another."""
    with start_code(f"{READY}; input()") as process:
        try:
            find_target(process.pid)
        except UsageError as error:
            if "may not be read" in str(error):
                pytest.skip(f"the system refuses it here: {error}")
            raise


def ask(process: subprocess.Popen[str], question: str = "?") -> str:
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(f"{question}\n")
    process.stdin.flush()
    return process.stdout.readline()


def begin(*arguments: str, cwd: Path | None = None) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "gillab.meter", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=cwd,
    )


def end(meter: subprocess.Popen[str]) -> tuple[int, str, str]:
    try:
        out, error = meter.communicate(timeout=HANG_S)
    finally:
        meter.kill()
    return meter.returncode, out, error


def run(*arguments: str, cwd: Path | None = None) -> tuple[int, str, str]:
    return end(begin(*arguments, cwd=cwd))


def load(path: Path) -> Any:
    document = json.loads(path.read_text())
    check_export(document)
    return document


@pytest.mark.skipif(NO_GIL, reason="needs a GIL")
def test_the_shares_of_two_functions_are_those_that_the_process_tells(tmp_path: Path) -> None:
    with started(str(ISOLATED / "known_shares.py")) as process:
        ask(process)
        code, out, error = run(
            *("--pid", str(process.pid), "--seconds", "3", "--export-json", "found.json"),
            cwd=tmp_path,
        )
        short, long = map(float, ask(process).split())
    assert (code, error) == (0, "")
    assert f"of process {process.pid} on CPython" in " ".join(out.split())
    assert max(map(len, out.splitlines())) <= 80
    document = load(tmp_path / "found.json")
    held = {each["name"]: each["held"] for each in document["reading"]["functions"]}
    assert document["reading"]["held"] == pytest.approx(short + long, abs=0.1)
    assert held["hold_20"] == pytest.approx(short, abs=0.1)
    assert held["hold_60"] == pytest.approx(long, abs=0.1)
    assert document["program"][-1].endswith("known_shares.py")
    assert document["process"] == {
        "pid": process.pid,
        "end": "time",
        "free_threaded": False,
        "other_gils": 0,
        "children": [],
    }


def find_other_pythons() -> dict[str, str]:
    """Return the programs of other versions that are here and run, by version."""
    others = {}
    for minor in {11, 12, 13, 14, 15} - {sys.version_info.minor}:
        program = find_program(f"python3.{minor}")
        if program is None:
            continue
        ended = subprocess.run([program, "-c", ""], capture_output=True, check=False)
        if ended.returncode == 0:
            others[f"CPython 3.{minor}."] = program
    return others


def test_a_process_of_another_version_is_metered_too(tmp_path: Path) -> None:
    others = find_other_pythons()
    if not others:
        pytest.skip("no other version of CPython is here")
    for version, program in others.items():
        with started(str(ISOLATED / "known_shares.py"), python=program) as process:
            code, out, error = run(
                *("--pid", str(process.pid), "--seconds", "0.5", "--export-json", "x.json"),
                cwd=tmp_path,
            )
        assert (code, error) == (0, "")
        document = load(tmp_path / "x.json")
        assert f"CPython {document['python']}".startswith(version)
        if document["reading"]["gil_enabled"]:
            functions = {each["name"] for each in document["reading"]["functions"]}
            assert {"hold_20", "hold_60"} <= functions
            assert "MainThread" in out


@pytest.mark.skipif(NO_GIL, reason="needs a GIL")
def test_a_timeline_is_that_of_the_process(tmp_path: Path) -> None:
    with started(str(ISOLATED / "known_shares.py")) as process:
        code, _, error = run(
            *("--pid", str(process.pid), "--seconds", "0.5", "--interval", "10us"),
            *("--trace", "trace.json"),
            cwd=tmp_path,
        )
    assert (code, error) == (0, "")
    trace = (tmp_path / "trace.json").read_text()
    assert "hold_60" in trace
    assert json.loads(trace)["traceEvents"][0]["pid"] == process.pid


def test_a_service_is_told_which_function_holds_the_lock_most(tmp_path: Path) -> None:
    with started(str(ISOLATED / "order_service.py"), "0") as service:
        # Its port is what it said first; another connection tells it too.
        assert service.stdout is not None
        port = find_port(service.pid)
        clients = subprocess.Popen(
            [sys.executable, str(ISOLATED / "order_clients.py"), str(port), "4"],
            stdout=subprocess.PIPE,
            text=True,
        )
        try:
            code, out, error = run(
                *("--pid", str(service.pid), "--seconds", "2", "--export-json", "found.json"),
                cwd=tmp_path,
            )
        finally:
            orders = clients.communicate(timeout=HANG_S)[0]
    assert (code, error) == (0, "")
    assert not orders.startswith("0")
    if NO_GIL:
        assert "there is none" in out
        return
    functions = load(tmp_path / "found.json")["reading"]["functions"]
    assert (functions[0]["thread"], functions[0]["name"]) == (
        "MainThread",
        "JSONDecoder.raw_decode",
    )
    assert "raw_decode" in out


def find_port(pid: int) -> int:
    """Return the port on which a process listens."""
    inodes = {
        os.readlink(f"/proc/{pid}/fd/{number}")[8:-1]
        for number in os.listdir(f"/proc/{pid}/fd")
        if os.readlink(f"/proc/{pid}/fd/{number}").startswith("socket:[")
    }
    rows = [row.split() for row in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    return next(
        int(row[1].split(":")[1], 16) for row in rows if row[3] == "0A" and row[9] in inodes
    )


def test_a_process_that_ends_is_reported_until_then(tmp_path: Path) -> None:
    with start_code(f"{READY}; input()") as process:
        meter = begin(
            "--pid", str(process.pid), "--seconds", "inf", "--export-json", "x.json", cwd=tmp_path
        )
        wait_until_sampled(meter)
        ask(process)
        process.wait(HANG_S)
        code, out, error = end(meter)
    assert (code, error) == (0, "")
    assert "the process ended then, and the measurement with it" in out
    assert load(tmp_path / "x.json")["process"]["end"] == "ended"


def wait_until_sampled(meter: subprocess.Popen[str]) -> None:
    """Wait for the sampling thread, which has a name."""
    give_up = time.monotonic() + HANG_S
    while time.monotonic() < give_up and meter.poll() is None:
        tasks = Path(f"/proc/{meter.pid}/task")
        if any("gillab-meter" in (task / "comm").read_text() for task in tasks.iterdir()):
            return
        time.sleep(0.02)
    pytest.fail("the meter never began")


def test_a_process_that_becomes_another_program_is_metered_until_then(tmp_path: Path) -> None:
    again = f"import os; os.execv({sys.executable!r}, ['python', '-c', 'input(); input()'])"
    with start_code(f"{READY}; input(); {again}") as process:
        meter = begin(
            "--pid", str(process.pid), "--seconds", "inf", "--export-json", "x.json", cwd=tmp_path
        )
        wait_until_sampled(meter)
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
        code, out, error = end(meter)
    assert (code, error) == (0, "")
    assert "became another program" in out
    assert load(tmp_path / "x.json")["process"]["end"] == "replaced"


@pytest.mark.parametrize(("seconds", "expected"), [("inf", 0), ("1000", 130)])
def test_ctrl_c_ends_the_measurement_and_reports(
    tmp_path: Path, seconds: str, expected: int
) -> None:
    with start_code(f"{READY}; input()") as process:
        meter = begin(
            *("--pid", str(process.pid), "--seconds", seconds, "--budget", "1%"),
            *("--export-json", "x.json"),
            cwd=tmp_path,
        )
        wait_until_sampled(meter)
        meter.send_signal(signal.SIGINT)
        code, out, error = end(meter)
    assert (code, error) == (expected, "")
    assert out.startswith(("GIL", "Threads"))
    assert load(tmp_path / "x.json")["process"]["end"] == "interrupted"


def test_an_output_that_is_full_is_told_and_one_that_nobody_reads_is_not() -> None:
    with start_code(f"{READY}; input()") as process:
        command = [sys.executable, "-m", "gillab.meter", "--pid", str(process.pid)]
        command += ["--seconds", "0.1"]
        with open("/dev/full", "w") as full:
            told = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, check=False)
        reader, writer = os.pipe()
        os.close(reader)
        silent = subprocess.run(command, stdout=writer, stderr=subprocess.PIPE, check=False)
        os.close(writer)
    assert (told.returncode, silent.returncode, silent.stderr) == (1, 1, b"")
    assert b"standard output could not be written: No space left" in told.stderr


def test_children_are_named_and_not_looked_at() -> None:
    child = "import subprocess, sys; p = subprocess.Popen(['sleep', '1000']); "
    with start_code(f"{child}{READY}; input(); p.kill(); p.wait(); {READY}") as process:
        code, out, _ = run("--pid", str(process.pid), "--seconds", "0.1")
        ((number, name),) = list_children(process.pid)
        ask(process)
    assert (code, name) == (0, "sleep")
    assert f"not looked at: its child process {number} (sleep)" in " ".join(out.split())


@pytest.mark.skipif(sys.version_info < (3, 12), reason="one GIL for all before 3.12")
def test_interpreters_with_other_locks_are_counted() -> None:
    module = "_interpreters" if sys.version_info >= (3, 13) else "_xxsubinterpreters"
    with start_code(f"import {module} as i; n = i.create(); {READY}; input()") as process:
        _, out, _ = run("--pid", str(process.pid), "--seconds", "0.1")
        assert find_target(process.pid).other_gils == 1
    assert "not looked at: one interpreter in it with a GIL of its own" in out


def test_the_version_is_that_of_the_process() -> None:
    with start_code(f"{READY}; input()") as process:
        target = find_target(process.pid)
        assert target.python == "CPython " + sys.version.split()[0].rstrip("+")
        assert target.command[0] == sys.executable
        assert target.own_pid == process.pid
        assert target.same_libc
        assert find_change(target) is None
    assert find_change(target) == "ended"


def test_a_program_is_refused_that_is_no_python() -> None:
    with subprocess.Popen(["sleep", "1000"]) as stranger:
        try:
            code, out, error = run("--pid", str(stranger.pid))
        finally:
            stranger.kill()
    assert (code, out) == (2, "")
    assert "runs no CPython that this meter knows" in error
    assert error.count("\n") == 1


def test_a_process_that_starts_something_else_is_no_python() -> None:
    with subprocess.Popen(
        ["sh", "-c", "cat; true"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as shell:
        assert shell.stdin is not None
        assert shell.stdout is not None
        shell.stdin.write("\n")
        shell.stdin.flush()
        shell.stdout.readline()  # its child runs
        with pytest.raises(UsageError, match="find one with 'pgrep -af python'"):
            find_target(shell.pid)


def test_a_process_that_starts_pythons_names_them() -> None:
    with subprocess.Popen(
        ["sh", "-c", f'"$0" -c "{READY}; input()"; true', sys.executable],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as shell:
        assert shell.stdout is not None
        shell.stdout.readline()
        with pytest.raises(UsageError, match=r"give the pid of a child of it, \d+ \(python"):
            find_target(shell.pid)
        shell.communicate("\n", timeout=HANG_S)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--pid", "999999999"], "there is no process 999999999"),
        (["--pid", "0"], "is not the number of a process"),
        (["--pid", "me"], "is not the number of a process"),
        (["--pid", "1", "script.py"], "give it, or a program, not both"),
        (["--pid", "1", "--knock"], "leave it out with --pid"),
        (["--pid", "1", "--seconds", "0"], "is not a time"),
        (["--pid", "1", "--seconds", "soon"], "is not a time"),
        (["--seconds", "1", "-c", "pass"], "--seconds goes with --pid"),
    ],
)
def test_what_cannot_be_is_refused_in_one_sentence(arguments: list[str], said: str) -> None:
    code, out, error = run(*arguments)
    assert (code, out) == (2, "")
    assert said in error
    assert error.count("\n") == 1


def test_its_own_pid_and_other_systems_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UsageError, match=r"use gillab\.meter\.GilMeter in it"):
        find_target(os.getpid())
    monkeypatch.setattr(sys, "platform", "darwin")
    with pytest.raises(UsageError, match="on Linux only, so far"):
        find_target(1)


def test_a_thread_and_a_process_that_has_ended_are_refused() -> None:
    code = "import threading; t = threading.Thread(target=input); t.start(); "
    with start_code(f"{code}print(t.native_id, flush=True); t.join()") as process:
        number = max(map(int, os.listdir(f"/proc/{process.pid}/task")))
        with pytest.raises(UsageError, match=rf"give --pid {process.pid}$"):
            find_target(number)
    with subprocess.Popen(["true"]) as ended:
        os.waitid(os.P_PID, ended.pid, os.WEXITED | os.WNOWAIT)
        with pytest.raises(UsageError, match="has ended"):
            find_target(ended.pid)


@pytest.mark.parametrize(
    ("user", "scope", "said"),
    [
        (0, "0", "start the container with --cap-add SYS_PTRACE"),
        (None, "0", "so run as root"),
        (None, "1", "sudo sysctl kernel.yama.ptrace_scope=0"),
        (None, "2", "run as root, since kernel.yama.ptrace_scope is 2 here"),
        (None, "3", "until the next boot"),
        (12345, "0", "run as root or as that user"),
    ],
)
def test_a_refusal_says_what_helps(
    monkeypatch: pytest.MonkeyPatch, user: int | None, scope: str, said: str
) -> None:
    monkeypatch.setattr(other_process, "_find_owner", lambda pid: 4711)
    monkeypatch.setattr(os, "geteuid", lambda: 4711 if user is None else user)
    monkeypatch.setattr(other_process, "_read_text", lambda path: scope)
    assert said in other_process._refuse(os.getpid(), PermissionError(1, "Operation not permitted"))


def test_pypy_and_an_unknown_version_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    pypy = other_process._Image(4096, "1000-2000", ("8:1", "7"), "/usr/lib/libpypy3.11-c.so")
    with pytest.raises(UsageError, match=r"runs libpypy3\.11-c\.so, not CPython"):
        other_process._find_runtime(os.getpid(), [pypy])
    monkeypatch.setattr(other_process, "_find_runtime", lambda pid, images: (4096, 0x031000A1))
    with start_code(f"{READY}; input()") as process:
        with pytest.raises(UsageError, match=r"runs CPython 3\.16\.0a1, and this meter knows"):
            find_target(process.pid)
        monkeypatch.setattr(other_process, "_find_runtime", lambda pid, images: (4096, 0x030B0000))
        with pytest.raises(UsageError, match="cannot be read: its memory cannot be read"):
            find_target(process.pid)


def test_memory_that_is_no_lock_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    with start_code(f"{READY}; input()") as process:
        target = find_target(process.pid)
        for version in (0x030B0000, 0x030C0000, 0x030D0000):
            wrong = replace(target, runtime=target.mark & ~7, version=version)
            with pytest.raises(RuntimeError, match=r"lock|interpreter|table|memory"):
                _sampler.examine(wrong)


def test_a_meter_of_a_process_can_be_read_and_started_again() -> None:
    with started(str(ISOLATED / "known_shares.py")) as process:
        meter = ProcessMeter(find_target(process.pid), timeline=True)
        for _ in range(2):
            meter.start()
            time.sleep(0.1)
            meter.stop()
            assert not meter.gone
        assert meter.read().samples > 0
        assert meter.timeline().process == process.pid


@pytest.mark.skipif(NO_GIL, reason="read where there is a GIL")
def test_threads_have_the_names_that_the_program_gave_them() -> None:
    code = (
        "import threading as t, time\n"
        "class Named(t.Thread):\n"
        "    def run(self): vars(self); time.sleep(1000)\n"
        "for k in (t.Thread, Named): k(target=time.sleep, args=(1000,), name=f'Zwölf {k}', "
        "daemon=True).start()\n"
        "t.main_thread().name = 'boss'\n"
    )
    with start_code(f"\n{code}{READY}; input()") as process:
        names = ThreadNames(find_target(process.pid))
        found = names.read()
        assert found[process.pid] == "boss"
        assert sorted(found.values())[:2] == [
            "Zwölf <class '__main__.Named'>",
            "Zwölf <class 'threading.Thread'>",
        ]
        tasks = {int(task) for task in os.listdir(f"/proc/{process.pid}/task")}
        assert len(found) == 3
        assert found.keys() <= tasks
        ask(process)
        process.wait(HANG_S)
        assert names.read() == {}


def find_address(name: str) -> int:
    return ctypes.addressof(ctypes.c_char.in_dll(ctypes.pythonapi, name))


def test_symbols_are_found_in_memory_and_in_the_file() -> None:
    names = ("_PyRuntime", "Py_Version")
    wanted = {name: find_address(name) for name in names}
    found = []
    for image in other_process._list_images(os.getpid()):
        try:
            headers = elf.read_headers(read_own, image.base)
            in_memory = elf.find_in_memory(read_own, image.base, names)
        except (elf.NoElfError, OSError):
            continue
        if in_memory:
            bias = headers.find_bias(image.base)
            in_file = other_process._scan_file(os.getpid(), image, headers)
            found.append((in_memory, {name: value + bias for name, value in in_file.items()}))
    assert found == [(wanted, wanted)]


def read_own(address: int, size: int) -> bytes:
    return _sampler.read_process(0, address, size) if size else b""


@pytest.mark.parametrize(
    ("head", "said"),
    [(b"#!/bin/sh", "no ELF"), (b"\x7fELF\x01\x01", "32 bits"), (b"\x7fELF\x02\x02", "big-endian")],
)
def test_what_is_no_elf_of_this_machine_is_told(head: bytes, said: str) -> None:
    with pytest.raises(elf.NoElfError, match=said):
        elf.read_headers(lambda address, size: head.ljust(size, b"\0"))


def test_memory_that_is_not_there_is_an_error() -> None:
    with pytest.raises(OSError, match="cannot be read"):
        _sampler.read_process(os.getpid(), 8, 8)


@pytest.mark.skipif(not NO_GIL, reason="needs a free-threaded build that runs without the GIL")
def test_without_a_gil_it_says_which_objects_the_threads_of_a_process_fight_over() -> None:
    fight = (
        "import threading, time; lock = threading.Lock()\n"
        "def work():\n"
        "    while True:\n"
        "        with lock: time.sleep(0.003)\n"
        "for _ in range(3): threading.Thread(target=work, daemon=True).start()\n"
    )
    with start_code(f"{fight}{READY}; input()") as process:
        code, out, error = end(begin("--pid", str(process.pid), "--seconds", "1"))
    assert (code, error) == (0, "")
    assert out.startswith("Threads waited for a threading.Lock ")
    assert " work (" in out
