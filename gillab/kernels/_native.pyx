# cython: language_level=3, embedsignature=False, binding=True
# cython: freethreading_compatible=True, subinterpreters_compatible=own_gil
"""The countdown in C, with the GIL held, released, and in turns."""

from cpython.buffer cimport (
    PyBUF_FORMAT,
    PyBUF_STRIDES,
    PyBUF_WRITABLE,
    Py_buffer,
    PyBuffer_Release,
    PyObject_GetBuffer,
)
from cpython.exc cimport PyErr_CheckSignals
from cpython.number cimport PyNumber_Index
from libc.stddef cimport ptrdiff_t
from libc.stdint cimport int64_t

cdef extern from "barrier.h":
    const char *GL_BARRIER_KIND
    const char *GL_COMPILER

cdef extern from "countdown.h" nogil:
    # noexcept, or Cython takes the GIL back after every call to look for an exception.
    void gl_countdown(int64_t n) noexcept
    int64_t gl_countdown_array(
        char *counts, ptrdiff_t length, ptrdiff_t stride, ptrdiff_t *index, int64_t budget
    ) noexcept

BARRIER = GL_BARRIER_KIND.decode()
COMPILER = GL_COMPILER.decode()

# Steps between two looks for a signal: some 20 ms at a step a cycle, and still far less than
# the promised second where a step costs several cycles.
cdef int64_t SIGNAL_STEPS = 1 << 26


cdef bint _handles_signals() except -1:
    """Whether this is the thread in which Python runs its signal handlers.

    The others need not take the GIL back to look: a nogil loop there never touches it.
    """
    import threading  # here, so that importing the kernels stays cheap

    return threading.get_ident() == threading.main_thread().ident


cdef int _count_held(int64_t n) except -1:
    cdef int64_t steps
    while n > SIGNAL_STEPS:
        gl_countdown(SIGNAL_STEPS)
        n -= SIGNAL_STEPS
        PyErr_CheckSignals()
    gl_countdown(n)
    return 0


cdef int _count_released(int64_t n) except -1:
    if n > SIGNAL_STEPS and _handles_signals():
        while n > SIGNAL_STEPS:
            with nogil:
                gl_countdown(SIGNAL_STEPS)
            n -= SIGNAL_STEPS
            PyErr_CheckSignals()
    with nogil:
        gl_countdown(n)
    return 0


def countdown_held(n, /):
    """Count ``n`` down to zero in C, holding the GIL throughout.

    Returns the steps taken, ``max(n, 0)``. TypeError where ``n`` is not an integer,
    OverflowError where it does not fit a signed 64-bit one.
    """
    cdef int64_t steps = PyNumber_Index(n)
    if steps <= 0:
        return 0
    _count_held(steps)
    return steps


def countdown_nogil(n, /):
    """Count ``n`` down to zero in C, with the GIL released.

    Returns the steps taken, ``max(n, 0)``. TypeError where ``n`` is not an integer,
    OverflowError where it does not fit a signed 64-bit one.
    """
    cdef int64_t steps = PyNumber_Index(n)
    if steps <= 0:
        return 0
    _count_released(steps)
    return steps


def countdown_mixed(n, double released=0.5, chunk=1_000_000):
    """Count ``n`` down to zero in C, holding and releasing the GIL in turns.

    Of every ``chunk`` steps the first ``1 - released`` of them are counted with the GIL held
    and the rest with it released: the yardstick for whatever claims to measure the lock.

    Returns the steps taken, ``max(n, 0)``. ValueError where ``released`` is not from 0 to 1 or
    ``chunk`` is under 1; TypeError and OverflowError as for the other kernels.
    """
    cdef int64_t steps = PyNumber_Index(n)
    cdef int64_t period = PyNumber_Index(chunk)
    cdef int64_t left, turn, held
    cdef int64_t unchecked = 0
    if not 0.0 <= released <= 1.0:
        raise ValueError(f"released is a fraction from 0 to 1, not {released}.")
    if period < 1:
        raise ValueError(f"chunk is a number of steps from 1 on, not {period}.")
    if steps <= 0:
        return 0
    left = steps
    while left > 0:
        turn = min(left, period)
        held = <int64_t>(turn * (1.0 - released) + 0.5)
        if held > 0:
            _count_held(held)
        if turn > held:
            _count_released(turn - held)
        left -= turn
        unchecked += turn
        if unchecked >= SIGNAL_STEPS:
            unchecked = 0
            PyErr_CheckSignals()
    return steps


def countdown_array(counts, /):
    """Count each element of ``counts`` down to zero, in place, with the GIL released.

    ``counts`` is a writable one-dimensional buffer of signed 64-bit integers (a NumPy int64
    array, an ``array.array("q")``), strided or not; elements at or below zero stay as they are.

    Returns the steps taken over all elements. TypeError where ``counts`` is something else,
    BufferError where it cannot be written.
    """
    cdef Py_buffer view
    cdef ptrdiff_t index = 0
    cdef int64_t steps = 0
    cdef int64_t budget = SIGNAL_STEPS
    # Not a typed memoryview: in a module that an own-GIL interpreter may import, these corrupt
    # the heap (cython#8006).
    PyObject_GetBuffer(counts, &view, PyBUF_WRITABLE | PyBUF_STRIDES | PyBUF_FORMAT)
    try:
        if view.ndim != 1 or view.itemsize != 8 or view.format.decode() not in _INT64_FORMATS:
            raise TypeError(
                "counts is a one-dimensional buffer of signed 64-bit integers, "
                f"not one of {view.ndim} dimensions with items of format "
                f"{view.format.decode()!r}."
            )
        while True:
            with nogil:
                steps += gl_countdown_array(
                    <char *>view.buf, view.shape[0], view.strides[0], &index, budget
                )
            if index >= view.shape[0]:
                return steps
            PyErr_CheckSignals()
    finally:
        PyBuffer_Release(&view)


import sys as _sys

_INT64_FORMATS = frozenset(
    prefix + code
    for prefix in ("", "@", "=", "<" if _sys.byteorder == "little" else ">")
    for code in ("q", "l")
)
