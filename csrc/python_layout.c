#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include "python_layout.h"

#include <string.h>

/* Fixed for good: neither version gets more than security fixes. On 64 bits, which is checked. */
static const gl_layout layout_3_11 = {
    .version = 0x030B,
    .runtime_size = GL_NOWHERE,
    .interpreters = 40,
    .runtime_gil = 360,
    .interpreter_size = GL_NOWHERE,
    .interpreter_next = 0,
    .interpreter_id = 48,
    .interpreter_threads = 16,
    .interpreter_gil = GL_NOWHERE,
    .gil_locked = 16,
    .gil_holder = 8,
    .gil_enabled = GL_NOWHERE,
    .thread_next = 8,
    .thread_interpreter = 16,
    .thread_frame = 56,
    .thread_cframe = 8,
    .thread_ident = 152,
    .thread_native = 160,
    .thread_wants = GL_NOWHERE,
    .thread_state = GL_NOWHERE,
    .thread_section = GL_NOWHERE,
    .frame_previous = 48,
    .frame_code = 32,
    .frame_owner = 69,
    .code_file = 112,
    .code_name = 128,
    .code_line = 72,
    .object_type = 8,
    .type_name = 24,
    .text_length = 16,
    .text_state = 32,
    .text_ascii = 48,
    .text_compact = 72,
};
static const gl_layout layout_3_12 = {
    .version = 0x030C,
    .runtime_size = GL_NOWHERE,
    .interpreters = 40,
    .runtime_gil = GL_NOWHERE,
    .interpreter_size = GL_NOWHERE,
    .interpreter_next = 0,
    .interpreter_id = 8,
    .interpreter_threads = 72,
    .interpreter_gil = 384,
    .gil_locked = 16,
    .gil_holder = 8,
    .gil_enabled = GL_NOWHERE,
    .thread_next = 8,
    .thread_interpreter = 16,
    .thread_frame = 56,
    .thread_cframe = 0,
    .thread_ident = 136,
    .thread_native = 144,
    .thread_wants = GL_NOWHERE,
    .thread_state = GL_NOWHERE,
    .thread_section = GL_NOWHERE,
    .frame_previous = 8,
    .frame_code = 0,
    .frame_owner = 70,
    .code_file = 112,
    .code_name = 128,
    .code_line = 68,
    .object_type = 8,
    .type_name = 24,
    .text_length = 16,
    .text_state = 32,
    .text_ascii = 40,
    .text_compact = 56,
};

/* Of the table at the head of _PyRuntime, the number of the word that holds each offset, counted
 * after the eight bytes of its cookie: the order of the fields in _Py_DebugOffsets. */
typedef struct {
    uint32_t version;
#define GL_OFFSET(name) uint8_t name;
    GL_OFFSETS(GL_OFFSET)
#undef GL_OFFSET
    uint8_t lock;  /* what the three of the lock are counted from */
    /* The offsets themselves of two that are in no table. */
    uint8_t state, section;
} gl_words;

enum { GL_NONE = 255, GL_VERSION = 0, GL_FREE_THREADED = 1 };
static const char cookie[8] = "xdebugpy";

#define GL_SAME                                                                              \
    .runtime_size = 2, .interpreter_size = 5, .runtime_gil = GL_NONE,                        \
    .thread_cframe = GL_NONE, .thread_state = GL_NONE, .thread_section = GL_NONE,            \
    .text_compact = GL_NONE
static const gl_words words_3_13 = {
    GL_SAME,
    .version = 0x030D,
    .state = 40,
    .section = 176,
    .interpreters = 4,
    .interpreter_next = 7,
    .interpreter_id = 6,
    .interpreter_threads = 8,
    .interpreter_gil = 13,
    .lock = 14,
    .gil_enabled = 15,
    .gil_locked = 16,
    .gil_holder = 17,
    .thread_next = 20,
    .thread_interpreter = 21,
    .thread_frame = 22,
    .thread_ident = 23,
    .thread_native = 24,
    .thread_wants = GL_NONE,
    .frame_previous = 28,
    .frame_code = 29,
    .frame_owner = 32,
    .code_file = 34,
    .code_name = 36,
    .code_line = 38,
    .object_type = 44,
    .type_name = 46,
    .text_state = 67,
    .text_length = 68,
    .text_ascii = 69,
};
static const gl_words words_3_14 = {
    GL_SAME,
    .version = 0x030E,
    .state = 44,
    .section = 176,
    .interpreters = 4,
    .interpreter_next = 7,
    .interpreter_id = 6,
    .interpreter_threads = 8,
    .interpreter_gil = 14,
    .lock = 15,
    .gil_enabled = 16,
    .gil_locked = 17,
    .gil_holder = 18,
    .thread_next = 23,
    .thread_interpreter = 24,
    .thread_frame = 25,
    .thread_ident = 26,
    .thread_native = 27,
    .thread_wants = GL_NONE,
    .frame_previous = 31,
    .frame_code = 32,
    .frame_owner = 35,
    .code_file = 39,
    .code_name = 41,
    .code_line = 43,
    .object_type = 50,
    .type_name = 52,
    .text_state = 77,
    .text_length = 78,
    .text_ascii = 79,
};
static const gl_words words_3_15 = {
    GL_SAME,
    .version = 0x030F,
    .state = 48,
    .section = 200,
    .interpreters = 4,
    .interpreter_next = 7,
    .interpreter_id = 6,
    .interpreter_threads = 8,
    .interpreter_gil = 14,
    .lock = 15,
    .gil_enabled = 16,
    .gil_locked = 17,
    .gil_holder = 18,
    .thread_next = 23,
    .thread_interpreter = 24,
    .thread_frame = 25,
    .thread_ident = 29,
    .thread_native = 30,
    .thread_wants = 34,
    .frame_previous = 39,
    .frame_code = 40,
    .frame_owner = 43,
    .code_file = 47,
    .code_name = 49,
    .code_line = 51,
    .object_type = 58,
    .type_name = 60,
    .text_state = 89,
    .text_length = 90,
    .text_ascii = 91,
};
#undef GL_SAME

