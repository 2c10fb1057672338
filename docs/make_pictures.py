"""Draw the pictures of these pages from the saved results in ``data/``.

Usage: python docs/make_pictures.py [RESULT.json ...]. Results that are named, which a command wrote
with ``--export-json``, first take the place of those of the same names in ``data/``, without their
raw blocks. It needs gillab[report].
"""

from __future__ import annotations

import io
import json
import re
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

from matplotlib import rc_context
from matplotlib.figure import Figure as Canvas

from gillab.release.findings import Findings
from gillab.report.page.bars import plan_parts, plan_released
from gillab.report.page.forest import plan_forest
from gillab.report.page.svg import Figure
from gillab.report.plot import draw
from gillab.report.saved import load_result
from gillab.results import Result

DOCS = Path(__file__).parent
WIDTH_INCHES = 7.2
# Text stays text, which makes a picture a tenth as large; the hash makes it the same each time.
STYLE: Any = {
    "svg.fonttype": "none",
    "svg.hashsalt": "gillab",
    "font.sans-serif": ["DejaVu Sans"],
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "legend.frameon": False,
}


def plan(result: Result | Findings) -> list[Figure]:
    """Return the figures of a result that has no charts."""
    if isinstance(result, Findings):
        figures = [plan_released(result)]
    else:
        workloads = dict.fromkeys(cell.workload for cell in result.cells)
        chosen = plan_parts if result.command == "job" else plan_forest
        figures = [chosen(result, workload) for workload in workloads]
    return [figure for figure in figures if figure is not None]


def draw_figures(figures: list[Figure]) -> str:
    """Return one picture of several figures, one below the other."""
    heights = [figure.height for figure in figures]
    canvas = Canvas(figsize=(WIDTH_INCHES, sum(heights) + 0.3 * len(heights)), layout="constrained")
    rows = canvas.subplots(len(figures), 1, squeeze=False, height_ratios=heights)
    for figure, axes in zip(figures, rows[:, 0], strict=True):
        axes.set_title(figure.title, fontsize=10)
        figure.paint(axes, False)
        handles, labels = axes.get_legend_handles_labels()
        if handles:
            axes.legend(handles, labels, loc="upper center", bbox_to_anchor=(0.5, -0.2), ncols=5)
    stream = io.StringIO()
    canvas.savefig(stream, format="svg", metadata={"Date": None})
    return stream.getvalue()


def make_picture(data: Path) -> str:
    """Return the picture of a saved result, as SVG."""
    result = load_result(json.loads(data.read_text(encoding="utf-8")))
    with rc_context(STYLE):
        if isinstance(result, Result) and result.charts:
            # The first chart answers the question; --plot and the report draw the others too.
            svg = draw(replace(result, charts=result.charts[:1]), ".svg").decode()
        else:
            svg = draw_figures(plan(result))
    # matplotlib's own name and address, which no reader needs; and blanks at the ends of lines.
    svg = re.sub(r"\s*<metadata>.*?</metadata>", "", svg, flags=re.DOTALL)
    return re.sub(r"[ \t]+\n", "\n", svg)


def keep(result: Path) -> None:
    """Copy a result into ``data/``, without its raw blocks: they are most of it, and not drawn."""
    saved = json.loads(result.read_text(encoding="utf-8"))["gillab"]
    if "blocks" in saved:
        saved["blocks"] = []
    text = json.dumps({"gillab": saved}, ensure_ascii=False, separators=(",", ":"))
    (DOCS / "data" / result.name).write_text(text + "\n", encoding="utf-8")


def main(results: list[str]) -> None:
    """Keep the results, then write ``pictures/NAME.svg`` for each ``data/NAME.json``."""
    for result in results:
        keep(Path(result))
    for data in sorted((DOCS / "data").glob("*.json")):
        picture = DOCS / "pictures" / f"{data.stem}.svg"
        picture.write_text(make_picture(data), encoding="utf-8")
        print(f"{picture.name}: {picture.stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    main(sys.argv[1:])
