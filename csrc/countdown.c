#include "countdown.h"

#include <string.h>

#include "barrier.h"

void gl_countdown(int64_t n)
{
    GL_COUNTER counter = n;
    while (counter > 0) {
        GL_BARRIER(counter);
        counter -= 1;
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
