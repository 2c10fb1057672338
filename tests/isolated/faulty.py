"""Workloads that misbehave, each in the one way that its name says."""

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

calls: list[int] = []
kept: list[object] = []


def raises() -> None:
    raise ValueError("no luck")


def raises_on_fifth_call() -> None:
    calls.append(1)
    if len(calls) >= 5:
        raise ValueError("no more")


class UnpicklableError(Exception):
    """Pickles, but takes more arguments than it passes on."""

    def __init__(self, one: int, two: int) -> None:
        super().__init__(f"{one} and {two}")


def raises_unpicklable() -> None:
    raise UnpicklableError(1, 2)


def exits() -> None:
    sys.exit("enough")


def ends_process() -> None:
    os._exit(3)


def crashes() -> None:
    import ctypes

    ctypes.string_at(0)


def is_killed() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def hangs() -> None:
    Path("hanging").touch()
    time.sleep(3600)


def hangs_with_gil() -> None:
    import ctypes  # what it calls keeps the GIL, and here leaves the processor to others

    windows = sys.platform == "win32"
    hold = ctypes.PyDLL("kernel32").Sleep if windows else ctypes.PyDLL(None).sleep
    Path("hanging").touch()
    hold(3_600_000 if windows else 3600)


def prints_megabytes() -> None:
    for stream in (sys.stdout, sys.stderr):
        stream.write("word " * 200_000 + "\n")
    os.write(1, b"word " * 200_000)


def reads_input() -> str:
    return sys.stdin.read()


def asks_for_input() -> str:
    return input("name? ")


def changes_folder() -> None:
    os.chdir(os.path.dirname(__file__))


def removes_folder() -> None:
    import tempfile

    folder = tempfile.mkdtemp()
    os.chdir(folder)
    os.rmdir(folder)


def starts_threads() -> None:
    for daemon in (True, False):
        threading.Thread(target=time.sleep, args=(3600,), daemon=daemon).start()


def returns_unpicklable() -> object:
    return threading.Lock()


def leaves_zombies() -> None:
    process = subprocess.Popen([sys.executable, "-S", "-c", ""], stdout=subprocess.PIPE)
    assert process.stdout is not None
    process.stdout.read()  # ended, but for the waiting
    kept.append(process)


def _is_subinterpreter() -> bool:
    if sys.version_info >= (3, 14):
        from concurrent import interpreters

        return interpreters.get_current() != interpreters.get_main()
    return False


# Asked on import, by one thread alone: without the GIL, two at once fail in the library.
IN_SUBINTERPRETER = _is_subinterpreter()


def _where() -> str:
    """Name the strategy whose worker this is."""
    if IN_SUBINTERPRETER:
        return "interpreters"
    import multiprocessing

    if multiprocessing.parent_process() is not None:
        return "processes"
    return "serial" if threading.current_thread() is threading.main_thread() else "threads"


def fails_in(strategy: str, how: str) -> None:
    """Misbehave like another function of this module, under one strategy alone."""
    if _where() == strategy:
        globals()[how]()


def waits_in_processes() -> None:
    """In a worker process, return once somebody has seen that it is there."""
    while _where() == "processes" and not os.path.exists("seen"):
        time.sleep(0.01)


def makes_a_socket_and_waits() -> None:
    """In a worker process, leave a socket where ``multiprocessing`` does; then wait to be seen.

    The file ``waiting`` tells the launch's process.
    """
    if _where() == "processes":
        from multiprocessing.connection import Listener

        kept.append(Listener(family="AF_UNIX"))
        own = Path(f"waiting.{os.getpid()}")
        own.write_text(str(os.getpgrp()))
        own.replace("waiting")
        waits_in_processes()


def hangs_in_threads() -> None:
    fails_in("threads", "hangs_with_gil")
