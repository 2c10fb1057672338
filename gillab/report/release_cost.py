"""What a person would say of a release of the GIL: what it costs the caller, what all gain."""

from __future__ import annotations

from collections.abc import Iterator

from gillab.report.crossover import tell_bracket
from gillab.report.doubts import tell_doubts, tell_failures
from gillab.report.figures import format_duration, format_speedup, format_value, shorten
from gillab.results import Result
from gillab.sweeps.release import Release, ReleaseCost

_NAME_WIDTH = 40


def summarize_release(result: Result, release: Release | None, released: str) -> list[str]:
    """Return the sentences; the answer is the first."""
    if release is None:
        return [f"{text}." for text in tell_failures(result.cells)] or ["Nothing was measured."]
    name = shorten(released, _NAME_WIDTH)
    sentences = [_tell_answer(release, name)]
    if result.environment.get("gil_enabled") is False:
        sentences.append("There is no GIL here, so a release has nothing to give")
    sentences += _tell_alone(release)
    sentences += [_tell_size(cost) for cost in _pick(release)]
    choice = next(iter(result.choices), None)
    sentences += [*tell_doubts(choice), *tell_failures(result.cells)]
    return [f"{text[0].upper()}{text[1:]}." for text in sentences]


def _tell_answer(release: Release, name: str) -> str:
    head = f"releasing the GIL ({name})"
    last = release.costs[-1]
    together = f"both threads together {format_speedup(last.together)}"
    if len(release.costs) > 1:
        pays = release.pays_from
        if pays.high is not None:
            return (
                f"{head} is worth it for calls from {tell_bracket(pays)} on: beside a busy thread "
                "both together get more done"
            )
        size = format_duration(last.call_s, 2)
        return f"{head} is not shown to be worth it at any size: {together} at {size}"
    low, high = last.together.low, last.together.high
    if low is not None and low > 1:
        return f"{head} is worth it beside a busy thread: {together}"
    if high is not None and high < 1:
        return f"{head} is not worth it: {together}"
    return f"whether {head} is worth it is open: {together}"


def _tell_alone(release: Release) -> Iterator[str]:
    free = release.free_from
    if len(release.costs) > 1 and free.high is not None:
        yield f"alone a release costs less than 5 % of the calls from {tell_bracket(free)} on"


def _pick(release: Release) -> list[ReleaseCost]:
    """Return the sizes to tell of: the one at which the caller loses most, and the largest."""
    worst = min(release.costs, key=lambda cost: cost.beside.estimate)
    last = release.costs[-1]
    return [worst] if worst is last else [worst, last]


def _tell_size(cost: ReleaseCost) -> str:
    rates = {place: format_value(rate, "1/s") for place, rate in cost.rates.items()}
    return (
        f"a call of {format_duration(cost.call_s, 2)}: alone {rates['held', 'alone']} held and "
        f"{rates['released', 'alone']} released; beside a busy thread {rates['held', 'beside']} "
        f"held and {rates['released', 'beside']} released, while the other thread gets "
        f"{format_speedup(cost.turns)} the turns"
    )
