"""Two versions in two places: revisions of a repository, two installs of a package."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from compare_run import PATIENT
from long_tests import only_long

from gillab.errors import UsageError
from gillab.launch.interpreter import Interpreter
from gillab.pythons import revision as revisions
from gillab.pythons.examine import examine_here
from gillab.pythons.revision import find_revision, prepare_revision
from gillab.pythons.versions import Place, prepare_places
from gillab.versus import main, versus

pytestmark = pytest.mark.skipif(shutil.which("git") is None, reason="there is no git")
OLD = "def add():\n    total = 0\n    for n in range(2000):\n        total += n\n    return total\n"
NEW = "def add():\n    return sum(range(2000))\n"
SETUP = (
    "from setuptools import setup\nsetup(name='addition', version='{}', packages=['addition'])\n"
)


def git(folder: Path, *words: str) -> None:
    names = (
        "-c",
        "user.name=a",
        "-c",
        "user.email=a@example.org",
        "-c",
        "protocol.file.allow=always",
    )
    subprocess.run(["git", *names, *words], cwd=folder, check=True, capture_output=True)


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Make a repository whose module had a loop one commit ago; it is the current folder."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    folder = tmp_path / "repository"
    folder.mkdir()
    git(folder, "init", "-q")
    for text, message in ((OLD, "loop"), (NEW, "sum")):
        (folder / "addition.py").write_text(text)
        git(folder, "add", "-A")
        git(folder, "commit", "-qm", message)
    monkeypatch.chdir(folder)
    monkeypatch.syspath_prepend(str(folder))
    return folder


def ask(interpreter: Interpreter, code: str) -> str:
    """Run code as a launch of the interpreter imports, and return what it prints."""
    path = [*(interpreter.path or ()), "--", *interpreter.last]
    script = (
        "import sys; end = sys.argv.index('--'); "
        "sys.path[:] = [*sys.argv[1:end], *sys.path, *sys.argv[end + 1:]]\n" + code
    )
    words = [*interpreter.command, "-P", "-c", script, *path]
    return subprocess.run(words, check=True, capture_output=True, text=True).stdout.strip()


@pytest.mark.parametrize(
    ("name", "reason"),
    [("-x", "there is no revision '-x'"), ("nowhere", "there is no revision 'nowhere' in ")],
)
def test_a_revision_that_there_is_not_is_a_mistake(
    repository: Path, name: str, reason: str
) -> None:
    with pytest.raises(UsageError, match=reason):
        find_revision(name)


def test_outside_a_repository_there_are_no_revisions(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError, match=r"no git repository that can be read .*not a git rep"):
        find_revision("main")
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(UsageError, match="git cannot be run"):
        find_revision("main")


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        (Place("python", "main"), Place(), "either --old-python or --old-rev"),
        (Place(), Place("python", "main"), "either --new-python or --new-rev"),
        (Place(None, "HEAD"), Place(None, "HEAD"), "old and new are both HEAD"),
        (Place("here"), Place("here"), "old and new are both in here"),
        (Place(), Place(None, "nowhere"), "no revision 'nowhere'"),
    ],
)
def test_places_that_cannot_be_compared_are_refused(
    repository: Path, old: Place, new: Place, reason: str
) -> None:
    with pytest.raises(UsageError, match=reason):
        prepare_places(old, new)


def test_a_revision_is_checked_out_once_and_imported_in_place_of_the_files_here(
    repository: Path,
) -> None:
    told: list[str] = []
    python = prepare_revision(find_revision("HEAD~1"), told.append)
    assert python.reason is None
    assert python.facts["revision"] == "HEAD~1"
    show = "import addition, inspect; print(inspect.getsource(addition.add))"
    assert ask(python.interpreter, show) == OLD.strip()
    assert ask(examine_here().interpreter, show) == NEW.strip()
    again = prepare_revision(find_revision(python.facts["commit"]), told.append)
    assert again.interpreter == python.interpreter
    assert len(told) == 1
    git(repository, "diff", "--exit-code")
    assert os.listdir(repository) == [".git", "addition.py"] or "__pycache__" in os.listdir(
        repository
    )


def test_what_git_does_not_know_stays_where_it_is(repository: Path) -> None:
    (repository / "environment").mkdir()
    source = repository.parent / "source"
    source.mkdir()
    assert revisions._move(repository, repository, source) == str(source)
    inner = repository / "environment"
    assert revisions._move(inner, repository, source) == str(inner)
    assert revisions._move(repository.parent, repository, source) == str(repository.parent)


@pytest.mark.parametrize(
    ("name", "text", "installable"),
    [
        ("setup.py", "", True),
        ("pyproject.toml", "[project]\nname = 'a'\n", True),
        ("pyproject.toml", "[build-system]\nrequires = []\n", True),
        ("pyproject.toml", "[tool.ruff]\nline-length = 100\n", False),
        ("pyproject.toml", "no toml", False),
        ("a.py", "", False),
    ],
)
def test_what_can_be_installed_is(tmp_path: Path, name: str, text: str, installable: bool) -> None:
    (tmp_path / name).write_text(text)
    assert revisions._is_installable(tmp_path) is installable


def make_package(folder: Path) -> None:
    """Turn the repository's module into a package that has to be installed."""
    (folder / "addition.py").unlink()
    (folder / "addition").mkdir()
    (folder / "addition" / "__init__.py").write_text(OLD)
    (folder / "setup.py").write_text(SETUP.format(1))
    git(folder, "add", "-A")
    git(folder, "commit", "-qm", "package")


