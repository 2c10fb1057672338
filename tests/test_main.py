"""``python -m gillab``: the list of what there is, and the way to it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest
from compare_run import LIMIT_S, PATIENTLY

import gillab
from gillab.__main__ import EXPERIMENTS, main
from gillab.kernels import KERNELS
from gillab.strategies import DEFAULT, EXTRA


@pytest.mark.parametrize("arguments", [[], ["--help"]])
def test_the_list_names_everything_within_80_columns(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments) == 0
    printed = capsys.readouterr().out
    for name in (*EXPERIMENTS, *KERNELS, *DEFAULT, *EXTRA):
        assert name in printed
    assert max(map(len, printed.splitlines())) <= 80


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_every_experiment_runs_by_its_name(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    commands = {"report": "gillab.command.page", "schema": "gillab.command.schema"}
    module = commands.get(name, f"gillab.{name}")
    assert callable(import_module(module).main)
    with pytest.raises(SystemExit) as end:
        main([name, "--help"])
    assert end.value.code == 0
    assert f"gillab.{name}" in capsys.readouterr().out


def test_an_unknown_experiment_offers_the_nearest(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["compar"]) == 2
    assert capsys.readouterr().err == (
        "gillab: there is no experiment 'compar'; did you mean compare?\n"
    )


def test_without_its_compiled_part_the_list_is_one_sentence(tmp_path: Path) -> None:
    shutil.copytree(
        Path(gillab.__file__).parent,
        tmp_path / "gillab",
        ignore=shutil.ignore_patterns("*.so", "*.pyd", "__pycache__"),
    )
    child = subprocess.run(
        [sys.executable, "-m", "gillab"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        timeout=LIMIT_S,
    )
    assert (child.returncode, child.stdout) == (2, "")
    assert child.stderr.startswith("gillab: gillab's compiled kernels are not beside its Python")
    assert child.stderr.count("\n") == 1


# This gillab's, also where the tests run in a checkout that is not installed.
PATH = [str(Path(gillab.__file__).parents[1]), *filter(None, [os.environ.get("PYTHONPATH")])]
ENVIRONMENT = {**os.environ, "PYTHONPATH": os.pathsep.join(PATH)}
SCRIPT = "import sys; from gillab.__main__ import main; sys.exit(main())"


def run_script(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run what an installer makes of the entry point: its own folder is the first to look in."""
    script = folder / "bin" / "gillab-script.py"
    script.parent.mkdir()
    script.write_text(SCRIPT)
    return run_python(folder, str(script), *arguments)


def run_python(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        timeout=LIMIT_S,
        env=ENVIRONMENT,
    )


def test_the_script_finds_a_function_of_this_folder(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text("def double(n):\n    return 2 * n\n")
    brief = ["-q", "-n", "1", "-j", "1", "--max-blocks", "1", "--strategies", "processes"]
    child = run_script(tmp_path, "compare", "mine:double", "--args", "(21,)", *brief, *PATIENTLY)
    assert child.returncode == 0, child.stderr
    assert child.stdout.startswith("mine:double: ")


@pytest.mark.skipif(sys.platform == "win32", reason="a folder in use cannot be removed there")
def test_the_script_runs_where_its_folder_was_removed(tmp_path: Path) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    script = f"import os; os.rmdir({str(gone)!r}); {SCRIPT}"
    child = run_python(gone, "-c", script, "--version")
    assert (child.returncode, child.stderr) == (0, "")
