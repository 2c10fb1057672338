"""The program that a job is a part of: its main module, written to a file and run.

Workers that are spawned import that file again, as they do with a program's main module, so that
functions travel by reference and what is not guarded by ``if __name__ == "__main__":`` runs there
too. Forked ones inherit it.
"""

from __future__ import annotations

import ast
import multiprocessing
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import module_from_spec, spec_from_file_location
from multiprocessing.util import get_temp_dir
from pathlib import Path
from typing import Any

from gillab.errors import UsageError
from gillab.strategies.failure import describe_exception
from gillab.workload import Workload, find_function, refuse_lazy

MODULE = "gillab_job_main"
_WORK = "_gillab_work"


class ProgramError(Exception):
    """The program's own code failed before there was anything to measure; its text says how."""


@dataclass(frozen=True, slots=True)
class Job:
    """What a program is ready to do."""

    work: Callable[[Any], Any]
    items: list[Any]


def write_main(workload: Workload) -> str:
    """Return the text of the main module: the setup, and what is called with an item.

    UsageError where it is no valid Python.
    """
    text = f"{workload.setup}\n{_write_work(workload)}\n"
    try:
        compile(text, MODULE, "exec")
    except (SyntaxError, ValueError) as error:
        message = error.msg if isinstance(error, SyntaxError) else str(error)
        raise UsageError(f"setup and work cannot stand in a module ({message}).") from None
    return text


def _write_work(workload: Workload) -> str:
    if workload.kind == "function":
        module, _, path = workload.name.partition(":")
        return f'{_WORK} = __import__("importlib").import_module({module!r}).{path}'
    tree = ast.parse(f"def {_WORK}(item): pass")
    function = tree.body[0]
    assert isinstance(function, ast.FunctionDef)
    body = ast.parse(workload.name).body
    if len(body) == 1 and isinstance(body[0], ast.Expr):
        function.body = [ast.Return(body[0].value)]
    else:
        function.body = body
    # Written from the tree: indenting the text would change a string of several lines.
    return ast.unparse(ast.fix_missing_locations(tree))


def load_job(workload: Workload, start_method: str | None) -> Job:
    """Run the program up to the job, in this process, as its main module.

    UsageError for a function that does not exist and for items that there are none of;
    ProgramError for what the program's own code raises.
    """
    if start_method is not None:
        multiprocessing.set_start_method(start_method, force=True)
    text = write_main(workload)
    # The launch's own, or one that goes with this process.
    folder = get_temp_dir()
    file = Path(folder, f"{MODULE}.py")
    file.write_text(text, encoding="utf-8")
    sys.path.append(folder)
    spec = spec_from_file_location(MODULE, file)
    assert spec is not None
    main = module_from_spec(spec)
    main.__name__ = "__main__"
    sys.modules["__main__"] = main
    names = vars(main)
    try:
        exec(compile(workload.setup, str(file), "exec"), names)
        with _refusing_processes():
            exec(compile(_write_work(workload), str(file), "exec"), names)
    except BaseException as error:
        if workload.kind == "function" and isinstance(error, (AttributeError, ImportError)):
            _find(workload.name)
        raise ProgramError(describe_exception(error)) from error
    if workload.kind == "function":
        _find(workload.name)
    refuse_lazy(names[_WORK], workload.name)
    return Job(names[_WORK], _make_items(workload.items.strip(), names))


@contextmanager
def _refusing_processes() -> Iterator[None]:
    """Have multiprocessing refuse here what it would refuse in the workers.

    They import the function's module as well. Here a pool made by that import would wait for ever
    for the import's lock, which pickling a function of the module needs. Forked workers import
    nothing.
    """
    process = vars(multiprocessing.current_process())
    if multiprocessing.get_start_method() != "fork":
        process["_inheriting"] = True
    try:
        yield
    finally:
        process.pop("_inheriting", None)


def _find(name: str) -> None:
    try:
        find_function(name)
    except UsageError:
        raise
    except BaseException as error:
        raise ProgramError(describe_exception(error)) from error


def _make_items(text: str, names: dict[str, Any]) -> list[Any]:
    try:
        items = list(eval(compile(text, "<items>", "eval"), names))
    except BaseException as error:
        reason = describe_exception(error).rstrip(".")
        raise UsageError(f"--items {text} cannot be listed: {reason}.") from None
    if not items:
        raise UsageError(f"--items {text} is empty; give at least one item.")
    return items
