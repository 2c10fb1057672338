"""How a command ends: what it prints last, and its exit code."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest
from command_run import MODULES, commands, run
from compare_run import PATIENTLY

from gillab.meter import why_unavailable


@pytest.mark.parametrize(
    ("command", "quiet"),
    [
        *(pytest.param(command, [], id=command) for command in MODULES),
        # One of each kind of report.
        *(pytest.param(command, ["-q"], id=f"{command} quiet") for command in ("compare", "check")),
    ],
)
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
@pytest.mark.usefixtures("removed_folder")
def test_a_removed_folder_is_no_obstacle(command: str) -> None:
    starts = command in ("compare", "scaling", "crossover", "transfer", "latency")
    if not starts and why_unavailable() is not None:
        pytest.skip(str(why_unavailable()))
    # The other ways in which multiprocessing starts a process ask for the folder.
    options = ("--start-method", "fork", *PATIENTLY) if starts else ()
    child = run(command, *options, stdout=subprocess.PIPE)
    assert child.returncode == 0, child.stderr
    assert "FileNotFoundError" not in child.stdout + child.stderr
