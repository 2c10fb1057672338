"""The compiler that builds C extensions for this Python, and its flags."""

from __future__ import annotations

import shlex
import subprocess
import sysconfig
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
COUNTDOWN = [ROOT / "csrc" / "countdown.c"]
SUFFIX: str = sysconfig.get_config_var("EXT_SUFFIX") or ".so"


class BuildError(Exception):
    """Something could not be compiled; the message is the compiler's last line."""


def variable(name: str) -> list[str]:
    """Words of one of the variables that Python was built with; none on Windows."""
    return shlex.split(sysconfig.get_config_var(name) or "")


def compile_sources(
    output: Path, sources: Sequence[Path], options: Sequence[str] = (), *, shared: bool = True
) -> Path:
    """Compile C or C++ sources as an extension is, flag for flag; return ``output``.

    BuildError where there is no compiler or it fails.
    """
    plus = any(source.suffix == ".cpp" for source in sources)
    linker = variable("LDSHARED")[1:] if shared else []
    command = [
        *(variable("CXX" if plus else "CC") or ["c++" if plus else "cc"]),
        *variable("CFLAGS"),
        *variable("CCSHARED"),
        f"-I{ROOT / 'csrc'}",
        f"-I{sysconfig.get_path('include')}",
        *options,
        *map(str, sources),
        *linker,
        "-o",
        str(output),
    ]
    try:
        run = subprocess.run(command, check=False, capture_output=True, text=True)
    except OSError as error:
        raise BuildError(f"no compiler: {error}") from None
    if run.returncode != 0:
        lines = [line for line in run.stderr.splitlines() if "error" in line] or ["it failed"]
        raise BuildError(f"{command[0]}: {lines[0].strip()}")
    return output
