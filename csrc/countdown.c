#include "countdown.h"

#include <string.h>

#include "barrier.h"

/* One turn of `while (counter > 0) counter -= 1;`, test and all, inside a loop. */
#define GL_STEP(counter)                                                                           \
    if (counter <= 0)                                                                              \
        break;                                                                                     \
    GL_BARRIER(counter);                                                                           \
    counter -= 1;

void gl_countdown(int64_t n)
{
    GL_COUNTER counter = n;
    /* Eight turns a jump back. With one, a step lasts as long as the core takes to jump: some two
     * cycles while a neighbour shares the core, some five where the loop also lies badly in memory.
     * With eight it is the subtractions that take the time, each waiting for the one before: a
     * cycle a step, wherever the loop lies and whoever else is there. */
    for (;;) {
        GL_STEP(counter)
        GL_STEP(counter)
        GL_STEP(counter)
        GL_STEP(counter)
        GL_STEP(counter)
        GL_STEP(counter)
        GL_STEP(counter)
        GL_STEP(counter)
    }
}

int64_t gl_countdown_array(char *counts, ptrdiff_t length, ptrdiff_t stride, ptrdiff_t *index,
                           int64_t budget)
{
    int64_t left = budget;
    while (*index < length) {
        char *element = counts + *index * stride;
        int64_t count;
        memcpy(&count, element, sizeof count); /* a strided view need not be aligned */
        if (count > 0) {
            const int64_t steps = count < left ? count : left;
            gl_countdown(steps);
            count -= steps;
            left -= steps;
            memcpy(element, &count, sizeof count);
            if (count > 0)
                break;
        }
        *index += 1;
    }
    return budget - left;
}
