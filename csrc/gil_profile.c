#include "gil_profile.h"

#include <stdlib.h>
#include <string.h>

#define GL_FUNCTION_SLOTS (4 * GL_FUNCTIONS) /* powers of two */
#define GL_PAGE 64 /* functions are made in pages, which never move */
#define GL_PAGES (GL_FUNCTIONS / GL_PAGE)

typedef struct {
    uint32_t thread, with; /* written before `count` says that they are there */
    gl_word doubled, longest;
} gl_pair_words;

/* Pairs by their two numbers; a full table takes no new ones. */
typedef struct {
    gl_word count;
    gl_pair_words *pairs;
    /* The sampling thread's own. */
    size_t capacity; /* a power of two */
    uint16_t *slots; /* twice as many: 0, or one more than the place */
    size_t last;     /* the place of the pair that was found last */
} gl_pairs;

typedef struct {
    gl_word begin, end, who, what;
} gl_span_words;

struct gl_profile {
    gl_python python;
    unsigned every;
    gl_word torn;
    gl_word function_count;
    gl_function_entry *pages[GL_PAGES];
    gl_pairs uses, waits, doings;
    gl_word covered;
    gl_states *states; /* or NULL: nothing is told of them */
    unsigned states_every;
    gl_word states_covered, stopped, longest_stop;
    size_t capacity;
    gl_word span_count;   /* that were ever added */
    gl_span_words *spans; /* the last `capacity` of them */

    /* The sampling thread's own. */
    uint16_t function_slots[GL_FUNCTION_SLOTS]; /* 0, or the number */
    uint32_t thread, function;                  /* who holds it now; GL_NOBODY */
    int64_t since;
    int64_t stop_since; /* 0: threads are not being stopped */
};

static int make_pairs(gl_pairs *pairs, size_t capacity)
{
    pairs->capacity = capacity;
    pairs->pairs = calloc(capacity, sizeof *pairs->pairs);
    pairs->slots = calloc(2 * capacity, sizeof *pairs->slots);
    return pairs->pairs != NULL && pairs->slots != NULL ? 0 : -1;
}

static void free_pairs(gl_pairs *pairs)
{
    free(pairs->pairs);
    free(pairs->slots);
}

static gl_pair_words *find_pair(gl_pairs *pairs, uint32_t thread, uint32_t with)
{
    const size_t count = (size_t)GL_LOAD(&pairs->count);
    const size_t slots = 2 * pairs->capacity;
    gl_pair_words *pair = &pairs->pairs[pairs->last];
    size_t slot;
    if (count != 0 && pair->thread == thread && pair->with == with)
        return pair;
    slot = gl_hash((uint64_t)thread << 32 | with, slots);
    for (; pairs->slots[slot] != 0; slot = (slot + 1) & (slots - 1)) {
        pairs->last = pairs->slots[slot] - 1u;
        pair = &pairs->pairs[pairs->last];
        if (pair->thread == thread && pair->with == with)
            return pair;
    }
    if (count >= pairs->capacity)
        return NULL;
    pair = &pairs->pairs[count];
    pair->thread = thread;
    pair->with = with;
    pairs->slots[slot] = (uint16_t)(count + 1);
    pairs->last = count;
    GL_STORE_RELEASE(&pairs->count, count + 1);
    return pair;
}

static void add_to_pair(gl_pairs *pairs, uint32_t thread, uint32_t with, uint64_t doubled)
{
    gl_pair_words *pair = find_pair(pairs, thread, with);
    if (pair != NULL)
        gl_add(&pair->doubled, doubled);
}

static size_t copy_pairs(const gl_pairs *pairs, gl_pair *copies, size_t capacity)
{
    const size_t count = (size_t)GL_LOAD_ACQUIRE(&pairs->count);
    for (size_t i = 0; i < count && i < capacity; i++) {
        const gl_pair_words *pair = &pairs->pairs[i];
        copies[i].thread = pair->thread;
        copies[i].with = pair->with;
        copies[i].doubled = GL_LOAD(&pair->doubled);
        copies[i].longest = GL_LOAD(&pair->longest);
    }
    return count;
}

gl_profile *gl_profile_new(const gl_python *python, unsigned every, size_t spans)
{
    gl_profile *profile = calloc(1, sizeof *profile);
    if (profile == NULL)
        return NULL;
    profile->python = *python;
    profile->every = every;
    profile->capacity = spans;
    profile->thread = GL_NOBODY;
    profile->pages[0] = calloc(GL_PAGE, sizeof **profile->pages);
    profile->spans = spans != 0 ? calloc(spans, sizeof *profile->spans) : NULL;
    if (make_pairs(&profile->uses, GL_USES) != 0 || make_pairs(&profile->waits, GL_WAITS) != 0 ||
        profile->pages[0] == NULL || (spans != 0 && profile->spans == NULL)) {
        gl_profile_free(profile);
        return NULL;
    }
    GL_STORE(&profile->function_count, GL_UNTOLD + 1);
    return profile;
}

