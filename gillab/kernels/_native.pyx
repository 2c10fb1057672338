# cython: language_level=3, binding=False, embedsignature=True, embedsignature.format=clinic
# cython: freethreading_compatible=True, subinterpreters_compatible=own_gil
"""The countdown in C, with the GIL held, released, and in turns."""

# binding=False makes builtin functions, which CPython calls straight from its bytecode, where
# Cython's own function type stands between; the clinic signature is what inspect.signature reads.

from cpython.buffer cimport (
    PyBUF_FORMAT,
    PyBUF_STRIDES,
    PyBUF_WRITABLE,
    Py_buffer,
    PyBuffer_Release,
    PyObject_GetBuffer,
)
from cpython.exc cimport PyErr_CheckSignals
from cpython.long cimport PyLong_FromLongLong
from cpython.number cimport PyNumber_Index
from libc.stddef cimport ptrdiff_t
from libc.stdint cimport INT64_MAX, int64_t

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

cdef enum:
    # Steps between two looks for a signal: some 20 ms at a step a cycle, and still far less than
    # the promised second where a step costs several cycles.
    SIGNAL_STEPS = 1 << 26


cdef inline int64_t _as_steps(n) except? -1:
    # PyNumber_Index refuses floats, which a plain conversion would truncate.
    return n if type(n) is int else PyNumber_Index(n)


cdef inline object _no_steps():
    # Cython's own 0 stands in the module state, whose lookup costs as much as the whole call.
    return PyLong_FromLongLong(0)


cdef bint _holds_int64(const Py_buffer *view) noexcept:
    """Whether the items are native signed 64-bit integers; their size alone is not enough."""
    cdef int one = 1
    cdef char native_order = c'<' if (<char *>&one)[0] else c'>'
    cdef const char *code = view.format
    if code == NULL or view.itemsize != 8:
        return False
    if code[0] == c'@' or code[0] == c'=' or code[0] == native_order:
        code += 1
    return (code[0] == c'q' or code[0] == c'l') and code[1] == 0


cdef bint _handles_signals() except -1:
    """Whether this is the thread in which Python runs its signal handlers.

    The others need not take the GIL back to look: a nogil loop there never touches it.
    """
    import threading  # here, so that importing the kernels stays cheap

    return threading.get_ident() == threading.main_thread().ident


cdef int _count_held(int64_t n) except -1:
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
    cdef int64_t steps = _as_steps(n)
    if steps <= 0:
        return _no_steps()
    _count_held(steps)
    return steps


def countdown_nogil(n, /):
    """Count ``n`` down to zero in C, with the GIL released.

    Returns the steps taken, ``max(n, 0)``. TypeError where ``n`` is not an integer,
    OverflowError where it does not fit a signed 64-bit one.
    """
    cdef int64_t steps = _as_steps(n)
    if steps <= 0:
        return _no_steps()
    _count_released(steps)
    return steps


def countdown_mixed(n, double released=0.5, chunk=1_000_000):
    """Count ``n`` down to zero in C, holding and releasing the GIL in turns.

    Of every ``chunk`` steps the first ``1 - released`` of them are counted with the GIL held
    and the rest with it released: the yardstick for whatever claims to measure the lock.

    Returns the steps taken, ``max(n, 0)``. ValueError where ``released`` is not from 0 to 1 or
    ``chunk`` is under 1; TypeError and OverflowError as for the other kernels.
    """
    cdef int64_t steps = _as_steps(n)
    cdef int64_t period = _as_steps(chunk)
    cdef int64_t left, turn, held
    if not 0.0 <= released <= 1.0:
        raise ValueError(f"released is a fraction from 0 to 1, not {released}.")
    if period < 1:
        raise ValueError(f"chunk is a number of steps from 1 on, not {period}.")
    if steps <= 0:
        return _no_steps()
    left = steps
    while left > 0:
        turn = min(left, period)
        # A double may round the most steps there are up to one more than an int64_t holds.
        held = turn
        if turn * (1.0 - released) + 0.5 < <double>turn:
            held = <int64_t>(turn * (1.0 - released) + 0.5)
        if held > 0:
            _count_held(held)
        if turn > held:
            _count_released(turn - held)
        left -= turn
        # After every turn: where others want the lock, taking it back lasts longer than counting.
        PyErr_CheckSignals()
    return steps


def countdown_array(counts, /):
    """Count each element of ``counts`` down to zero, in place, with the GIL released.

    ``counts`` is a writable one-dimensional buffer of signed 64-bit integers (a NumPy int64
    array, an ``array.array("q")``), strided or not; elements at or below zero stay as they are.

    Returns the steps taken over all elements. TypeError where ``counts`` is something else;
    where it cannot be written, what its type raises: BufferError, or ValueError from NumPy.
    """
    cdef Py_buffer view
    cdef ptrdiff_t index = 0
    cdef int64_t steps = 0
    cdef int64_t budget = SIGNAL_STEPS
    # Not a typed memoryview: in a module that an own-GIL interpreter may import, these corrupt
    # the heap (cython#8006).
    PyObject_GetBuffer(counts, &view, PyBUF_WRITABLE | PyBUF_STRIDES | PyBUF_FORMAT)
    try:
        if view.ndim != 1 or not _holds_int64(&view):
            raise TypeError(
                "counts is a one-dimensional buffer of signed 64-bit integers, "
                f"not one of {view.ndim} dimensions with items of format "
                f"{view.format.decode() if view.format != NULL else 'B'!r}."
            )
        while True:
            with nogil:
                steps += gl_countdown_array(
                    <char *>view.buf, view.shape[0], view.strides[0], &index, budget
                )
            if index >= view.shape[0]:
                return steps
            PyErr_CheckSignals()
            if not _handles_signals():
                budget = INT64_MAX
    finally:
        PyBuffer_Release(&view)
