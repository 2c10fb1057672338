# cython: language_level=3, embedsignature=False, binding=True
# cython: freethreading_compatible=True, subinterpreters_compatible=own_gil
"""Repeats a call from C, so that no loop in Python holds the GIL between two calls.

And asks for the GIL as any thread does, to tell how long that takes.
"""

from cpython.exc cimport PyErr_CheckSignals
from cpython.object cimport PyObject
from cpython.ref cimport Py_DECREF
from libc.stddef cimport size_t
from libc.stdint cimport int64_t
from libc.stdlib cimport free, malloc

cdef extern from "Python.h":
    size_t PY_VECTORCALL_ARGUMENTS_OFFSET
    # As a new reference that Cython does not count for us, so that the loop stays as bare as C's.
    PyObject *PyObject_Vectorcall(
        PyObject *call, PyObject **arguments, size_t count, PyObject *names
    ) except NULL

cdef extern from "platform.h" nogil:
    int64_t gl_now_ns() noexcept
    void gl_sleep_until_ns(int64_t deadline_ns) noexcept
    int64_t gl_cpu_delay_ns(int file) noexcept

cdef enum:
    # The clock is read and signals are looked for once a batch. A batch of so many nanoseconds
    # makes both a thousandth of the time and still lets Ctrl-C in at once.
    BATCH_NS = 50_000
    MOST_IN_BATCH = 1 << 16


def repeat_for(double seconds, call, tuple arguments=(), dict named={}):
    """Call ``call(*arguments, **named)`` again and again for so long, at least once.

    Returns the calls, the nanoseconds that they took together, those of the longest batch (no call
    was longer), and those of the shortest call, 0 where not every call was timed alone. Calls of
    50 µs or more are batches alone; shorter ones are timed together.
    What the call raises, a signal's handler too, ends it and goes through.
    """
    cdef tuple names = tuple(named)
    cdef list values = [*arguments, *named.values()]
    cdef size_t positional = len(arguments)
    cdef PyObject **slots = <PyObject **>malloc((len(values) + 1) * sizeof(PyObject *))
    cdef PyObject *target = <PyObject *>call
    cdef PyObject *keywords = <PyObject *>names if names else NULL
    cdef PyObject *outcome
    cdef int64_t begun, before, now, deadline, i
    cdef int64_t calls = 0
    cdef int64_t batch = 1
    cdef int64_t longest = 0
    cdef int64_t shortest = 0
    cdef bint alone = True
    if slots == NULL:
        raise MemoryError
    try:
        slots[0] = NULL  # a place that the callee may use, as PEP 590 offers
        for i in range(<int64_t>len(values)):
            slots[i + 1] = <PyObject *>values[i]
        begun = now = gl_now_ns()
        deadline = begun + <int64_t>(seconds * 1e9)
        while True:
            before = now
            for i in range(batch):
                outcome = PyObject_Vectorcall(
                    target, slots + 1, positional | PY_VECTORCALL_ARGUMENTS_OFFSET, keywords
                )
                Py_DECREF(<object>outcome)
            PyErr_CheckSignals()
            now = gl_now_ns()
            calls += batch
            longest = max(longest, now - before)
            shortest = now - before if calls == 1 else min(shortest, now - before)
            alone = alone and batch == 1
            if now >= deadline:
                return calls, now - begun, longest, shortest if alone else 0
            if now - before < BATCH_NS and batch < MOST_IN_BATCH:
                batch *= 2
            elif now - before > 4 * BATCH_NS and batch > 1:
                batch //= 2
    finally:
        free(slots)


def ask(double pause_s, int caller=-1, int own=-1):
    """Let go of the GIL, sleep, and take it back; return how long that took, in ns, and a delay.

    The delay is for how long meanwhile the two threads whose schedstat these files have open were
    ready to run and had no CPU; -1 where the system does not tell.
    """
    cdef int64_t begun, took, before_caller, before_own, after_caller, after_own
    cdef int64_t due = gl_now_ns() + <int64_t>(pause_s * 1e9)
    with nogil:
        gl_sleep_until_ns(due)
        before_caller = gl_cpu_delay_ns(caller)
        before_own = gl_cpu_delay_ns(own)
        begun = gl_now_ns()
    took = gl_now_ns() - begun
    # With the lock held: the other thread cannot go on, and be delayed once more.
    after_caller = gl_cpu_delay_ns(caller)
    after_own = gl_cpu_delay_ns(own)
    if before_caller < 0 or before_own < 0 or after_caller < 0 or after_own < 0:
        return took, -1
    return took, after_caller - before_caller + after_own - before_own


def do_nothing():
    """Return at once: what repeating it costs is the most that repeating anything adds."""
