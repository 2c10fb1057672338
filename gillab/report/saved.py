"""Saved results: what ``--export-json`` wrote, read back."""

from __future__ import annotations

import json
import math
import sys
import types
from collections.abc import Mapping, Sequence
from dataclasses import MISSING, fields, is_dataclass
from pathlib import Path
from typing import Any, Literal, NoReturn, TypeVar, Union, get_args, get_origin, get_type_hints

from gillab.errors import UsageError
from gillab.meter.timeline import Timeline
from gillab.release.findings import Findings
from gillab.report.trace import is_trace, load_timeline
from gillab.results import SCHEMA, Control, Result

STANDARD_INPUT = "-"
_FINDINGS = ("check", "census")
_ARRAY = (list, tuple)
"""What JSON has as an array, `to_dict` may have as a tuple."""
_T = TypeVar("_T")


class _NotLikeItError(ValueError):
    """The data are not of the form that was expected; the message says where."""


def read_saved(path: Path) -> Result | Findings | Timeline:
    """Read what ``--export-json`` or ``--trace`` wrote; ``-`` is standard input.

    UsageError where the file holds neither.
    """
    try:
        if str(path) == STANDARD_INPUT:
            text = sys.stdin.buffer.read().decode("utf-8")
        else:
            text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise UsageError(f"{path} cannot be read ({error.strerror}); name another file.") from None
    except UnicodeDecodeError:
        raise _no_result(path, "it is not text in UTF-8") from None
    try:
        data = json.loads(text, parse_constant=_refuse)
    except json.JSONDecodeError as error:
        raise _no_result(path, f"line {error.lineno} is not JSON") from None
    except ValueError as error:  # also an integer of thousands of digits
        raise _no_result(path, str(error).partition(";")[0]) from None
    except RecursionError:
        raise _no_result(path, "it is nested too deeply") from None
    try:
        return load_timeline(data) if is_trace(data) else load_result(data)
    except ValueError as error:
        raise _no_result(path, str(error)) from None


def _refuse(constant: str) -> NoReturn:
    raise _NotLikeItError(f"{constant} is no figure")


def _no_result(path: Path, why: str) -> UsageError:
    return UsageError(
        f"{path} is no result of gillab: {why}; name a file that --export-json or --trace wrote."
    )


def load_result(data: Any) -> Result | Findings:
    """Return the result that `to_dict` made the data from. ValueError where none did.

    Keys that are not known are left out, so that a newer version's file can be read.
    """
    saved = data.get("gillab") if isinstance(data, dict) else None
    if not isinstance(saved, dict):
        raise _NotLikeItError("the key 'gillab' is missing")
    if saved.get("schema") != SCHEMA:
        raise _NotLikeItError(
            f"it has schema {saved.get('schema')!r}, and this gillab reads schema {SCHEMA}"
        )
    if saved.get("command") in _FINDINGS:
        return _load(Findings, saved)
    controls = saved.get("controls")
    if not isinstance(controls, dict):
        raise _NotLikeItError("the key 'controls' is missing")
    plain = {name: _pick(controls, name) for name in ("null", "ceiling")}
    result = _load(Result, {**saved, **plain})
    for block in result.blocks:
        _check_block(block)
    return result


def _check_block(block: Mapping[str, Any]) -> None:
    """Refuse a block without what the reports read of it."""
    _expect(block.get("workload"), str, "the workload of a block")
    for seconds in _expect(block.get("seconds"), dict, "the times of a block").values():
        _expect(seconds, (int, float), "a time of a block")


def _pick(controls: Mapping[str, Any], name: str) -> Sequence[Control]:
    of = controls.get(name)
    return of["of"] if isinstance(of, dict) and isinstance(of.get("of"), _ARRAY) else []


def _load(kind: type[_T], data: Any, where: str = "the result") -> _T:
    """Return a dataclass made from its `asdict`."""
    if not isinstance(data, dict):
        raise _NotLikeItError(f"{where} is no object")
    hints = get_type_hints(kind)
    given = {}
    for field in fields(kind):  # type: ignore[arg-type]
        if field.name in data:
            inside = f"{field.name} of {where}"
            given[field.name] = _convert(hints[field.name], data[field.name], inside)
        elif field.default is MISSING and field.default_factory is MISSING:
            raise _NotLikeItError(f"{where} lacks {field.name!r}")
    return kind(**given)


def _convert(kind: Any, value: Any, where: str) -> Any:
    origin, inner = get_origin(kind), get_args(kind)
    if kind is Any:
        return value
    if origin in (Union, types.UnionType):
        return _convert_union(inner, value, where)
    if origin is Literal:
        if value not in inner:
            raise _NotLikeItError(f"{where} is {value!r:.40}, which this gillab does not know")
        return value
    if origin is tuple and inner[-1] is not Ellipsis:
        items = _expect(value, _ARRAY, where)
        if len(items) != len(inner):
            raise _NotLikeItError(f"{where} has {len(items)} parts and not {len(inner)}")
        return tuple(_convert(each, item, where) for each, item in zip(inner, items, strict=True))
    if origin in (tuple, Sequence):
        return tuple(_convert(inner[0], item, where) for item in _expect(value, _ARRAY, where))
    if origin is Mapping:
        return _expect(value, dict, where)
    if is_dataclass(kind):
        assert isinstance(kind, type)
        return _load(kind, value, where)
    return _expect(value, (int, float) if kind is float else kind, where)


def _convert_union(kinds: Sequence[Any], value: Any, where: str) -> Any:
    if value is None and type(None) in kinds:
        return None
    for kind in kinds:
        if kind is type(None):
            continue
        try:
            return _convert(kind, value, where)
        except _NotLikeItError as error:
            mistake = error
    raise mistake


def _expect(value: Any, kind: Any, where: str) -> Any:
    if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
        raise _NotLikeItError(f"{where} is not what it should be, but {value!r:.40}")
    if isinstance(value, float) and not math.isfinite(value):
        raise _NotLikeItError(f"{where} is not finite")
    return value