static uint32_t word(const unsigned char *head, uint8_t number)
{
    uint64_t value;
    if (number == GL_NONE)
        return GL_NOWHERE;
    memcpy(&value, head + sizeof cookie + number * sizeof value, sizeof value);
    return value < GL_NOWHERE ? (uint32_t)value : GL_NOWHERE;
}

static const char *read_table(gl_layout *layout, const unsigned char *head, size_t size)
{
    static const gl_words *const known[] = {&words_3_13, &words_3_14, &words_3_15};
    uint64_t version;
    const gl_words *words = NULL;
    if (size < GL_LAYOUT_HEAD || memcmp(head, cookie, sizeof cookie) != 0)
        return "CPython's table of debug offsets is not where it should be";
    memcpy(&version, head + sizeof cookie, sizeof version);
    layout->version = (uint32_t)(version >> 16);
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        if (known[i]->version == layout->version)
            words = known[i];
    }
    if (words == NULL)
        return "its version of CPython is not known here";
    layout->free_threaded = word(head, GL_FREE_THREADED) != 0;
#define GL_OFFSET(name) layout->name = word(head, words->name);
    GL_OFFSETS(GL_OFFSET)
#undef GL_OFFSET
    layout->gil_locked -= word(head, words->lock);
    layout->gil_holder -= word(head, words->lock);
    /* Which is counted from the lock already, unlike the others. */
    if (!layout->free_threaded)
        layout->gil_enabled = GL_NOWHERE;
    layout->thread_state = layout->free_threaded ? words->state : GL_NOWHERE;
    layout->thread_section = layout->free_threaded ? words->section : GL_NOWHERE;
    /* PyCompactUnicodeObject: a length and a pointer more. */
    layout->text_compact = layout->text_ascii + 16;
    return NULL;
}

const char *gl_layout_read(gl_layout *layout, uint32_t version, const unsigned char *head,
                           size_t size)
{
    memset(layout, 0, sizeof *layout);
    if (sizeof(void *) != 8)
        return "it reads CPython of 64 bits only";
    if (version == layout_3_11.version || version == layout_3_12.version) {
        *layout = version == layout_3_11.version ? layout_3_11 : layout_3_12;
        return NULL;
    }
    return read_table(layout, head, size);
}

#if defined(PYPY_VERSION) || defined(GRAALVM_PYTHON)

const char *gl_layout_locate(gl_layout *layout, uintptr_t *runtime, uintptr_t *code_type)
{
    (void)layout;
    (void)runtime;
    (void)code_type;
    return "this is not CPython, whose frames it reads";
}

int gl_layout_tells_sections(const gl_layout *layout)
{
    (void)layout;
    return 0;
}

#else

/* All that is asked of it is its address, which needs no internal header. */
PyAPI_DATA(struct pyruntimestate) _PyRuntime;

const char *gl_layout_locate(gl_layout *layout, uintptr_t *runtime, uintptr_t *code_type)
{
    *runtime = (uintptr_t)&_PyRuntime;
    *code_type = (uintptr_t)&PyCode_Type;
    return gl_layout_read(layout, PY_VERSION_HEX >> 16, (const unsigned char *)&_PyRuntime,
                          GL_LAYOUT_HEAD);
}

#if defined(Py_GIL_DISABLED)

int gl_layout_tells_sections(const gl_layout *layout)
{
    const char *self = (const char *)PyThreadState_Get();
    PyCriticalSection section;
    uintptr_t top, words[2];
    PyObject *object = PyList_New(0);
    if (object == NULL) {
        PyErr_Clear();
        return 0;
    }
    PyCriticalSection_Begin(&section, object);
    memcpy(&top, self + layout->thread_section, sizeof top);
    memcpy(words, &section, sizeof words);
    PyCriticalSection_End(&section);
    Py_DECREF(object);
    return (top & ~(uintptr_t)3) == (uintptr_t)&section &&
           words[1] == (uintptr_t)object + GL_OBJECT_MUTEX;
}

#else

int gl_layout_tells_sections(const gl_layout *layout)
{
    (void)layout;
    return 0;
}

#endif

#endif
