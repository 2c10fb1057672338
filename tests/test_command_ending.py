"""How a command ends: what it prints last, and its exit code."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest
from command_run import MODULES, run
from compare_run import PATIENTLY
from schema_check import check_export

from gillab.meter import why_unavailable

STARTING = ("compare", "scaling", "crossover", "transfer", "latency")
"""The commands that start processes."""


def skip_unmetered(command: str) -> None:
    if command not in STARTING and why_unavailable() is not None:
        pytest.skip(str(why_unavailable()))


def choose_options(command: str) -> tuple[str, ...]:
    # The other ways in which multiprocessing starts a process ask for the folder.
    return ("--start-method", "fork", *PATIENTLY) if command in STARTING else ()


@pytest.mark.parametrize(
    ("command", "quiet"),
    [
        *(pytest.param(command, [], id=command) for command in MODULES),
        # One of each kind of report.
        *(pytest.param(command, ["-q"], id=f"{command} quiet") for command in ("compare", "check")),
    ],
)
@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="there is no /dev/full")
@pytest.mark.usefixtures("removed_folder")
def test_an_output_that_cannot_be_written_is_one_sentence_and_the_files_are_whole(
    tmp_path: Path, command: str, quiet: list[str]
) -> None:
    """In a removed folder, which is no obstacle: see below."""
    skip_unmetered(command)
    file = tmp_path / "r.json"
    options = (*choose_options(command), *quiet, "--export-json", str(file))
    with open("/dev/full", "w") as full:
        child = run(command, *options, stdout=full)
    sentence = "standard output could not be written (No space left on device)."
    assert child.stderr == f"python -m gillab.{command}: {sentence}\n"
    assert child.returncode == 1
    text = file.read_text()
    document = json.loads(text)
    check_export(document)
    gillab = document["gillab"]
    assert (gillab["command"], gillab["partial"]) == (command, False)
    statuses = {cell["status"] for cell in gillab["cells"]}
    assert "ok" in statuses
    assert "failed" not in statuses
    assert "FileNotFoundError" not in text


@pytest.mark.parametrize("command", ["compare", "check"])
@pytest.mark.usefixtures("removed_folder")
def test_a_removed_folder_is_no_obstacle(command: str) -> None:
    skip_unmetered(command)
    child = run(command, *choose_options(command), stdout=subprocess.PIPE)
    assert child.returncode == 0, child.stderr
    assert "FileNotFoundError" not in child.stdout + child.stderr
