/* The lock of another Python process, read from its memory while it runs on: nothing in it is
 * changed, and nothing waits. Linux; this header needs no Python.h. */
#ifndef GL_OTHER_PROCESS_H
#define GL_OTHER_PROCESS_H

#include <stdint.h>

#include "gil_state.h"
#include "python_frames.h"

/* Finds the lock of the main interpreter and verifies that it reads as one.
 *
 * Of `python` its pid and runtime are given, and `version` (0x030B for 3.11; from 3.13 on the
 * process tells it itself). `cond_waiters` is gl_cond_waiters() of its C library, or -1. Its tasks
 * and mark are the caller's to fill in. `others` becomes the number of interpreters that have
 * another lock. NULL, or one clause that says why not. */
const char *gl_other_locate(gl_gil *gil, gl_python *python, uint32_t version,
                            ptrdiff_t cond_waiters, unsigned *others);

#endif
