"""The names that a Python program gave to its threads, read from the memory of its process.

They are the attributes of the ``threading.Thread`` objects in ``threading._active``. The program
goes on meanwhile: what does not hold together is left out, and another reading finds it.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import NamedTuple

from gillab.meter import _sampler
from gillab.meter.other_process import Target

_TORN = (OSError, RuntimeError, OverflowError, struct.error)
_MOST_ENTRIES = 100_000
_GENERAL = 0  # the kind of a dict whose keys are not all str
_DIGIT = 2**30 - 1


class _Layout(NamedTuple):
    """Where a version keeps what is followed here, in bytes; no build of it has another."""

    modules: int
    """In an interpreter: the dict of modules."""
    modules_word: int
    """Or, from 3.13 on, the number of the word that says so, after the cookie."""
    cached_keys: int
    """In a class: the keys of its instances."""
    values: int
    """In the values of a split dict: the first."""


_LAYOUTS = {
    0x030B: _Layout(888, 0, 872, 0),
    0x030C: _Layout(944, 0, 880, 0),
    0x030D: _Layout(0, 10, 880, 8),
    0x030E: _Layout(0, 11, 880, 8),
    0x030F: _Layout(0, 11, 888, 8),
}
_INSTANCE_VALUES, _INSTANCE_DICT = -32, -24  # before an object
_TYPE, _MODULE_DICT, _BASIC_SIZE = 8, 16, 32  # in an object, a module, a class
_DICT_KEYS = 32  # in a dict; its values follow
_KEYS_HEAD = struct.Struct("<8xBBB5x8xq")


class ThreadNames:
    """Finds the names of the threads of a process."""

    def __init__(self, target: Target) -> None:
        self._target = target
        self._layout = _LAYOUTS[target.version >> 16]
        self._active = 0

    def read(self) -> dict[int, str]:
        """Return the names that there are now, by native id; those that can be read."""
        if self._target.free_threaded:  # whose objects are laid out differently
            return {}
        try:
            return self._read()
        except _TORN:
            return {}

    def _read(self) -> dict[int, str]:
        if not self._active:
            self._active = self._find_active()
        if not self._active:
            return {}
        found: dict[int, int] = {}
        for _, thread in self._items(self._active):
            try:
                attributes = self._attributes(thread, ("_native_id", "_name"))
                if len(attributes) == 2:
                    found[self._number(attributes["_native_id"])] = attributes["_name"]
            except _TORN:
                continue
        names = _sampler.read_texts(self._target, list(found.values()))
        return {native: name for native, name in zip(found, names, strict=True) if name and native}

    def _find_active(self) -> int:
        """Return the address of ``threading._active``; 0 where it is not there."""
        layout = self._layout
        offset = layout.modules
        if layout.modules_word:
            offset = self._word(self._target.runtime + 8 + 8 * layout.modules_word)
        modules = self._word(self._target.interpreter + offset)
        module = self._look_up(self._items(modules), "threading")
        return self._look_up(self._items(self._word(module + _MODULE_DICT)), "_active")

    def _bytes(self, address: int, size: int) -> bytes:
        return _sampler.read_process(self._target.pid, address, size)

    def _word(self, address: int) -> int:
        return int.from_bytes(self._bytes(address, 8), "little")

    def _items(self, address: int) -> Iterator[tuple[int, int]]:
        """Yield the addresses of a dict's keys and values."""
        keys, values = struct.unpack("<QQ", self._bytes(address + _DICT_KEYS, 16))
        found = self._entries(keys)
        if not values:
            yield from ((key, value) for key, value in found if key and value)
        elif found:
            yield from self._join(found, values + self._layout.values)

    def _join(self, entries: list[tuple[int, int]], values: int) -> Iterator[tuple[int, int]]:
        held = struct.unpack(f"<{len(entries)}Q", self._bytes(values, 8 * len(entries)))
        for (key, _), value in zip(entries, held, strict=True):
            if key and value:
                yield key, value

    def _entries(self, keys: int) -> list[tuple[int, int]]:
        """Return the key and the value of each entry of a dict's keys."""
        _, index_bytes, kind, count = _KEYS_HEAD.unpack(self._bytes(keys, _KEYS_HEAD.size))
        form = struct.Struct("<8xQQ" if kind == _GENERAL else "<QQ")
        if not 0 < count <= _MOST_ENTRIES or index_bytes > 32:
            return []
        return list(
            form.iter_unpack(
                self._bytes(keys + _KEYS_HEAD.size + (1 << index_bytes), count * form.size)
            )
        )

    def _look_up(self, items: Iterator[tuple[int, int]], *names: str) -> int:
        found = self._pick(list(items), names)
        return found.get(names[0], 0)

    def _pick(self, items: list[tuple[int, int]], names: tuple[str, ...]) -> dict[str, int]:
        texts = _sampler.read_texts(self._target, [key for key, _ in items])
        return {
            text: value
            for text, (_, value) in zip(texts, items, strict=True)
            if text is not None and text in names
        }

    def _attributes(self, thing: int, names: tuple[str, ...]) -> dict[str, int]:
        """Return the values of attributes of an instance of a class that is written in Python."""
        kind = self._word(thing + _TYPE)
        dictionary = self._word(thing + _INSTANCE_DICT)
        version = self._target.version >> 16
        if version == 0x030B:
            values = self._word(thing + _INSTANCE_VALUES)
        elif version == 0x030C:
            values = dictionary + 1 if dictionary & 1 else 0
        else:
            values = 0 if dictionary else thing + self._word(kind + _BASIC_SIZE)
        if not values:
            return self._pick(list(self._items(dictionary)), names)
        entries = self._entries(self._word(kind + self._layout.cached_keys))
        return self._pick(list(self._join(entries, values + self._layout.values)), names)

    def _number(self, address: int) -> int:
        """Return an int of one or two digits."""
        tag: int
        first: int
        second: int
        tag, first, second = struct.unpack("<qII", self._bytes(address + 16, 16))
        digits = tag if self._target.version >> 16 == 0x030B else tag >> 3
        return (first & _DIGIT) + ((second & _DIGIT) << 30 if digits == 2 else 0)
