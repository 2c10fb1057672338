"""Run a program as Python itself does: in a ``__main__`` of its own, with its own tracebacks."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from types import ModuleType, TracebackType

_Hook = Callable[[type[BaseException], BaseException, TracebackType | None], object]

_mains: list[ModuleType] = []


def run_program(program: list[str]) -> None:
    """Run the program in a new ``__main__``, as the interpreter itself would."""
    own_main = sys.modules["__main__"]
    main = ModuleType("__main__")
    main.__dict__["__builtins__"] = sys.modules["builtins"]
    sys.modules["__main__"] = main
    # Whatever has a function of ours still uses its globals.
    _mains.append(own_main)
    kind, *rest = program
    if kind == "-c":
        # As Python does: without the end of a line a backslash, say, would have nothing to join.
        rest[0] = _dedent(f"{rest[0]}\n")
    sys.excepthook = _as_alone(sys.excepthook, rest[0] if kind == "-c" else None)
    if kind == "-c":
        sys.argv[:] = ["-c", *rest[1:]]
        _set_first_path("")
        exec(compile(rest[0], "<string>", "exec", dont_inherit=True), main.__dict__)
    elif kind == "-m":
        import runpy

        sys.argv[:] = ["-m", *rest[1:]]
        _set_first_path(os.getcwd())
        runpy._run_module_as_main(rest[0])  # type: ignore[attr-defined]
    else:
        sys.argv[:] = program
        _run_script(kind, main)


def _dedent(code: str) -> str:
    """Remove the indent that all lines share, as Python does with ``-c`` from 3.14 on.

    ``textwrap`` is not used: the program's folder is first on the path, and may have its own one.
    """
    if sys.version_info < (3, 14):
        return code
    lines = [(line, line.lstrip(" \t")) for line in code.split("\n")]
    indents = [line[: len(line) - len(rest)] for line, rest in lines if rest]
    indent = len(os.path.commonprefix(indents))  # noqa: RUF071  # of characters, indeed
    if indent == 0:
        return code
    return "\n".join(line[indent:] if rest else "" for line, rest in lines)


def _set_first_path(entry: str) -> None:
    # `python -m gillab.meter` itself has put the current folder first.
    if not sys.flags.safe_path and sys.path:
        sys.path[0] = entry


def _run_script(path: str, main: ModuleType) -> None:
    import io
    import runpy
    from importlib.machinery import SourceFileLoader
    from pkgutil import get_importer

    if type(get_importer(path)) not in (type(None), type(get_importer(os.curdir))) or os.path.isdir(
        path
    ):
        # A folder or an archive with a __main__.py in it.
        folder = os.path.abspath(path)
        sys.path.insert(0, folder) if sys.flags.safe_path else _set_first_path(folder)
        runpy._run_module_as_main("__main__", alter_argv=False)  # type: ignore[attr-defined]
        return
    try:
        with io.open_code(os.path.abspath(path)) as file:
            source = file.read()
    except OSError as error:
        sys.stderr.write(
            f"{sys.executable}: can't open file {os.path.abspath(path)!r}: "
            f"[Errno {error.errno}] {error.strerror}\n"
        )
        sys.exit(2)
    _set_first_path(os.path.dirname(os.path.realpath(path)))
    main.__file__ = os.path.abspath(path)
    main.__loader__ = SourceFileLoader("__main__", main.__file__)
    main.__dict__["__cached__"] = None
    exec(compile(source, main.__file__, "exec", dont_inherit=True), main.__dict__)


def _as_alone(hook: _Hook, code: str | None) -> _Hook:
    """Wrap an exception hook so that a traceback begins where the program's own would.

    From 3.13 on Python shows the lines of what it was given as ``code``, too.
    """

    def call(
        kind: type[BaseException], error: BaseException, traceback: TracebackType | None
    ) -> object:
        frame, last_own = traceback, None
        while frame is not None:
            if frame.tb_frame.f_code.co_filename == __file__:
                last_own = frame
            elif last_own is not None:
                break
            frame = frame.tb_next
        if last_own is not None:
            traceback = last_own.tb_next
        if code is not None and sys.version_info >= (3, 13):
            import linecache

            lines = code.splitlines(keepends=True)
            linecache.cache.setdefault("<string>", (len(code), None, lines, "<string>"))
        return hook(kind, error.with_traceback(traceback), traceback)

    return call
