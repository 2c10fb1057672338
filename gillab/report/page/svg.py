"""A figure as SVG inside a page: its text is text, and its colours follow the page's."""

from __future__ import annotations

import io
import re
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from html import escape
from typing import Any

from gillab.text import printable

INK = "#1a1b1c"
"""Lines and text; the page makes it light where it is dark."""
PAPER = "#fefdfc"
"""What lies on a strong colour; the page makes it dark where it is dark."""
_SIZES = (("wide", 7.2), ("narrow", 3.6))
"""In inches; the page shows one of them, so that the text stays legible on a phone."""
_STYLE: Any = {
    "svg.fonttype": "none",
    "svg.hashsalt": "gillab",
    "font.sans-serif": ["DejaVu Sans"],
    "font.size": 9,
    "legend.fontsize": 8,
    "legend.frameon": False,
    "text.color": INK,
    "axes.edgecolor": INK,
    "axes.labelcolor": INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "xtick.color": INK,
    "ytick.color": INK,
    "grid.color": INK,
}


@dataclass(frozen=True, slots=True)
class Figure:
    """What is drawn on one pair of axes, and the same in words."""

    title: str
    paint: Callable[[Any, bool], None]
    """Draws on matplotlib's axes; the second argument is whether these are narrow."""
    height: float
    """In inches."""
    values: tuple[str, ...] = ()
    """What it shows, in words, where no table beside it says so."""


def draw_inline(figure: Figure, name: str) -> str:
    """Return a wide and a narrow drawing as HTML; ``name`` keeps their ids apart from others'."""
    return "".join(
        _embed(_draw(figure, kind, width), f"{name}-{kind[0]}", kind, figure.title)
        for kind, width in _SIZES
    )


def _draw(figure: Figure, kind: str, width: float) -> str:
    with warnings.catch_warnings():
        # A font that lacks a character draws a box here, and the browser has fonts of its own.
        warnings.simplefilter("ignore", UserWarning)
        # The module that reads fonts turns the GIL on: nothing is measured any more.
        warnings.filterwarnings("ignore", "The global interpreter lock", RuntimeWarning)
        from matplotlib import rc_context
        from matplotlib.figure import Figure as Canvas

        with rc_context(_STYLE):
            canvas = Canvas(figsize=(width, figure.height), layout="constrained")
            axes = canvas.subplots()
            figure.paint(axes, kind == "narrow")
            handles, labels = axes.get_legend_handles_labels()
            if handles:
                # A line of the legend takes some five points a letter, and its sample thirty.
                room = 72 * width / (30 + 5 * max(map(len, labels)))
                columns = max(1, min(5, int(room)))
                canvas.legend(handles, labels, loc="outside lower center", ncols=columns)
            stream = io.StringIO()
            canvas.savefig(stream, format="svg", transparent=True, metadata={"Date": None})
    return stream.getvalue()


def _embed(svg: str, prefix: str, kind: str, title: str) -> str:
    """Return the drawing as a part of a page: named, without a style of its own."""
    found = re.search(r'<svg\b[^>]*\bviewBox="([^"]*)"[^>]*>(.*)</svg>', svg, re.DOTALL)
    assert found is not None, "matplotlib writes one <svg> with a viewBox"
    box, inside = found.groups()
    # matplotlib's own style rule would hold for the whole page.
    inside = re.sub(r"<metadata>.*?</metadata>|<style\b.*?</style>", "", inside, flags=re.DOTALL)
    inside = re.sub(r"<!--.*?-->", "", inside, flags=re.DOTALL)
    # Within tags only: what is between them may be a text of the workload's.
    inside = re.sub(r"<[^>]*>", lambda tag: _fit(tag[0], prefix), inside)
    label = escape(printable(title), quote=True)
    return f'<svg class="{kind}" viewBox="{box}" role="img" aria-label="{label}">{inside}</svg>\n'


def _fit(tag: str, prefix: str) -> str:
    """Return a tag with its ids and colours named for the page."""
    tag = re.sub(r'\bid="', f'id="{prefix}-', tag)
    tag = re.sub(r'(?:xlink:)?href="#', f'href="#{prefix}-', tag)
    tag = tag.replace("url(#", f"url(#{prefix}-")
    return re.sub(r"(?<=[:\s])(#[0-9a-f]{6})(?=[;\"])", _name_color, tag)


def _name_color(found: re.Match[str]) -> str:
    """Return the colour by the name under which the page may give it another value."""
    color = found[1]
    return f"var(--c{color[1:]}, {color})"
