"""The package as a whole: its metadata, what it ships, and which way its imports point."""

from __future__ import annotations

import ast
import importlib.metadata
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

import gillab

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "gillab"

# From the bottom up. What is not named here is an experiment, which nothing imports.
LAYERS = {
    "gillab.charts": 0,
    "gillab.errors": 0,
    "gillab.estimates": 0,
    "gillab.files": 0,
    "gillab.limits": 0,
    "gillab.notebook": 0,
    "gillab.results": 0,
    "gillab.text": 0,
    "gillab._repeat": 1,
    "gillab.kernels": 1,
    "gillab.model": 1,
    "gillab.meter": 2,
    "gillab.workload": 2,
    "gillab.strategies": 3,
    "gillab.environment": 4,
    "gillab.statistics": 4,
    "gillab.launch": 5,
    "gillab.pythons": 6,
    "gillab.release": 6,
    "gillab.blocks": 7,
    "gillab.jobs": 8,
    "gillab.pools": 8,
    "gillab.sweeps": 8,
    "gillab.probes": 8,
    "gillab.report": 8,
    "gillab.schema": 8,
    "gillab.transfers": 8,
    "gillab.command": 9,
}
EXPERIMENT = 10
# A module that is no experiment of its own but part of one.
PARTS = {
    "gillab.census_calls": "gillab.census",
    "gillab.gil_assertions": "gillab.pytest_plugin",
}
# They hand out what the others define, and load it when it is asked for.
FRONT_DOORS = {"gillab", "gillab.__main__", "gillab.report.__main__", "gillab.schema.__main__"}

# What runs inside a worker, some of it in a subinterpreter with its own GIL; and the launches, in
# whose process threads are workers. With all that these import, at whatever time.
WORKER_PARTS = (
    "gillab.kernels",
    "gillab.workload",
    "gillab.strategies",
    "gillab.launch.child",
    "gillab.blocks.child",
    "gillab.release.child",
    "gillab.jobs.tracing",
    "gillab.pools.worker",
    "gillab.pools.child",
    "gillab.probes.child",
    "gillab.sweeps.child",
    "gillab.transfers.worker",
)
HEAVY = {"numpy", "rich"}


def module_name(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {module_name(path): path for path in sorted(PACKAGE.rglob("*.py"))}


def imported_modules(name: str) -> Iterator[str]:
    """Yield what a module imports anywhere in its file, relative imports resolved."""
    path = MODULES[name]
    package = name.split(".") if path.name == "__init__.py" else name.split(".")[:-1]
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            parents = package[: len(package) + 1 - node.level] if node.level else []
            source = ".".join([*parents, *filter(None, [node.module])])
            submodules = [f"{source}.{alias.name}" for alias in node.names]
            yield from (each if each in MODULES else source for each in submodules)


def find_worker_modules() -> list[str]:
    """Return the worker parts and all of gillab that they import."""
    found: set[str] = set()
    left = [
        name for name in MODULES if any(f"{name}.".startswith(f"{part}.") for part in WORKER_PARTS)
    ]
    while left:
        name = left.pop()
        if name not in found:
            found.add(name)
            left += [imported for imported in imported_modules(name) if imported in MODULES]
    return sorted(found)


WORKER_MODULES = find_worker_modules()


def room(name: str) -> str:
    """Return the subpackage, module or experiment that a module of gillab belongs to."""
    top = ".".join(name.split(".")[:2])
    return PARTS.get(top, top)


def layer(name: str) -> int:
    """Return how high up a module of gillab stands."""
    return LAYERS.get(room(name), EXPERIMENT)


def test_the_installed_version_is_the_one_in_the_source() -> None:
    assert importlib.metadata.version("gillab") == gillab.__version__


def test_every_package_folder_is_named() -> None:
    tables = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    folders = {path.parent.relative_to(ROOT) for path in PACKAGE.rglob("*.py")}
    named = tables["tool"]["setuptools"]["packages"]
    assert sorted(named) == sorted(".".join(folder.parts) for folder in folders)


def test_every_compiled_module_has_a_stub_and_the_package_says_it_is_typed() -> None:
    assert (PACKAGE / "py.typed").exists()
    for source in PACKAGE.rglob("*.pyx"):
        assert source.with_suffix(".pyi").exists(), source


@pytest.mark.parametrize("name", sorted(MODULES.keys() - FRONT_DOORS))
def test_imports_point_one_way(name: str) -> None:
    for imported in imported_modules(name):
        if not imported.startswith("gillab.") or room(imported) == room(name):
            continue
        assert layer(imported) < EXPERIMENT, f"{name} imports the experiment {imported}"
        assert layer(imported) <= layer(name), f"{name} imports {imported}, which stands above it"


@pytest.mark.parametrize("name", WORKER_MODULES)
def test_no_worker_part_mentions_a_heavy_import(name: str) -> None:
    assert not HEAVY & {imported.partition(".")[0] for imported in imported_modules(name)}


@pytest.mark.parametrize("names", [["gillab"], WORKER_MODULES], ids=["gillab", "worker parts"])
def test_an_import_loads_nothing_heavy(names: list[str]) -> None:
    script = f"import sys, {', '.join(names)}; sys.exit(str({HEAVY!r} & sys.modules.keys()))"
    child = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=300, check=False
    )
    assert child.stderr.strip() == "set()"
