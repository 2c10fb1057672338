"""Makes text that is not ours fit to be shown."""

from __future__ import annotations


def printable(text: str, keep: str = "") -> str:
    r"""Write what cannot be shown as an escape: a terminal's control codes become ``\x1b``.

    Lines are joined, unless ``keep`` holds a newline.
    """
    if text.isprintable():  # nearly every one, and then nothing needs to be done
        return text
    if "\n" not in keep:
        text = " ".join(text.split("\n"))
    return "".join(
        c if c.isprintable() or c in keep else c.encode("unicode_escape").decode() for c in text
    )
