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
from compare_run import LIMIT_S, PATIENTLY

from gillab import census, check, compare
from gillab.errors import UsageError
from gillab.launch.launch import Launch, LaunchEndedError
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


@pytest.mark.parametrize(
    ("text", "share"), [("100%", 1.0), ("1", 1.0), ("90%", 0.9), ("1e-3", 1e-3)]
)
def test_all_of_the_time_may_be_asked_for(text: str, share: float) -> None:
    assert CHECK.parse_args(["nogil", "--at-least", text]).at_least == share


@pytest.mark.parametrize("text", ["0", "100.1%", "-1", "nan", "most", "%", ""])
def test_what_is_no_share_of_the_time_is_one_sentence(
    text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as end:
        CHECK.parse_args(["nogil", f"--at-least={text}"])
    assert end.value.code == 2
    told = f"{text!r} is no fraction above 0 and at most 1, such as 0.9 or 90%; see"
    assert told in capsys.readouterr().err


MODULES = {
    "compare": ["nogil", "--max-blocks", "1", "-n", "1000"],
    "check": ["nogil", "--no-scaling", "--time", "50ms"],
    "census": ["time.sleep", "--time", "50ms"],
}
commands = pytest.mark.parametrize("command", MODULES)


def run(command: str, *options: str, **named: Any) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", f"gillab.{command}", *MODULES[command], *options],
        stderr=subprocess.PIPE, text=True, timeout=LIMIT_S, check=False, **named,
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


@pytest.fixture
def removed_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if sys.platform == "win32":
        pytest.skip("a current folder cannot be removed there")
    folder = tmp_path / "gone"
    folder.mkdir()
    monkeypatch.chdir(folder)
    folder.rmdir()


@commands
@pytest.mark.usefixtures("removed_folder")
def test_a_removed_folder_is_no_obstacle(command: str) -> None:
    if command != "compare" and why_unavailable() is not None:
        pytest.skip(str(why_unavailable()))
    # The other ways in which multiprocessing starts a process ask for the folder.
    options = ("--start-method", "fork", *PATIENTLY) if command == "compare" else ()
    child = run(command, *options, stdout=subprocess.PIPE)
    assert child.returncode == 0, child.stderr
    assert "FileNotFoundError" not in child.stdout + child.stderr


@pytest.mark.usefixtures("removed_folder")
def test_a_path_that_leads_to_a_removed_folder_is_no_obstacle(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sys, "path", ["", *sys.path])
    with Launch({"functions": []}):
        pass


@pytest.mark.usefixtures("removed_folder")
def test_a_file_in_a_removed_folder_is_said_before_measuring() -> None:
    arguments = CHECK.parse_args(["nogil", "--export-json", "r.json"])
    with pytest.raises(UsageError, match=r"--export-json: r.json cannot be written \(the current"):
        find_exports(arguments)


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


def find(*arguments: str) -> dict[str, Path]:
    return find_exports(COMPARE.parse_args(["nogil", *arguments]))


def test_a_link_is_asked_about_where_it_leads(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    link = tmp_path / "r.json"
    try:
        link.symlink_to(Path("runs") / "1.json")
    except OSError:
        pytest.skip("this system lets nobody make links")
    with pytest.raises(UsageError, match=r"^--export-json: .*r.json cannot be written \(No such"):
        find("--export-json", "r.json")
    (tmp_path / "runs").mkdir()
    assert find("--export-json", "r.json") == {"json": link}
    assert not link.exists(), "nothing is written before there is something to write"
    with pytest.raises(UsageError, match="name the same file"):
        find("--export-json", "r.json", "--export-csv", "runs/1.json")


def test_two_forms_in_one_file_are_refused_but_not_in_a_device(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    same = r"^--export-csv and --export-markdown name the same file, .*; name another\.$"
    with pytest.raises(UsageError, match=same):
        find("--export-csv", "r.txt", "--export-json", "j", "--export-markdown", "./r.txt")
    assert len(find("--export-csv", "r.csv", "--export-json", "r.json")) == 2
    assert len(find("--export-csv", os.devnull, "--export-json", os.devnull)) == 2


@pytest.mark.parametrize("target", ["own name", "/dev/stdout", "pipe"])
def test_an_export_to_standard_output_comes_before_the_report(tmp_path: Path, target: str) -> None:
    file = name = tmp_path / "out.txt"
    if target != "own name":
        if not os.path.exists("/dev/stdout"):
            pytest.skip("there is no /dev/stdout")
        # By a link of our own: were one replaced, it is not to be the system's.
        name = tmp_path / "name"
        name.symlink_to("/dev/stdout")
    brief = ["-q", "-j", "1", "--max-blocks", "1", *PATIENTLY]
    if target == "pipe":
        child = run("compare", *brief, "--export-json", str(name), stdout=subprocess.PIPE)
        text = child.stdout
    else:
        with file.open("w") as output:
            child = run("compare", *brief, "--export-json", str(name), stdout=output)
        text = file.read_text()
    assert (child.returncode, child.stderr) == (0, "")
    data, end = json.JSONDecoder().raw_decode(text)
    assert data["gillab"]["command"] == "compare"
    assert text[end:].lstrip().startswith("countdown_nogil: ")


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
        launch.await_start(1e300)
        assert launch.receive(1e300) == {"event": "usable"}


def test_a_launch_that_is_waited_for_in_slices_is_waited_for_as_long(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gillab.launch.launch._LONGEST_WAIT_S", 0.01)
    monkeypatch.syspath_prepend(str(tmp_path))
    (tmp_path / "slow_to_import.py").write_text("import time\ntime.sleep(3600)\n")
    with Launch({"functions": ["json:dumps", "slow_to_import:f"]}) as launch:
        launch.await_start(300.0)  # which takes longer than a slice
        assert launch.receive(300.0) == {"event": "usable"}
        for timeout_s in (0.1, 0.0, -1.0):
            with pytest.raises(TimeoutError):
                launch.receive(timeout_s)
    with pytest.raises(LaunchEndedError):
        launch.receive(300.0)


def test_ctrl_c_while_a_launch_is_being_made_ends_it(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[subprocess.Popen[bytes]] = []

    class Popen(subprocess.Popen[bytes]):
        def __init__(self, *args: Any, **named: Any) -> None:
            super().__init__(*args, **named)
            made.append(self)

    def interrupt(**named: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("gillab.launch.launch.subprocess.Popen", Popen)
    monkeypatch.setattr("gillab.launch.launch.threading.Thread", interrupt)
    with pytest.raises(KeyboardInterrupt):
        Launch({"functions": []})
    (process,) = made
    assert process.poll() is not None
    for pipe in (process.stdout, process.stderr):  # there are no threads to close them
        assert pipe is not None
        pipe.close()
