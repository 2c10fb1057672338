/* Threads that sleep as CPython's do, in a process that is not Python: what csrc/thread_states.c has
 * to tell of each. Built with all that it needs. */
#include <stdio.h>

#if !defined(__linux__) /* where no system says how a thread sleeps, there is nothing to tell */
int main(void)
{
    puts("ok");
    return 0;
}
#else
#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "thread_states.h"

/* As in a free-threaded build. */
typedef struct {
    uint64_t owner;
    uint16_t flags;
    uint8_t mutex, other;
    uint32_t local;
    uint64_t shared;
    void *type;
    uint8_t lock; /* of a lock */
} object;
typedef struct {
    uint64_t head[3];
    void *type;
    uint64_t size;
    const char *name;
} type;
typedef struct {
    void *next;
    unsigned long ident;
    _Atomic unsigned long native_id;
    int state;
    uintptr_t section;
} thread_state;
typedef struct {
    void *next, *threads, *gil;
    uint8_t mutexes[8];
} interpreter;
typedef struct {
    void *interpreters;
    uint8_t mutexes[8];
} runtime;

static type metatype = {.type = &metatype, .name = "type"};
static type dict = {.type = &metatype, .name = "dict"};
static type lock = {.type = &metatype, .name = "_thread.lock"};
static type nameless = {.type = &metatype, .name = "\x01"};
static object a_dict = {.type = &dict, .mutex = 3};
static object a_lock = {.type = &lock, .lock = 3};
static object a_stranger = {.type = &a_dict, .mutex = 3};
static object a_nameless = {.type = &nameless, .mutex = 3};
static interpreter the_interpreter;
static runtime the_runtime = {.interpreters = &the_interpreter};
static uint64_t event = 2, busy = 77;

/* A thread that is not parked, but waits for the mutex on its stack: the section is the last but
 * one, of which the second word is no mutex yet. */
static uintptr_t spinning_stack[64];

static const char object_kind[] = "object";
static const char detached[] = "detached", attached[] = "attached", stopped[] = "stopped";
enum { PARKS, SLEEPS, RUNS, IS_GONE };
typedef struct {
    const char *name;
    int does, state, suspended;
    void *word;
    const char *expected; /* the kind, or one of those below */
    thread_state *in;
    sem_t *sleeps_on;
} thread_case;

static thread_state states[18];
static thread_case cases[] = {
    {"a dict", PARKS, 0, 0, &a_dict.mutex, "dict", NULL, NULL},
    {"a dict while all are stopped", PARKS, 2, 1, &a_dict.mutex, "dict", NULL, NULL},
    {"a lock", PARKS, 0, 0, &a_lock.lock, "_thread.lock", NULL, NULL},
    {"attached all along", PARKS, 1, 0, &a_dict.mutex, "dict", NULL, NULL},
    {"an event, but attached", PARKS, 1, 0, (char *)&event, "CPython", NULL, NULL},
    {"no type", PARKS, 0, 0, &a_stranger.mutex, "", NULL, NULL},
    {"no name", PARKS, 0, 0, &a_nameless.mutex, "", NULL, NULL},
    {"an event", PARKS, 0, 0, (char *)&event, "", NULL, NULL},
    {"an interpreter's", PARKS, 0, 0, &the_interpreter.mutexes[3], "interpreter", NULL, NULL},
    {"the runtime's", PARKS, 0, 0, &the_runtime.mutexes[3], "runtime", NULL, NULL},
    {"the end of the stop", PARKS, 2, 1, NULL, stopped, NULL, NULL},
    {"code of C's own", PARKS, 0, 0, (char *)&busy, detached, NULL, NULL},
    {"nowhere", PARKS, 0, 0, (void *)24, detached, NULL, NULL},
    {"asleep", SLEEPS, 2, 1, NULL, detached, NULL, NULL},
    {"spinning", RUNS, 1, 0, NULL, "dict", NULL, NULL},
    {"spinning for what is not there", RUNS, 1, 0, NULL, object_kind, NULL, NULL},
    {"running", RUNS, 1, 0, NULL, attached, NULL, NULL},
    {"gone", IS_GONE, 0, 0, NULL, detached, NULL, NULL},
};
enum { CASES = sizeof cases / sizeof *cases };
static _Atomic int over;

/* As struct wait_entry of parking_lot.c. */
static void park(thread_case *mine)
{
    struct {
        void *argument, *word;
        sem_t semaphore;
    } entry;
    entry.argument = NULL;
    entry.word = mine->word;
    sem_init(&entry.semaphore, 0, 0);
    mine->sleeps_on = &entry.semaphore;
    atomic_store(&mine->in->native_id, (unsigned long)syscall(SYS_gettid));
    while (sem_wait(&entry.semaphore) != 0)
        continue;
}

static sem_t somewhere_else;

static void *live(void *argument)
{
    thread_case *mine = argument;
    if (mine->does == PARKS) {
        park(mine);
        return NULL;
    }
    atomic_store(&mine->in->native_id, (unsigned long)syscall(SYS_gettid));
    while (mine->does == RUNS && !atomic_load(&over))
        continue;
    while (mine->does == SLEEPS && sem_wait(&somewhere_else) != 0)
        continue;
    return NULL;
}

