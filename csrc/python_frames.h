/* The Python function that a thread is in, read from outside: of this process or of another, which
 * goes on meanwhile. Nothing that is read is trusted; this header needs no Python.h. */
#ifndef GL_PYTHON_FRAMES_H
#define GL_PYTHON_FRAMES_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "python_layout.h"

/* A process whose memory is read. */
typedef struct {
    int64_t pid; /* 0: this one */
    gl_layout layout;
    uintptr_t runtime;   /* its _PyRuntime; 0 where that is not known */
    uintptr_t code_type; /* the type of its code objects; 0: told by its name, and then kept */
} gl_python;

/* A function, as its code object has it: where that is and what it says. Two with the same four
 * are the same function, or one whose code object was freed and made again alike. */
typedef struct {
    uintptr_t code;
    uintptr_t file; /* a str */
    uintptr_t name; /* a str */
    int32_t line;
} gl_function;

/* Copies `size` bytes at `address` of that process; 0 or -1. */
int gl_python_read(const gl_python *python, uintptr_t address, void *buffer, size_t size);
/* Reads a pointer; 0 where it cannot be read. */
uintptr_t gl_python_pointer(const gl_python *python, uintptr_t address);

/* Returns the pointer at an offset of what was read. */
static inline uintptr_t gl_pointer_at(const unsigned char *bytes, uint32_t offset)
{
    uintptr_t value;
    memcpy(&value, bytes + offset, sizeof value);
    return value;
}

enum { GL_TORN = -1, GL_NO_FUNCTION = 0, GL_FUNCTION = 1 };

/* Finds the innermost Python function of a thread state: GL_FUNCTION; GL_NO_FUNCTION where it is in
 * none; GL_TORN where what was read does not hold together, since the thread went on meanwhile. */
int gl_python_function(gl_python *python, uintptr_t thread, gl_function *function);

/* Copies a str as UTF-8, cut to fit, 0 at its end; 0 or -1. A cut one keeps its end (`tail`), or
 * its beginning. */
int gl_python_text(const gl_python *python, uintptr_t text, char *buffer, size_t size, int tail);

#endif
