"""Whether what the page is made with is installed."""

from __future__ import annotations

from importlib.util import find_spec

from gillab.errors import UsageError

_NEEDED = ("jinja2", "matplotlib")


def list_missing() -> list[str]:
    """Return the names of those libraries that are not installed."""
    return [name for name in _NEEDED if find_spec(name) is None]


def require_extra(what: str) -> None:
    """Refuse to go on without the libraries; ``what`` needs them. UsageError."""
    missing = list_missing()
    if missing:
        raise UsageError(f"{what} needs {' and '.join(missing)}: run pip install 'gillab[report]'.")
