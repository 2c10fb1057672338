"""The page in a headless Chromium: at the width of a phone and of a desk, light and dark."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import browser
import pytest
import timelines
from long_tests import only_long
from pages import make_compare, make_findings, make_hostile, make_job, make_scaling

pytestmark = [
    # Asked first, so that the reason to skip names what is missing wherever it is.
    pytest.mark.skipif(browser.CHROMIUM is None, reason="needs chromium, which is not here"),
    only_long,
]
RESULTS: dict[str, Any] = {
    "all": lambda: [make_compare(), make_job(), make_scaling(), make_findings()],
    "hostile": make_hostile,
    "timelines": lambda: [timelines.make_stopped_loop(), timelines.make_hostile()],
}


@pytest.fixture(scope="module", params=RESULTS)
def html(request: pytest.FixtureRequest) -> str:
    pytest.importorskip("jinja2", reason="needs jinja2")
    pytest.importorskip("matplotlib", reason="needs matplotlib")
    from gillab.report.page.render import render_pages

    return render_pages(RESULTS[request.param]())


@pytest.mark.parametrize(("width", "dark"), [(360, True), (1280, False)])
def test_a_browser_shows_the_page_without_a_complaint_or_a_request(
    html: str, width: int, dark: bool, tmp_path: Path
) -> None:
    seen = browser.look_at(html, tmp_path, width, dark=dark)
    assert seen.console == []
    assert seen.requests == []
    assert seen.loaded == []
    assert seen.width == width
    assert seen.needs <= width, "it overflows"
    assert seen.shown == html.count("<svg ") / 2, "each drawing is there wide and narrow"
    light, of_dark = "rgb(254, 253, 252)", "rgb(22, 24, 27)"
    assert seen.background == (of_dark if dark else light)


def test_the_page_as_it_is_makes_a_picture(html: str, tmp_path: Path) -> None:
    for width in (360, 1280):
        picture = browser.take_picture(html, tmp_path, width, 2000, dark=False)
        assert picture.startswith(b"\x89PNG")
        assert len(picture) > 20_000, "there is something on it"


def test_the_browser_would_have_said_so(tmp_path: Path) -> None:
    """A page that breaks each rule is seen to."""
    bad = (
        "<!doctype html><body><div style='width:2000px'>x</div>"
        "<script>console.error('broken')</script>"
        "<img src='http://example.invalid/a.png'></body>"
    )
    seen = browser.look_at(bad, tmp_path, 360)
    assert seen.needs > seen.width
    assert any("broken" in line for line in seen.console)
    assert seen.requests[0] == "http://example.invalid/a.png"
