/* The threads that take a lock, and which of them wait for it, told from outside. This header needs
 * no Python.h. */
#ifndef GL_GIL_WAITERS_H
#define GL_GIL_WAITERS_H

#include <stddef.h>
#include <stdint.h>

#include "gil_state.h"
#include "python_frames.h"

#define GL_STATE_BYTES 384 /* of a thread state */

/* A way along the thread states of all interpreters that have a lock. Set the first two to begin. */
typedef struct {
    const gl_gil *gil;
    const gl_python *python;
    uintptr_t interpreter, state; /* where it is, and of the state what was read there: */
    unsigned char bytes[GL_STATE_BYTES];
    uintptr_t next;
    int interpreters, threads, begun;
} gl_walk;

/* Goes to the next thread state: 1, or 0 at the end. */
int gl_walk_on(gl_walk *walk);
/* Whether a thread runs with that state: its maker makes the state before the thread. */
int gl_walk_has_thread(const gl_walk *walk);

/* Whether it can be told who waits: from 3.15 on a thread's state says it; before, on Linux, the system
 * does, of a thread that sleeps in the lock's own condition variable. */
int gl_waiters_told(const gl_gil *gil, const gl_python *python);

/* Finds the thread states, but for `holder`, whose threads wait for the lock now, up to `capacity`;
 * returns how many. It costs a system call or two for each thread. */
size_t gl_waiters_find(const gl_gil *gil, const gl_python *python, uintptr_t holder,
                       uintptr_t *states, size_t capacity);

#endif
