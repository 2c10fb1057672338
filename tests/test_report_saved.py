"""Saved results read back, and the page made from them."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from pages import make_compare, make_findings, make_hostile, make_job, make_scaling

from gillab.command import page
from gillab.errors import UsageError
from gillab.report.saved import load_result, read_saved
from gillab.results import Result


@pytest.mark.parametrize(
    "result",
    [make_compare(), make_job(), make_scaling(), make_findings(), *make_hostile()],
)
def test_what_is_read_back_is_what_was_written(result: Result, tmp_path: Path) -> None:
    file = tmp_path / "r.json"
    file.write_text(result.to_json(), encoding="utf-8")
    again = read_saved(file)
    assert type(again) is type(result)
    assert again.to_json() == result.to_json()
    assert again.cells == tuple(result.cells)


def test_keys_that_a_newer_version_adds_are_left_out() -> None:
    data = make_compare().to_dict()
    data["gillab"]["colour"] = "green"
    data["gillab"]["cells"][0]["weather"] = "fair"
    assert load_result(data) == load_result(make_compare().to_dict())


def change(path: str, value: Any) -> str:
    """Return the JSON of a result in which one place holds something else."""
    data = json.loads(make_compare().to_json())
    place = data
    *way, last = path.split(".")
    for name in way:
        place = place[int(name) if name.isdigit() else name]
    place[last] = value
    return json.dumps(data)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "line 1 is not JSON"),
        ("{", "line 1 is not JSON"),
        ("[]", "the key 'gillab' is missing"),
        ('{"gillab": 1}', "the key 'gillab' is missing"),
        ('{"gillab": {"schema": 99}}', "it has schema 99, and this gillab reads schema 1"),
        ('{"gillab": {"schema": NaN}}', "NaN is no figure"),
        ("[" * 100_000, "it is nested too deeply"),
        (change("gillab.controls", None), "the key 'controls' is missing"),
        (change("gillab.cells", None), "cells of the result is not what it should be, but None"),
        (change("gillab.cells.0.workers", "2"), "workers of cells of the result is not"),
        (change("gillab.cells.0.status", "gone"), "'gone', which this gillab does not know"),
        (change("gillab.noise", {}), "noise of the result lacks 'blocks'"),
        (change("gillab.blocks.0.seconds", 3), "the times of a block is not what it should be"),
        (change("gillab.blocks.0.seconds", {"a": "b"}), "a time of a block is not"),
    ],
)  # fmt: skip
def test_a_file_that_holds_no_result_is_said_in_a_sentence(
    text: str, why: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("jinja2", reason="needs jinja2")
    pytest.importorskip("matplotlib", reason="needs matplotlib")
    file = tmp_path / "r.json"
    file.write_text(text, encoding="utf-8")
    assert page.main([str(file)]) == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert f"{file} is no result of gillab: " in said
    assert why in said
    assert list(tmp_path.iterdir()) == [file]


def test_a_file_that_cannot_be_read_is_said(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"r\.json cannot be read \(.*\); name another file\.$"):
        read_saved(tmp_path / "r.json")
    (tmp_path / "r.json").write_bytes(b"\xff\xfe{")
    with pytest.raises(UsageError, match="it is not text in UTF-8"):
        read_saved(tmp_path / "r.json")


def test_files_become_one_page_beside_the_first(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("jinja2", reason="needs jinja2")
    pytest.importorskip("matplotlib", reason="needs matplotlib")
    one, two = tmp_path / "one.json", tmp_path / "two.json"
    one.write_text(make_job().to_json(), encoding="utf-8")
    two.write_text(make_findings().to_json(), encoding="utf-8")
    assert page.main([str(one), str(two)]) == 0
    html = (tmp_path / "one.html").read_text(encoding="utf-8")
    assert "gillab: 2 results" in html
    assert str(tmp_path / "one.html") in capsys.readouterr().out
    assert page.main(["-o", str(tmp_path / "own.html"), str(two)]) == 0
    assert "gillab check" in (tmp_path / "own.html").read_text(encoding="utf-8")
    assert page.main(["-o", str(two), str(one), str(two)]) == 2
    assert "is one of the results" in capsys.readouterr().err
    assert page.main(["-o", str(tmp_path), str(one)]) == 2


def test_a_partial_result_is_read_back_as_one() -> None:
    again = load_result(replace(make_compare(), partial=True).to_dict())
    assert again.partial
