"""The files that a command is asked to write."""

from __future__ import annotations

import errno
import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest
from command_run import commands, run, run_here
from compare_run import PATIENTLY

from gillab import check, compare
from gillab.command.exports import find_exports
from gillab.errors import UsageError

COMPARE, CHECK = (module.build_parser() for module in (compare, check))


@pytest.mark.usefixtures("removed_folder")
def test_a_file_in_a_removed_folder_is_said_before_measuring() -> None:
    arguments = CHECK.parse_args(["nogil", "--export-json", "r.json"])
    with pytest.raises(UsageError, match=r"--export-json: r.json cannot be written \(the current"):
        find_exports(arguments)


@commands
def test_a_file_name_that_is_too_long_is_said_before_measuring(
    tmp_path: Path, command: str, capfd: pytest.CaptureFixture[str]
) -> None:
    # The second is written first under a longer name of its own.
    for name, option in (("n" * 300, "json"), ("n" * 250, "markdown")):
        assert run_here(command, f"--export-{option}", str(tmp_path / name)) == 2
        said = capfd.readouterr().err
        assert said.count("\n") == 1, said
        assert "cannot be written (File name too long); name another file." in said
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
    command_line = data["gillab"]["environment"]["command_line"]
    assert command_line.startswith("python -m gillab.compare nogil --max-blocks 1 ")
    assert command_line.endswith(f"--export-json {name}")
    assert text[end:].lstrip().startswith("countdown_nogil: ")
