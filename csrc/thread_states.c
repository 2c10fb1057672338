#include "thread_states.h"

#include <stdlib.h>
#include <string.h>

#define GL_KIND_SLOTS (4 * GL_KINDS) /* a power of two */
#define GL_MOST_METATYPES 8
#define GL_MOST_BITS 3 /* in a mutex: pycore_lock.h, _Py_LOCKED and _Py_HAS_PARKED */
#define GL_CALL_WORDS 48 /* of the stack, that are the calls of a thread that waits for a mutex */

/* PyThreadState.state: pycore_pystate.h, _Py_THREAD_DETACHED and so on. */
enum { STATE_DETACHED = 0, STATE_ATTACHED = 1, STATE_SUSPENDED = 2, STATE_SHUTTING_DOWN = 3 };

typedef struct {
    uintptr_t type, named; /* where it is, and where its name is */
    char name[GL_KIND_NAME];
} gl_kind_entry;

struct gl_states {
    int sees_futexes;
    gl_word count; /* of kinds */
    gl_kind_entry entries[GL_KINDS]; /* each written before `count` says that it is there */
    /* The sampling thread's own. */
    uint16_t slots[GL_KIND_SLOTS]; /* 0, or the number */
};

int gl_states_told(const gl_python *python)
{
    return python->runtime != 0 && python->layout.thread_state != GL_NOWHERE;
}

static int read_state(const gl_python *python, uintptr_t state)
{
    int value;
    return gl_python_read(python, state + python->layout.thread_state, &value, sizeof value) == 0
               ? value
               : -1;
}

int gl_state_reads(const gl_python *python, uintptr_t state, int attached)
{
    const int value = read_state(python, state);
    return attached ? value == STATE_ATTACHED
                    : value == STATE_DETACHED || value == STATE_SUSPENDED;
}

int gl_states_read_rightly(const gl_gil *gil, const gl_python *python)
{
    gl_walk walk;
    int count = 0;
    memset(&walk, 0, sizeof walk);
    walk.gil = gil;
    walk.python = python;
    for (; gl_walk_on(&walk); count++) {
        int state;
        memcpy(&state, walk.bytes + python->layout.thread_state, sizeof state);
        if (state < STATE_DETACHED || state > STATE_SHUTTING_DOWN)
            return 0;
    }
    return count > 0;
}

static void add_kind(gl_states *states, const char *name)
{
    const size_t count = (size_t)GL_LOAD(&states->count);
    memcpy(states->entries[count].name, name, strlen(name) + 1);
    GL_STORE(&states->count, count + 1);
}

gl_states *gl_states_new(void)
{
    gl_states *states = calloc(1, sizeof *states);
    if (states == NULL)
        return NULL;
    states->sees_futexes = gl_sees_futexes();
    add_kind(states, "");
    add_kind(states, "interpreter");
    add_kind(states, "runtime");
    add_kind(states, "CPython");
    add_kind(states, "object");
    return states;
}

void gl_states_free(gl_states *states)
{
    free(states);
}

int gl_states_tell_parked(const gl_states *states)
{
    return states->sees_futexes;
}

size_t gl_states_kinds(const gl_states *states)
{
    return (size_t)GL_LOAD_ACQUIRE(&states->count);
}

const char *gl_states_kind(const gl_states *states, size_t number)
{
    return states->entries[number].name;
}

/* Copies the name of a type, whose words begin `named`; a cut one keeps its end. */
static int read_name(const gl_python *python, uintptr_t named, char *name)
{
    char bytes[4 * GL_KIND_NAME] = "";
    size_t length, cut;
    /* Where the page ends soon after it, less can be read. */
    for (size_t size = sizeof bytes - 1; size > 0; size /= 2) {
        if (gl_python_read(python, named, bytes, size) == 0)
            break;
        bytes[0] = '\0';
    }
    length = strlen(bytes);
    for (size_t i = 0; i < length; i++) {
        if ((unsigned char)bytes[i] < ' ')
            return -1;
    }
    if (length == 0)
        return -1;
    cut = length < GL_KIND_NAME ? 0 : length - GL_KIND_NAME + 1;
    memcpy(name, bytes + cut, length - cut + 1);
    return 0;
}

/* Whether there is a type there: the type of its type, and so on, is in the end its own. */
static int is_type(const gl_python *python, uintptr_t type)
{
    for (int i = 0; i < GL_MOST_METATYPES && type != 0 && type % sizeof type == 0; i++) {
        const uintptr_t above = gl_python_pointer(python, type + python->layout.object_type);
        if (above == type) {
            char name[GL_KIND_NAME];
            const uintptr_t named = gl_python_pointer(python, type + python->layout.type_name);
            return read_name(python, named, name) == 0 && strcmp(name, "type") == 0;
        }
        type = above;
    }
    return 0;
}

/* Finds the number of the type whose pointer stands there; 0 where it is none. */
static uint32_t find_kind(const gl_python *python, gl_states *states, uintptr_t at)
{
    const uintptr_t type = gl_python_pointer(python, at);
    const uintptr_t named =
        type != 0 ? gl_python_pointer(python, type + python->layout.type_name) : 0;
    const size_t count = (size_t)GL_LOAD(&states->count);
    gl_kind_entry *entry;
    size_t slot;
    if (named == 0)
        return GL_KIND_UNTOLD;
    slot = gl_hash(type, GL_KIND_SLOTS);
    for (; states->slots[slot] != 0; slot = (slot + 1) & (GL_KIND_SLOTS - 1)) {
        entry = &states->entries[states->slots[slot]];
        if (entry->type == type && entry->named == named)
            return states->slots[slot];
    }
    if (count == GL_KINDS || !is_type(python, type))
        return GL_KIND_UNTOLD;
    entry = &states->entries[count];
    if (read_name(python, named, entry->name) != 0)
        return GL_KIND_UNTOLD;
    entry->type = type;
    entry->named = named;
    states->slots[slot] = (uint16_t)count;
    GL_STORE_RELEASE(&states->count, count + 1);
    return (uint32_t)count;
}

