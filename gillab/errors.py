"""The exceptions of gillab: each message is one sentence that says what is wrong and what to do."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


class GillabError(Exception):
    """The root of everything that gillab raises on purpose."""


class UsageError(GillabError, ValueError):
    """An argument that cannot be used; the command line ends with exit code 2."""


class CompiledPartMissingError(GillabError, ImportError):
    """The package is there, but a compiled part of it is missing."""

    @classmethod
    def of(cls, what: str, folder: str, module: str) -> CompiledPartMissingError:
        """Return the error for ``what`` (such as "kernels are") if the folder lacks its module."""
        # Not a constructor, because pickle recreates an exception from its message alone.
        return cls(
            f"gillab's compiled {what} not beside its Python files in {folder}: run "
            "'python -m pip install -e .' in that checkout, or start Python in another folder to "
            "use an installed gillab.",
            name=module,
        )


class Interrupted(KeyboardInterrupt):
    """Ctrl-C while measuring; ``result`` holds what was measured until then."""

    def __init__(self, result: Any) -> None:
        super().__init__("interrupted; .result holds what was measured")
        self.result = result


def describe_usage_error(prog: str, message: str) -> str:
    """Return the line that says what is wrong with a command, and where its help is."""
    return f"{prog}: {message.rstrip('.')}; see {prog} --help.\n"
