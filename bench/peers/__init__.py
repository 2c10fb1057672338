"""The same kernels, bound by other means and compiled when they are needed.

A peer is a function ``(folder) -> Peer`` that builds into ``folder``. It raises ImportError where
its tool is not installed and BuildError where it cannot be compiled.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.machinery import ExtensionFileLoader
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any

SOURCES = Path(__file__).resolve().parent


@dataclass(frozen=True, slots=True)
class Peer:
    """Its kernels, by the name of gillab's; what it does not offer is left out."""

    label: str
    kernels: Mapping[str, Callable[..., int]]


def load_extension(name: str, path: Path) -> Any:
    """Import a compiled module from anywhere, without a place for it in ``sys.modules``."""
    spec = spec_from_file_location(name, path, loader=ExtensionFileLoader(name, str(path)))
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
