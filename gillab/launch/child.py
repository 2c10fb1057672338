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

from gillab.errors import UsageError
from gillab.launch.messages import FindFunctions, Found, Paths, Started
from gillab.launch.pipes import ParentPipes
from gillab.launch.process_group import guard_group
from gillab.launch.temporary import adopt_folder
from gillab.workload import find_function


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


def look_for_functions(pipes: ParentPipes) -> None:
    """Say for each function whether it exists; measuring it will show what its module raises."""
    asked = pipes.read()
    assert isinstance(asked, FindFunctions)
    for name in asked.names:
        reason = None
        try:
            find_function(name)
        except UsageError as error:
            reason = str(error)
        except BaseException:
            traceback.print_exc()
        pipes.say(Found(reason))


if __name__ == "__main__":
    run_child(look_for_functions)
