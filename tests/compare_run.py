"""Runs ``python -m gillab.compare`` in a child, and reads what it leaves behind."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import uuid
from pathlib import Path
from typing import Any, NamedTuple

from schema_check import check_export

LIMIT_S = 900.0
"""No test waits longer: a run that has not ended by then has hung."""

_ISOLATED = Path(__file__).parent / "isolated"
_MARK = "GILLAB_TEST_MARK"

PATIENT: dict[str, Any] = {"time_budget_s": 600.0, "timeout_s": 300.0}
"""For a run that its blocks end: on a starved machine a child takes ten seconds to start."""
PATIENTLY = ("--time-budget", "600s", "--timeout", "300s")
BRIEF = ("-q", "-j", "2", "--min-blocks", "1", "--max-blocks", "1", *PATIENTLY)


class Run(NamedTuple):
    """What a run left behind."""

    code: int
    out: str
    err: str
    data: dict[str, Any] | None
    """The key ``gillab`` of the JSON file, None where there is no file."""

    def cell(self, workload: str, strategy: str) -> dict[str, Any]:
        """Return the one cell of that workload and strategy, with shared data if there are two."""
        assert self.data is not None, self.err
        cells = [
            cell
            for cell in self.data["cells"]
            if (cell["workload"], cell["strategy"]) == (workload, strategy)
        ]
        # Without a GIL both kinds of data are measured.
        (cell,) = [cell for cell in cells if cell["data"] == "shared"] or cells
        assert isinstance(cell, dict)
        return cell


class Compare:
    """A comparison that runs; leave the ``with`` block and nothing of it is left."""

    def __init__(self, folder: Path, *arguments: str, **options: Any) -> None:
        self.file = folder / "run.json"
        self.mark = uuid.uuid4().hex
        path = os.pathsep.join([str(_ISOLATED), *filter(None, [os.environ.get("PYTHONPATH")])])
        environment = {**os.environ, "PYTHONPATH": path, _MARK: self.mark}
        self.process = subprocess.Popen(
            [sys.executable, "-m", "gillab.compare", "--export-json", str(self.file), *arguments],
            cwd=folder,
            env=environment,
            **{
                "stdin": subprocess.DEVNULL,
                "stdout": subprocess.PIPE,
                "stderr": subprocess.PIPE,
                "text": True,
                "errors": "replace",
                **options,
            },
        )

    def finish(self) -> Run:
        """Wait for its end and read the file that it wrote."""
        out, err = self.process.communicate(timeout=LIMIT_S)
        data = None
        if self.file.exists():
            document = json.loads(self.file.read_text())
            check_export(document)
            data = document["gillab"]
        return Run(self.process.returncode, out or "", err or "", data)

    def has_ended(self) -> bool:
        """Tell whether the command has come to its end."""
        return self.process.poll() is not None

    def __enter__(self) -> Compare:
        return self

    def __exit__(self, *_: object) -> None:
        for pid in find_marked(self.mark):
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
        self.process.kill()
        self.process.wait()
        for stream in (self.process.stdin, self.process.stdout, self.process.stderr):
            if stream is not None:
                stream.close()


def run_compare(folder: Path, *arguments: str, **options: Any) -> Run:
    """Run a comparison to its end, with the file ``run.json`` in ``folder``."""
    with Compare(folder, *arguments, **options) as compare:
        return compare.finish()


def find_marked(mark: str) -> list[int]:
    """Return the living processes that carry the mark of a run in their environment."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            marked = f"{_MARK}={mark}".encode() in (folder / "environ").read_bytes()
            state = (folder / "stat").read_text().rpartition(")")[2].split()[0]
        except OSError:
            continue
        if marked and state not in "ZX":
            found.append(int(folder.name))
    return found


def wait_until(condition: Any, limit_s: float = LIMIT_S) -> bool:
    """Look again and again; return whether it came true in time."""
    deadline = time.monotonic() + limit_s
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True
