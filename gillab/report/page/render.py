"""The page as HTML: the content in the template, with every text escaped."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from gillab.report.page.content import compose
from gillab.report.page.svg import Figure, draw_inline
from gillab.text import printable

if TYPE_CHECKING:
    from jinja2 import Environment

    from gillab.meter.timeline import Timeline
    from gillab.release.findings import Findings
    from gillab.results import Result


def render_page(result: Result | Findings | Timeline) -> str:
    """Return a whole page of one result."""
    return render_pages([result])


def render_pages(results: Sequence[Result | Findings | Timeline]) -> str:
    """Return a whole page of one or several results, one below the other."""
    contents = [compose(result) for result in results]
    title = contents[0].title if len(contents) == 1 else f"gillab: {len(contents)} results"
    return _make_environment().get_template("page.html").render(title=title, contents=contents)


def render_fragment(result: Result | Findings) -> str:
    """Return what a notebook shows in the output of a cell."""
    template = _make_environment().get_template("fragment.html")
    # A notebook is one page: what other cells show must have other ids.
    return template.render(content=compose(result), prefix=f"g{uuid4().hex[:8]}")


@cache
def _make_environment() -> Environment:
    from jinja2 import Environment, PackageLoader, StrictUndefined
    from markupsafe import Markup

    def finish(value: Any) -> Any:
        # Control codes and lone surrogates are no text that a page can hold.
        return printable(value) if type(value) is str else value

    def draw(figure: Figure, name: str) -> Markup:
        return Markup(draw_inline(figure, name))

    environment = Environment(
        loader=PackageLoader("gillab.report.page", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=finish,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.globals["draw"] = draw
    return environment