/* What a thread does that is parked on `word`; -1 where no thread can be parked there. */
static int64_t tell_parked(const gl_python *python, gl_states *states, uintptr_t interpreter,
                           uintptr_t state, uintptr_t word)
{
    const gl_layout *layout = &python->layout;
    uint32_t kind = GL_KIND_UNTOLD;
    unsigned char parked;
    if (word == state + layout->thread_state)
        return GL_STOPPED;
    if (word % 8 == GL_OBJECT_MUTEX % 8)
        kind = find_kind(python, states, word - GL_OBJECT_MUTEX + layout->object_type);
    else if (word % 8 == GL_OBJECT_HEAD % 8)
        kind = find_kind(python, states, word - GL_OBJECT_HEAD + layout->object_type);
    if (kind != GL_KIND_UNTOLD)
        return GL_PARKED + kind;
    if (word - interpreter < layout->interpreter_size)
        return GL_PARKED + GL_KIND_INTERPRETER;
    if (word - python->runtime < layout->runtime_size)
        return GL_PARKED + GL_KIND_RUNTIME;
    /* Code in C can sleep in a futex on its own stack too, and then the word before says nothing. */
    if (gl_python_read(python, word, &parked, 1) != 0 || parked > GL_MOST_BITS)
        return -1;
    return GL_PARKED + GL_KIND_UNTOLD;
}

/* A thread that is parked sleeps on a semaphore of the parking lot, on its own stack, right after
 * the address that it is parked on: parking_lot.c, struct wait_entry. */
static int find_parked(const gl_walk *walk, gl_states *states, uint32_t *what)
{
    const gl_python *python = walk->python;
    unsigned long native_id;
    uintptr_t futex, again, word;
    int64_t told;
    memcpy(&native_id, walk->bytes + python->layout.thread_native, sizeof native_id);
    if (native_id == 0 || gl_thread_stack_futex(walk->gil->tasks, native_id, &futex) != 0)
        return 0;
    word = gl_python_pointer(python, futex - sizeof word);
    told = tell_parked(python, states, walk->interpreter, walk->state, word);
    if (told < 0 || told == GL_PARKED + GL_KIND_UNTOLD) {
        /* It may have gone on while this was read. */
        if (gl_thread_stack_futex(walk->gil->tasks, native_id, &again) != 0 || again != futex ||
            gl_python_pointer(python, futex - sizeof word) != word) {
            *what = GL_TORN_STATE;
            return 1;
        }
    }
    if (told >= 0)
        *what = (uint32_t)told;
    return told >= 0;
}

/* Whether the thread waits for the mutex of an object whose critical section it has begun, which is
 * NULL in the section as long (critical_section.c). It first tries some 40 times and gives its CPU
 * away in between, attached all along (lock.c, MAX_SPIN_COUNT): where CPUs are few that takes long.
 * The calls that it does so in keep the mutex on its stack, not far from the section. */
static int find_section(gl_states *states, const gl_walk *walk, uint32_t *what)
{
    const gl_python *python = walk->python;
    uintptr_t section, words[2], calls[GL_CALL_WORDS];
    if (python->layout.thread_section == GL_NOWHERE)
        return 0;
    section = gl_pointer_at(walk->bytes, python->layout.thread_section) & ~(uintptr_t)3;
    if (section == 0 || gl_python_read(python, section, words, sizeof words) != 0 || words[1] != 0 ||
        /* It may have gone on since the state was read, and its stack be something else now. */
        (gl_python_pointer(python, walk->state + python->layout.thread_section) &
         ~(uintptr_t)3) != section)
        return 0;
    *what = GL_PARKED + GL_KIND_OBJECT;
    if (gl_python_read(python, section - sizeof calls, calls, sizeof calls) != 0)
        return 1;
    for (size_t i = GL_CALL_WORDS; i-- > 0;) {
        unsigned char bits;
        uint32_t kind;
        if (calls[i] % 8 != GL_OBJECT_MUTEX % 8 ||
            gl_python_read(python, calls[i], &bits, 1) != 0 || bits > GL_MOST_BITS)
            continue;
        kind = find_kind(python, states, calls[i] - GL_OBJECT_MUTEX + python->layout.object_type);
        if (kind != GL_KIND_UNTOLD) {
            *what = GL_PARKED + kind;
            return 1;
        }
    }
    return 1;
}

uint32_t gl_states_look(gl_states *states, const gl_walk *walk, int *suspended)
{
    const gl_layout *layout = &walk->python->layout;
    uint32_t what;
    int state;
    memcpy(&state, walk->bytes + layout->thread_state, sizeof state);
    *suspended = state == STATE_SUSPENDED;
    if (states->sees_futexes) {
        if (find_parked(walk, states, &what)) {
            /* Events and locks of others are waited for detached. */
            if (state == STATE_ATTACHED && what == GL_PARKED + GL_KIND_UNTOLD)
                what = GL_PARKED + GL_KIND_CPYTHON;
            return what;
        }
        /* It may have gone on before the system was asked. */
        if (state != STATE_ATTACHED)
            state = read_state(walk->python, walk->state);
    }
    if (find_section(states, walk, &what))
        return what;
    if (state == STATE_ATTACHED)
        return GL_ATTACHED;
    /* While all are stopped, each thread that is detached is marked as suspended too. */
    if (state == STATE_SUSPENDED && !states->sees_futexes)
        return GL_STOPPED;
    return state < 0 ? GL_TORN_STATE : GL_DETACHED;
}
