"""Other Pythons: what a command names, what they say of themselves, installing gillab there."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

import gillab
from gillab.errors import UsageError
from gillab.launch.interpreter import Interpreter, list_user_folders
from gillab.launch.launch import Launch, LaunchEndedError
from gillab.launch.messages import FindFunctions, Found
from gillab.pythons import bootstrap as installing
from gillab.pythons import environments
from gillab.pythons.bootstrap import bootstrap, find_requirement, has_source
from gillab.pythons.command import Command, find_program, parse_command
from gillab.pythons.environments import PROGRAM, find_cache
from gillab.pythons.examine import Python, examine
from gillab.pythons.prepare import prepare_pythons

posix = pytest.mark.skipif(os.name == "nt", reason="words are quoted in another way there")


def quote(*words: str | Path) -> str:
    return " ".join(f'"{word}"' for word in words)


def write_python(folder: Path, body: str, name: str = "python9.9") -> str:
    """Write a program that is called as a Python is and does something else; return its text."""
    path = folder / name
    path.write_text(body)
    return quote(sys.executable, path)


@pytest.mark.parametrize(
    ("text", "command"),
    [
        ("python3.14t", Command((), (), "python3.14t", ())),
        ("python3.14t -X gil=1", Command((), (), "python3.14t", ("-X", "gil=1"))),
        ("python3.14t -Xgil=0 -O", Command((), (), "python3.14t", ("-Xgil=0", "-O"))),
        ("PYTHON_JIT=1 python3.14", Command((("PYTHON_JIT", "1"),), (), "python3.14", ())),
        ("A=1 B= p -W error", Command((("A", "1"), ("B", "")), (), "p", ("-W", "error"))),
        ("box run /venv/bin/python -I", Command((), ("box", "run"), "/venv/bin/python", ("-I",))),
        (
            "docker run -i image python",
            Command((), ("docker", "run", "-i", "image"), "python", ()),
        ),
        pytest.param("'/my dir/p' -u", Command((), (), "/my dir/p", ("-u",)), marks=posix),
    ],
)
def test_a_command_is_taken_apart(text: str, command: Command) -> None:
    assert parse_command(text) == command


@pytest.mark.parametrize("text", ["", "  ", "A=1", "-X gil=1", pytest.param("'p", marks=posix)])
def test_a_text_that_names_no_python_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match=r"names no Python|is no command"):
        parse_command(text)


@posix
def test_a_python_is_found_by_version_and_a_shim_comes_last(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shim = tmp_path / "shims" / "python9.8t"
    real = tmp_path / "versions" / "9.8.1t" / "bin" / "python9.8t"
    for path in (shim, real):
        path.parent.mkdir(parents=True)
        path.touch(0o755)
    monkeypatch.setenv("PYENV_ROOT", str(tmp_path))
    monkeypatch.setenv("PATH", str(shim.parent), prepend=os.pathsep)
    assert find_program("python9.8t") == find_program("9.8t") == str(real)
    assert find_program(str(real)) == str(real)
    real.unlink()
    assert find_program("9.8t") == str(shim)
    assert find_program("python9.7t") is None
    assert find_program(str(real)) is None


def test_this_python_says_what_it_is_as_another() -> None:
    python = examine(parse_command(quote(sys.executable)))
    assert python.reason is None
    assert python.version == tuple(sys.version_info[:3])
    assert python.facts["implementation"] == sys.implementation.name
    assert not python.lacks_gillab


@pytest.mark.parametrize(
    ("body", "status", "reason"),
    [
        ("raise SystemExit(3)", "failed", "it ended with exit code 3"),
        ("import sys; sys.exit('pyenv: no')", "failed", "exit code 1; its last words: pyenv: no"),
        ("print('hello')", "failed", "it did not answer as Python"),
        ("print('gillab-python:[1]')", "failed", "it did not answer as Python"),
        ("import time; time.sleep(600)", "failed", "it did not answer within 3 s"),
    ],
)
def test_a_python_that_fails_says_why(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, body: str, status: str, reason: str
) -> None:
    if "sleep" in body:
        monkeypatch.setattr("gillab.pythons.examine._PATIENCE_S", 3)
    python = examine(parse_command(write_python(tmp_path, body)))
    assert python.status == status
    assert python.reason is not None
    assert python.reason.endswith(reason)
    assert not python.lacks_gillab


def test_a_python_that_is_nowhere_is_unavailable() -> None:
    python = examine(parse_command("python9.9"))
    assert python.status == "unavailable"
    assert python.reason == "there is no python9.9 on the PATH, in pyenv or under /opt"


def answer(version: tuple[int, int, int], found: str | None) -> str:
    """Return a program that says that it is a Python with that gillab."""
    facts = {
        "python": ".".join(map(str, version)),
        "implementation": "cpython",
        "compiler": "",
        "executable": "",
        "free_threaded_build": True,
        "gil_enabled": False,
        "jit_enabled": False,
    }
    where = {"version": version, "environment": False, "packages": []}
    return f"import json; print('gillab-python:' + json.dumps({[facts, where, found, None]!r}))"


def test_a_python_that_is_too_old_is_told_what_is_needed(tmp_path: Path) -> None:
    python = examine(parse_command(write_python(tmp_path, answer((3, 10, 1), None))))
    assert python.reason == "gillab needs Python 3.11, not 3.10.1"
    assert not python.lacks_gillab


@pytest.mark.parametrize("found", [None, "0.0.1"])
def test_where_gillab_is_missing_the_reason_says_the_command(
    tmp_path: Path, found: str | None
) -> None:
    text = write_python(tmp_path, answer((3, 99, 0), found))
    (python,) = prepare_pythons([text])
    assert python.status == "unavailable"
    assert python.reason is not None
    assert "add --bootstrap, or run: " in python.reason
    assert "-m pip install" in python.reason
    assert (found or "not installed") in python.reason
    assert python.label == "3.99t"


def test_labels_tell_pythons_apart(tmp_path: Path) -> None:
    one = write_python(tmp_path, answer((3, 98, 0), None), "one")
    two = write_python(tmp_path, answer((3, 98, 1), None), "two")
    gone = "A=1 python9.9"
    pythons = prepare_pythons([one, two, f"{two} -X gil=1", gone, f"JIT=1 {one}"])
    labels = [python.label for python in pythons]
    assert labels == ["3.98.0t", "3.98.1t", "3.98t -X gil=1", gone, "JIT=1 3.98t"]


def test_two_that_nothing_tells_apart_are_numbered(tmp_path: Path) -> None:
    long = tmp_path / ("n" * 60)
    pythons = []
    for name in "ab":
        folder = tmp_path / name / long.name
        folder.mkdir(parents=True)
        pythons.append(write_python(folder, answer((3, 98, 0), None)))
    first, second = (python.label for python in prepare_pythons(pythons))
    assert first != second


def test_the_same_python_twice_is_refused() -> None:
    with pytest.raises(UsageError, match="twice"):
        prepare_pythons(["python9.9", " python9.9 "])


def test_user_folders_are_neither_gillabs_nor_pythons_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    site = tmp_path / "lib" / "site-packages"
    site.mkdir(parents=True)
    source = Path(gillab.__file__).parents[1]
    library = Path(os.__file__).parent
    own = [str(source), str(library), str(library / "json"), str(site), str(tmp_path / "gone")]
    monkeypatch.setattr(sys, "path", [str(tmp_path), *own, "", str(tmp_path)])
    monkeypatch.chdir(tmp_path / "lib")
    assert list_user_folders() == [str(tmp_path), str(tmp_path / "lib")]


def test_a_launch_of_another_python_imports_from_its_own_library_and_the_users_folders(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    users = tmp_path / "users"
    users.mkdir()
    (users / "of_the_user.py").write_text("import os\nhas = os.environ['OF_THE_OTHER']\n")
    # Python would look in the current folder first, and a checkout there may not be built for it.
    (tmp_path / "gillab.py").write_text("raise ImportError('the wrong one')\n")
    monkeypatch.setattr(sys, "path", [str(users), *sys.path])
    monkeypatch.chdir(tmp_path)
    other = Interpreter("it", (sys.executable, "-X", "utf8"), {"OF_THE_OTHER": "str"})
    with Launch(interpreter=other) as launch:
        launch.await_start(300.0)
        launch.send(FindFunctions(("of_the_user:has.upper", "json:dumps")))
        assert launch.receive(300.0) == Found()
        assert launch.receive(300.0) == Found()


def test_a_launch_of_what_is_no_python_has_ended(tmp_path: Path) -> None:
    write_python(tmp_path, "print('hello'); raise SystemExit(3)")
    other = Interpreter("it", (sys.executable, str(tmp_path / "python9.9")))
    with Launch(interpreter=other) as launch, pytest.raises(LaunchEndedError, match="exit code 3"):
        launch.await_start(300.0)


def make_python(folder: Path, log: Path, *, fails: str = "nothing") -> Python:
    """Return a Python without gillab whose ``-m venv`` copies it and whose pip does nothing."""
    body = f"""
