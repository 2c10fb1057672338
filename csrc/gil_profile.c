#include "gil_profile.h"

#include <stdlib.h>
#include <string.h>

#define GL_FUNCTION_SLOTS (4 * GL_FUNCTIONS) /* powers of two */
#define GL_USE_SLOTS (2 * GL_USES)
#define GL_WAIT_SLOTS (2 * GL_WAITS)
#define GL_PAGE 64 /* functions are made in pages, which never move */
#define GL_PAGES (GL_FUNCTIONS / GL_PAGE)

typedef struct {
    uint32_t thread, function; /* written before `use_count` says that they are there */
    gl_word doubled_held, longest;
} gl_use_words;

typedef struct {
    uint32_t thread, holder;
    gl_word doubled;
} gl_wait_words;

typedef struct {
    gl_word begin, end, who, what;
} gl_span_words;

struct gl_profile {
    gl_python python;
    unsigned every;
    gl_word torn;
    gl_word function_count;
    gl_function_entry *pages[GL_PAGES];
    gl_word use_count;
    gl_use_words uses[GL_USES];
    gl_word covered;
    gl_word wait_count;
    gl_wait_words waits[GL_WAITS];
    size_t capacity;
    gl_word span_count;   /* that were ever added */
    gl_span_words *spans; /* the last `capacity` of them */

    /* The sampling thread's own. */
    uint16_t function_slots[GL_FUNCTION_SLOTS]; /* 0, or the number */
    uint16_t use_slots[GL_USE_SLOTS];           /* 0, or one more than the place */
    uint16_t wait_slots[GL_WAIT_SLOTS];
    uint32_t thread, function;                  /* who holds it now; GL_NOBODY */
    int64_t since;
    uint32_t last_use; /* the place of the use that was found last */
};

static void add(gl_word *word, uint64_t value)
{
    GL_STORE(word, GL_LOAD(word) + value); /* one thread writes */
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
    if (profile->pages[0] == NULL || (spans != 0 && profile->spans == NULL)) {
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
    free(profile->spans);
    free(profile);
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

static size_t hash(uint64_t key, size_t slots)
{
    return (size_t)((key * UINT64_C(0x9E3779B97F4A7C15)) >> 40) & (slots - 1);
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
        add(&profile->torn, 1);
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
            add(&profile->torn, 1);
        return GL_UNTOLD;
    }
    slot = hash(function.code ^ (uint64_t)function.line << 40, GL_FUNCTION_SLOTS);
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

static gl_use_words *find_use(gl_profile *profile, uint32_t thread, uint32_t function)
{
    const size_t count = (size_t)GL_LOAD(&profile->use_count);
    gl_use_words *use = &profile->uses[profile->last_use];
    size_t slot;
    if (count != 0 && use->thread == thread && use->function == function)
        return use;
    slot = hash((uint64_t)thread << 32 | function, GL_USE_SLOTS);
    for (; profile->use_slots[slot] != 0; slot = (slot + 1) & (GL_USE_SLOTS - 1)) {
        use = &profile->uses[profile->use_slots[slot] - 1u];
        if (use->thread == thread && use->function == function) {
            profile->last_use = profile->use_slots[slot] - 1u;
            return use;
        }
    }
    if (count >= GL_USES)
        return NULL;
    use = &profile->uses[count];
    use->thread = thread;
    use->function = function;
    profile->use_slots[slot] = (uint16_t)(count + 1);
    profile->last_use = (uint32_t)count;
    GL_STORE_RELEASE(&profile->use_count, count + 1);
    return use;
}

void gl_profile_hold(gl_profile *profile, uint32_t thread, uint32_t function, uint64_t doubled)
{
    gl_use_words *use = find_use(profile, thread, function);
    if (use != NULL)
        add(&use->doubled_held, doubled);
}

void gl_profile_cover(gl_profile *profile, uint64_t doubled)
{
    add(&profile->covered, doubled);
}

uint64_t gl_profile_covered(const gl_profile *profile)
{
    return GL_LOAD(&profile->covered);
}

void gl_profile_wait(gl_profile *profile, uint32_t thread, uint32_t holder, uint64_t doubled)
{
    const size_t count = (size_t)GL_LOAD(&profile->wait_count);
    size_t slot = hash((uint64_t)thread << 32 | holder, GL_WAIT_SLOTS);
    gl_wait_words *wait;
    for (; profile->wait_slots[slot] != 0; slot = (slot + 1) & (GL_WAIT_SLOTS - 1)) {
        wait = &profile->waits[profile->wait_slots[slot] - 1u];
        if (wait->thread == thread && wait->holder == holder) {
            add(&wait->doubled, doubled);
            return;
        }
    }
    if (count >= GL_WAITS)
        return;
    wait = &profile->waits[count];
    wait->thread = thread;
    wait->holder = holder;
    GL_STORE(&wait->doubled, doubled);
    profile->wait_slots[slot] = (uint16_t)(count + 1);
    GL_STORE_RELEASE(&profile->wait_count, count + 1);
}

size_t gl_profile_waits(const gl_profile *profile, gl_wait *waits, size_t capacity)
{
    const size_t count = (size_t)GL_LOAD_ACQUIRE(&profile->wait_count);
    for (size_t i = 0; i < count && i < capacity; i++) {
        waits[i].thread = profile->waits[i].thread;
        waits[i].holder = profile->waits[i].holder;
        waits[i].doubled = GL_LOAD(&profile->waits[i].doubled);
    }
    return count;
}

void gl_profile_follow(gl_profile *profile, int64_t at, uint32_t thread, uint32_t function,
                       int again)
{
    gl_span span;
    gl_use_words *use;
    const int same = !again && profile->thread == thread;
    if (same && function == GL_UNTOLD)
        function = profile->function;
    if (same && profile->function == GL_UNTOLD)
        profile->function = function;
    if (profile->thread != GL_NOBODY) {
        use = find_use(profile, profile->thread, profile->function);
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

size_t gl_profile_uses(const gl_profile *profile, gl_use *uses, size_t capacity)
{
    const size_t count = (size_t)GL_LOAD_ACQUIRE(&profile->use_count);
    for (size_t i = 0; i < count && i < capacity; i++) {
        uses[i].thread = profile->uses[i].thread;
        uses[i].function = profile->uses[i].function;
        uses[i].doubled_held = GL_LOAD(&profile->uses[i].doubled_held);
        uses[i].longest = GL_LOAD(&profile->uses[i].longest);
    }
    return count;
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
