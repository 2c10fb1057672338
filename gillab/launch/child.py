"""Runs in every launch: takes over its parent's import paths, then does what it is asked to.

``python -m gillab.launch.child`` looks for functions. Other packages have a main of their own that
calls `run_child`. Each line of standard input and output is one message. The workload itself sees
an empty standard input, and its standard output is discarded.
"""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Callable
from contextlib import suppress
from functools import partial

from gillab.errors import UsageError
from gillab.launch.messages import FindFunctions, Found, Imports, ListImports, Paths, Started
from gillab.launch.pipes import ParentPipes
from gillab.launch.process_group import guard_group
from gillab.launch.temporary import adopt_folder
from gillab.workload import Workload, find_function, prepare


def run_child(serve: Callable[[ParentPipes], None]) -> None:
    """Obey the parent, with ``serve``, until it closes the pipe; then end the process."""
    code = 1
    try:
        pipes = ParentPipes()
        guard_group(pipes.descriptors[0], adopt_folder())
        paths = pipes.read()
        assert isinstance(paths, Paths)
        others = [] if paths.whole else [each for each in sys.path if each not in paths.path]
        sys.path[:] = dict.fromkeys([*paths.path, *others, *paths.last])
        os.environ.pop("PYTHONPATH", None)
        if paths.pythonpath is not None:
            os.environ["PYTHONPATH"] = paths.pythonpath
        pipes.say(Started())
        serve(pipes)
        _end_helpers()
        code = 0
    except BaseException:
        traceback.print_exc()
    # Threads or exit handlers that the workload left must not keep the launch alive.
    sys.stderr.flush()
    os._exit(code)


def _end_helpers() -> None:
    """Have multiprocessing end its own processes and remove its folder of temporary files.

    It does so at the interpreter's exit, which `run_child` does not wait for.
    """
    if "multiprocessing.util" in sys.modules:
        for name in ("forkserver", "resource_tracker"):
            helper = getattr(sys.modules.get(f"multiprocessing.{name}"), f"_{name}", None)
            with suppress(Exception):
                helper._stop()  # type: ignore[union-attr]
        sys.modules["multiprocessing.util"]._exit_function()


def look(pipes: ParentPipes) -> None:
    """Say whether functions exist, or what a workload imports."""
    asked = pipes.read()
    if isinstance(asked, ListImports):
        pipes.say(_list_imports(asked.workload))
        return
    assert isinstance(asked, FindFunctions)
    for name in asked.names:
        pipes.say(Found(_explain(partial(find_function, name))))


def _explain(attempt: Callable[[], object]) -> str | None:
    """Return why what was asked for does not exist; measuring it will show what else it raises."""
    try:
        attempt()
    except UsageError as error:
        return str(error)
    except BaseException:
        traceback.print_exc()
    return None


def _list_imports(workload: Workload) -> Imports:
    before = set(sys.modules)
    # Some modules are imported by the first call alone.
    reason = _explain(lambda: prepare(workload)(1))
    files = {
        name: os.path.realpath(file)
        for name, module in list(sys.modules.items())
        if name not in before and isinstance(file := getattr(module, "__file__", None), str)
    }
    return Imports(files, reason)


if __name__ == "__main__":
    run_child(look)
