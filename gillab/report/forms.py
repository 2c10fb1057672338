"""The forms that a result can be exported in, and which commands offer which."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import import_module
from operator import methodcaller
from pathlib import Path
from typing import Any

Renderer = Callable[[Any], str]
ARMS = "arms"
LAB = ("scaling", "crossover", "transfer", "latency", "startup")
"""Their results have charts."""
_OTHERS = ("check", "census")
"""Their results are findings."""


@dataclass(frozen=True, slots=True)
class Form:
    """One form of export."""

    name: str
    help: str
    """What the file holds, in the words of the option's help."""
    renderers: Mapping[str, Renderer]
    """By command: what writes its result in this form; under `ARMS` for all that have none of their
    own, whose result is one of arms."""

    def find_renderer(self, command: str) -> Renderer | None:
        """Return what writes the result of a command; None where nothing does."""
        otherwise = None if command in _OTHERS else self.renderers.get(ARMS)
        return self.renderers.get(command, otherwise)

    @property
    def option(self) -> str:
        """The option that asks for it: ``--export-json``."""
        return f"--export-{self.name}"

    @property
    def dest(self) -> str:
        """The name of the option's value among the parsed arguments."""
        return self.option.removeprefix("--").replace("-", "_")

    def check(self, path: Path) -> None:
        """Refuse a file that this form cannot be written to. UsageError."""

    def render(self, result: Any, path: Path) -> str | bytes:
        """Return what the file holds; the result's command must offer this form."""
        renderer = self.find_renderer(result.command)
        assert renderer is not None, "a form that a command lacks is no option of it"
        return renderer(result)


class PlotForm(Form):
    """The charts as a picture, of the kind that the file's name ends in."""

    @property
    def option(self) -> str:
        """The option that asks for it."""
        return "--plot"

    def find_renderer(self, command: str) -> Renderer | None:
        """Return something where the command's results have charts."""
        return str if command in LAB else None

    def check(self, path: Path) -> None:
        """Refuse an ending that is no picture's, and a missing matplotlib. UsageError."""
        from gillab.report.plot import check_plot

        check_plot(path)

    def render(self, result: Any, path: Path) -> bytes:
        """Return the picture."""
        from gillab.report.plot import draw

        return draw(result, path.suffix)


class PageForm(Form):
    """A page to look at, of any command's result."""

    def find_renderer(self, command: str) -> Renderer | None:
        """Return what writes the page."""
        return _load("page.render", "render_page")

    def check(self, path: Path) -> None:
        """Refuse where what the page is made with is not installed. UsageError."""
        from gillab.report.page.extra import require_extra

        require_extra(self.option)


def _load(module: str, function: str) -> Renderer:
    """Return a renderer that imports its module from this package when it is first called."""

    def render_lazily(result: Any) -> str:
        text = getattr(import_module(f"gillab.report.{module}"), function)(result)
        assert isinstance(text, str)
        return text

    return render_lazily


_TO_JSON = methodcaller("to_json")
_FINDINGS_CSV = _load("findings", "render_findings_csv")

FORMS = (
    Form(
        "json",
        "every figure; pyperf's tools load it too, unless no cell is sound",
        {ARMS: _TO_JSON, "check": _TO_JSON, "census": _TO_JSON},
    ),
    Form(
        "csv",
        "one row a cell, or a point of a chart",
        {
            ARMS: _load("csv", "render_csv"),
            "job": _load("csv", "render_job_csv"),
            "versus": _load("csv", "render_versus_csv"),
            **dict.fromkeys(LAB, _load("lab", "render_lab_csv")),
            "check": _FINDINGS_CSV,
            "census": _FINDINGS_CSV,
        },
    ),
    Form(
        "markdown",
        "the table, what it rests on, and the summary",
        {
            ARMS: _load("markdown", "render_markdown"),
            **dict.fromkeys(LAB, _load("lab", "render_lab_markdown")),
            "check": _load("findings", "render_findings_markdown"),
            "census": _load("census", "render_census_markdown"),
        },
    ),
    PageForm("html", "a page to look at, in one file (needs gillab[report])", {}),
    PlotForm("plot", "the charts as a picture: .png, .svg or .pdf (needs gillab[report])", {}),
)


def find_form(name: str) -> Form:
    """Return the form of that name. StopIteration where there is none."""
    return next(form for form in FORMS if form.name == name)