static void wait_for(const thread_case *each)
{
    uintptr_t futex;
    while (atomic_load(&each->in->native_id) == 0 ||
           (each->does == PARKS &&
            gl_thread_stack_futex("", atomic_load(&each->in->native_id), &futex) != 0) ||
           (each->does == SLEEPS &&
            gl_thread_futex("", atomic_load(&each->in->native_id), &futex) != 0))
        gl_sleep_until_ns(gl_now_ns() + 100000);
}

static const char *tell(const gl_states *told, uint32_t what)
{
    if (what >= GL_PARKED)
        return gl_states_kind(told, what - GL_PARKED);
    return what == GL_DETACHED ? detached : what == GL_ATTACHED ? attached
           : what == GL_STOPPED                                 ? stopped
                                                                : "torn";
}

static gl_python describe(void)
{
    gl_python python;
    memset(&python, 0, sizeof python);
    python.runtime = (uintptr_t)&the_runtime;
    python.layout.interpreters = offsetof(runtime, interpreters);
    python.layout.runtime_size = sizeof(runtime);
    python.layout.interpreter_size = sizeof(interpreter);
    python.layout.interpreter_next = offsetof(interpreter, next);
    python.layout.interpreter_threads = offsetof(interpreter, threads);
    python.layout.interpreter_gil = offsetof(interpreter, gil);
    python.layout.thread_next = offsetof(thread_state, next);
    python.layout.thread_ident = offsetof(thread_state, ident);
    python.layout.thread_native = offsetof(thread_state, native_id);
    python.layout.thread_wants = GL_NOWHERE;
    python.layout.thread_state = offsetof(thread_state, state);
    python.layout.thread_section = offsetof(thread_state, section);
    python.layout.object_type = offsetof(object, type);
    python.layout.type_name = offsetof(type, name);
    return python;
}

static int look_at_all(const gl_gil *gil, const gl_python *python, gl_states *told)
{
    gl_walk walk;
    int failures = 0, count = 0;
    memset(&walk, 0, sizeof walk);
    walk.gil = gil;
    walk.python = python;
    for (; gl_walk_on(&walk); count++) {
        const thread_case *each = &cases[walk.state == (uintptr_t)&states[count] ? count : 0];
        int suspended;
        const char *said = tell(told, gl_states_look(told, &walk, &suspended));
        if (walk.state != (uintptr_t)&states[count] || strcmp(said, each->expected) != 0 ||
            suspended != each->suspended || !gl_walk_has_thread(&walk)) {
            fprintf(stderr, "%s: '%s' is said, and suspended %d\n", each->name, said, suspended);
            failures++;
        }
    }
    return failures + (count != CASES);
}

int main(void)
{
    pthread_t threads[CASES];
    const gl_python python = describe();
    gl_states *told = gl_states_new();
    gl_gil gil;
    int failures = 0;
    memset(&gil, 0, sizeof gil);
    gil.lock = (uintptr_t)&gil;
    the_interpreter.gil = &gil;
    the_interpreter.threads = states;
    the_interpreter.mutexes[3] = the_runtime.mutexes[3] = 3;
    spinning_stack[60] = (uintptr_t)&a_dict.mutex;
    sem_init(&somewhere_else, 0, 0);
    if (told == NULL || !gl_states_told(&python))
        abort();
    if (!gl_states_tell_parked(told)) { /* a kernel without /proc/.../syscall */
        puts("ok");
        return 0;
    }
    for (int i = 0; i < CASES; i++) {
        states[i].next = i + 1 < CASES ? &states[i + 1] : NULL;
        states[i].ident = 1;
        states[i].state = cases[i].state;
        cases[i].in = &states[i];
        if (cases[i].expected == stopped)
            cases[i].word = &states[i].state;
        if (strncmp(cases[i].name, "spinning", 8) == 0)
            states[i].section = (uintptr_t)&spinning_stack[cases[i].expected == object_kind ? 54 : 62] | 1;
        pthread_create(&threads[i], NULL, live, &cases[i]);
        if (cases[i].does == IS_GONE)
            pthread_join(threads[i], NULL);
        wait_for(&cases[i]);
    }
    for (int turn = 0; turn < 100 && failures == 0; turn++)
        failures = look_at_all(&gil, &python, told);
    /* Each kind once. */
    failures += gl_states_kinds(told) != 7 || !gl_state_reads(&python, (uintptr_t)&states[0], 0) ||
                gl_state_reads(&python, (uintptr_t)&states[0], 1) ||
                !gl_state_reads(&python, (uintptr_t)&states[16], 1) || gl_state_reads(&python, 8, 0);
    atomic_store(&over, 1);
    sem_post(&somewhere_else);
    for (int i = 0; i < CASES; i++) {
        if (cases[i].does == PARKS)
            sem_post(cases[i].sleeps_on);
        if (cases[i].does != IS_GONE)
            pthread_join(threads[i], NULL);
    }
    gl_states_free(told);
    if (failures == 0)
        puts("ok");
    return failures != 0;
}
#endif
