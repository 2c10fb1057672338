"""The C of the meter, built by itself: under sanitizers, and for a Python it does not know."""

from __future__ import annotations

import os
import shutil
import subprocess
import sysconfig
from pathlib import Path

import pytest
from long_tests import in_long

ROOT = Path(__file__).parent.parent
COMPILER = shutil.which("gcc") or shutil.which("clang")

pytestmark = pytest.mark.skipif(
    COMPILER is None or os.name == "nt", reason="neither gcc nor clang is here"
)


def compile_c(*arguments: str) -> subprocess.CompletedProcess[str]:
    assert COMPILER is not None
    return subprocess.run(
        [COMPILER, "-std=gnu11", "-Wall", "-Wextra", "-Werror", f"-I{ROOT / 'csrc'}", *arguments],
        capture_output=True,
        text=True,
        check=False,
    )


HARNESSES = {
    "meter_harness": (
        "gil_profile",
        "gil_sampler",
        "gil_waiters",
        "other_process",
        "pace",
        "platform",
        "python_frames",
        "thread_states",
    ),
    "states_harness": (
        "gil_waiters",
        "platform",
        "python_frames",
        "thread_states",
    ),
}


@pytest.mark.parametrize("harness", HARNESSES)
@pytest.mark.parametrize("sanitizer", ["thread", in_long("address,undefined")])
def test_a_sanitizer_finds_nothing(tmp_path: Path, sanitizer: str, harness: str) -> None:
    flags = [f"-fsanitize={sanitizer}", "-fno-sanitize-recover=all", "-g", "-O1", "-pthread"]
    probe = tmp_path / "probe.c"
    probe.write_text("int main(void) { return 0; }\n")
    if (
        compile_c(*flags, str(probe), "-o", str(tmp_path / "probe")).returncode != 0
        or subprocess.run([tmp_path / "probe"], capture_output=True, check=False).returncode != 0
    ):
        pytest.skip(f"programs built with -fsanitize={sanitizer} do not run here")
    sources = [
        ROOT / "tests" / "isolated" / f"{harness}.c",
        *(ROOT / "csrc" / f"{name}.c" for name in HARNESSES[harness]),
    ]
    built = compile_c(*flags, *map(str, sources), "-o", str(tmp_path / "harness"))
    assert built.returncode == 0, built.stderr
    result = subprocess.run(
        [tmp_path / "harness"], capture_output=True, text=True, timeout=300, check=False
    )
    assert (result.returncode, result.stdout) == (0, "ok\n"), result.stderr


@pytest.mark.parametrize("stranger", ["-DPYPY_VERSION", "-DGL_TEST_VERSION=0x03100000"])
def test_a_python_that_is_not_known_gets_a_meter_that_says_why(
    tmp_path: Path, stranger: str
) -> None:
    headers = sysconfig.get_path("include")
    if not (Path(headers) / "Python.h").exists():
        pytest.skip("Python.h is not here")
    program = tmp_path / "stranger.c"
    program.write_text(
        "#include <stdio.h>\n"
        '#include "gil_state.h"\n'
        "int main(void) { gl_gil gil; puts(gl_gil_locate(&gil)); return 0; }\n"
    )
    built = compile_c(
        stranger,
        f"-I{headers}",
        f"-I{sysconfig.get_path('platinclude')}",
        *(str(program), str(ROOT / "csrc" / "gil_state.c"), str(ROOT / "csrc" / "platform.c")),
        *("-o", str(tmp_path / "stranger"), "-pthread"),
    )
    assert built.returncode == 0, built.stderr
    said = subprocess.run(
        [tmp_path / "stranger"], capture_output=True, text=True, check=True
    ).stdout
    assert "lock" in said
