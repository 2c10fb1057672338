/* Atomic words, a clock, sleeping and threads, for POSIX and Windows; nothing here knows of
 * Python. */
#ifndef GL_PLATFORM_H
#define GL_PLATFORM_H

#include <stddef.h>
#include <stdint.h>

#if defined(_WIN32)
#ifndef WIN32_LEAN_AND_MEAN
#define WIN32_LEAN_AND_MEAN
#endif
#include <windows.h>
typedef HANDLE gl_thread;
#else
#include <pthread.h>
typedef pthread_t gl_thread;
#endif

/* Words of our own that one thread writes and any may read. C11 atomics; MSVC has them only
 * behind an option, and there an aligned volatile word of the machine's size is read and written
 * whole, with the order that acquire and release ask for on x86 and by /volatile:ms. */
#if defined(_MSC_VER) && !defined(__clang__)
typedef volatile uint64_t gl_word;
#define GL_LOAD(word) (*(word))
#define GL_LOAD_ACQUIRE(word) (*(word))
#define GL_STORE(word, value) ((void)(*(word) = (value)))
#define GL_STORE_RELEASE(word, value) ((void)(*(word) = (value)))
#else
#include <stdatomic.h>
typedef _Atomic uint64_t gl_word;
#define GL_LOAD(word) atomic_load_explicit((word), memory_order_relaxed)
#define GL_LOAD_ACQUIRE(word) atomic_load_explicit((word), memory_order_acquire)
#define GL_STORE(word, value) atomic_store_explicit((word), (value), memory_order_relaxed)
#define GL_STORE_RELEASE(word, value) atomic_store_explicit((word), (value), memory_order_release)
#endif

/* Adds to a word that this thread alone writes. */
static inline void gl_add(gl_word *word, uint64_t value)
{
    GL_STORE(word, GL_LOAD(word) + value);
}

/* A slot for a key among so many, a power of two (Knuth, "The Art of Computer Programming" 3, 6.4:
 * multiplicative hashing). */
static inline size_t gl_hash(uint64_t key, size_t slots)
{
    return (size_t)((key * UINT64_C(0x9E3779B97F4A7C15)) >> 40) & (slots - 1);
}

#define GL_MAX(a, b) ((a) > (b) ? (a) : (b))

/* Words of somebody else (CPython's), plain or atomic there: read once, whole, in no order. */
#if defined(__GNUC__) || defined(__clang__)
#define GL_PEEK(type, address) __atomic_load_n((const type *)(address), __ATOMIC_RELAXED)
#else
#define GL_PEEK(type, address) (*(const volatile type *)(address))
#endif

/* How long the thread whose schedstat (Linux) `file` has open was ready to run and had no CPU, in
 * ns; -1 where it cannot be read. Needs no lock of Python's. */
int64_t gl_cpu_delay_ns(int file);

/* Nanoseconds on a clock that never steps back. */
int64_t gl_now_ns(void);

/* Nanoseconds of CPU time that the calling thread has used. Windows counts in ticks of 16 ms. */
int64_t gl_thread_cpu_ns(void);

/* Sleeps until the clock above reads `deadline_ns`, or a signal comes. */
void gl_sleep_until_ns(int64_t deadline_ns);

/* The number of this process. */
int64_t gl_process_id(void);

/* Starts a thread that runs `run(argument)` with every signal blocked; 0, or an errno. */
int gl_thread_start(gl_thread *thread, void (*run)(void *), void *argument);
void gl_thread_join(gl_thread thread);

/* Names the calling thread `name` (at most 15 bytes) and asks the system to wake it on time, as far
 * as this process may; where `urgent`, before all others, which is for a thread that seldom runs. */
void gl_thread_prepare(const char *name, int urgent);

/* Copies `size` bytes at `address` of process `pid`, 0 for this one, which need not be mapped; 0,
 * or -1 where they cannot be read. Of another process on Linux only, so far. */
int gl_read_process(int64_t pid, uintptr_t address, void *buffer, size_t size);

/* A stretch of memory to copy, and where to. */
typedef struct {
    uintptr_t address;
    void *buffer;
    size_t size;
} gl_part;
#define GL_MOST_PARTS 2

/* Copies up to GL_MOST_PARTS of them, at one time as far as the system can; 0, or -1 where any
 * cannot be read. */
int gl_read_parts(int64_t pid, const gl_part *parts, size_t count);

/* Whether the system tells in which futex a thread sleeps. */
int gl_sees_futexes(void);
/* Where the system tells of the threads of another process: its folder, or "" for this process.
 * A process in a container knows its threads by other numbers than those outside, and has a folder
 * with them. */
#define GL_TASKS 64

/* Finds the address of the futex in which thread `native_id` sleeps: 0, or -1 where it runs or
 * sleeps elsewhere. */
int gl_thread_futex(const char *tasks, uint64_t native_id, uintptr_t *address);
/* The same of a futex on the thread's own stack, in one of the calls that it is in. */
int gl_thread_stack_futex(const char *tasks, uint64_t native_id, uintptr_t *address);

/* Writes the name that the system has for thread `native_id`, "" where it has none or it is the
 * process's own. */
void gl_thread_system_name(const char *tasks, uint64_t native_id, char *name, size_t size);

#endif
