"""The page: whole, self-contained, escaped, and fit to be read aloud."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from pages import (
    HOSTILE,
    Reader,
    make_compare,
    make_findings,
    make_hostile,
    make_job,
    make_scaling,
)
from report_fixtures import make_result

from gillab import check, compare
from gillab.errors import UsageError
from gillab.release.findings import Findings
from gillab.report.forms import find_form
from gillab.results import Result

RESULTS: dict[str, Callable[[], Result | Findings]] = {
    "compare": make_compare,
    "job": make_job,
    "scaling": make_scaling,
    "check": make_findings,
    "census": lambda: make_findings("census"),
    "nothing": lambda: make_result([]),
}


@pytest.fixture
def render() -> Any:
    """Return the module that renders, where what it needs is installed."""
    pytest.importorskip("jinja2", reason="needs jinja2")
    pytest.importorskip("matplotlib", reason="needs matplotlib")
    from gillab.report.page import render

    return render


def check_page(page: Reader) -> None:
    """Hold what is true of every page."""
    assert len(page.ids) == len(set(page.ids))
    assert page.fetched == []
    assert not {"script", "img", "iframe", "object", "base"} & {tag for tag, _ in page.tags}
    assert not any(name.startswith("on") for _, each in page.tags for name in each)
    text = str(page.tags)
    assert "http:" not in text
    assert "https:" not in text
    used = {found[1] for found in re.finditer(r"(?:url\(|'href': ')#([^)']*)", text)}
    assert used <= set(page.ids)
    named = [each["aria-labelledby"] for _, each in page.tags if "aria-labelledby" in each]
    assert set(named) <= set(page.ids)
    for before, after in zip(page.headings, page.headings[1:], strict=False):
        assert after <= before + 1, "a level of headings is left out"
    assert all(svg["role"] == "img" and svg["aria-label"] for svg in page.find("svg"))
    tables = page.find("table")
    assert len(page.find("caption")) == len(page.find("thead")) == len(tables)
    assert {each.get("scope") for each in page.find("th")} <= {"col", "row"}
    assert sum(tag == "th" for tag, _ in page.tags) >= 2 * len(tables)


@cache
def render_once(name: str) -> str:
    """Return the page of one of the results."""
    from gillab.report.page.render import render_page

    return render_page(RESULTS[name]())


@pytest.mark.usefixtures("render")
@pytest.mark.parametrize("name", RESULTS)
def test_a_page_is_whole_and_needs_nothing_else(name: str) -> None:
    html = render_once(name)
    page = Reader(html)
    check_page(page)
    assert html.startswith("<!doctype html>\n")
    assert page.find("html") == [{"lang": "en"}]
    assert page.headings.count(1) == 1


@pytest.mark.usefixtures("render")
def test_the_answer_comes_before_the_figures_and_the_command_is_named() -> None:
    result = make_compare()
    page = Reader(render_once("compare"))
    assert page.text.index(result.summary[0]) < page.text.index("Speedups and their intervals")
    assert "python -m gillab.compare nogil" in page.text
    assert "1.92 [1.89, 1.95]" in page.text
    assert "needs Python 3.14" in page.text


def test_the_same_result_gives_the_same_page(render: Any) -> None:
    assert render.render_page(make_job()) == render_once("job")


def test_a_page_of_several_results_leads_to_each(render: Any) -> None:
    results = [make_job(), make_findings(), make_findings("census")]
    page = Reader(render.render_pages(results))
    check_page(page)
    links = [each["href"] for each in page.find("a")]
    assert links == ["#r1", "#r2", "#r3"]
    assert set(links) <= {f"#{name}" for name in page.ids}


@pytest.mark.parametrize("which", range(4))
def test_nothing_that_is_not_ours_can_break_the_page(render: Any, which: int) -> None:
    html = render.render_page(make_hostile()[which])
    html.encode("utf-8")
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f\u202e]", html)
    page = Reader(html)
    check_page(page)
    assert "</script><script>alert(1)</script>" in page.text
    assert r"\x1b[31m\x00\udc80\u202e" in page.text
    assert "{{ 7*7 }}" in page.text


@pytest.mark.usefixtures("render")
def test_a_fragment_in_a_notebook_has_ids_of_its_own() -> None:
    html = make_job()._repr_html_() + make_findings()._repr_html_() + make_job()._repr_html_()
    page = Reader(html)
    assert len(page.ids) == len(set(page.ids))
    assert page.fetched == []
    assert "html" not in {tag for tag, _ in page.tags}


@pytest.fixture
def without_jinja(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "gillab.report.page.extra.find_spec", lambda name: None if name == "jinja2" else name
    )


@pytest.mark.usefixtures("without_jinja")
def test_without_the_extra_a_notebook_shows_the_summary_escaped() -> None:
    result = replace(make_compare(), summary=["Use 4 threads.", HOSTILE])
    html = result._repr_html_()
    assert html.startswith("<pre>Use 4 threads.&#10;&lt;/script&gt;&lt;script&gt;")
    html.encode("utf-8")
    assert Reader(html).text.count("\n") == 1


@pytest.mark.usefixtures("without_jinja")
@pytest.mark.parametrize("module", [compare, check])
def test_without_the_extra_the_option_is_refused_before_anything_is_measured(
    module: Any, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert module.main(["nogil", "--export-html", str(tmp_path / "r.html")]) == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert "--export-html needs jinja2" in said
    assert "pip install 'gillab[report]'" in said
    with pytest.raises(UsageError):
        find_form("html").check(tmp_path / "r.html")


@pytest.mark.usefixtures("render")
def test_a_figure_names_its_colours_so_that_the_page_may_change_them() -> None:
    html = render_once("job")
    assert "var(--c1a1b1c, #1a1b1c)" in html
    style = re.search(r"<style>(.*?)</style>", html, re.DOTALL)
    assert style is not None
    named = set(re.findall(r"var\((--c[0-9a-f]{6}), #", html))
    given = set(re.findall(r"(--c[0-9a-f]{6}):", style[1]))
    assert {"--c1a1b1c", "--cfefdfc", "--c0072b2"} <= named & given


def test_ticks_are_round_and_few_and_hold_1() -> None:
    from gillab.report.page.forest import choose_ticks

    assert choose_ticks(0.4, 2.2, 9) == pytest.approx([0.5, 0.7, 1.0, 1.5, 2.0])
    assert choose_ticks(0.93, 1.08, 9) == [0.95, 1.0, 1.05]
    assert choose_ticks(0.1, 5.5, 5) == pytest.approx([0.1, 0.3, 1.0, 3.0])
    for low, high in ((1e-4, 2.0), (0.2, 400.0), (0.5, 1.2)):
        ticks = choose_ticks(low, high, 5)
        assert 1.0 in ticks
        assert len(ticks) <= 6


def test_labels_of_an_axis_have_room_beside_each_other() -> None:
    from gillab.report.plot import thin_ticks

    assert thin_ticks([1, 2, 4], 10, logarithmic=False) == [1, 2, 4]
    assert thin_ticks([1, 2, 3, 100], 10, logarithmic=False) == [3, 100]
    assert thin_ticks([1, 10, 100, 1000], 2, logarithmic=True) == [10, 1000]
    assert thin_ticks([], 10, logarithmic=True) == []
    assert thin_ticks([0, 1], 10, logarithmic=True) == []
    assert thin_ticks([5], 10, logarithmic=True) == [5]


def test_the_page_is_an_option_of_every_command_that_has_exports() -> None:
    for module in (compare, check):
        assert "--export-html" in module.build_parser().format_help()