void gl_profile_free(gl_profile *profile)
{
    if (profile == NULL)
        return;
    for (size_t page = 0; page < GL_PAGES; page++)
        free(profile->pages[page]);
    free_pairs(&profile->uses);
    free_pairs(&profile->waits);
    free_pairs(&profile->doings);
    gl_states_free(profile->states);
    free(profile->spans);
    free(profile);
}

int gl_profile_tell_states(gl_profile *profile, unsigned every)
{
    profile->states_every = every;
    profile->states = gl_states_new();
    return profile->states != NULL && make_pairs(&profile->doings, GL_DOINGS) == 0 ? 0 : -1;
}

const gl_python *gl_profile_python(const gl_profile *profile)
{
    return &profile->python;
}

int gl_profile_keeps_spans(const gl_profile *profile)
{
    return profile->capacity != 0;
}

unsigned gl_profile_every(const gl_profile *profile)
{
    return profile->every;
}

const gl_function_entry *gl_profile_function(const gl_profile *profile, size_t number)
{
    return &profile->pages[number / GL_PAGE][number % GL_PAGE];
}

static int is_same(const gl_function *a, const gl_function *b)
{
    return a->code == b->code && a->file == b->file && a->name == b->name && a->line == b->line;
}

static uint32_t add_function(gl_profile *profile, const gl_function *function)
{
    const size_t number = (size_t)GL_LOAD(&profile->function_count);
    gl_function_entry **page = &profile->pages[number / GL_PAGE];
    gl_function_entry entry;
    memset(&entry, 0, sizeof entry);
    entry.function = *function;
    /* A torn one is not entered: what it says would stay for good. */
    if (gl_python_text(&profile->python, function->file, entry.file, sizeof entry.file, 1) != 0 ||
        gl_python_text(&profile->python, function->name, entry.name, sizeof entry.name, 0) != 0) {
        gl_add(&profile->torn, 1);
        return GL_UNTOLD;
    }
    if (*page == NULL)
        *page = calloc(GL_PAGE, sizeof **page);
    if (*page == NULL)
        return GL_UNTOLD;
    (*page)[number % GL_PAGE] = entry;
    GL_STORE_RELEASE(&profile->function_count, number + 1);
    return (uint32_t)number;
}

uint32_t gl_profile_find(gl_profile *profile, uintptr_t thread_state)
{
    gl_function function;
    size_t slot;
    const int found = gl_python_function(&profile->python, thread_state, &function);
    uint32_t number;
    if (found != GL_FUNCTION) {
        if (found == GL_TORN)
            gl_add(&profile->torn, 1);
        return GL_UNTOLD;
    }
    slot = gl_hash(function.code ^ (uint64_t)function.line << 40, GL_FUNCTION_SLOTS);
    for (; profile->function_slots[slot] != 0; slot = (slot + 1) & (GL_FUNCTION_SLOTS - 1)) {
        number = profile->function_slots[slot];
        if (is_same(&gl_profile_function(profile, number)->function, &function))
            return number;
    }
    if (GL_LOAD(&profile->function_count) >= GL_FUNCTIONS)
        return GL_UNTOLD;
    number = add_function(profile, &function);
    profile->function_slots[slot] = (uint16_t)number;
    return number;
}

void gl_profile_hold(gl_profile *profile, uint32_t thread, uint32_t function, uint64_t doubled)
{
    add_to_pair(&profile->uses, thread, function, doubled);
}

void gl_profile_cover(gl_profile *profile, uint64_t doubled)
{
    gl_add(&profile->covered, doubled);
}

uint64_t gl_profile_covered(const gl_profile *profile)
{
    return GL_LOAD(&profile->covered);
}

void gl_profile_wait(gl_profile *profile, uint32_t thread, uint32_t holder, uint64_t doubled)
{
    add_to_pair(&profile->waits, thread, holder, doubled);
}

void gl_profile_cover_states(gl_profile *profile, uint64_t doubled, int suspended)
{
    gl_add(&profile->states_covered, doubled);
    if (suspended)
        gl_add(&profile->stopped, doubled);
}

void gl_profile_follow_stops(gl_profile *profile, int64_t at, int suspended)
{
    if (profile->stop_since != 0 && (uint64_t)(at - profile->stop_since) >
                                        GL_LOAD(&profile->longest_stop))
        GL_STORE(&profile->longest_stop, (uint64_t)(at - profile->stop_since));
    if (!suspended)
        profile->stop_since = 0;
    else if (profile->stop_since == 0)
        profile->stop_since = at;
}

