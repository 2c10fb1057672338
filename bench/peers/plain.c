#include "plain.h"

#include "countdown.h"

int64_t plain_countdown(int64_t n)
{
    gl_countdown(n);
    return n > 0 ? n : 0;
}

int64_t plain_countdown_array(int64_t *counts, int64_t length)
{
    ptrdiff_t index = 0;
    return gl_countdown_array((char *)counts, length, sizeof *counts, &index, INT64_MAX);
}