import pathlib, shutil, sys
me = pathlib.Path({str(folder / "python9.9")!r})
with open({str(log)!r}, "a") as log:
    log.write(" ".join(sys.argv[1:3]) + "\\n")
if {fails!r} in sys.argv:
    print("ERROR: no " + {fails!r} + " today")
    print("and more")
    raise SystemExit(1)
if "venv" in sys.argv:
    program = pathlib.Path(sys.argv[-1]).joinpath(*{PROGRAM!r})
    program.parent.mkdir(parents=True)
    program.write_text("{answer((3, 99, 0), gillab.__version__)}")
elif "pip" not in sys.argv:
    {answer((3, 99, 0), None)}
"""
    return examine(parse_command(write_python(folder, body)))


@pytest.fixture
def cache_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return find_cache()


def test_an_environment_is_made_once_and_kept(tmp_path: Path, cache_folder: Path) -> None:
    python = make_python(tmp_path, tmp_path / "log")
    told: list[str] = []
    # The program of the environment answers as Python does, and as pip does: it ends with 0.
    ready = bootstrap(python, told.append)
    assert ready.reason is None
    assert ready.command == python.command
    (place,) = cache_folder.iterdir()
    assert ready.interpreter.command == (sys.executable, str(place.joinpath(*PROGRAM)))
    assert len(told) == 1
    made = (tmp_path / "log").read_text()
    again = bootstrap(python, told.append)
    assert again == ready
    assert len(told) == 1
    assert (tmp_path / "log").read_text() == made
    assert list(cache_folder.iterdir()) == [place]


def test_an_environment_that_fails_leaves_nothing(tmp_path: Path, cache_folder: Path) -> None:
    python = make_python(tmp_path, tmp_path / "log", fails="venv")
    failed = bootstrap(python)
    assert failed.status == "failed"
    assert failed.reason == ("its virtual environment cannot be made: ERROR: no venv today")
    assert list(cache_folder.iterdir()) == []


def test_a_python_that_does_not_see_the_cache_folder_is_told_what_to_do(
    tmp_path: Path, cache_folder: Path
) -> None:
    python = make_python(tmp_path, tmp_path / "log", fails=environments._LOOK)
    assert bootstrap(python).reason == (
        f"it does not see {cache_folder.parent}; set XDG_CACHE_HOME to a folder that it sees"
    )
    assert list(cache_folder.iterdir()) == []


def test_an_environment_in_which_gillab_does_not_work_says_so(
    tmp_path: Path, cache_folder: Path
) -> None:
    python = make_python(tmp_path, tmp_path / "log")
    bootstrap(python)
    (place,) = cache_folder.iterdir()
    place.joinpath(*PROGRAM).write_text("raise SystemExit(7)")
    failed = bootstrap(python)
    assert failed.status == "failed"
    assert failed.reason == f"in {place}: it ended with exit code 7"


def test_a_cache_folder_that_cannot_be_made_is_a_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    failed = bootstrap(make_python(tmp_path, tmp_path / "log"))
    assert failed.reason is not None
    assert failed.reason.startswith("no environment can be made in ")


def test_another_source_has_another_environment(
    tmp_path: Path, cache_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    python = make_python(tmp_path, tmp_path / "log")
    names = set()
    for source in ("one", "other"):
        monkeypatch.setattr(installing, "has_source", lambda: True)
        monkeypatch.setattr(installing, "_digest_source", lambda source=source: source)
        monkeypatch.setattr(installing, "_list_source", lambda: ())
        assert bootstrap(python).reason is None
        names = {path.name for path in cache_folder.iterdir()}
    assert len(names) == 2


@pytest.mark.parametrize(
    ("origin", "requirement"),
    [
        (None, f"gillab=={gillab.__version__}"),
        ('{"url": "file:///w/gillab", "dir_info": {}}', "gillab @ file:///w/gillab"),
        (
            '{"url": "https://example.org/g", "vcs_info": {"vcs": "git", "commit_id": "abc"}}',
            "gillab @ git+https://example.org/g@abc",
        ),
    ],
)
def test_an_installed_gillab_is_installed_elsewhere_from_where_it_came(
    monkeypatch: pytest.MonkeyPatch, origin: str | None, requirement: str
) -> None:
    class Distribution:
        def read_text(self, name: str) -> str | None:
            return origin

    monkeypatch.setattr(installing, "has_source", lambda: False)
    monkeypatch.setattr(installing, "distribution", lambda name: Distribution())
    assert find_requirement() == requirement


@pytest.mark.skipif(not has_source(), reason="gillab is installed without its source")
def test_the_copy_that_is_built_is_the_source_without_what_was_built_from_it(
    tmp_path: Path,
) -> None:
    assert find_requirement() == str(Path(gillab.__file__).parents[1])
    installing._copy_source(tmp_path)
    copied = {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*")}
    assert {"pyproject.toml", "setup.py", "gillab/__init__.py", "csrc/countdown.c"} <= copied
    assert not [name for name in copied if name.endswith((".so", ".pyc", ".pyd"))]
