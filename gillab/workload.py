"""What one task does: a kernel, ``package.module:function``, or a statement.

A workload is plain data, so that it can be sent to any worker; there, `prepare` turns it into
something to call. This module imports nothing large, since every worker loads it.
"""

from __future__ import annotations

import ast
import builtins
import difflib
import importlib
import re
from collections.abc import Callable, Generator, Iterable
from dataclasses import dataclass
from functools import partial
from itertools import repeat
from keyword import iskeyword
from types import MethodType
from typing import Any, Literal

from gillab.errors import UsageError
from gillab.kernels import KERNELS

Task = Callable[[int], object]
"""Takes a number of steps: a kernel's own, or calls of a function or a statement."""

_FUNCTION = re.compile(r"[^\W\d][\w.]*:[^\W\d][\w.]*")
_PREFIX = "countdown_"
_LAZY = (
    (0x20, "a generator", "goes through all that it yields"),
    (0x80, "a coroutine", "runs it, with asyncio.run() say"),
    (0x200, "an asynchronous generator", "goes through all that it yields"),
)
"""Bits of a code object's flags, as ``inspect.CO_GENERATOR`` and its like name them."""
_DEEPEST = 16
"""How many calls within a call are followed: built-in ones lead to themselves for ever."""


@dataclass(frozen=True, slots=True)
class Workload:
    """One thing to measure, named as it is shown."""

    name: str
    kind: Literal["kernel", "function", "statement"]
    setup: str = ""
    """Statements that run once in every process and interpreter."""
    args: str = ""
    """A Python expression for a function's arguments, evaluated once wherever the setup is."""
    items: str = ""
    """Of a whole job: a Python expression for what is mapped over, evaluated in the parent."""


def is_function(text: str) -> bool:
    """Whether the text is of the form ``package.module:function``."""
    return _FUNCTION.fullmatch(text) is not None


def resolve_workload(text: str, setup: str = "", args: str = "") -> Workload:
    """Tell what ``text`` means: a kernel's name (short or long), a function or a statement.

    No code of the user's is imported or run. UsageError if it can be none of them.
    """
    text = text.strip()
    kernel = text if text in KERNELS else _PREFIX + text
    if kernel in KERNELS:
        if args:
            raise UsageError(f"--args goes with package.module:function; {text} takes none.")
        return Workload(kernel, "kernel", setup=_checked(setup, "the setup"))
    if is_function(text):
        if args:
            _checked(args, "--args", "eval")
        return Workload(text, "function", setup=_checked(setup, "the setup"), args=args)
    if args:
        raise UsageError(
            f"--args goes with package.module:function, and {text!r} is not of that form; "
            "write the arguments into the statement."
        )
    workload = Workload(text, "statement", setup=_checked(setup, "the setup"))
    tree = ast.parse(_checked(text, "the workload"))
    if not tree.body:
        raise UsageError("the workload is empty; name a kernel, a function or a statement.")
    _compile_setup(setup)
    _compile_loop(text, _names_bound(setup))
    is_name = text.isidentifier() and not iskeyword(text)  # 'pass' is a statement
    if is_name and text not in _names_bound(setup) and not hasattr(builtins, text):
        known = sorted({*KERNELS, *(name.removeprefix(_PREFIX) for name in KERNELS)})
        raise UsageError(
            f"{text!r} is neither a kernel nor a name that the setup defines{_nearest(text, known)}"
        )
    return workload


@dataclass(frozen=True, slots=True)
class Setup:
    """What a workload's setup has made; the threads of one process can share it."""

    workload: Workload
    globals: dict[str, Any]
    """What the functions of the setup see as their module."""
    names: dict[str, Any]
    """What the setup has bound."""


def has_data(workload: Workload) -> bool:
    """Whether there is data that a worker could have for itself: from a setup or arguments."""
    return bool(workload.setup or workload.args)


def run_setup(workload: Workload) -> Setup:
    """Run the setup.

    UsageError where a named module or function does not exist; whatever the setup raises.
    """
    names: dict[str, Any] = {"__name__": "__gillab__", "_gillab_repeat": repeat}
    setup = workload.setup
    if workload.kind == "function":
        names["_gillab_function"] = find_function(workload.name)
        names["_gillab_tuple"] = _as_arguments
        setup += f"\n_gillab_args = _gillab_tuple({workload.args or '()'}\n)"
    exec(_compile_setup(setup), names)
    return Setup(workload, names, names["_gillab_setup"]())


def make_task(setup: Setup) -> Task:
    """Return the task, to be called in one thread alone.

    Its statement sees the names of the setup as its own. If it binds them anew, no other task sees
    that.
    """
    workload = setup.workload
    if workload.kind == "kernel":
        return KERNELS[workload.name]
    function = "_gillab_function(*_gillab_args)"
    statement = function if workload.kind == "function" else workload.name
    made: dict[str, Any] = {}
    exec(_compile_loop(statement, setup.names), setup.globals, made)
    loop: Generator[None, int, None] = made["_gillab_loop"](**setup.names)
    next(loop)
    return loop.send


def prepare(workload: Workload) -> Task:
    """Run the setup and return the task, to be called in this thread alone.

    UsageError where a named module or function does not exist; whatever the setup raises.
    """
    return make_task(run_setup(workload))


