"""A meter of another process's GIL."""

from __future__ import annotations

from gillab.errors import GillabError
from gillab.meter import _sampler
from gillab.meter.gil_meter import UNKNOWN, GilMeter
from gillab.meter.other_process import Target
from gillab.meter.python_names import ThreadNames


class ProcessMeter(GilMeter):
    """A meter of the GIL in another process, which is read from its memory while it goes on.

    A sample costs a system call or two, and some more where it tells functions and waits. The meter
    stops by itself when the process ends or becomes another program; `gone` says so.
    """

    def __init__(
        self,
        target: Target,
        interval_s: float | None = None,
        *,
        budget: float | None = None,
        timeline: bool = False,
    ) -> None:
        self._other = target
        self._thread_names = ThreadNames(target)
        self._python_names: dict[int, str] = {}
        super().__init__(interval_s, budget=budget, profile=True, timeline=timeline)

    @property
    def gone(self) -> bool:
        """Whether there is no more to read."""
        return _sampler.gone(self._sampler)

    def note_names(self) -> None:
        """Read what the threads are called now: a thread that ends takes its name with it."""
        self._python_names.update(self._thread_names.read())

    def start(self) -> None:
        """Start sampling. GillabError where the system gives no thread for it."""
        with self._lock:
            try:
                self._began_ns = _sampler.now()
                _sampler.start(self._sampler)
            except OSError as error:
                raise GillabError(f"The meter could not start: {error}.") from None

    def stop(self) -> None:
        """Stop sampling. Earlier readings stay valid."""
        with self._lock:
            if _sampler.running(self._sampler):
                _sampler.stop(self._sampler)
                self._ended_ns = _sampler.now()

    def _find_names(self, shares: list[tuple[int, int, int, str]]) -> dict[int, str]:
        assert self._other is not None
        self.note_names()
        names = {self._other.own_pid: "MainThread", **self._python_names}
        return {
            place: names.get(native_id)
            or system_name
            or (f"thread {native_id or ident}" if native_id or ident else UNKNOWN)
            for place, ident, native_id, system_name in shares
        }
