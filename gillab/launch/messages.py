"""Typed messages between a launch and its parent: how one becomes a line of JSON, and back.

Each package that talks with a launch defines its own messages as frozen dataclasses derived from
`Message`: `gillab.blocks.messages` and `gillab.release.messages`. Both sides, and the fakes of the
tests, use these classes, so that a message means the same on both sides.
"""

from __future__ import annotations

import json
import types
import typing
from dataclasses import asdict, dataclass, fields, is_dataclass
from typing import Any, ClassVar

from gillab.workload import Workload

_NAME = "message"


class Message:
    """The base of all messages; the name of a derived dataclass identifies it."""

    __slots__ = ()
    _known: ClassVar[dict[str, type[Message]]] = {}

    def __init_subclass__(cls) -> None:
        Message._known[cls.__name__] = cls


@dataclass(frozen=True, slots=True)
class Paths(Message):
    """The first line to a launch: what it needs to import as its parent does."""

    path: tuple[str, ...]
    pythonpath: str | None
    """The user's ``PYTHONPATH``, for the programs that a workload starts."""
    whole: bool = True
    """Whether this is all that it imports from; another Python has a library of its own."""
    last: tuple[str, ...] = ()
    """What it imports from after its own library."""


@dataclass(frozen=True, slots=True)
class Started(Message):
    """The launch can import what it needs, and waits for its plan."""


@dataclass(frozen=True, slots=True)
class FindFunctions(Message):
    """Look whether these functions exist, and answer with `Found` for each."""

    names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Found(Message):
    """Whether a function can be called, or the reason why not."""

    reason: str | None = None


@dataclass(frozen=True, slots=True)
class ListImports(Message):
    """Run one task of a workload, and answer with `Imports`."""

    workload: Workload


@dataclass(frozen=True, slots=True)
class Imports(Message):
    """What a workload has imported, or the reason why it cannot be run."""

    files: dict[str, str]
    """The files of the modules, by their names."""
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class End(Message):
    """End your workers, wait for them, and end."""


def encode(message: Message) -> bytes:
    """Return the message as one line of JSON."""
    assert is_dataclass(message)
    plain = {_NAME: type(message).__name__, **asdict(message)}
    return json.dumps(plain).encode() + b"\n"


def decode(line: bytes | str) -> Message:
    """Return the message in a line; ValueError if there is none."""
    plain = json.loads(line)
    name = plain.pop(_NAME, None) if isinstance(plain, dict) else None
    kind = Message._known.get(name) if isinstance(name, str) else None
    if kind is None:
        raise ValueError(f"no message: {line!r}")
    try:
        message = _restore(kind, plain)
    except TypeError as error:  # a field is missing, or is of another form
        raise ValueError(f"no message ({error}): {line!r}") from None
    assert isinstance(message, Message)
    return message


def _restore(kind: Any, plain: Any) -> Any:
    """Turn plain data into what an annotation says: dataclasses, tuples, and dicts of them."""
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if plain is None:
        return None
    if origin in (types.UnionType, typing.Union):
        kinds = [each for each in arguments if each is not type(None)]
        # Several are words out of several lists, which are plain data.
        return _restore(kinds[0], plain) if len(kinds) == 1 else plain
    if is_dataclass(kind):
        hints = typing.get_type_hints(kind)
        restored = {
            field.name: _restore(hints[field.name], plain[field.name])
            for field in fields(kind)
            if field.name in plain
        }
        return typing.cast("Any", kind)(**restored)
    if origin is tuple:
        inner = [arguments[0]] * len(plain) if arguments[-1] is ... else arguments
        return tuple(_restore(each, value) for each, value in zip(inner, plain, strict=True))
    if origin is dict:
        return {key: _restore(arguments[1], value) for key, value in plain.items()}
    return plain