def find_function(name: str) -> Callable[..., object]:
    """Import ``package.module:function`` and return the function.

    UsageError, with the nearest names, where it does not exist; whatever the import raises.
    """
    module_name, _, path = name.partition(":")
    try:
        found: Any = importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        if error.name is None or not f"{module_name}.".startswith(f"{error.name}."):
            raise
        raise UsageError(
            f"there is no module {error.name!r} on the path of this Python"
            f"{_nearest(error.name, _modules_known())}"
        ) from None
    for part in path.split("."):
        if not hasattr(found, part):
            raise UsageError(f"{name}: there is no {part!r}{_nearest(part, dir(found))}")
        found = getattr(found, part)
    if not callable(found):
        raise UsageError(f"{name} is {type(found).__name__}, which cannot be called.")
    refuse_lazy(found, name)
    return found  # type: ignore[no-any-return]


def refuse_lazy(call: Callable[..., object], name: str) -> None:
    """Raise UsageError if a call runs nothing of its body, as with a generator function."""
    flags = _find_flags(call)
    for bit, kind, way in _LAZY:
        if flags & bit:
            raise UsageError(
                f"{name} is {kind} function, and calling it runs none of it; "
                f"name a function that {way}."
            )


def _find_flags(call: Any) -> int:
    """Return the flags of the code with which a call of it begins; 0 if that is not known."""
    for _ in range(_DEEPEST):
        # Go by its type: a decorator's proxy answers for what it wraps, but may run that to its
        # end.
        kind = type(call)
        if kind is partial:
            call = call.func
        elif kind is MethodType:
            call = call.__func__
        elif hasattr(kind, "__code__"):
            flags: int = getattr(call.__code__, "co_flags", 0)
            return flags
        elif callable(call):
            call = kind.__call__
    return 0


def _modules_known() -> Iterable[str]:
    import pkgutil
    import sys

    return {*sys.stdlib_module_names, *(module.name for module in pkgutil.iter_modules())}


def _as_arguments(value: object) -> tuple[object, ...]:
    """Take ``--args "(1, 2)"`` as two arguments and ``--args 5`` as one."""
    return value if isinstance(value, tuple) else (value,)


def _checked(text: str, what: str, mode: Literal["exec", "eval"] = "exec") -> str:
    """Return ``text`` if it compiles as a module's code would; UsageError if not."""
    try:
        compile(text, "<workload>", mode)
        ast.parse(text, mode=mode)  # takes less deep nesting
    except (SyntaxError, ValueError) as error:
        line = error.text.strip() if isinstance(error, SyntaxError) and error.text else text
        message = error.msg if isinstance(error, SyntaxError) else str(error)
        raise UsageError(f"{what} is not valid Python ({message}): {line}") from None
    except (RecursionError, MemoryError):  # what the compiler raises where nesting exhausts it
        raise UsageError(f"{what} is nested too deeply to be compiled.") from None
    return text


def _compile_setup(setup: str) -> Any:
    """Compile the setup into a function that returns what it has bound.

    It is a function, so that its names are as fast as in a program. The texts are inserted as
    syntax trees, because indenting them would change a string of several lines.
    """
    frame = ast.parse("def _gillab_setup(): return locals()")
    function = frame.body[0]
    assert isinstance(function, ast.FunctionDef)
    return _compile(frame, function, setup)


def _compile_loop(statement: str, names: Iterable[str]) -> Any:
    """Compile the statement into a generator that runs it as often as it is asked to.

    ``names`` are its parameters.
    """
    frame = ast.parse(
        "def _gillab_loop():\n"
        "    _gillab_steps = yield\n"
        "    while True:\n"
        "        for _gillab_step in _gillab_repeat(None, _gillab_steps):\n"
        "            pass\n"
        "        _gillab_steps = yield\n"
    )
    function = frame.body[0]
    assert isinstance(function, ast.FunctionDef)
    function.args.kwonlyargs = [ast.arg(name) for name in dict.fromkeys(names)]
    function.args.kw_defaults = [None] * len(function.args.kwonlyargs)
    loop = function.body[1]
    assert isinstance(loop, ast.While)
    each = loop.body[0]
    assert isinstance(each, ast.For)
    each.body = []
    return _compile(frame, each, statement)


def _compile(frame: ast.Module, place: ast.FunctionDef | ast.For, text: str) -> Any:
    """Put the text into a place of a frame, and compile that."""
    try:
        place.body[:0] = ast.parse(text).body
        return compile(ast.fix_missing_locations(frame), "<workload>", "exec")
    except SyntaxError as error:  # 'import *', say, which a function may not hold
        raise UsageError(f"setup and statement cannot stand in a function ({error.msg}).") from None
    except (RecursionError, MemoryError):
        raise UsageError("setup and statement are nested too deeply to be compiled.") from None


def _names_bound(setup: str) -> set[str]:
    """Return the names that the setup may bind."""
    names = set()
    for node in ast.walk(ast.parse(setup)):
        match node:
            case ast.Name(id=name, ctx=ast.Store()):
                names.add(name)
            case ast.FunctionDef(name=name) | ast.ClassDef(name=name):
                names.add(name)
            case ast.alias(name=name, asname=asname):
                names.add(asname or name.partition(".")[0])
    return names


def _nearest(name: str, known: Iterable[str]) -> str:
    """End a sentence with the known names that are like ``name``."""
    nearest = difflib.get_close_matches(name, known, n=3, cutoff=0.6)
    return f"; did you mean {' or '.join(nearest)}?" if nearest else "."
