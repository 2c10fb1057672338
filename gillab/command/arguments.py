"""The parser of a command line, and the types of its words and options."""

from __future__ import annotations

import argparse
import shlex
import sys
from collections.abc import Sequence
from typing import NoReturn

from gillab.command.ending import EXIT_USAGE
from gillab.errors import UsageError, describe_usage_error
from gillab.limits import read_duration

_WORD = "\0"
"""Marks a word that is not an option, whatever it looks like; no word can contain the mark."""


class Parser(argparse.ArgumentParser):
    """Says in one sentence on standard error what is wrong, and ends with exit code 2."""

    def error(self, message: str) -> NoReturn:
        """Print the sentence and where the help is."""
        self.exit(EXIT_USAGE, describe_usage_error(self.prog, message.replace(_WORD, "")))

    def parse_mixed(self, argv: Sequence[str] | None) -> argparse.Namespace:
        """Parse words and options in any order; after ``--`` there are words only.

        The type of the words is `parse_word`. ``command_line`` is the whole, quoted for a shell.
        """
        given = list(sys.argv[1:] if argv is None else argv)
        end = given.index("--") if "--" in given else len(given)
        # Older versions of argparse forget here that a "--" came before these words: mark them.
        words = [_WORD + word for word in given[end + 1 :]]
        marked = [*given[:end], *(["--", *words] if words else [])]
        arguments = self.parse_intermixed_args(marked)
        arguments.command_line = shlex.join([*self.prog.split(), *given])
        return arguments


def parse_word(text: str) -> str:
    """Return a word that is not an option, as it was given."""
    return text.removeprefix(_WORD)


def parse_duration(text: str) -> float:
    """Return the seconds in ``20ms``, ``1.5 s``, ``2min`` or a plain number of seconds."""
    try:
        return read_duration(text)
    except UsageError as error:
        raise argparse.ArgumentTypeError(str(error).removesuffix(".")) from None


def parse_durations(text: str) -> tuple[float, ...]:
    """Return the seconds of the times in ``10us,1ms``, each once."""
    return tuple(dict.fromkeys(parse_duration(part) for part in text.split(",")))


def parse_count(text: str, least: int = 1) -> int:
    """Return a whole number from ``least`` on, as in ``10_000_000`` or ``1e7``."""
    try:
        number = int(text) if "e" not in text.lower() else int(float(text))
    except (ValueError, OverflowError):
        number = least - 1
    if number < least:
        raise argparse.ArgumentTypeError(f"{text!r} is no whole number from {least} on")
    return number


def parse_counts(text: str) -> tuple[int, ...]:
    """Return the numbers in ``1,2,4``, each once."""
    return tuple(dict.fromkeys(parse_count(part) for part in text.split(",")))


def parse_counts_from_zero(text: str) -> tuple[int, ...]:
    """Return the numbers in ``0,1,2``, each once."""
    return tuple(dict.fromkeys(parse_count(part, 0) for part in text.split(",")))


def parse_chunksizes(text: str) -> tuple[int | str, ...]:
    """Return the numbers in ``1,100,auto``, each once, and the word."""
    parts = (part.strip() for part in text.split(","))
    return tuple(dict.fromkeys(part if part == "auto" else parse_count(part) for part in parts))


def parse_names(text: str) -> tuple[str, ...]:
    """Return the names in ``serial,threads``, each once."""
    return tuple(dict.fromkeys(part.strip() for part in text.split(",") if part.strip()))


def parse_fraction(text: str) -> float:
    """Return a fraction between 0 and 1, as in ``0.05`` or ``5%``."""
    number = _read_fraction(text)
    if not 0 < number < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no fraction between 0 and 1")
    return number


def parse_share(text: str) -> float:
    """Return a fraction above 0 and at most 1, as in ``0.9`` or ``100%``."""
    number = _read_fraction(text)
    if not 0 < number <= 1:
        raise argparse.ArgumentTypeError(
            f"{text!r} is no fraction above 0 and at most 1, such as 0.9 or 90%"
        )
    return number


def _read_fraction(text: str) -> float:
    try:
        return float(text[:-1]) / 100 if text.endswith("%") else float(text)
    except ValueError:
        return -1.0


def parse_factor(text: str) -> float:
    """Return a finite number above zero, as in ``1.5``."""
    try:
        number = float(text)
    except ValueError:
        number = 0.0
    if not 0 < number < float("inf"):
        raise argparse.ArgumentTypeError(f"{text!r} is no factor above 0, such as 1.5")
    return number
