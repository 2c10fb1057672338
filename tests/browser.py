"""A page in a real browser: headless Chromium, cut off from every network."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
_LIMIT_S = 120
_FLAGS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
    *("--host-resolver-rules=MAP * ~NOTFOUND", "--hide-scrollbars", "--virtual-time-budget=3000"),
    *("--enable-logging=stderr", "--v=0"),
)
_THE_BROWSERS_OWN = "not an origin"
"""Who begins a request that no page asked for, in the browser's log."""
# Its window cannot be as narrow as a phone, so the page stands in a frame that can.
_FRAME = """<!doctype html><body style="margin:0"><script>
addEventListener("message", (event) => {{ document.body.dataset.probe = event.data; }});
</script><iframe src="page.html" style="border:0;width:{width}px;height:{height}px"></iframe>"""
_PROBE = """<script>
parent.postMessage(JSON.stringify({
  width: innerWidth,
  needs: document.documentElement.scrollWidth,
  loaded: performance.getEntriesByType("resource").map((entry) => entry.name),
  shown: [...document.querySelectorAll("svg")].map((svg) => svg.getBoundingClientRect())
    .filter((box) => box.width > 0 && box.height > 0).length,
  background: getComputedStyle(document.body).backgroundColor,
}), "*");
</script></body>"""


@dataclass(frozen=True, slots=True)
class Seen:
    """What the browser made of a page."""

    width: int
    needs: int
    """The width that the page takes; more than `width` overflows."""
    loaded: list[str]
    """What it tried to load beside itself."""
    shown: int
    """How many drawings are visible."""
    background: str
    console: list[str]
    """What it complained of."""
    requests: list[str]
    """What the page asked any network for."""


def look_at(html: str, folder: Path, width: int, *, dark: bool = False) -> Seen:
    """Open a page and return what the browser made of it; the page may load whatever it names."""
    free = re.sub(r"<meta http-equiv=[^>]*>", "", html)
    (folder / "page.html").write_text(free.replace("</body>", _PROBE), encoding="utf-8")
    dumped, console, requests = _run(folder, width, 1000, dark, "--dump-dom")
    found = re.search(r'data-probe="([^"]*)"', dumped)
    assert found is not None, dumped
    probe = json.loads(found[1].replace("&quot;", '"').replace("&amp;", "&"))
    return Seen(console=console, requests=requests, **probe)


def take_picture(html: str, folder: Path, width: int, height: int, *, dark: bool) -> bytes:
    """Return a picture (PNG) of a page as it is."""
    (folder / "page.html").write_text(html, encoding="utf-8")
    _run(folder, width, height, dark, f"--screenshot={folder / 'page.png'}")
    return (folder / "page.png").read_bytes()


def _run(
    folder: Path, width: int, height: int, dark: bool, what: str
) -> tuple[str, list[str], list[str]]:
    """Return what it printed, its console, and the requests of the page."""
    assert CHROMIUM is not None
    frame = folder / "frame.html"
    frame.write_text(_FRAME.format(width=width, height=height), encoding="utf-8")
    log = folder / "net.json"
    options = [
        f"--user-data-dir={folder / 'profile'}",
        f"--log-net-log={log}",
        f"--window-size={max(width, 500)},{height}",
        f"--blink-settings=preferredColorScheme={0 if dark else 1}",
        what,
        frame.as_uri(),
    ]
    child = subprocess.run(
        [CHROMIUM, *_FLAGS, *options],
        capture_output=True, text=True, timeout=_LIMIT_S, check=True,
    )  # fmt: skip
    console = [line for line in child.stderr.splitlines() if "CONSOLE" in line]
    shutil.rmtree(folder / "profile", ignore_errors=True)
    return child.stdout, console, _list_requests(log)


def _list_requests(log: Path) -> list[str]:
    parameters = [event.get("params", {}) for event in json.loads(log.read_text())["events"]]
    return [
        each["url"]
        for each in parameters
        if "url" in each and each.get("initiator", _THE_BROWSERS_OWN) != _THE_BROWSERS_OWN
    ]
