"""What gillab raises: each message is one sentence that says what is wrong and what to do."""

from __future__ import annotations


class GillabError(Exception):
    """The root of everything that gillab raises on purpose."""


class UsageError(GillabError, ValueError):
    """An argument that cannot be used; the command line ends with exit code 2."""


class CompiledPartMissingError(GillabError, ImportError):
    """The package is there, its compiled kernels are not."""
