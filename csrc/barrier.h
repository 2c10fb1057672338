/* Keeps a compiler from deleting a counted loop or folding its steps. */
#ifndef GL_BARRIER_H
#define GL_BARRIER_H

#include <stdint.h>

/* GL_COUNTER declares the loop's counter and GL_BARRIER(counter) stands in its body.
 *
 * An empty assembly statement that claims to read and write the counter costs no instruction:
 * the counter stays in a register and a step can take one cycle. Without inline assembly
 * (MSVC) the counter is volatile instead, and a step then costs a store and a load. */
#if defined(__GNUC__) || defined(__clang__)
#define GL_COUNTER int64_t
#define GL_BARRIER(counter) __asm__ volatile("" : "+r"(counter))
#define GL_BARRIER_KIND "asm"
#else
#define GL_COUNTER volatile int64_t
#define GL_BARRIER(counter) ((void)(counter))
#define GL_BARRIER_KIND "volatile"
#endif

#if defined(__clang__)
#define GL_COMPILER "clang " __clang_version__
#elif defined(__GNUC__)
#define GL_COMPILER "gcc " __VERSION__
#elif defined(_MSC_VER)
#define GL_STRING_(x) #x
#define GL_STRING(x) GL_STRING_(x)
#define GL_COMPILER "MSVC " GL_STRING(_MSC_FULL_VER)
#else
#define GL_COMPILER "unknown"
#endif

#endif
