"""Results for the tests of the page, some of them hostile; and a strict reader of its HTML."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from html.parser import HTMLParser
from typing import Any

from report_fixtures import ENVIRONMENT, arm, ceiling, full_result, make_result, null, serial

from gillab.charts import Axis, Chart, Mark, Point, Series
from gillab.estimates import Bracket, Estimate, Spread
from gillab.release.findings import Finding, Findings
from gillab.results import Parts, Result

HOSTILE = (
    '</script><script>alert(1)</script></style><img src=x onerror="alert(2)">'
    '\'"$x_1$ &amp; {{ 7*7 }} id="x" #0072b2; \x1b[31m\x00\udc80\u202e\n語'
)
_VOID = {"meta", "link", "img", "br", "hr", "input"}
_FETCHING = {"src", "srcset", "href", "xlink:href", "action", "data", "poster", "background"}


class Reader(HTMLParser):
    """Reads a page and keeps what it holds; fails where a tag is not closed in its place."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self.feed(html)
        self.close()
        assert self.open == [], f"not closed: {self.open}"

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attributes)))
        if tag not in _VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attributes)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open, f"</{tag}> closes nothing"
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.texts.append(data)

    def find(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.tags if name == tag]

    @property
    def ids(self) -> list[str]:
        return [value for _, each in self.tags if (value := each.get("id")) is not None]

    @property
    def fetched(self) -> list[str]:
        """Everything that a browser might fetch, but places on this very page."""
        links = [
            value or ""
            for _, attributes in self.tags
            for name, value in attributes.items()
            if name in _FETCHING
        ]
        return [link for link in links if not link.startswith("#")]

    @property
    def headings(self) -> list[int]:
        return [int(tag[1]) for tag, _ in self.tags if len(tag) == 2 and tag[0] == "h" != tag[1:]
                and tag[1].isdigit()]  # fmt: skip

    @property
    def text(self) -> str:
        return "".join(self.texts)


def make_block(number: int, workload: str, arms: Sequence[str], load: float | None) -> Any:
    noise = {"wall_s": 0.2} | ({} if load is None else {"other_cores": load})
    seconds = {key: 0.02 * (1 + 0.1 * ((number + at) % 3)) for at, key in enumerate(arms)}
    return {
        "workload": workload, "launch": 1 + number // 4, "order": list(arms), "seconds": seconds,
        "cores": dict.fromkeys(arms, 1.0), "noise": noise, "steps": 1000,
    }  # fmt: skip


def make_blocks(result: Result, load: float | None = 0.5) -> Result:
    """Add blocks to a result."""
    blocks = []
    for workload in dict.fromkeys(cell.workload for cell in result.cells):
        arms = [cell.key for cell in result.cells if cell.workload == workload]
        blocks += [make_block(number, workload, arms, load) for number in range(8)]
    return replace(result, blocks=blocks)


def make_compare() -> Result:
    environment = {**ENVIRONMENT, "command_line": "python -m gillab.compare nogil"}
    return replace(make_blocks(full_result(noisy=True, held=True)), environment=environment)


def make_job(workload: str = "item * item") -> Result:
    parts = Parts(0.1, 0.3, 0.45, 0.1, 0.05)
    cells = [
        serial(workload),
        arm("processes", 1.4, "wins", workload=workload, chunksize=9, parts=parts),
        arm("threads", 0.9, "loses", workload=workload, parts=replace(parts, send=0.0)),
    ]
    result = make_result(cells, nulls=[null(workload=workload)], ceilings=[])
    return replace(make_blocks(result, None), command="job", choices=())


def make_chart(name: str = "threads", group: str = "nogil") -> Chart:
    ceiling_at = (Point(1, Estimate(1.0, None, None)), Point(2, Estimate(1.97, 1.95, 1.99)))
    return Chart(
        "speedup over workers",
        Axis("workers", "", True),
        Axis("speedup", "x"),
        (
            Series(name, (Point(1, Estimate(1.0, 0.9, 1.1)), Point(2, Estimate(1.9, 1.8, 2.0)))),
            Series("ceiling", ceiling_at, "ceiling"),
        ),
        (Mark("best", Bracket(2.0, 1.0, None), name),),
        group,
    )


def make_scaling() -> Result:
    charts = (make_chart(), replace(make_chart(), group="", title="cost"))
    return replace(make_compare(), command="scaling", charts=charts)


def make_findings(command: str = "check", workload: str = "zlib.crc32(data)") -> Findings:
    cell = Finding(
        workload, "3.13.0", "ok", "N=10", "releases",
        notes=("moved to another directory",),
        released=Estimate(0.98, 0.97, 0.99),
        longest_hold_s=Estimate(1e-4, 0.0, 2e-4),
        call=Spread(0.001, 1e-5, 0.0009),
        holder=Estimate(0.0, 0.0, 0.01),
        releaser=Estimate(0.99, 0.98, 1.0),
    )  # fmt: skip
    missing = Finding(workload, "3.13.0", "failed", "N=1000", reason="died of signal 9")
    summary = ["zlib.crc32 releases the GIL."]
    return Findings(command, True, {"time_s": 1.0}, ENVIRONMENT, [cell, missing], summary=summary)


def make_hostile() -> list[Result | Findings]:
    """Return results in which every text that is not gillab's is hostile."""
    cells = [
        serial(HOSTILE),
        arm(HOSTILE, 1.9, "wins", workload=HOSTILE, notes=(HOSTILE,)),
        replace(arm("threads", 1.0, None, workload=HOSTILE), status="failed", reason=HOSTILE),
    ]
    result = replace(
        make_blocks(make_result(cells, nulls=[], ceilings=[ceiling(workload=HOSTILE)])),
        environment={"python": HOSTILE, HOSTILE: HOSTILE, "command_line": HOSTILE},
        options={HOSTILE: [HOSTILE]},
        summary=[HOSTILE],
        warnings=[HOSTILE],
    )
    charted = replace(result, charts=[make_chart(HOSTILE, HOSTILE)], command="scaling")
    findings = make_findings(workload=HOSTILE)
    return [result, charted, make_job(HOSTILE), replace(findings, summary=[HOSTILE])]
