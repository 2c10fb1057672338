"""The schema of the exports: shipped as the code makes it, with a text for all that it names."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from make_schema import PAGE, write_page, write_text
from schema_check import check_export, read_schema

from gillab.command.schema import main
from gillab.schema import FILE
from gillab.schema.document import make_schema

DOCS = Path(__file__).parents[1] / "docs"


def list_properties(schema: Any, where: str = "$") -> Iterator[tuple[str, dict[str, Any]]]:
    if isinstance(schema, list):
        for each in schema:
            yield from list_properties(each, where)
    if isinstance(schema, dict):
        named = schema.get("properties")
        for name, each in named.items() if isinstance(named, dict) else ():
            yield f"{where}.{name}", each
        for name, each in schema.items():
            yield from list_properties(each, f"{where}.{name}")


def read_whole(file: Path) -> dict[str, Any]:
    """Read a result of the pages, which were saved without what is pyperf's."""
    pyperf = {"version": "1.0", "metadata": {}, "benchmarks": []}
    saved: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    return pyperf | saved


def test_the_shipped_schema_and_its_page_are_what_the_code_makes() -> None:
    # To mend it: python tests/make_schema.py
    assert FILE.read_text(encoding="utf-8") == write_text()
    assert PAGE.read_text(encoding="utf-8") == write_page()


def test_it_is_a_schema() -> None:
    Draft202012Validator.check_schema(read_schema())


def test_every_field_has_a_text() -> None:
    bare = [where for where, each in list_properties(make_schema()) if not each.get("description")]
    assert bare == []


def test_the_command_prints_it(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 0
    assert json.loads(capsys.readouterr().out) == read_schema()


@pytest.mark.parametrize("file", sorted((DOCS / "data").glob("*.json")), ids=lambda file: file.stem)
def test_the_results_of_the_pages_are_as_it_says(file: Path) -> None:
    check_export(read_whole(file))


def test_what_it_does_not_describe_is_found() -> None:
    file = next((DOCS / "data").glob("compare*.json"))
    document = read_whole(file)
    document["gillab"]["cells"][0]["surprise"] = 1
    with pytest.raises(AssertionError, match="surprise"):
        check_export(document)