void gl_profile_do(gl_profile *profile, uint32_t thread, uint32_t what, uint32_t function,
                   uint64_t doubled)
{
    add_to_pair(&profile->doings, thread, what * GL_FUNCTIONS + function, doubled);
}

gl_states *gl_profile_states(const gl_profile *profile)
{
    return profile->states;
}

unsigned gl_profile_states_every(const gl_profile *profile)
{
    return profile->states_every;
}

size_t gl_profile_doings(const gl_profile *profile, gl_pair *doings, size_t capacity)
{
    return copy_pairs(&profile->doings, doings, capacity);
}

void gl_profile_stops(const gl_profile *profile, uint64_t *covered, uint64_t *stopped,
                      uint64_t *longest)
{
    *stopped = GL_LOAD(&profile->stopped);
    *covered = GL_LOAD(&profile->states_covered);
    *longest = GL_LOAD(&profile->longest_stop);
}

void gl_profile_follow(gl_profile *profile, int64_t at, uint32_t thread, uint32_t function,
                       int again)
{
    gl_span span;
    gl_pair_words *use;
    const int same = !again && profile->thread == thread;
    if (same && function == GL_UNTOLD)
        function = profile->function;
    if (same && profile->function == GL_UNTOLD)
        profile->function = function;
    if (profile->thread != GL_NOBODY) {
        use = find_pair(&profile->uses, profile->thread, profile->function);
        if (use != NULL && (uint64_t)(at - profile->since) > GL_LOAD(&use->longest))
            GL_STORE(&use->longest, (uint64_t)(at - profile->since));
        if (same && profile->function == function)
            return;
        span.begin = profile->since;
        /* A nanosecond that is nobody's tells a thread that let go in between from one that went on
         * in another function. */
        span.end = at - (again && profile->thread == thread && profile->since < at - 1);
        span.thread = profile->thread;
        span.function = profile->function;
        span.kind = GL_HOLD;
        span.holder = GL_NOBODY;
        gl_profile_add_span(profile, &span);
    }
    profile->thread = thread;
    profile->function = function;
    profile->since = at;
}

void gl_profile_add_span(gl_profile *profile, const gl_span *span)
{
    const uint64_t count = GL_LOAD(&profile->span_count);
    gl_span_words *words;
    if (profile->capacity == 0)
        return;
    words = &profile->spans[count % profile->capacity];
    GL_STORE(&words->begin, (uint64_t)span->begin);
    GL_STORE(&words->end, (uint64_t)span->end);
    GL_STORE(&words->who, (uint64_t)span->thread << 32 | span->holder);
    GL_STORE(&words->what, (uint64_t)span->kind << 32 | span->function);
    GL_STORE_RELEASE(&profile->span_count, count + 1);
}

size_t gl_profile_functions(const gl_profile *profile)
{
    return (size_t)GL_LOAD_ACQUIRE(&profile->function_count);
}

uint64_t gl_profile_torn(const gl_profile *profile)
{
    return GL_LOAD(&profile->torn);
}

size_t gl_profile_uses(const gl_profile *profile, gl_pair *uses, size_t capacity)
{
    return copy_pairs(&profile->uses, uses, capacity);
}

size_t gl_profile_waits(const gl_profile *profile, gl_pair *waits, size_t capacity)
{
    return copy_pairs(&profile->waits, waits, capacity);
}

size_t gl_profile_spans(const gl_profile *profile, gl_span *spans, size_t capacity,
                        uint64_t *dropped)
{
    const uint64_t end = GL_LOAD_ACQUIRE(&profile->span_count);
    uint64_t begin, later, overwritten;
    size_t kept;
    if (capacity > profile->capacity)
        capacity = profile->capacity;
    begin = end > capacity ? end - capacity : 0;
    for (uint64_t i = begin; i < end; i++) {
        const gl_span_words *words = &profile->spans[i % profile->capacity];
        const uint64_t who = GL_LOAD(&words->who);
        const uint64_t what = GL_LOAD(&words->what);
        gl_span *span = &spans[i - begin];
        span->begin = (int64_t)GL_LOAD(&words->begin);
        span->end = (int64_t)GL_LOAD(&words->end);
        span->thread = (uint32_t)(who >> 32);
        span->holder = (uint32_t)who;
        span->kind = (uint32_t)(what >> 32);
        span->function = (uint32_t)what;
    }
    /* Those that were overwritten meanwhile, and the one that may be so now, are lost. */
    later = GL_LOAD_ACQUIRE(&profile->span_count);
    overwritten = later + 1 > profile->capacity ? later + 1 - profile->capacity : 0;
    kept = overwritten > begin ? (size_t)(overwritten - begin) : 0;
    if (kept > end - begin)
        kept = (size_t)(end - begin);
    memmove(spans, spans + kept, (size_t)(end - begin - kept) * sizeof *spans);
    *dropped = begin + kept;
    return (size_t)(end - begin) - kept;
}
