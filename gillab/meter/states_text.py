"""What the report says of threads that run without a GIL."""

from __future__ import annotations

from collections.abc import Iterable

from gillab.meter.states import Contention, ThreadState, find_contention
from gillab.text import printable

_COLUMNS = ("attached", "waiting", "stopped", "detached")
_LEAST_SHARE = 0.001
_LEAST_ROW = 0.01
_MOST_KINDS = 3


def answer(states: Iterable[ThreadState], *, objects_told: bool) -> str:
    """Say which objects threads fought over, in one sentence."""
    found = [each for each in find_contention(states) if each.share >= _LEAST_SHARE]
    if not found and not objects_told:
        return "What threads wait for is not told here: the system does not say how they sleep."
    if not found:
        return "Threads fought over no object: none was seen to wait for one."
    first, *others = found
    text = (
        f"Threads waited for {_article(first.kind)} {first.share:.1%} of the time that they wanted "
        f"to run, most of all {_place(first)}"
    )
    for other in others[: _MOST_KINDS - 1]:
        text += f"; for {_article(other.kind)} {other.share:.1%}"
    return text + "."


def _article(kind: str) -> str:
    return f"{'an' if kind[:1].lower() in 'aeiou' else 'a'} {printable(kind)}"


def _place(found: Contention) -> str:
    row = found.longest
    where = "" if row.file is None else f"in {describe_function(row)} "
    return f"{where}({printable(row.thread)})"


def describe_function(row: ThreadState) -> str:
    """Return the last two parts of the file, the line and the name."""
    file = "/".join((row.file or "").replace("\\", "/").split("/")[-2:])
    return printable(f"{file}:{row.line} {row.name}")


def list_threads(states: Iterable[ThreadState], room: int, width: int) -> list[str]:
    """Say what each thread did, in lines that fit, those first that ran or waited longest."""
    threads: dict[str, list[ThreadState]] = {}
    for row in states:
        threads.setdefault(row.thread, []).append(row)
    order = sorted(threads, key=lambda name: -sum(map(_weight, threads[name])))
    room = max(room - 1, 2)
    shown = order[: room if len(order) <= room else room - 1]
    left = room - len(shown) - (len(shown) < len(order))
    waits = sorted(
        (row for name in shown for row in threads[name] if row.state == "waiting"),
        key=lambda row: (not row.is_contention, -row.share),
    )
    told = [row for row in waits if row.share >= _LEAST_ROW and row.file is not None][:left]
    lines = ["".join(f"{column:>9}" for column in _COLUMNS)]
    for name in shown:
        sums = [sum(r.share for r in threads[name] if r.state == column) for column in _COLUMNS]
        line = "".join(f"{share:9.1%}" for share in sums) + f"  {printable(name)}"
        lines.append(line[:width])
        for row in told:
            if row.thread == name:
                lines.append(_wait(row, width))
    if len(shown) < len(order):
        lines.append(f"{len(order) - len(shown):9} other threads")
    return lines


def _weight(row: ThreadState) -> float:
    return row.share * (0.001 if row.state == "detached" or not _wants(row) else 1.0)


def _wants(row: ThreadState) -> bool:
    return row.state != "waiting" or row.is_contention


def _wait(row: ThreadState, width: int) -> str:
    kind = "a signal" if row.kind is None else printable(row.kind)
    text = f"{row.share:18.1%}  for {kind} in "
    where = describe_function(row)
    room = width - len(text)
    return text + (where if len(where) <= room else "…" + where[1 - room :])
