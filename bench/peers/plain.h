/* The kernels as a C library would offer them, for whatever binds C. */
#ifndef PLAIN_H
#define PLAIN_H

#include <stdint.h>

int64_t plain_countdown(int64_t n);
int64_t plain_countdown_array(int64_t *counts, int64_t length);

#endif
