"""The file that a run leaves: its JSON, what pyperf makes of it, and how it is written."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from gillab.results import Cell, Control, Estimate, Noise, Result, Spread, write_whole

NOISE = Noise(3, 3, 0.0, 0.0, 0.0, 0.0, 0.0, 1, None)


def make_result() -> Result:
    cells = [
        Cell("w", "serial", 1, "3.13.0", "ok", blocks=3, seconds=Spread(2.0, 0.1, 1.9)),
        Cell(
            "w", "threads", 2, "3.13.0", "ok", blocks=3, seconds=Spread(1.0, 0.1, 0.9),
            speedup=Estimate(2.0, 1.9, 2.1), verdict="wins",
        ),
        Cell("w", "interpreters", 2, "3.13.0", "unavailable", "needs Python 3.14"),
    ]  # fmt: skip
    seconds = [{"serial/1": 2.0, "threads/2": 1.0}, {"serial/1": 2.1}]
    seconds += [{"serial/1": 1.9, "threads/2": 0.9}]
    return Result(
        command="compare",
        partial=False,
        seed=1,
        options={},
        environment={"python": "3.13.0", "cpus": 2, "cpu_model": "", "hostname": "h"},
        cells=cells,
        null=[Control("w", 1, Estimate(1.0, 0.9, 1.1), True, 1.0)],
        ceiling=[Control("w", 2, None, None, 2.0)],
        noise=NOISE,
        blocks=[{"workload": "w", "seconds": each} for each in seconds],
    )


def test_the_json_has_the_keys_of_the_contract() -> None:
    gillab = json.loads(make_result().to_json())["gillab"]
    assert gillab["schema"] == 1
    assert gillab["command"] == "compare"
    assert gillab["partial"] is False
    assert {"seed", "environment", "noise", "blocks"} <= set(gillab)
    assert set(gillab["cells"][1]) >= {
        "workload", "strategy", "workers", "python", "status", "reason", "seconds", "speedup",
        "of_ceiling", "cores", "held", "setup_s", "verdict",
    }  # fmt: skip
    assert gillab["cells"][1]["speedup"] == {"estimate": 2.0, "low": 1.9, "high": 2.1}
    assert gillab["controls"]["null"]["passed"] is True
    assert gillab["controls"]["ceiling"]["passed"] is None


@pytest.mark.parametrize(
    "command", [["show"], ["stats"], ["show", "--metadata"], ["compare_to"], ["hist"], ["dump"]]
)
def test_pyperf_loads_the_file_as_it_is(tmp_path: Path, command: list[str]) -> None:
    path = tmp_path / "run.json"
    path.write_text(make_result().to_json())
    files = [path, path] if command == ["compare_to"] else [path]
    child = subprocess.run(
        [sys.executable, "-m", "pyperf", *command, *files],
        capture_output=True,
        text=True,
        check=False,
    )
    assert child.returncode == 0, child.stderr
    assert "w threads 2" in child.stdout


def test_pyperf_benchmarks_have_equal_counts_of_whole_blocks() -> None:
    benchmarks = make_result().to_dict()["benchmarks"]
    assert [b["metadata"]["name"] for b in benchmarks] == ["w serial 1", "w threads 2"]
    assert [[run["values"] for run in b["runs"]] for b in benchmarks] == [
        [[2.0], [1.9]],
        [[1.0], [0.9]],
    ]


def test_a_cell_is_found_by_workload_strategy_and_workers() -> None:
    result = make_result()
    assert result.cell("w", "threads").workers == 2
    assert result.cell("w", "threads", 2).verdict == "wins"
    assert result.verdicts["w", "threads", 2] == "wins"
    with pytest.raises(KeyError):
        result.cell("w", "threads", 3)


def test_a_file_is_replaced_whole(tmp_path: Path) -> None:
    path = tmp_path / "out.json"
    path.write_text("old")
    write_whole(path, "new")
    assert path.read_text() == "new"
    assert os.listdir(tmp_path) == ["out.json"]


def test_a_failed_write_leaves_the_old_file_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    path = tmp_path / "out.json"
    path.write_text("old")
    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(OSError, match="No space"):
        write_whole(path, "new")
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["out.json"]


def test_a_device_is_written_to_and_not_replaced() -> None:
    write_whole(Path(os.devnull), "text")
    assert not Path(os.devnull).is_file()
