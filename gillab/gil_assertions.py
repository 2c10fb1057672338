"""Assertions about what a call does with the GIL, measured in this process and thread."""

from __future__ import annotations

import copy
import platform
import threading
from collections.abc import Callable, Sized
from functools import partial
from typing import TYPE_CHECKING, Any, Literal

from gillab.environment import is_gil_enabled
from gillab.errors import GillabError
from gillab.limits import check_ranges, read_duration
from gillab.release.call import Call
from gillab.release.examine import examine_call, find_obstacle
from gillab.release.findings import Finding, Scaling
from gillab.release.judge import pass_gate
from gillab.report.release import tell_failure, tell_finding, tell_scaling
from gillab.report.waits import tell_waits
from gillab.workload import refuse_lazy

if TYPE_CHECKING:
    from gillab.blocks.pair import Comparison

_TIME_S = 0.5
_OTHERS = 0.02
_SHORT = 16


class GilAssertions:
    """The value of the fixture ``gil``; each assertion measures its own figures.

    ``give_up`` is called with the reason if this machine cannot tell. ``tell`` is called with a
    sentence if an assertion passes because there is no GIL. UsageError, before anything is called,
    for a limit that makes no sense, and for a function whose call runs none of its body (a
    generator function, a coroutine function).
    """

    def __init__(self, give_up: Callable[[str], None], tell: Callable[[str], None]) -> None:
        self._give_up = give_up
        self._tell = tell

    def assert_releases(
        self, call: Callable[..., object], *args: Any, at_least: float = 0.9
    ) -> Finding | None:
        """Fail unless ``call(*args)`` releases the GIL for at least this fraction of its time.

        Passes, and says so, if there is no GIL. Returns what was measured, or None if measuring was
        not needed or not possible.
        """
        __tracebackhide__ = True
        check_ranges({"at_least"}, at_least=at_least)
        finding = self._examine(call, args)
        if finding is not None and self._passes(finding, "at_least", at_least) is False:
            asked = f"at least {100 * at_least:g} % was asked for"
            raise AssertionError(f"{tell_failure(finding)[:-1]}; {asked}.")
        return finding

    def assert_holds_at_most(
        self, limit: str | float, call: Callable[..., object], *args: Any
    ) -> Finding | None:
        """Fail if ``call(*args)`` holds the GIL longer than ``limit`` at once.

        ``limit`` is a time as ``"1ms"``, or in seconds. Passes, and says so, if there is no GIL. If
        a call often releases the GIL for under some 0.15 ms, only an upper bound of its holds is
        known: a limit below that cannot be decided.
        """
        __tracebackhide__ = True
        limit_s = read_duration(limit) if isinstance(limit, str) else limit
        check_ranges((), limit=limit_s)
        finding = self._examine(call, args)
        if finding is not None and self._passes(finding, "longest_hold", limit_s) is False:
            raise AssertionError(f"{tell_failure(finding)[:-1]}; at most {limit} was asked for.")
        return finding

    def assert_waits_at_most(
        self, limit: str | float, call: Callable[..., object], *args: Any
    ) -> Finding | None:
        """Fail if a thread that asks for the GIL waits longer than ``limit`` for the call.

        ``limit`` is a time as ``"20ms"``, or in seconds. Bytecode hands the lock over at the switch
        interval, 5 ms: a limit near that cannot be decided. A wait that the machine causes is no
        failure. Passes, and says so, if there is no GIL.
        """
        __tracebackhide__ = True
        limit_s = read_duration(limit) if isinstance(limit, str) else limit
        check_ranges((), limit=limit_s)
        finding = self._examine(call, args, waits=True)
        if finding is not None and self._passes(finding, "longest_wait", limit_s) is False:
            told = tell_failure(finding)[:-1]
            # If the call releases the GIL, the sentence does not mention waits.
            if finding.waits is not None and finding.waits.handover == "released":
                told = f"{told}; {tell_waits(finding.waits)}"
            raise AssertionError(f"{told}; at most {limit} was asked for.")
        return finding

    def assert_scales(
        self,
        call: Callable[..., object],
        *args: Any,
        workers: int = 2,
        at_least: float = 1.5,
        data: Literal["shared", "own"] = "shared",
    ) -> Scaling:
        """Fail unless ``workers`` threads make at least so many times as many calls as one thread.

        All threads call with the same arguments, several times; with ``data="own"`` each has a
        deep copy of them. Less than ``at_least`` is undecided, and not a failure, if this machine
        does not give as much to a loop without the GIL. Nothing is decided if such a loop gets more
        than the CPUs can give.
        """
        __tracebackhide__ = True
        check_ranges((), workers=workers, at_least=at_least)
        refuse_lazy(call, _name_callable(call))
        from gillab.blocks.scaling import measure_scaling_here

        name = name_call(call, args)
        own = threading.local()

        def call_with_own() -> object:
            if not hasattr(own, "args"):
                own.args = copy.deepcopy(args)
            return call(*own.args)

        task = call_with_own if data == "own" else partial(call, *args)
        scaling = measure_scaling_here(name, task, workers, at_least)
        finding = Finding(name, platform.python_version(), "ok", scaling=scaling)
        gate = pass_gate(finding, "speedup", at_least)
        why = f", but {gate.reason}" if gate.reason else ""
        sentence = f"{name}: {tell_scaling(scaling)}; at least {at_least:g}x was asked for{why}."
        if gate.passed is None:
            self._give_up(f"undecided: {sentence}")
        if gate.passed is False:
            raise AssertionError(sentence)
        return scaling

    def assert_no_slower(
        self,
        new: Callable[..., object],
        *args: Any,
        than: Callable[..., object],
        by: float = 0.05,
    ) -> Comparison:
        """Fail if ``new(*args)`` is slower than ``than(*args)`` by more than ``by``, a fraction.

        Both take turns in one thread of this process, until it is decided. Undecided, and not a
        failure, if the interval holds both, or if this machine gives ``than`` two speeds. Two
        functions alike may differ by 3 % in one process, for where they lie in memory.
        """
        __tracebackhide__ = True
        check_ranges({"by"}, by=by)
        for call in (new, than):
            refuse_lazy(call, _name_callable(call))
        from gillab.blocks.pair_here import is_no_slower, measure_pair_here
        from gillab.report.figures import format_speedup

        names = name_call(than, args), name_call(new, args)
        found = measure_pair_here(names, partial(than, *args), partial(new, *args), by)
        passed = is_no_slower(found, by)
        if found.ratio is None:
            sentence = f"{names[1]} could not be compared with {names[0]}"
        else:
            sentence = f"{names[1]} is {format_speedup(found.ratio)} as fast as {names[0]}"
        sentence += f"; at most {100 * by:g} % slower was asked for."
        if found.null is not None and found.null_passed is False:
            null = format_speedup(found.null)
            sentence = f"{sentence[:-1]}, but {names[0]} is {null} as fast as itself."
        if passed is None:
            self._give_up(f"undecided: {sentence}")
        if passed is False:
            raise AssertionError(sentence)
        return found

    def _examine(
        self, call: Callable[..., object], args: tuple[Any, ...], *, waits: bool = False
    ) -> Finding | None:
        __tracebackhide__ = True
        refuse_lazy(call, _name_callable(call))
        if not is_gil_enabled():
            call(*args)
            if not is_gil_enabled():
                self._tell(f"{name_call(call, args)} passed, since this Python has no GIL.")
                return None
        obstacle = find_obstacle()
        if obstacle is not None:
            self._give_up(f"the GIL cannot be read here: {obstacle}")
            return None
        try:
            return examine_call(name_call(call, args), Call(call, args), _TIME_S, waits)
        except GillabError as error:
            self._give_up(str(error))
            return None

    def _passes(self, finding: Finding, gate: Any, limit: float) -> bool:
        """Compare the finding with the limit; if that cannot be decided, give up."""
        __tracebackhide__ = True
        passed = pass_gate(finding, gate, limit).passed
        if passed is False and finding.others_held > _OTHERS:
            passed = None
        if passed is None:
            already_said = finding.verdict == "undecided"
            self._give_up(f"{'' if already_said else 'undecided: '}{tell_finding(finding)}")
        return passed is not False


def name_call(call: Callable[..., object], args: tuple[Any, ...]) -> str:
    """Write a call as a person would: ``compress(<bytes of 1000000>)``."""
    return f"{_name_callable(call)}({', '.join(map(_name_argument, args))})"


def _name_callable(call: Callable[..., object]) -> str:
    return getattr(call, "__qualname__", None) or type(call).__qualname__


def _name_argument(value: object) -> str:
    if value is None or isinstance(value, bool | int | float | complex):
        return repr(value)
    if isinstance(value, str | bytes) and len(value) <= _SHORT:
        return repr(value)
    size = f" of {len(value)}" if isinstance(value, Sized) else ""
    return f"<{type(value).__name__}{size}>"
