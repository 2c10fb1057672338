"""Writes the schema that is shipped, and the page on it, after a change to what is exported."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from gillab.schema import FILE
from gillab.schema.document import make_schema

PAGE = Path(__file__).parents[1] / "docs" / "json.md"
_HEAD = """# The JSON, field by field

`--export-json FILE` writes a file of one form, whatever the command. This page is made from its
[JSON Schema](https://json-schema.org), which is shipped with gillab:

```sh
python -m gillab.schema
```

{text}

A file has `version`, `metadata` and `benchmarks`, which are pyperf's, and `gillab`, which is a
[Result](#result), or [Findings](#findings) of `check` and `census`. That of `meter` is a
[Meter](#meter).
"""


def write_text() -> str:
    """Return the schema as text."""
    return json.dumps(make_schema(), indent=1, ensure_ascii=False) + "\n"


def write_page() -> str:
    """Return the page: a table for each object."""
    schema = make_schema()
    parts = [_HEAD.format(text=schema["description"])]
    for name, each in sorted(schema["$defs"].items(), key=_order):
        if "properties" in each:
            parts.append(f"## {name}\n\n{each['description']}\n")
            rows = "\n".join(_write_rows(each["properties"]))
            parts.append(f"| field | type | meaning |\n|---|---|---|\n{rows}\n")
    return "\n".join(parts)


def _order(item: tuple[str, Any]) -> tuple[int, str]:
    first = ("Result", "Cell", "Choice", "Control", "Block", "Findings", "Meter", "Reading")
    name = item[0]
    return (first.index(name) if name in first else len(first), name)


def _write_rows(properties: dict[str, Any], before: str = "") -> Iterator[str]:
    for name, each in properties.items():
        meaning = each["description"].replace("|", "\\|")
        yield f"| `{before}{name}` | {_write_type(each)} | {meaning} |"
        if isinstance(each.get("properties"), dict):
            yield from _write_rows(each["properties"], f"{before}{name}.")


def _write_type(schema: dict[str, Any]) -> str:
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        return f"[{name}](#{name.lower()})"
    if "anyOf" in schema:
        return " or ".join(_write_type(each) for each in schema["anyOf"])
    if "enum" in schema:
        return ", ".join(f"`{json.dumps(each)}`" for each in schema["enum"])
    if "const" in schema:
        return f"`{json.dumps(schema['const'])}`"
    if schema.get("type") == "array" and isinstance(schema.get("items"), dict):
        return f"array of {_write_type(schema['items'])}"
    kinds = schema.get("type", "any")
    return " or ".join(kinds) if isinstance(kinds, list) else str(kinds)


if __name__ == "__main__":
    FILE.write_text(write_text(), encoding="utf-8")
    PAGE.write_text(write_page(), encoding="utf-8")
