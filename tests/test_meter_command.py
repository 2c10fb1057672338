"""``python -m gillab.meter`` runs a program as Python itself does, and reports on stderr."""

from __future__ import annotations

import errno
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from schema_check import check_export

from gillab.meter import why_unavailable

HANG_S = 120

PROGRAM = """\
import os, pickle, sys, threading, __main__
print(sys.argv[1:], __name__, os.path.basename(sys.argv[0]), __main__.__dict__ is globals())
print(sys.path[0], repr(__spec__ and __spec__.name), os.path.basename(__file__))
class Thing: pass
pickle.loads(pickle.dumps(Thing()))
if "abrupt" not in sys.argv: threading.Thread(target=lambda: print(sum(range(1000)))).start()
if "code" in sys.argv: sys.exit(7)
if "message" in sys.argv: sys.exit("a message")
if "raise" in sys.argv: 1 / 0
if "interrupt" in sys.argv: raise KeyboardInterrupt
if "abrupt" in sys.argv: sys.stdout.flush(); os._exit(9)
"""


@pytest.fixture
def program(tmp_path: Path) -> Path:
    path = tmp_path / "program.py"
    path.write_text(PROGRAM)
    return path


def run(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *arguments],
        capture_output=True,
        text=True,
        cwd=cwd,
        timeout=HANG_S,
        check=False,
    )


@pytest.mark.parametrize("kind", ["script", "module", "folder", "code"])
@pytest.mark.parametrize(
    "argument", ["--interval", "code", "message", "raise", "interrupt", "abrupt"]
)
def test_a_program_runs_as_it_does_alone(program: Path, kind: str, argument: str) -> None:
    folder = program.parent
    if kind == "folder":
        (folder / "app").mkdir()
        program.rename(folder / "app" / "__main__.py")
    form = {
        "script": ["program.py"],
        "module": ["-m", "program"],
        "folder": ["app"],
        "code": ["-c", PROGRAM.replace("__file__", "'none'")],
    }[kind]
    alone = run(*form, argument, cwd=folder)
    ours = [["gillab.meter"]]
    if argument == "raise" or kind == "script":  # what differs is the way there
        ours.append(["gillab", "meter"])
    for command in ours:
        metered = run("-m", *command, *form, argument, cwd=folder)
        assert metered.returncode == alone.returncode
        assert metered.stdout == alone.stdout
        # An uncaught exception shows the program's frames and none of the meter's.
        assert metered.stderr.startswith(alone.stderr)
        assert ("GIL" in metered.stderr) is (argument != "abrupt")


@pytest.mark.skipif(os.name == "nt", reason="an interrupt does not end a process here")
def test_ctrl_c_ends_the_program_as_it_does_alone(tmp_path: Path) -> None:
    code = "print('ready', flush=True); import time; time.sleep(60)"
    with subprocess.Popen(
        [sys.executable, "-m", "gillab.meter", "-c", code],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        process.stdout.readline()
        time.sleep(0.1)
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=HANG_S)
    assert process.returncode == -signal.SIGINT
    assert "KeyboardInterrupt" in errors


def test_a_program_that_is_not_there_is_reported_as_python_does(tmp_path: Path) -> None:
    for form in (["nothing.py"], ["-m", "nothing_of_this_name"]):
        alone = run(*form, cwd=tmp_path)
        metered = run("-m", "gillab.meter", *form, cwd=tmp_path)
        assert metered.returncode == alone.returncode
        assert metered.stderr.startswith(alone.stderr.strip())


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["-m"],
        ["--interval", "5", "x.py"],
        ["--interval", "5us", "x.py"],
        ["--budget", "0.005", "x.py"],
        ["--budget", "60%", "x.py"],
        ["--interval", "1ms", "--budget", "1%", "x.py"],
        ["--knock", "--budget", "1%", "x.py"],
        ["--export-json", "no/such/folder/x.json", "x.py"],
        ["--unknown", "x.py"],
    ],
)
def test_what_cannot_be_used_ends_with_2(tmp_path: Path, arguments: list[str]) -> None:
    result = run("-m", "gillab.meter", *arguments, cwd=tmp_path)
    assert result.returncode == 2
    (line,) = result.stderr.splitlines()
    assert line.startswith("python -m gillab.meter: ")


