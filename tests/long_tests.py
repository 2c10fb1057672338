"""Tests that take long: CI runs them, on one Python."""

from __future__ import annotations

import os

import pytest

only_long = pytest.mark.skipif(
    "GILLAB_LONG_TESTS" not in os.environ, reason="long: runs where GILLAB_LONG_TESTS is set"
)
