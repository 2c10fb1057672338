"""What the experiments' command lines share: value types, exports, and how a run ends."""

from __future__ import annotations

import argparse
import io
import os
import re
import signal
import stat
import sys
from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from gillab.errors import GillabError, UsageError, describe_usage_error

if TYPE_CHECKING:
    from gillab.release.findings import Findings
    from gillab.results import Result

EXIT_OK = 0
EXIT_FAILED = 1
EXIT_USAGE = 2
EXIT_GATE_FAILED = 3
EXIT_GATE_UNDECIDED = 4
EXIT_INTERRUPTED = 130

_UNITS = {"": 1.0, "s": 1.0, "ms": 1e-3, "us": 1e-6, "µs": 1e-6, "ns": 1e-9, "min": 60.0}

_LONGEST_S = 366 * 86400.0
"""What waits cannot wait for any number of seconds."""
_WORD = "\0"
"""What stands before a word that is no option whatever it looks like; none can hold it itself."""


class Parser(argparse.ArgumentParser):
    """Says in one sentence on standard error what is wrong, and ends with exit code 2."""

    def error(self, message: str) -> NoReturn:
        """Print the sentence and where the help is."""
        self.exit(EXIT_USAGE, describe_usage_error(self.prog, message.replace(_WORD, "")))

    def parse_mixed(self, argv: Sequence[str] | None) -> argparse.Namespace:
        """Parse words and options in any order; after ``--`` there are words only.

        The type of the words is `parse_word`.
        """
        given = list(sys.argv[1:] if argv is None else argv)
        end = given.index("--") if "--" in given else len(given)
        # Marked, since older versions of argparse forget here that a "--" was before them.
        words = [_WORD + word for word in given[end + 1 :]]
        return self.parse_intermixed_args([*given[:end], *(["--", *words] if words else [])])


def parse_word(text: str) -> str:
    """Return what is no option as it was given."""
    return text.removeprefix(_WORD)


def parse_time(text: str) -> float:
    """Return the seconds in a time as options write it; UsageError where it is none."""
    try:
        return parse_duration(text)
    except argparse.ArgumentTypeError as error:
        raise UsageError(f"{error}.") from None


def parse_duration(text: str) -> float:
    """Return the seconds in ``20ms``, ``1.5 s``, ``2min`` or a plain number of seconds."""
    match = re.fullmatch(r"\s*([\d_.]+(?:e[-+]?\d+)?)\s*([a-zµ]*)\s*", text)
    try:
        if match is None or match[2] not in _UNITS:
            raise ValueError
        seconds = float(match[1]) * _UNITS[match[2]]
    except ValueError:
        raise argparse.ArgumentTypeError(
            f"{text!r} is no duration; write 20ms, 1.5s or 2min"
        ) from None
    if not seconds > 0:
        raise argparse.ArgumentTypeError(f"{text!r} is no duration above zero")
    if seconds > _LONGEST_S:
        raise argparse.ArgumentTypeError(f"{text!r} is longer than a year")
    return seconds


def parse_count(text: str) -> int:
    """Return a whole number from 1 on, as in ``10_000_000`` or ``1e7``."""
    try:
        number = int(text) if "e" not in text.lower() else int(float(text))
    except (ValueError, OverflowError):
        number = 0
    if number < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no whole number from 1 on")
    return number


def parse_counts(text: str) -> tuple[int, ...]:
    """Return the numbers in ``1,2,4``, each once."""
    return tuple(dict.fromkeys(parse_count(part) for part in text.split(",")))


def parse_names(text: str) -> tuple[str, ...]:
    """Return the names in ``serial,threads``, each once."""
    return tuple(dict.fromkeys(part.strip() for part in text.split(",") if part.strip()))


def parse_fraction(text: str) -> float:
    """Return a fraction between 0 and 1, as in ``0.05`` or ``5%``."""
    number = _read_fraction(text)
    if not 0 < number < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no fraction between 0 and 1")
    return number


def parse_share(text: str) -> float:
    """Return a fraction above 0 that may be all of it, as in ``0.9`` or ``100%``."""
    number = _read_fraction(text)
    if not 0 < number <= 1:
        raise argparse.ArgumentTypeError(
            f"{text!r} is no fraction above 0 and at most 1, such as 0.9 or 90%"
        )
    return number


def _read_fraction(text: str) -> float:
    try:
        return float(text[:-1]) / 100 if text.endswith("%") else float(text)
    except ValueError:
        return -1.0


def parse_factor(text: str) -> float:
    """Return a finite number above zero, as in ``1.5``."""
    try:
        number = float(text)
    except ValueError:
        number = 0.0
    if not 0 < number < float("inf"):
        raise argparse.ArgumentTypeError(f"{text!r} is no factor above 0, such as 1.5")
    return number


def check_ranges(fractions: Collection[str], **figures: float | None) -> None:
    """Refuse figures that nothing can be held against: UsageError names the first.

    All are finite and above 0, the ``fractions`` among them at most 1; None was not asked for.
    """
    for name, value in figures.items():
        if value is not None and not 0 < value < float("inf"):
            raise UsageError(f"{name} is a finite number above 0, not {value}.")
        if value is not None and name in fractions and value > 1:
            raise UsageError(f"{name} is a fraction above 0 and at most 1, not {value}.")


