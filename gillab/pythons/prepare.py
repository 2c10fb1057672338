"""Gets the Pythons of ``--python`` ready: finds them, names them, and installs gillab if asked."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace

from gillab.errors import UsageError
from gillab.pythons.bootstrap import bootstrap, describe_install
from gillab.pythons.command import Command, parse_command
from gillab.pythons.examine import Python, examine
from gillab.text import printable

_LONGEST_LABEL = 40


def prepare_pythons(
    texts: Sequence[str], *, install: bool = False, tell: Callable[[str], None] = lambda text: None
) -> list[Python]:
    """Return the Pythons that the texts name, each with a label of its own.

    Where gillab is not installed, it is installed in a virtual environment if ``install`` is set.
    What cannot be measured says so in its ``reason``. ``tell`` is told what goes on. UsageError for
    a text that cannot be read, and for two that are the same.
    """
    commands = [parse_command(text) for text in texts]
    for command in commands:
        if commands.count(command) > 1:
            raise UsageError(f"--python {command.text} is named twice; name it once.")
    return _label([prepare_command(each, install=install, tell=tell) for each in commands])


def prepare_command(
    command: Command, *, install: bool = False, tell: Callable[[str], None] = lambda text: None
) -> Python:
    """Return the Python that a command starts, likewise; its label is the command."""
    tell(f"asking {command.text} what it is")
    python = examine(command)
    if python.lacks_gillab and install:
        return bootstrap(python, tell)
    if python.lacks_gillab:
        way = describe_install(python)
        return replace(python, reason=f"{python.reason}; add --bootstrap, or run: {way}")
    return python


def _label(pythons: Sequence[Python]) -> list[Python]:
    """Give each the shortest label that tells it from the others: 3.14t, 3.14.0t, its command."""
    ways = [_list_labels(python) for python in pythons]
    labels: list[str] = []
    for own in ways:
        taken = Counter(each for other in ways for each in set(other))
        fallback = f"{own[-1]} ({len(labels) + 1})"
        labels.append(next((each for each in own if taken[each] == 1), fallback))
    return [
        replace(python, interpreter=replace(python.interpreter, label=label))
        for python, label in zip(pythons, labels, strict=True)
    ]


def _list_labels(python: Python) -> list[str]:
    text = printable(python.command.text)
    text = text if len(text) <= _LONGEST_LABEL else f"…{text[1 - _LONGEST_LABEL :]}"
    if not python.version:
        return [text]
    threads = "t" if python.facts["free_threaded_build"] else ""
    kind = python.facts["implementation"]
    of = "" if kind == "cpython" else f"{kind} "
    short = ".".join(map(str, python.version[:2]))
    names = [f"{of}{version}{threads}" for version in (short, python.facts["python"])]
    return [*(python.command.describe_with(name) for name in names), text]
