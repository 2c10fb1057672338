"""One line on the terminal that shows how far a run has come."""

from __future__ import annotations

from math import isfinite
from types import TracebackType
from typing import TYPE_CHECKING

from gillab.report.figures import format_clock, format_percent, shorten

if TYPE_CHECKING:
    from rich.console import Console
    from rich.live import Live


class Progress:
    """A line that only `update` redraws: no extra thread disturbs the measuring.

    If the console is None, or not a terminal, nothing is written.
    """

    def __init__(self, console: Console | None) -> None:
        terminal = console is not None and console.is_terminal and not console.is_dumb_terminal
        self._console = console if terminal else None
        self._live: Live | None = None

    def __enter__(self) -> Progress:
        if self._console is not None:
            from rich.live import Live  # here, since a quiet run does not need it

            self._live = Live(
                console=self._console,
                auto_refresh=False,
                transient=True,
                redirect_stdout=False,
                redirect_stderr=False,
            )
            self._live.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._live is not None:
            self._live.stop()
            self._live = None

    def show(self, text: str) -> None:
        """Redraw the line with this text, cut to the width."""
        if self._live is None or self._console is None:
            return
        from rich.text import Text

        line = shorten(text, self._console.width)
        self._live.update(Text(line, no_wrap=True, overflow="crop"), refresh=True)

    def update(
        self,
        *,
        workload: str,
        block: int,
        blocks: int,
        left_s: float,
        widest: float | None,
        target: float,
        launch: int,
        undecided: int | None,
    ) -> None:
        """Redraw the line; ``widest`` and ``target`` are relative half-widths, in fractions.

        A target that is not finite is none. ``undecided`` is the number of cells of this workload
        without a verdict at the last look.
        """
        if self._live is None or self._console is None:
            return
        from rich.text import Text

        precision = f"target {format_percent(target, 1)}" if isfinite(target) else ""
        if widest is not None and isfinite(widest):
            precision = f"widest ±{format_percent(widest, 1)}, {precision}"
        # In the order in which they stand; the second figure says which goes first.
        parts = [
            (f"block {block}/{blocks}", 4),
            ("" if undecided is None else f"{undecided} undecided", 2),
            (f"launch {launch}", 0),
            (f"{format_clock(left_s)} left", 3),
            (precision, 1),
        ]
        line = _line(self._console.width, workload, parts)
        self._live.update(Text(line, no_wrap=True, overflow="crop"), refresh=True)


def _line(width: int, workload: str, parts: list[tuple[str, int]]) -> str:
    """Return the line, without its least important parts where the terminal is narrow."""
    shortest_name = min(len(workload), 16)
    while len(parts) > 1 and len(_joined(parts)) + 2 + shortest_name > width:
        parts.remove(min(parts, key=lambda part: part[1]))
    room = width - len(_joined(parts)) - 2
    if room < 2:
        return _joined(parts)[:width]
    return f"{shorten(workload, room)}  {_joined(parts)}"


def _joined(parts: list[tuple[str, int]]) -> str:
    return "  ".join(text for text, _ in parts if text)
