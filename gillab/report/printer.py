"""Prints text as the output can show it: with or without colour, in UTF-8 or not, at any width."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.text import Text

if TYPE_CHECKING:
    from rich.console import Console

_PLAIN = str.maketrans({"\N{MULTIPLICATION SIGN}": "x", "±": "~", "µ": "u", "…": "~"})
_NARROWEST = 20


class Printer:
    """Prints text as it is: no markup, no escape codes, and no styles if colour is not wanted."""

    def __init__(self, console: Console) -> None:
        encoding = getattr(console.file, "encoding", None) or "utf-8"
        self._console = console
        self._encoding = "" if encoding.lower().replace("-", "") == "utf8" else encoding
        # NO_COLOR takes rich's colours away; bold and dim would still be control codes.
        self._plain = console.no_color or bool(self._encoding)
        self.width = console.width

    def print(self, text: Text, name: str = "", style: str = "", indent: int = 0) -> None:
        """Print a paragraph, folded to the width, that hangs from a name or an indent."""
        width = max(self.width - indent, _NARROWEST)
        head = (name.ljust(indent), style)
        for line in text.wrap(self._console, width, overflow="fold") or [Text()]:
            line.rstrip()
            # Folded already: rich must neither wrap, nor crop, nor look for numbers to colour.
            self._console.print(
                self._restrict(Text.assemble(head, line) if line else Text()),
                no_wrap=True,
                overflow="ignore",
                crop=False,
                highlight=False,
            )
            head = (" " * indent, "")

    def _restrict(self, text: Text) -> Text:
        """Return the text with what this output can show."""
        if not self._plain:
            return text
        plain = text.plain
        if self._encoding:
            plain = plain.translate(_PLAIN)
            plain = plain.encode(self._encoding, "backslashreplace").decode(self._encoding)
        return Text(plain)
