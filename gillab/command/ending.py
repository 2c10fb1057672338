"""How a command ends: its report, its exit code, and what happens on Ctrl-C or a closed output."""

from __future__ import annotations

import io
import os
import signal
import sys
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from gillab.command.exports import write_exports
from gillab.errors import GillabError

if TYPE_CHECKING:
    from pathlib import Path

    from gillab.release.findings import Findings
    from gillab.results import Result

EXIT_OK = 0
EXIT_FAILED = 1
EXIT_USAGE = 2
EXIT_GATE_FAILED = 3
EXIT_GATE_UNDECIDED = 4
EXIT_INTERRUPTED = 130


def finish(
    result: Result | Findings,
    exports: dict[str, Path],
    report: Callable[[], object],
    prog: str,
    command_line: str | None = None,
) -> int:
    """Write the files, then print the report; return the exit code, gates not counted.

    The files also say the ``command_line`` that made the result. Each file that could not be
    written gets a sentence on standard error.
    """
    if command_line is not None:
        environment = {**result.environment, "command_line": command_line}
        result = replace(result, environment=environment)
    # Save first: the figures must not be lost if the terminal has gone away.
    complaints = [*write_exports(result, exports), *_show(report)]
    for complaint in complaints:
        print(f"{prog}: {complaint}", file=sys.stderr)
    if result.partial:
        return EXIT_INTERRUPTED
    return EXIT_FAILED if complaints or result.failed else EXIT_OK


def show(report: Callable[[], object], prog: str) -> int:
    """Print a report that needs no files; return the exit code."""
    complaints = _show(report)
    for complaint in complaints:
        print(f"{prog}: {complaint}", file=sys.stderr)
    return EXIT_FAILED if complaints else EXIT_OK


def _show(report: Callable[[], object]) -> list[str]:
    """Print a report on standard output; return a sentence if that cannot be written.

    `run_main` deals with a reader that has gone away.
    """
    if isinstance(sys.stdout, io.TextIOWrapper):
        # Characters that its encoding lacks (a pipe's on Windows, say) are written as escapes.
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        report()
        if sys.stdout is not None:
            # Flush now: at exit it is too late to say in a sentence what went wrong.
            sys.stdout.flush()
    except BrokenPipeError:
        raise
    except OSError as error:
        drop_output()
        return [f"standard output could not be written ({error.strerror})."]
    return []


def drop_output() -> None:
    """Send standard output to nowhere, so that unwritten output causes no second error at exit."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)


def run_main(main: Callable[[], int], prog: str) -> int:
    """Call an experiment's main, and turn an exception into a sentence and an exit code."""

    def interrupt(number: int, frame: Any) -> None:
        raise KeyboardInterrupt

    if hasattr(signal, "SIGTERM"):
        signal.signal(signal.SIGTERM, interrupt)
    try:
        return main()
    except GillabError as error:
        print(f"{prog}: {error}", file=sys.stderr)
        return EXIT_USAGE
    except KeyboardInterrupt:
        print(f"{prog}: interrupted.", file=sys.stderr)
        return EXIT_INTERRUPTED
    except BrokenPipeError:
        # Whoever read our output has gone.
        drop_output()
        return EXIT_FAILED
