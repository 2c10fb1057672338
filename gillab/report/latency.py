"""What a person would say of a latency run: what is felt beside busy threads, and what helps."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from gillab.estimates import Estimate
from gillab.probes.messages import Condition, Where
from gillab.probes.summary import Felt
from gillab.report.figures import format_duration, format_measured, shorten

_FELT_S = 0.2e-3
"""A median delay is felt if it is so much longer than without the lock, and twice as long."""
_FACTOR = 2.0
_LATE_INTERVALS = 2.0
"""A median of more switch intervals than this for each busy thread is no forced switch's."""
_WORDS = {
    "heartbeat": "a thread that sleeps 1 ms wakes",
    "loop": "an asyncio loop wakes",
}
_WIDTH = 40


def summarize_latency(
    felt: Mapping[Condition, Felt], workload: str, call_s: float | None, *, gil_enabled: bool
) -> list[str]:
    """Return the sentences: the answer first, then what helps."""
    label = shorten(workload, _WIDTH)
    if not felt:
        return [f"{label}: nothing was measured."]
    conditions = list(felt)
    interval_s = max(each.switch_interval_s for each in conditions)
    counts = sorted({each.busy for each in conditions if each.busy and each.where == "threads"})
    look = _Look(felt, interval_s)
    sentences = []
    if not gil_enabled:
        sentences.append("nobody waits for a lock: there is no GIL")
    if not counts:
        alone = "; ".join(look.tell("threads", 0))
        return [f"{label}: {each}." for each in (*sentences, f"alone, {alone}") if each]
    sentences += [look.tell_beside(count) for count in counts]
    if gil_enabled:
        sentences += _tell_help(look, felt, counts[0], call_s)
    return [f"{label}: {each}." for each in sentences if each]


class _Look:
    """Reads what was felt at one switch interval."""

    def __init__(self, felt: Mapping[Condition, Felt], interval_s: float) -> None:
        self.felt = felt
        self.interval_s = interval_s
        self.probes = list(dict.fromkeys(condition.probe for condition in felt))
        # The loop and the heartbeat wait alike: one of them is told.
        timers = [each for each in ("loop", "heartbeat") if each in self.probes]
        self.timer = timers[0] if timers else None

    def find(self, probe: str, where: Where, busy: int) -> Felt | None:
        """Return what a probe felt; None where it was not measured."""
        return self.felt.get(Condition(probe, where, busy, self.interval_s))

    def tell(self, where: Where, busy: int) -> Iterator[str]:
        """Say what the timer and the echo felt there."""
        timer = self.timer and self.find(self.timer, where, busy)
        if self.timer and timer:
            yield (
                f"{_WORDS[self.timer]} {_delay(timer.p50)} late at the median and "
                f"{format_duration(timer.longest_s, 2)} at worst"
            )
        echo = self.find("echo", where, busy)
        if echo:
            yield f"a socket answers {_rate(echo.rate)}"

    def tell_beside(self, count: int) -> str:
        """Say what is felt beside so many threads, and what it is alone."""
        clauses = list(self.tell("threads", count))
        if not clauses:
            return ""
        timer = self.timer and self.find(self.timer, "threads", 0)
        echo = self.find("echo", "threads", 0)
        if timer and "late" in clauses[0]:
            clauses[0] += f" (alone {_short(timer.p50)} and {format_duration(timer.longest_s, 2)})"
        if echo and clauses[-1].startswith("a socket"):
            clauses[-1] += f" instead of {_rate(Estimate(echo.rate.estimate, None, None))}"
        return f"beside {_name_busy('threads', count)} {'; '.join(clauses)}"

    def waits(self, count: int) -> bool:
        """Whether the threads are felt more than processes that keep as many CPUs busy."""
        for probe in self.probes:
            beside = self.find(probe, "threads", count)
            # Processes take the CPUs as well, but not the lock.
            other = self.find(probe, "processes", count) or self.find(probe, "threads", 0)
            if beside and other and _is_felt(beside.p50.estimate, other.p50.estimate):
                return True
        return False

    def find_median(self, count: int) -> float | None:
        """Return the median delay of the timer, or of the echo where there is no timer."""
        felt = self.find(self.timer or "echo", "threads", count)
        return felt.p50.estimate if felt else None


def _tell_help(
    look: _Look, felt: Mapping[Condition, Felt], count: int, call_s: float | None
) -> Iterator[str]:
    if not look.waits(count):
        yield "nobody waits for the GIL noticeably"
        return
    median_s = look.find_median(count)
    shorter = sorted({each.switch_interval_s for each in felt} - {look.interval_s})
    late = (
        call_s is not None
        and median_s is not None
        and median_s > _LATE_INTERVALS * look.interval_s * count
    )
    for interval_s in reversed(shorter):
        other = _Look(felt, interval_s)
        there_s = other.find_median(count)
        if median_s is None or there_s is None:
            continue
        clauses = "; ".join(other.tell("threads", count))
        setting = f"sys.setswitchinterval({interval_s:g})"
        if _FACTOR * there_s <= median_s:
            yield f"a shorter switch interval helps: with {setting} {clauses}"
        elif late or there_s > median_s / _FACTOR:
            yield f"a shorter switch interval does not help: with {setting} {clauses}"
    if late and call_s is not None:
        yield (
            "a thread waits longer than a switch interval, so something in a call (it takes "
            f"{format_duration(call_s, 2)}) holds the GIL and cannot be interrupted: cut it up, or "
            "release the GIL in it"
        )
    yield from _tell_processes(look, count)


def _tell_processes(look: _Look, count: int) -> Iterator[str]:
    clauses = list(look.tell("processes", count))
    if not clauses:
        return
    still = any(
        _is_felt(there.p50.estimate, alone.p50.estimate)
        for probe in look.probes
        if (there := look.find(probe, "processes", count))
        and (alone := look.find(probe, "threads", 0))
    )
    verdict = "the CPUs are still shared" if still else "next to nothing is felt"
    where = _name_busy("processes", count)
    yield f"with the work in {where} instead, {verdict}: {'; '.join(clauses)}"


def _is_felt(delay_s: float, without_s: float) -> bool:
    return delay_s - without_s > _FELT_S and delay_s > _FACTOR * without_s


def _name_busy(where: Where, count: int) -> str:
    singular = {"threads": "thread", "processes": "process"}[where]
    number = "one" if count == 1 else str(count)
    busy = "busy " if where == "threads" else ""
    return f"{number} {busy}{singular if count == 1 else where}"


def _delay(delay: Estimate) -> str:
    return format_measured(delay, "s", 2)


def _short(delay: Estimate) -> str:
    return format_duration(delay.estimate, 2)


def _rate(rate: Estimate) -> str:
    figure = format_measured(rate, "1/s", 2).removesuffix("/s")
    return f"{figure} requests/s"


def name_intervals(intervals_s: Sequence[float]) -> dict[float, str]:
    """Name each switch interval as a series of a chart."""
    return {each: format_duration(each, 3).replace(".00", "") for each in intervals_s}
