"""The file that a run leaves: its JSON, what pyperf makes of it, and how it is written."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from gillab.estimates import Estimate, Spread
from gillab.files import write_whole
from gillab.results import Alternative, Cell, Choice, Control, Noise, Result, Status

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
    assert {"seed", "environment", "noise", "blocks", "choices"} <= set(gillab)
    assert set(gillab["cells"][1]) >= {
        "workload", "strategy", "workers", "python", "status", "reason", "seconds", "speedup",
        "speedup_later", "of_ceiling", "cores", "held", "held_interval", "setup_s", "verdict",
        "cause", "proved_by", "shortfall", "cpu_cost", "idle_cores",
    }  # fmt: skip
    assert gillab["cells"][1]["speedup"] == {"estimate": 2.0, "low": 1.9, "high": 2.1}
    assert gillab["controls"]["null"]["passed"] is True
    assert gillab["controls"]["ceiling"]["passed"] is None


def test_a_script_reads_from_the_file_what_to_use() -> None:
    use = Choice("w", "use", "threads", 2, (Alternative("processes", 2, "as_fast"),))
    stay = Choice("x", "stay_serial", because="one_cpu", doubts=("ceiling",))
    result = replace(make_result(), choices=[use, stay])
    first, second = json.loads(result.to_json())["gillab"]["choices"]
    assert (first["advice"], first["strategy"], first["workers"]) == ("use", "threads", 2)
    assert first["alternatives"] == [
        {
            "strategy": "processes",
            "workers": 2,
            "relation": "as_fast",
            "data": "shared",
            "chunksize": None,
        }
    ]
    assert (second["advice"], second["strategy"]) == ("stay_serial", None)
    assert (second["because"], second["doubts"]) == ("one_cpu", ["ceiling"])


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


def make_failed_late() -> Result:
    """Return a run of statements of two lines, one arm of which failed after two blocks."""
    name = "x = 1\nsum(range(x))"
    blocks: list[dict[str, Any]] = [
        {"workload": name, "seconds": {"serial/1": 2.0, "threads/2": 1.0, "processes/2": 1.5}},
        {"workload": name, "seconds": {"serial/1": 2.1, "threads/2": 1.1, "processes/2": 1.6}},
        {"workload": name, "seconds": {"serial/1": 2.2, "threads/2": 1.2}},
        {"workload": name, "seconds": {"serial/1": 2.3, "threads/2": 1.3}},
    ]
    spread = Spread(1.0, 0.1, 0.9)
    cells = [
        Cell(name, "serial", 1, "3.13.0", "ok", blocks=4, seconds=spread),
        Cell(name, "threads", 2, "3.13.0", "ok", blocks=4, seconds=spread),
        Cell(name, "processes", 2, "3.13.0", "failed", "it died", blocks=2, seconds=spread),
    ]
    return replace(make_result(), cells=cells, blocks=blocks)


def test_pyperf_gets_every_block_of_the_sound_cells_alone() -> None:
    benchmarks = make_failed_late().to_dict()["benchmarks"]
    assert [(b["metadata"]["name"], len(b["runs"])) for b in benchmarks] == [
        (r"x = 1\nsum(range(x)) serial 1", 4),
        (r"x = 1\nsum(range(x)) threads 2", 4),
    ]


def test_pyperf_loads_statements_of_several_lines(tmp_path: Path) -> None:
    path = tmp_path / "run.json"
    path.write_text(make_failed_late().to_json())
    child = subprocess.run(
        [sys.executable, "-m", "pyperf", "show", path], capture_output=True, text=True, check=False
    )
    assert child.returncode == 0, child.stderr
    assert r"x = 1\nsum(range(x)) threads 2" in child.stdout


@pytest.mark.parametrize(
    ("statuses", "partial", "failed"),
    [
        (["ok", "unavailable"], False, False),
        (["ok", "failed"], False, True),
        (["unavailable", "unavailable"], False, True),
        (["unavailable", "unavailable"], True, False),  # interrupted, and that is told instead
        (["failed"], True, True),
    ],
)
def test_a_run_has_failed_where_a_cell_did_or_none_was_measured(
    statuses: list[Status], partial: bool, failed: bool
) -> None:
    cells = [Cell("w", f"s{n}", 1, "3.13.0", status) for n, status in enumerate(statuses)]
    assert replace(make_result(), cells=cells, partial=partial).failed is failed


def test_the_file_says_why_a_ceiling_failed() -> None:
    failed = Control("w", 2, None, None, 2.0, reason="OSError: no more processes")
    data = replace(make_result(), ceiling=[failed]).to_dict()["gillab"]["controls"]["ceiling"]
    assert data["passed"] is None
    assert data["of"][0]["reason"] == "OSError: no more processes"


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


def make_link(link: Path, target: Path) -> None:
    try:
        link.symlink_to(target)
    except OSError:
        pytest.skip("this system lets nobody make links")  # Windows, but for administrators


@pytest.mark.parametrize("before", ["old", None], ids=["to a file", "dangling"])
def test_a_link_stays_and_what_it_leads_to_is_written(tmp_path: Path, before: str | None) -> None:
    link, folder = tmp_path / "latest.json", tmp_path / "runs"
    folder.mkdir()
    make_link(link, Path("runs") / "1.json")  # relative to the link's folder, not to ours
    if before is not None:
        (folder / "1.json").write_text(before)
    write_whole(link, "new")
    assert link.is_symlink()
    assert not (folder / "1.json").is_symlink()
    assert (folder / "1.json").read_text() == "new"
    assert os.listdir(folder) == ["1.json"]


WRITER = """
import sys
from pathlib import Path
from gillab.files import write_whole
print("before", flush=True)
write_whole(Path(sys.argv[1]), "file\\n")
print("after")
"""


def test_the_file_that_our_output_goes_to_is_written_to_and_not_replaced(tmp_path: Path) -> None:
    path = tmp_path / "out.txt"
    with path.open("w") as file:
        subprocess.run([sys.executable, "-c", WRITER, str(path)], stdout=file, check=True)
    assert path.read_text() == "before\nfile\nafter\n"
    assert os.listdir(tmp_path) == ["out.txt"]


@pytest.mark.skipif(not os.path.exists("/dev/stdout"), reason="there is no /dev/stdout")
def test_standard_output_by_its_name_is_a_file_or_a_pipe(tmp_path: Path) -> None:
    # By a link of our own: were one replaced, it is not to be the system's.
    name = tmp_path / "name"
    make_link(name, Path("/dev/stdout"))
    command = [sys.executable, "-c", WRITER, str(name)]
    with (tmp_path / "out.txt").open("w") as file:
        subprocess.run(command, stdout=file, check=True)
    assert (tmp_path / "out.txt").read_text() == "before\nfile\nafter\n"
    piped = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    assert piped.stdout == "before\nfile\nafter\n"
    assert name.is_symlink()
