"""What the experiments' command lines share: words and options in any order."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from gillab import census, check, compare
from gillab.errors import UsageError
from gillab.measure.launch import Launch
from gillab.meter import why_unavailable
from gillab.options import Parser, find_exports, parse_duration

COMPARE, CHECK, CENSUS = (module.build_parser() for module in (compare, check, census))


@pytest.mark.parametrize(
    ("parser", "argv", "expected"),
    [
        (COMPARE, "nogil -j 2 held", {"workloads": ["nogil", "held"], "workers": (2,)}),
        (COMPARE, "--fast nogil -q held -s x=1 mixed -s y=2",
         {"workloads": ["nogil", "held", "mixed"], "setup": ["x=1", "y=2"], "preset": "fast"}),
        (COMPARE, "-j 2", {"workloads": [], "workers": (2,)}),
        (COMPARE, "nogil -j 2 -- -x --fast -- held",
         {"workloads": ["nogil", "-x", "--fast", "--", "held"], "preset": "default"}),
        (CHECK, "-j 3 nogil -q", {"workload": "nogil", "workers": 3, "quiet": True}),
        (CHECK, "-j 3 -- -x", {"workload": "-x", "workers": 3}),
        (CENSUS, "zlib --time 2s numpy", {"patterns": ["zlib", "numpy"], "time": 2.0}),
        (CENSUS, "-- -q", {"patterns": ["-q"], "quiet": False}),
    ],
    ids=str,
)  # fmt: skip
def test_words_may_stand_between_options(
    parser: Parser, argv: str, expected: dict[str, Any]
) -> None:
    parsed = vars(parser.parse_mixed(argv.split()))
    assert {name: parsed[name] for name in expected} == expected


@pytest.mark.parametrize(
    ("parser", "argv", "complaint"),
    [
        (CHECK, "nogil -j 2 held", "unrecognized arguments: held"),
        (CHECK, "nogil -- -x", "unrecognized arguments: -x"),
        (CHECK, "-j 2", "the following arguments are required: WORKLOAD"),
        (COMPARE, "nogil --bogus held", "unrecognized arguments: --bogus"),
        (COMPARE, "nogil -s -- held", "argument -s/--setup: expected one argument"),
        (COMPARE, "nogil --fast held --rigorous",
         "argument --rigorous: not allowed with argument --fast"),
        (CENSUS, "zlib --time soon numpy", "argument --time: 'soon' is no duration"),
    ],
    ids=str,
)  # fmt: skip
def test_what_cannot_be_parsed_is_one_sentence_and_exit_code_2(
    parser: Parser, argv: str, complaint: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as end:
        parser.parse_mixed(argv.split())
    assert end.value.code == 2
    printed = capsys.readouterr().err
    assert printed.startswith(f"{parser.prog}: {complaint}")
    assert printed.endswith(f"; see {parser.prog} --help.\n")
    assert len(printed.splitlines()) == 1
    assert printed[:-1].isprintable()


MODULES = {
    "compare": ["nogil", "--fast", "--time-budget", "1s", "-n", "1000"],
    "check": ["nogil", "--no-scaling", "--time", "50ms"],
    "census": ["time.sleep", "--time", "50ms"],
}
commands = pytest.mark.parametrize("command", MODULES)


def run(command: str, *options: str, **named: Any) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", f"gillab.{command}", *MODULES[command], *options],
        stderr=subprocess.PIPE, text=True, timeout=300, check=False, **named,
    )  # fmt: skip


@commands
@pytest.mark.parametrize("quiet", [[], ["-q"]], ids=["", "quiet"])
@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="there is no /dev/full")
def test_an_output_that_cannot_be_written_is_one_sentence_and_the_files_are_whole(
    tmp_path: Path, command: str, quiet: list[str]
) -> None:
    if command == "census" and why_unavailable() is not None:
        pytest.skip(str(why_unavailable()))
    file = tmp_path / "r.json"
    with open("/dev/full", "w") as full:
        child = run(command, *quiet, "--export-json", str(file), stdout=full)
    sentence = "standard output could not be written (No space left on device)."
    assert child.stderr == f"python -m gillab.{command}: {sentence}\n"
    assert child.returncode == 1
    assert json.loads(file.read_text())["gillab"]["command"] == command


@commands
def test_a_file_name_that_is_too_long_is_said_before_measuring(
    tmp_path: Path, command: str
) -> None:
    # The second is written first under a longer name of its own.
    for name, option in (("n" * 300, "json"), ("n" * 250, "markdown")):
        child = run(command, f"--export-{option}", str(tmp_path / name), stdout=subprocess.DEVNULL)
        assert child.returncode == 2
        assert child.stderr.count("\n") == 1, child.stderr
        assert "cannot be written (File name too long); name another file." in child.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_may_not_be_searched_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stat(path: Path, **named: Any) -> os.stat_result:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))

    arguments = CHECK.parse_args(["nogil", "--export-csv", str(tmp_path / "r.csv")])
    monkeypatch.setattr(Path, "stat", stat)
    with pytest.raises(UsageError, match=r"^--export-csv: .*r.csv cannot be written \(Permission"):
        find_exports(arguments)


@pytest.mark.parametrize(
    ("parser", "argv"),
    [
        (COMPARE, "nogil --timeout 1e10"),
        (COMPARE, "nogil --time-budget 1e400"),
        (CHECK, "nogil --timeout 1e10"),
        (CHECK, "nogil --time 1e9min"),
        (CENSUS, "--timeout 1e10"),
    ],
    ids=str,
)
def test_no_duration_is_longer_than_a_year(
    parser: Parser, argv: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as end:
        parser.parse_mixed(argv.split())
    assert end.value.code == 2
    assert "is longer than a year; see" in capsys.readouterr().err
    assert parse_duration("500_000min") == 3e7


def test_a_launch_can_be_waited_for_any_number_of_seconds() -> None:
    with Launch({"functions": ["json:dumps"]}) as launch:
        assert launch.receive(1e300) == {"event": "usable"}
