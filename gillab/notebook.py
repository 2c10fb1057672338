"""How a result shows itself in a notebook."""

from __future__ import annotations

from html import escape
from importlib import import_module
from typing import Any

from gillab.text import printable


def show_result(result: Any) -> str:
    """Return HTML for the output of a cell: the page, or the summary without what that needs."""
    # Named by text: the data must not depend on their reports, which depend on them.
    if import_module("gillab.report.page.extra").list_missing():
        lines = (escape(printable(sentence)) for sentence in result.summary)
        return f"<pre>{'&#10;'.join(lines)}</pre>"
    html = import_module("gillab.report.page.render").render_fragment(result)
    assert isinstance(html, str)
    return html
