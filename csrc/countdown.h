/* The countdown in plain C: nothing here knows of Python. */
#ifndef GL_COUNTDOWN_H
#define GL_COUNTDOWN_H

#include <stddef.h>
#include <stdint.h>

/* Takes n steps, one at a time, none where n <= 0. */
void gl_countdown(int64_t n);

/* Counts the element at *index of a strided array down, then the next, until `budget` steps are
 * taken or the end is reached; `stride` is in bytes. *index is left at the first element that is
 * not yet at or below zero. Returns the steps taken. */
int64_t gl_countdown_array(char *counts, ptrdiff_t length, ptrdiff_t stride, ptrdiff_t *index,
                           int64_t budget);

#endif
