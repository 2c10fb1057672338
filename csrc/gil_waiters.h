/* Which threads wait for a lock, told from outside. This header needs no Python.h. */
#ifndef GL_GIL_WAITERS_H
#define GL_GIL_WAITERS_H

#include <stddef.h>
#include <stdint.h>

#include "gil_state.h"
#include "python_frames.h"

/* Whether that can be told: from 3.15 on a thread's state says it; before, on Linux, the system
 * does, of a thread that sleeps in the lock's own condition variable. */
int gl_waiters_told(const gl_gil *gil, const gl_python *python);

/* Finds the thread states, but for `holder`, whose threads wait for the lock now, up to `capacity`;
 * returns how many. It costs a system call or two for each thread. */
size_t gl_waiters_find(const gl_gil *gil, const gl_python *python, uintptr_t holder,
                       uintptr_t *states, size_t capacity);

#endif
