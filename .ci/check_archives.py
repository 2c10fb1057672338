"""Check that the sdist holds the whole tree, and the wheel what runs and no sources.

Usage: check_archives.py TREE SDIST WHEEL
"""

import sys
import tarfile
import zipfile
from collections.abc import Iterator
from pathlib import Path

# What building makes inside the tree, beside what has a dot.
MADE = {"build", "dist", "gillab.egg-info"}
SOURCES = (".pyx", ".pxd", ".c", ".h", ".cpp")


def list_tree(tree: Path) -> set[str]:
    """Return the files of a clean copy of the tree; a dot marks what only its keepers need."""
    paths = [path.relative_to(tree) for path in tree.rglob("*") if path.is_file()]
    return {
        path.as_posix()
        for path in paths
        if path.parts[0] not in MADE and not path.parts[0].startswith(".")
    }


def find_faults(tree: set[str], sdist: set[str], wheel: set[str]) -> Iterator[str]:
    """Yield a sentence for each file that is missing or does not belong."""
    for name in sorted(tree - sdist):
        yield f"The sdist lacks {name}."
    compiled = {name.partition(".")[0] for name in wheel if name.endswith((".so", ".pyd"))}
    for name in sorted(tree):
        if not name.startswith("gillab/"):
            continue
        if name.endswith(".pyx") and name.removesuffix(".pyx") not in compiled:
            yield f"The wheel lacks {name}, compiled."
        if not name.endswith(SOURCES) and name not in wheel:
            yield f"The wheel lacks {name}."
    for name in sorted(wheel):
        if name.endswith(SOURCES) or not name.startswith(("gillab/", "gillab-")):
            yield f"The wheel should not hold {name}."


def main(tree: str, sdist: str, wheel: str) -> int:
    """Print what is wrong; return the exit code."""
    with tarfile.open(sdist) as archive:
        shipped = {name.partition("/")[2] for name in archive.getnames()}
    with zipfile.ZipFile(wheel) as archive:
        installed = set(archive.namelist())
    faults = list(find_faults(list_tree(Path(tree)), shipped, installed))
    print(
        "\n".join(faults)
        or f"sdist: {len(shipped)} files, wheel: {len(installed)}, as they should be."
    )
    return bool(faults)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
