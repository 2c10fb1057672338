"""Two versions in two places: revisions of a repository, two installs of a package."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from compare_run import PATIENT
from long_tests import only_long

from gillab.errors import UsageError
from gillab.launch.interpreter import Interpreter
from gillab.pythons import revision as revisions
from gillab.pythons.environments import PROGRAM, find_cache
from gillab.pythons.examine import examine_here
from gillab.pythons.revision import find_revision, prepare_revision
from gillab.pythons.versions import (
    Place,
    Version,
    check_imports,
    find_command,
    prepare_versions,
)
from gillab.versus import main, versus

pytestmark = pytest.mark.skipif(shutil.which("git") is None, reason="there is no git")
OLD = "def add():\n    total = 0\n    for n in range(2000):\n        total += n\n    return total\n"
NEW = "def add():\n    return sum(range(2000))\n"
SETUP = """
from setuptools import setup
setup(name="addition", version="1", package_dir={"": "src"}, py_modules=["addition"])
"""


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
    git(folder, "init", "-q", "-b", "master")
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


def fail(*words: str, capfd: pytest.CaptureFixture[str]) -> str:
    """Run a command that is refused, and return the one sentence that says why."""
    assert main([*words, "--max-blocks", "3", "--min-blocks", "3", "-q"]) == 2
    told = capfd.readouterr().err.strip()
    assert len(told.splitlines()) == 1
    return told


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
        (Place(None, "HEAD"), Place(None, "master"), "old and new are both commit "),
        (Place(sys.executable), Place(), "old and new are both in "),
        (Place(""), Place(), "'' names no Python"),
        (Place(), Place(None, "nowhere"), "no revision 'nowhere'"),
    ],
)
def test_places_that_cannot_be_compared_are_refused(
    repository: Path, old: Place, new: Place, reason: str
) -> None:
    with pytest.raises(UsageError, match=reason):
        prepare_versions(old, new)


def test_a_revision_is_checked_out_once_and_imported_in_place_of_the_files_here(
    repository: Path,
) -> None:
    told: list[str] = []
    python = prepare_revision(find_revision("HEAD~1"), examine_here(), told.append)
    assert python.reason is None
    assert python.facts["revision"] == "HEAD~1"
    show = "import addition, inspect; print(inspect.getsource(addition.add))"
    assert ask(python.interpreter, show) == OLD.strip()
    assert ask(examine_here().interpreter, show) == NEW.strip()
    again = prepare_revision(find_revision(python.facts["commit"]), examine_here(), told.append)
    assert again.interpreter == python.interpreter
    assert len(told) == 1
    git(repository, "diff", "--exit-code")
    assert set(os.listdir(repository)) - {"__pycache__"} == {".git", "addition.py"}


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
        ("a.py", "", False),
    ],
)
def test_what_can_be_installed_is(tmp_path: Path, name: str, text: str, installable: bool) -> None:
    (tmp_path / name).write_text(text)
    assert revisions._is_installable(tmp_path) is installable


@only_long
def test_a_project_is_built_and_old_is_not_the_files_here(
    repository: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """In a subfolder, with src, and with a space in its name; the files here are not installed."""
    pytest.importorskip("setuptools")
    inner = repository / "the project"
    (inner / "src").mkdir(parents=True)
    (repository / "addition.py").rename(inner / "src" / "addition.py")
    (inner / "setup.py").write_text(SETUP)
    (inner / "src" / "addition.py").write_text(OLD)
    git(repository, "add", "-A")
    git(repository, "commit", "-qm", "project")
    (inner / "src" / "addition.py").write_text(NEW)
    (inner / "src" / "addition_2.py").write_text(NEW)
    monkeypatch.chdir(inner)
    monkeypatch.syspath_prepend(str(inner / "src"))
    told: list[str] = []
    python = prepare_revision(find_revision("HEAD"), examine_here(), told.append)
    assert python.reason is None
    assert len(told) == 1
    show = "import addition, inspect; print(addition.__file__, inspect.getsource(addition.add))"
    where = ask(python.interpreter, show)
    assert "site-packages" in where
    assert "total = 0" in where
    assert ask(python.interpreter, "import gillab, rich; print(gillab.__version__)")
    result = versus(
        "addition:add", old_rev="HEAD", min_blocks=3, max_blocks=3, task_time_s=0.001, **PATIENT
    )
    speedup = result.cells[1].speedup
    assert speedup is not None
    assert speedup.estimate > 1.2
    hidden = fail("addition_2:add", "--old-rev", "HEAD", capfd=capfd)
    assert "old: there is no module 'addition_2'" in hidden


def test_a_project_that_cannot_be_built_says_why_and_leaves_nothing(
    repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (repository / "setup.py").write_text(SETUP)
    git(repository, "add", "-A")
    git(repository, "commit", "-qm", "package")
    monkeypatch.setattr(revisions, "make_environment", lambda python, place: None)
    monkeypatch.setattr(revisions, "install", lambda python, place, *words: "no compiler")
    python = prepare_revision(find_revision("HEAD"), examine_here())
    assert (python.status, python.reason) == ("failed", "HEAD cannot be built: no compiler")
    assert os.listdir(repository.parent / "cache" / "gillab" / "revisions") == []


def test_a_pyproject_that_cannot_be_read_is_a_reason(repository: Path) -> None:
    (repository / "pyproject.toml").write_text("nonsense = [")
    git(repository, "add", "-A")
    git(repository, "commit", "-qm", "broken")
    reason = prepare_revision(find_revision("HEAD"), examine_here()).reason
    assert reason is not None
    assert reason.startswith("HEAD cannot be built: its pyproject.toml cannot be read: ")


def test_the_nearest_project_upwards_is_built(tmp_path: Path) -> None:
    for folder in ("a", "a/b", "c"):
        (tmp_path / folder).mkdir()
    assert revisions._find_project(tmp_path, Path("a/b")) is None
    (tmp_path / "pyproject.toml").write_text("[tool.x]")
    (tmp_path / "setup.cfg").touch()
    (tmp_path / "a" / "setup.py").touch()
    assert revisions._find_project(tmp_path, Path("a/b")) == tmp_path / "a"
    assert revisions._find_project(tmp_path, Path("c")) == tmp_path
    assert revisions._find_project(tmp_path, Path(".")) == tmp_path


def test_a_submodule_is_found_from_where_the_repository_came(
    repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GIT_CONFIG_COUNT", "1")
    monkeypatch.setenv("GIT_CONFIG_KEY_0", "protocol.file.allow")
    monkeypatch.setenv("GIT_CONFIG_VALUE_0", "always")
    part = tmp_path / "remotes" / "part"
    part.mkdir(parents=True)
    git(part, "init", "-q")
    (part / "part.py").touch()
    git(part, "add", "-A")
    git(part, "commit", "-qm", "part")
    git(repository, "remote", "add", "origin", str(tmp_path / "remotes" / "main"))
    git(repository, "submodule", "--quiet", "add", "../part", "part")
    git(repository, "commit", "-qm", "with a part")
    assert prepare_revision(find_revision("HEAD"), examine_here()).reason is None
    (place,) = revisions.find_kept().iterdir()
    assert (place / "source" / "part" / "part.py").exists()


def test_what_builds_are_told_has_a_build_of_its_own(
    repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for flags in ("-O1", "-O2"):
        monkeypatch.setenv("CFLAGS", flags)
        assert prepare_revision(find_revision("HEAD"), examine_here()).reason is None
    assert len(os.listdir(revisions.find_kept())) == 2


def test_a_module_that_the_revision_lacks_is_not_taken_from_here(
    repository: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (repository / "later").mkdir()
    shutil.copy(repository / "addition.py", repository / "later" / "later.py")
    # What git does not know stays on the path.
    monkeypatch.syspath_prepend(str(repository / "later"))
    told = fail("later:add", "--old-rev", "HEAD~1", capfd=capfd)
    assert "old: later would come from the files here, " in told
    told = fail("add()", "-s", "from later import add", "--old-rev", "HEAD~1", capfd=capfd)
    assert "not from HEAD~1, which lacks it" in told


def test_a_revision_that_is_not_imported_is_no_comparison(
    repository: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    told = fail("json:dumps", "--args", "1", "--old-rev", "HEAD~1", capfd=capfd)
    assert "old: nothing that is imported comes from HEAD~1; name a function of it" in told


def make_version(label: str, revision: revisions.Revision | None = None, **facts: str) -> Version:
    python = examine_here()
    interpreter = replace(python.interpreter, label=label)
    python = replace(python, interpreter=interpreter, facts={**python.facts, **facts})
    return Version(python, revision, is_here=revision is None)


def test_an_install_here_does_not_stand_for_the_files_here(repository: Path) -> None:
    found = find_revision("HEAD")
    versions = (make_version("old", found), make_version("new"))
    kept = {"addition": str(revisions.find_kept().resolve() / "a" / "addition.py")}
    check_imports(versions, (kept, {"addition": str(repository.resolve() / "addition.py")}))
    check_imports(versions, (kept, None))
    for folder in ("/opt/lib", repository.resolve() / ".venv" / "site-packages"):
        with pytest.raises(UsageError, match="addition here would be the one that is installed"):
            check_imports(versions, (kept, {"addition": f"{folder}/addition.py"}))


def test_two_installs_of_the_same_files_are_no_comparison(repository: Path) -> None:
    installs = [replace(make_version(label), is_here=False) for label in ("old", "new")]
    files = {"json": "/lib/json.py", "addition": "/a/addition.py"}
    with pytest.raises(UsageError, match=r"import the same files \(addition from /a/addition.py"):
        check_imports((installs[0], installs[1]), (files, files))
    other = replace(make_version("new", python="3.99.0"), is_here=False)
    check_imports((installs[0], other), (files, files))
    check_imports((installs[0], installs[1]), (files, {**files, "addition": "/b/addition.py"}))
    own = {"rich": str(find_cache().resolve() / "a" / "rich.py")}
    with pytest.raises(UsageError, match="old: rich would be the copy that gillab needs"):
        check_imports((installs[0], installs[1]), (own, files))


def test_a_python_may_have_any_name(tmp_path: Path) -> None:
    path = tmp_path / "it's a python"
    path.touch()
    assert find_command(str(path)).program == str(path)
    assert find_command(str(tmp_path)).program == str(tmp_path.joinpath(*PROGRAM))


def test_another_gillab_is_not_measured_by_this_one(repository: Path) -> None:
    (repository / "gillab" / "blocks").mkdir(parents=True)
    (repository / "gillab" / "blocks" / "a.py").touch()
    git(repository, "add", "-A")
    git(repository, "commit", "-qm", "gillab")
    reason = prepare_revision(find_revision("HEAD"), examine_here()).reason
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
    assert f"in{tmp_path / 'one'}(CPython" in "".join(out.split())
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
