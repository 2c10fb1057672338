"""Tests that take long: CI runs them, on one Python."""

from __future__ import annotations

import os
from typing import Any

import pytest

only_long = pytest.mark.skipif(
    "GILLAB_LONG_TESTS" not in os.environ, reason="long: runs where GILLAB_LONG_TESTS is set"
)


def in_long(*values: Any) -> Any:
    """Return the values of a parametrized test's case that only the long tests have."""
    return pytest.param(*values, marks=only_long)