def add_export_options(parser: argparse.ArgumentParser) -> None:
    """Add ``--export-json``, ``--export-csv`` and ``--export-markdown``."""
    group = parser.add_argument_group("exports")
    for form, what in (
        ("json", "every figure; pyperf's tools load it too, unless no cell is sound"),
        ("csv", "one row a cell"),
        ("markdown", "the table, what it rests on, and the summary"),
    ):
        group.add_argument(f"--export-{form}", type=Path, metavar="FILE", help=what)


def find_exports(arguments: argparse.Namespace) -> dict[str, Path]:
    """Return the files that were asked for, by form.

    UsageError where one can be seen not to be writable, before anything is measured.
    """
    from gillab.results import is_special

    exports: dict[str, Path] = {}
    for form in ("json", "csv", "markdown"):
        path: Path | None = getattr(arguments, f"export_{form}")
        if path is not None:
            # Resolved now: a workload may change the working directory.
            path = _make_absolute(path, f"--export-{form}")
            _check_writable(path, f"--export-{form}")
            for other, taken in exports.items():
                if path.resolve() == taken.resolve() and not is_special(path):
                    raise UsageError(
                        f"--export-{other} and --export-{form} name the same file, {path}; "
                        "name another."
                    )
            exports[form] = path
    return exports


def _make_absolute(path: Path, option: str) -> Path:
    try:
        return path.absolute()
    except FileNotFoundError:
        raise UsageError(
            f"{option}: {path} cannot be written (the current folder has been removed); "
            "name a file in another."
        ) from None


def _check_writable(path: Path, option: str) -> None:
    from gillab.results import is_special

    try:
        mode = _find_mode(path)
        if mode is not None and stat.S_ISDIR(mode):
            raise UsageError(f"{option}: {path} is a folder; name a file in it.")
        if mode is not None and not os.access(path, os.W_OK):
            raise UsageError(f"{option}: {path} cannot be written; name another file.")
        if not is_special(path):
            _try_file(path.resolve())
    except OSError as error:
        raise UsageError(
            f"{option}: {path} cannot be written ({error.strerror}); name another file."
        ) from None


def _find_mode(path: Path) -> int | None:
    """Return what kind of file it is, None where there is none; OSError where none can be."""
    try:
        # Path.is_dir() and its like raise or say no, by the version, where this raises.
        return path.stat().st_mode
    except FileNotFoundError:
        return None


def _try_file(path: Path) -> None:
    """Make a file for a moment beside it, with a name as long as the one written first."""
    import tempfile

    # With content, since a full disk still makes empty files, and may take a part of it.
    with tempfile.NamedTemporaryFile(dir=path.parent, prefix=f".{path.name}.") as probe:
        probe.write(b"\0" * 4096)
        probe.flush()


def write_exports(result: Result | Findings, exports: dict[str, Path]) -> list[str]:
    """Write the files, each whole or not at all; return a sentence for each that failed.

    What cannot be written where it was asked for is saved in the folder for temporary files.
    """
    import tempfile

    from gillab.results import write_whole

    complaints = []
    for form, path in exports.items():
        text = _render(result, form)
        try:
            write_whole(path, text)
        except OSError as error:
            complaint = f"{path} could not be written ({error.strerror})"
            try:
                other = Path(tempfile.mkdtemp(prefix="gillab-")) / path.name
                write_whole(other, text)
            except OSError:
                complaints.append(f"{complaint}, nor could a copy be saved elsewhere.")
            else:
                complaints.append(f"{complaint}; it was saved as {other}.")
    return complaints


def _render(result: Result | Findings, form: str) -> str:
    """Return the result in that form; only what is asked for is loaded."""
    if form == "json":
        return result.to_json()
    from gillab.results import Result

    if not isinstance(result, Result):
        from gillab.report.census import render_census_markdown
        from gillab.report.findings import render_findings_csv, render_findings_markdown

        if form == "csv":
            return render_findings_csv(result)
        census = result.command == "census"
        return (render_census_markdown if census else render_findings_markdown)(result)
    from gillab.report.csv import render_csv
    from gillab.report.markdown import render_markdown

    return (render_csv if form == "csv" else render_markdown)(result)


def finish(
    result: Result | Findings, exports: dict[str, Path], report: Callable[[], object], prog: str
) -> int:
    """Write the files, then print the report; return the exit code but for gates.

    What could not be written is said in a sentence each on standard error.
    """
    # Saved first: a terminal that has gone away must not cost the figures.
    complaints = [*write_exports(result, exports), *_show(report)]
    for complaint in complaints:
        print(f"{prog}: {complaint}", file=sys.stderr)
    if result.partial:
        return EXIT_INTERRUPTED
    return EXIT_FAILED if complaints or result.failed else EXIT_OK


def _show(report: Callable[[], object]) -> list[str]:
    """Have a report printed on standard output; return a sentence where that cannot be written.

    A reader that has gone is for `run_main`.
    """
    if isinstance(sys.stdout, io.TextIOWrapper):
        # What its encoding lacks (a pipe's on Windows, say) is written as an escape.
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        report()
        if sys.stdout is not None:
            # Now, since at exit nobody could say in a sentence what went wrong.
            sys.stdout.flush()
    except BrokenPipeError:
        raise
    except OSError as error:
        drop_output()
        return [f"standard output could not be written ({error.strerror})."]
    return []


def drop_output() -> None:
    """Lead standard output nowhere, so that what is left of it is no second error at exit."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)


def run_main(main: Callable[[], int], prog: str) -> int:
    """Call an experiment's main and turn what it raises into a sentence and an exit code."""

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
