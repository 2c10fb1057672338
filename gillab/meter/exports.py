"""The files that a metered program leaves behind: what they need, and how they are written.

They are written when the program has ended, in its process, which may have changed anything by
then. So all that is needed is imported before it runs. The page is made by a child: its libraries
are too much for a process that is not ours, and Python at its exit is no place to load them.
"""

from __future__ import annotations

import json
import os
import platform
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from importlib import import_module
from typing import TYPE_CHECKING

from gillab.meter.reading import Reading

if TYPE_CHECKING:
    from gillab.meter.timeline import Timeline

TRACE, PAGE = "--trace", "--export-html"
OPTIONS = ("--export-json", TRACE, PAGE)
_GECKO = ".gecko.json"
# The child imports what this process could import before the program ran, and from nowhere else.
_RENDER = """
import sys
out, *sys.path[:] = sys.argv[1:]
from gillab.command.page import main
sys.exit(main(["-", "--export-html", out]))
"""
_SAYS_WHY = (0, 1, 2)
"""The exit codes of the child after which it has said what there is to say."""

_Write = Callable[[str, Iterable[str]], None]
_Encode = Callable[["Timeline"], Iterator[str]]


@dataclass(frozen=True, slots=True)
class Exports:
    """The files that were asked for, and what is needed to write them."""

    files: Mapping[str, str]
    """By option."""
    interval_s: float | None
    budget: float | None
    program: Sequence[str]
    writers: Mapping[str, _Write]
    """By option: what writes a text to a file, or makes the file from it."""
    encoders: Mapping[str, _Encode]
    """By option: what makes the text of a timeline."""

    @property
    def want_timeline(self) -> bool:
        """Whether a file holds the timeline."""
        return bool(self.encoders)

    def write(
        self,
        reading: Reading,
        timeline: Timeline | None,
        facts: Mapping[str, object] | None = None,
    ) -> Iterator[str]:
        """Write the files; yield a sentence for each that could not be written.

        Without a timeline those that hold it are left out. ``facts`` are those of the JSON that
        differ where another process was metered.
        """
        for option, path in self.files.items():
            if timeline is None and option in self.encoders:
                continue
            try:
                self.writers[option](path, self._encode(option, reading, timeline, facts or {}))
            except Exception as error:  # the program may have changed what is used here
                yield f"{path} could not be written: {_describe(error)}."

    def _encode(
        self,
        option: str,
        reading: Reading,
        timeline: Timeline | None,
        facts: Mapping[str, object],
    ) -> Iterable[str]:
        if timeline is not None and option in self.encoders:
            return self.encoders[option](replace(timeline, program=self.program))
        document = {
            "schema": 1,
            "command": "meter",
            "program": list(self.program),
            "python": platform.python_version(),
            "implementation": platform.python_implementation(),
            "interval_s": self.interval_s,
            "budget": self.budget,
            "process": None,
            "reading": reading.as_dict(),
            **facts,
        }
        return [json.dumps(document, indent=2, allow_nan=False) + "\n"]


def prepare_exports(
    files: Mapping[str, str],
    interval_s: float | None,
    program: Sequence[str],
    *,
    budget: float | None = None,
) -> Exports:
    """Import all that is needed to write the files. UsageError where a library is missing."""
    writers: dict[str, _Write] = {}
    encoders: dict[str, _Encode] = {}
    if files:
        with _only_installed():
            writers = dict.fromkeys(files, _load_writer())
            if PAGE in files:
                # Named by text: the meter must not depend on the reports, which depend on it.
                import_module("gillab.report.page.extra").require_extra(PAGE)
                writers[PAGE] = _load_renderer()
    for option in files.keys() & {TRACE, PAGE}:
        encoders[option] = _load_encoder(gecko=files[option].endswith(_GECKO) and option == TRACE)
    return Exports(files, interval_s, budget, program, writers, encoders)


@contextmanager
def _only_installed() -> Iterator[None]:
    """Import no module from the folder that is first on the path, and leave none behind.

    That folder is the program's, or will be: a program with a ``random.py`` beside it still
    imports its own, and this process does not.
    """
    known = set(sys.modules)
    first = [] if sys.flags.safe_path else sys.path[:1]
    del sys.path[: len(first)]
    try:
        yield
    finally:
        sys.path[:0] = first
        for name in sys.modules.keys() - known:
            del sys.modules[name]


def _load_encoder(*, gecko: bool) -> _Encode:
    if gecko:
        from gillab.meter.gecko import encode_gecko

        return encode_gecko
    from gillab.meter.trace_event import encode_trace_event

    return encode_trace_event


def _load_writer() -> _Write:
    from pathlib import Path

    from gillab.files import write_whole

    return lambda path, pieces: write_whole(Path(path), pieces)


def _load_renderer() -> _Write:
    """Return a function that has a child make the page of a trace, as things are now."""
    import subprocess

    gillab = os.path.dirname(sys.modules["gillab"].__path__[0])
    command = [sys.executable, "-I", "-c", _RENDER]
    imports = [*sys.path, gillab]
    environment = dict(os.environ)

    def render(path: str, pieces: Iterable[str]) -> None:
        with subprocess.Popen(
            [*command, path, *imports],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            env=environment,
            cwd=os.path.dirname(path),
        ) as child:
            assert child.stdin is not None
            try:
                with suppress(BrokenPipeError):  # it has ended, and its exit code tells how
                    for piece in pieces:
                        child.stdin.write(piece.encode("ascii"))
                    child.stdin.close()
                code = child.wait()
            except BaseException:
                child.kill()
                raise
        if code not in _SAYS_WHY:
            raise ChildProcessError(f"the process that makes it ended with {code}")

    return render


def _describe(error: Exception) -> str:
    reason = error.strerror if isinstance(error, OSError) else None
    return reason or " ".join(f"{type(error).__name__}: {error}".split())