@pytest.mark.skipif(why_unavailable() is not None, reason="the meter is unavailable")
def test_the_reading_is_exported(tmp_path: Path) -> None:
    result = run(
        *("-m", "gillab.meter", "--interval", "200us", "--export-json", "reading.json"),
        *("-c", "sum(range(3_000_000))"),
        cwd=tmp_path,
    )
    assert result.returncode == 0, result.stderr
    document = json.loads((tmp_path / "reading.json").read_text())
    check_export(document)
    assert document["schema"] == 1
    assert document["command"] == "meter"
    assert document["interval_s"] == pytest.approx(200e-6)
    assert document["budget"] is None
    assert document["reading"]["duration_s"] > 0
    assert [path.name for path in tmp_path.iterdir()] == ["reading.json"]


OWN_MODULES = ("tempfile", "random", "pathlib", "bisect")
IMPORTS_ITS_OWN = "import os, random, sys; print(random.mine); os.mkdir('in'); os.chdir('in')"


@pytest.mark.skipif(why_unavailable() is not None, reason="the meter is unavailable")
@pytest.mark.parametrize("folder", [".", "beside"])
@pytest.mark.parametrize("end", ["", "sys.path.clear()", "sys.path.clear(); sys.meta_path.clear()"])
def test_the_export_takes_no_module_of_the_programs_nor_the_program_one_of_the_exports(
    tmp_path: Path, folder: str, end: str
) -> None:
    beside = tmp_path / folder
    beside.mkdir(exist_ok=True)
    for name in OWN_MODULES:
        (beside / f"{name}.py").write_text(f"mine = 'my own {name}'")
    (beside / "program.py").write_text(f"{IMPORTS_ITS_OWN}; {end}")
    program = os.path.join(folder, "program.py")
    result = run("-m", "gillab.meter", "--export-json", "reading.json", program, cwd=tmp_path)
    assert (result.returncode, result.stdout) == (0, "my own random\n"), result.stderr
    assert "GIL" in result.stderr
    assert "atexit" not in result.stderr
    document = json.loads((tmp_path / "reading.json").read_text())
    check_export(document)
    assert document["program"] == [program]


@pytest.mark.skipif(why_unavailable() is not None, reason="the meter is unavailable")
@pytest.mark.parametrize(
    ("program", "reason"),
    [
        ("import os; os.fsync = None", "TypeError: 'NoneType' object is not callable"),
        ("import os; os.chdir('..'); os.rmdir('folder')", os.strerror(errno.ENOENT)),
    ],
    ids=["broken", "no folder"],
)
def test_an_export_that_fails_is_one_sentence_after_the_report(
    tmp_path: Path, program: str, reason: str
) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    file = folder / "reading.json"
    result = run("-m", "gillab.meter", "--export-json", file.name, "-c", program, cwd=folder)
    assert result.returncode == 0
    *report, sentence = result.stderr.splitlines()
    assert report[0].startswith(("GIL", "Threads"))
    assert sentence == f"{file.resolve()} could not be written: {reason}."


def test_without_an_export_nothing_is_imported_for_it(tmp_path: Path) -> None:
    code = "import sys; print(*{'gillab.results', 'tempfile', 'random'} & sys.modules.keys())"
    assert run("-m", "gillab.meter", "-c", code, cwd=tmp_path).stdout.split() == []


@pytest.mark.parametrize(
    "code",
    [
        "\n    import sys\n    print(1)\n",
        "\n\n  \n    if True:\n        print(2)\n  \n",
        "  print(3)\n\tprint(3)",
        "\t print(4)\n\t  \n\t print(4)",
        "  text = '''\n  a\n     \n\n  '''\n  print(repr(text))",
        "text = '''\n  a\n     \n\n  '''\nprint(repr(text))",
        "  print(5)\n # less\n   # more",
        "    1 / 0",
        "\n    def f():\n        return 1 / 0\n    f()",
        "print(6)\\\n",
        "  print(7)\\",
        "    print(8)\r\n    print(8)",
        "   ",
        "",
    ],
)
def test_code_is_indented_as_python_takes_it(code: str, tmp_path: Path) -> None:
    """From 3.14 on Python takes off what all lines share."""
    alone = run("-c", code, cwd=tmp_path)
    metered = run("-m", "gillab.meter", "-c", code, cwd=tmp_path)
    assert (metered.returncode, metered.stdout) == (alone.returncode, alone.stdout)
    assert metered.stderr.startswith(alone.stderr)


def test_a_threads_name_is_shown_printable(tmp_path: Path) -> None:
    code = r"""
import threading
thread = threading.Thread(target=sum, args=[range(5_000_000)], name="a\nb\x1b[31mred")
thread.start()
thread.join()
"""
    said = run("-m", "gillab.meter", "-c", code, cwd=tmp_path).stderr
    if "GIL held" not in said:
        pytest.skip(said)
    # What it held and how long it waited stand in the same line.
    assert "%  a b\\x1b[31mred" in said
    assert "\x1b" not in said
