"""Holds an export against the schema that is shipped.

More strictly than it says: nothing may stand in it that the schema does not describe.
"""

from __future__ import annotations

import json
from functools import cache
from typing import Any

from jsonschema import Draft202012Validator
from jsonschema.exceptions import best_match

from gillab.schema import FILE

_FEW_BLOCKS = 3
"""All are alike, and there may be hundreds."""


@cache
def read_schema() -> dict[str, Any]:
    schema: dict[str, Any] = json.loads(FILE.read_text(encoding="utf-8"))
    return schema


def _close(schema: Any) -> Any:
    """Return the schema with objects that have no other properties than those named."""
    if isinstance(schema, list):
        return [_close(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    closed = {name: _close(each) for name, each in schema.items()}
    if isinstance(schema.get("properties"), dict) and "additionalProperties" not in schema:
        closed["additionalProperties"] = False
    return closed


@cache
def _make_validator(branch: int) -> Draft202012Validator:
    schema = _close(read_schema())
    # Of one branch: an error of anyOf would say that the file fits none.
    return Draft202012Validator({**schema["anyOf"][branch], "$defs": schema["$defs"]})


def check_export(document: dict[str, Any]) -> None:
    """AssertionError, which says where, if an export is not as the schema says."""
    branch = 2
    if "gillab" in document:
        gillab = document["gillab"]
        branch = 1 if gillab["command"] in ("check", "census") else 0
        if gillab.get("blocks"):
            few = {**gillab, "blocks": gillab["blocks"][:_FEW_BLOCKS]}
            document = {**document, "gillab": few, "benchmarks": document["benchmarks"][:1]}
    error = best_match(_make_validator(branch).iter_errors(document))
    assert error is None, f"{error.json_path}: {error.message}"
