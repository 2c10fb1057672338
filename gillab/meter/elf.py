"""Where the symbols of a program are in a process: looked up in its memory, else in its file."""

from __future__ import annotations

import mmap
import struct
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass

Read = Callable[[int, int], bytes]
"""Reads so many bytes at an address, or at an offset of a file. OSError where it cannot."""

MAGIC = b"\x7fELF"
_HEADER = struct.Struct("<16sHHIQQQIHHHHHH")
HEADER_SIZE = _HEADER.size
_SEGMENT = struct.Struct("<IIQQQQQQ")
_SECTION = struct.Struct("<IIQQQQIIQQ")
_SYMBOL = struct.Struct("<IBBHQQ")
_ENTRY = struct.Struct("<QQ")
_LOAD, _DYNAMIC, _NOTE = 1, 2, 4  # kinds of segments
_STRINGS, _SYMBOLS, _GNU_HASH = 5, 6, 0x6FFFFEF5  # in a dynamic segment
_SYMTAB, _DYNSYM = 2, 11  # kinds of sections
_FIXED = 2  # a program that stands where it was linked to stand
_MOST_CHAIN = 100_000


class NoElfError(Exception):
    """No ELF file of 64 bits, little-endian; the message says what it is instead."""


@dataclass(frozen=True, slots=True)
class Headers:
    """What the beginning of an ELF file says."""

    fixed: bool
    sections: tuple[int, int, int]
    """Where the headers of its sections begin, how many there are, and which has their names."""
    segments: tuple[tuple[int, ...], ...]
    raw: bytes
    """All of it: the same in a file and in the memory to which that file is mapped."""

    def find_bias(self, base: int) -> int:
        """Return what is to be added to the addresses in the file, mapped at ``base``."""
        if self.fixed:
            return 0
        first = min((each[3] for each in self.segments if each[0] == _LOAD), default=0)
        return base - (first & ~0xFFF)


def read_headers(read: Read, base: int = 0) -> Headers:
    """Read the headers at ``base``. NoElfError, OSError."""
    raw = read(base, _HEADER.size)
    if raw[:4] != MAGIC:
        raise NoElfError("no ELF file")
    if raw[4] != 2 or raw[5] != 1:
        raise NoElfError("of 32 bits" if raw[4] == 1 else "big-endian")
    fields = _HEADER.unpack(raw)
    count = fields[10]
    segments = read(base + fields[5], count * _SEGMENT.size)
    return Headers(
        fields[1] == _FIXED,
        (fields[6], fields[12], fields[13]),
        tuple(_SEGMENT.iter_unpack(segments)),
        raw + segments,
    )


def read_notes(read: Read, base: int) -> bytes:
    """Return the notes of a file mapped at ``base``: its number of the build is among them.

    NoElfError, OSError.
    """
    headers = read_headers(read, base)
    bias = headers.find_bias(base)
    return b"".join(read(bias + each[3], each[6]) for each in headers.segments if each[0] == _NOTE)


def find_in_memory(read: Read, base: int, names: Iterable[str]) -> dict[str, int]:
    """Return the addresses of the symbols that a program mapped at ``base`` exports.

    They are looked up as the dynamic linker does it, so no file is needed. NoElfError, OSError.
    """
    headers = read_headers(read, base)
    bias = headers.find_bias(base)
    dynamic = next((each for each in headers.segments if each[0] == _DYNAMIC), None)
    if dynamic is None:
        return {}
    tables = dict(_ENTRY.iter_unpack(read(bias + dynamic[3], dynamic[6] // 16 * 16)))
    if not {_STRINGS, _SYMBOLS, _GNU_HASH} <= tables.keys():
        return {}
    # glibc's linker has made addresses of the file's ones, others leave them.
    strings, symbols, table = (
        value if value >= base else value + bias
        for value in (tables[_STRINGS], tables[_SYMBOLS], tables[_GNU_HASH])
    )
    found = {}
    for name in names:
        value = _look_up(read, name.encode(), strings, symbols, table)
        if value is not None:
            found[name] = bias + value
    return found


def _look_up(read: Read, name: bytes, strings: int, symbols: int, table: int) -> int | None:
    """Look a symbol up in a hash table of GNU's form; return its value."""
    buckets, first, blooms, _ = struct.unpack("<4I", read(table, 16))
    if buckets == 0:
        return None
    at = table + 16 + 8 * blooms
    wanted = _hash(name)
    (index,) = struct.unpack("<I", read(at + 4 * (wanted % buckets), 4))
    if index < first:
        return None
    chain = at + 4 * buckets
    for place in range(index, index + _MOST_CHAIN):
        (hashed,) = struct.unpack("<I", read(chain + 4 * (place - first), 4))
        if hashed | 1 == wanted | 1:
            text, _, _, section, value, _ = _SYMBOL.unpack(
                read(symbols + _SYMBOL.size * place, _SYMBOL.size)
            )
            if section and read(strings + text, len(name) + 1) == name + b"\0":
                return int(value)
        if hashed & 1:
            return None
    return None


def _hash(name: bytes) -> int:
    value = 5381
    for byte in name:
        value = (value * 33 + byte) & 0xFFFFFFFF
    return value


def find_in_file(
    data: bytes | mmap.mmap, headers: Headers, names: Iterable[str], sections: Mapping[str, str]
) -> dict[str, int]:
    """Return the values of symbols in a file; where one has a section of its own, of that.

    ``data`` may be a mapped file. ``sections`` names the sections, by symbol.
    """
    begin, count, naming = headers.sections
    rows = list(_SECTION.iter_unpack(data[begin : begin + count * _SECTION.size]))
    if naming >= len(rows):
        return {}
    found: dict[str, int] = {}
    titles = rows[naming][4]
    for symbol, section in sections.items():
        for row in rows:
            title = section.encode() + b"\0"
            if data[titles + row[0] : titles + row[0] + len(title)] == title:
                found[symbol] = row[3]
    for row in rows:
        if row[1] in (_SYMTAB, _DYNSYM) and row[6] < len(rows):
            found = dict(_scan(data, row, rows[row[6]], names)) | found
    return found


def _scan(
    data: bytes | mmap.mmap, table: tuple[int, ...], strings: tuple[int, ...], names: Iterable[str]
) -> Iterator[tuple[str, int]]:
    """Yield the symbols with these names, from one table of them."""
    texts = data[strings[4] : strings[4] + strings[5]]
    places = {}
    for name in names:
        at = texts.find(b"\0" + name.encode() + b"\0")
        if at >= 0:
            places[at + 1] = name
    rows = data[table[4] : table[4] + table[5] // _SYMBOL.size * _SYMBOL.size]
    for text, _, _, section, value, _ in _SYMBOL.iter_unpack(rows):
        if text in places and section:
            yield places[text], value
