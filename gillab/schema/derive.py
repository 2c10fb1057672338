"""Makes the schema of a frozen dataclass: its types are the types, its docstrings the text."""

from __future__ import annotations

import ast
import inspect
import re
import types
from collections.abc import Mapping, Sequence
from dataclasses import MISSING, fields, is_dataclass
from functools import cache
from pathlib import Path
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

Schema = dict[str, Any]
_TYPES = {str: "string", bool: "boolean", int: "integer", float: "number", type(None): "null"}


def derive(kind: type, definitions: dict[str, Schema], **besides: Schema) -> Schema:
    """Return the schema of a dataclass's `asdict`; the dataclasses in it go into ``definitions``.

    A property of ``besides`` takes the place of the field of its name. Required are the fields
    that have no default, as a file of an older version lacks what was added since.
    """
    text, texts = _read_docstrings(kind)
    hints = get_type_hints(kind)
    named = [field for field in fields(kind) if not field.name.startswith("_")]
    properties = {
        field.name: besides.get(field.name)
        or _find_type(hints[field.name], definitions) | {"description": texts.get(field.name, "")}
        for field in named
    }
    return {
        "type": "object",
        "description": text,
        "properties": properties,
        "required": [
            field.name
            for field in named
            if field.default is MISSING and field.default_factory is MISSING
        ],
    }


def _find_type(kind: Any, definitions: dict[str, Schema]) -> Schema:
    origin, inner = get_origin(kind), get_args(kind)
    if kind is Any:
        return {}
    if origin in (Union, types.UnionType):
        return _join([_find_type(each, definitions) for each in inner])
    if origin is Literal:
        return {"enum": list(inner)}
    if origin is tuple and inner[-1] is not Ellipsis:
        items = [_find_type(each, definitions) for each in inner]
        return {"type": "array", "prefixItems": items, "minItems": len(items), "items": False}
    if origin in (tuple, list, Sequence):
        return {"type": "array", "items": _find_type(inner[0], definitions)}
    if origin in (dict, Mapping):
        return {"type": "object", "additionalProperties": _find_type(inner[1], definitions)}
    if is_dataclass(kind):
        assert isinstance(kind, type)
        if kind.__name__ not in definitions:
            definitions[kind.__name__] = {}  # its place
            definitions[kind.__name__] = derive(kind, definitions)
        return {"$ref": f"#/$defs/{kind.__name__}"}
    return {"type": _TYPES[kind]}


def _join(schemas: Sequence[Schema]) -> Schema:
    """Return the schema of what any of them takes."""
    if all("enum" in schema or schema == {"type": "null"} for schema in schemas):
        return {"enum": [value for schema in schemas for value in schema.get("enum", [None])]}
    if all(list(schema) == ["type"] for schema in schemas):
        return {"type": [schema["type"] for schema in schemas]}
    return {"anyOf": list(schemas)}


def _read_docstrings(kind: type) -> tuple[str, dict[str, str]]:
    """Return what the source says of a class, and of each field in the string below it."""
    (node,) = (
        node
        for node in _parse(inspect.getfile(kind)).body
        if isinstance(node, ast.ClassDef) and node.name == kind.__name__
    )
    texts = {
        field.target.id: _make_plain(below.value.value)
        for field, below in zip(node.body, node.body[1:], strict=False)
        if isinstance(field, ast.AnnAssign)
        and isinstance(field.target, ast.Name)
        and isinstance(below, ast.Expr)
        and isinstance(below.value, ast.Constant)
        and isinstance(below.value.value, str)
    }
    return _make_plain(ast.get_docstring(node) or ""), texts


@cache
def _parse(file: str) -> ast.Module:
    return ast.parse(Path(file).read_text(encoding="utf-8"))


def _make_plain(text: str) -> str:
    """Return a docstring as a line of Markdown, with the words of JSON."""
    text = re.sub("``(.*?)``", r"`\1`", text)
    text = re.sub(r"\b(None|NaN)\b", "`null`", text)
    text = re.sub(r"\b(True|False)\b", lambda word: f"`{word[0].lower()}`", text)
    return " ".join(text.split())