@only_long
def test_a_project_is_installed_without_the_files_here(
    repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_package(repository)
    installed: list[tuple[str, ...]] = []

    def install(python: object, place: Path, *words: str) -> str | None:
        installed.append(words)
        if "--no-build-isolation" not in words:
            return "no network"
        (packages,) = place.rglob("site-packages")
        shutil.copytree(Path(words[-1], "addition"), packages / "addition")
        return None

    monkeypatch.setattr(revisions, "install", install)
    python = prepare_revision(find_revision("HEAD"))
    assert python.reason is None
    assert [words[:-1] for words in installed] == [
        ("--no-deps",),
        ("--no-build-isolation", "--no-deps"),
    ]
    where = ask(python.interpreter, "import addition; print(addition.__file__)")
    assert "site-packages" in where
    assert str(repository) not in where
    assert ask(python.interpreter, "import gillab, rich; print(gillab.__version__)")
    # As an editable install of the files here would: it puts itself before all others.
    (packages,) = Path(where).parents[1:2]
    hides = f"import sys; sys.path.insert(0, {str(repository)!r})\n"
    (packages / "editable.pth").write_text(hides)
    hidden = prepare_revision(find_revision("HEAD"))
    assert hidden.reason is not None
    assert hidden.reason.startswith("addition of HEAD is hidden by the files here")


def test_a_project_that_cannot_be_built_says_why_and_leaves_nothing(
    repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_package(repository)
    monkeypatch.setattr(revisions, "make_environment", lambda python, place: None)
    monkeypatch.setattr(revisions, "install", lambda python, place, *words: "no compiler")
    python = prepare_revision(find_revision("HEAD"))
    assert (python.status, python.reason) == ("failed", "HEAD cannot be built: no compiler")
    assert os.listdir(repository.parent / "cache" / "gillab" / "revisions") == []


def test_another_gillab_is_not_measured_by_this_one(repository: Path) -> None:
    (repository / "gillab" / "blocks").mkdir(parents=True)
    (repository / "gillab" / "blocks" / "a.py").touch()
    git(repository, "add", "-A")
    git(repository, "commit", "-qm", "gillab")
    reason = prepare_revision(find_revision("HEAD")).reason
    assert reason == "HEAD cannot be built: gillab cannot measure another revision of itself"


def test_two_revisions_are_compared_by_turns(repository: Path) -> None:
    result = versus(
        "addition:add", old_rev="HEAD~1", min_blocks=3, max_blocks=3, task_time_s=0.001, **PATIENT
    )
    old, new = result.cells
    assert (old.interpreter, new.interpreter) == ("old", "new")
    assert new.speedup is not None
    assert new.speedup.estimate > 1.2
    assert [each["label"] for each in result.environment["pythons"]] == ["old", "new"]
    assert result.options["versus"]["old"]["revision"] == "HEAD~1"
    assert result.null[0].speedup is not None
    for block in result.blocks:
        assert set(block["seconds"]) == {"serial/1/old", "null/1/old again", "serial/1/new/new"}


def test_two_installs_are_compared_whatever_lies_here(
    repository: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    here = examine_here()
    for name, text in (("one", OLD), ("other", NEW)):
        folder = tmp_path / name
        words = [sys.executable, "-m", "venv", "--without-pip", str(folder)]
        subprocess.run(words, check=True)
        (packages,) = folder.rglob("site-packages")
        (packages / "addition.py").write_text(text)
        (packages / "all.pth").write_text("\n".join(here.interpreter.path or ()))
    code = main(
        [
            *("addition:add", "--old-python", str(tmp_path / "one")),
            *("--new-python", str(tmp_path / "other"), "--min-blocks", "3", "--max-blocks", "3"),
            *("--task-time", "1ms", "--timeout", "600s", "--fail-if", "new.speedup < 0.1"),
        ]
    )
    out = capsys.readouterr().out
    assert code == 4, out
    assert "gate new.speedup < 0.1: undecided, add.serial.1.new has " in out
    assert f"in {tmp_path / 'one'} (CPython " in " ".join(out.split())
    assert "as fast as old" in out


def test_an_install_without_gillab_is_one_sentence(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(tmp_path / "v")], check=True)
    assert main(["pass", "--old-python", str(tmp_path / "v"), "-q"]) == 2
    told = capfd.readouterr().err
    assert "old cannot be measured: gillab" in told
    assert "add --bootstrap" in told
    assert len(told.strip().splitlines()) == 1


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (["pass"], "there is no new version"),
        (["pass", "pass", "--bootstrap"], "--bootstrap is for other interpreters"),
    ],
)
def test_wrong_places_are_refused(
    words: list[str], reason: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(words) == 2
    assert reason in capsys.readouterr().err
