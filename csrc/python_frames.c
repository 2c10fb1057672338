#include "python_frames.h"

#include <string.h>

#include "platform.h"

#define GL_MOST_FRAMES 8    /* that are no Python function's, one after the other */
#define GL_FRAME_BYTES 96   /* of a frame */
#define GL_CODE_BYTES 160   /* of a code object */
#define GL_TEXT_BYTES 1024  /* of a str */
#define GL_OWNER_FUNCTION 3 /* frames of owners from here on are of the interpreter's own */

int gl_python_read(const gl_python *python, uintptr_t address, void *buffer, size_t size)
{
    return gl_read_process(python->pid, address, buffer, size);
}

uintptr_t gl_python_pointer(const gl_python *python, uintptr_t address)
{
    uintptr_t value;
    return gl_python_read(python, address, &value, sizeof value) == 0 ? value : 0;
}

static int is_code(gl_python *python, uintptr_t type)
{
    char name[8] = "";
    uintptr_t named;
    if (python->code_type != 0 || type == 0)
        return type != 0 && type == python->code_type;
    named = gl_python_pointer(python, type + python->layout.type_name);
    if (named == 0 || gl_python_read(python, named, name, 5) != 0 || strcmp(name, "code") != 0)
        return 0;
    python->code_type = type;
    return 1;
}

static int read_code(gl_python *python, uintptr_t code, gl_function *function)
{
    const gl_layout *layout = &python->layout;
    unsigned char bytes[GL_CODE_BYTES];
    const size_t size = GL_MAX(GL_MAX(layout->code_file, layout->code_name),
                               GL_MAX(layout->code_line, layout->object_type)) +
                        sizeof(uintptr_t);
    if (size > sizeof bytes || gl_python_read(python, code, bytes, size) != 0 ||
        !is_code(python, gl_pointer_at(bytes, layout->object_type)))
        return -1;
    function->code = code;
    function->file = gl_pointer_at(bytes, layout->code_file);
    function->name = gl_pointer_at(bytes, layout->code_name);
    memcpy(&function->line, bytes + layout->code_line, sizeof function->line);
    return 0;
}

int gl_python_function(gl_python *python, uintptr_t thread, gl_function *function)
{
    const gl_layout *layout = &python->layout;
    unsigned char bytes[GL_FRAME_BYTES];
    uintptr_t at = thread + layout->thread_frame;
    uintptr_t frame;
    if (layout->thread_cframe != GL_NOWHERE) {
        at = gl_python_pointer(python, at);
        if (at == 0)
            return GL_TORN;
        at += layout->thread_cframe;
    }
    if (gl_python_read(python, at, &frame, sizeof frame) != 0)
        return GL_TORN;
    for (int i = 0; i < GL_MOST_FRAMES; i++) {
        const size_t size = GL_MAX(GL_MAX(layout->frame_code, layout->frame_previous),
                                   layout->frame_owner) +
                            sizeof(uintptr_t);
        if (frame == 0)
            return GL_NO_FUNCTION;
        if (size > sizeof bytes || gl_python_read(python, frame, bytes, size) != 0)
            return GL_TORN;
        if (bytes[layout->frame_owner] < GL_OWNER_FUNCTION) {
            /* From 3.14 on the lowest bits say how it is counted. */
            const uintptr_t code = gl_pointer_at(bytes, layout->frame_code) & ~(uintptr_t)7;
            return read_code(python, code, function) == 0 ? GL_FUNCTION : GL_TORN;
        }
        frame = gl_pointer_at(bytes, layout->frame_previous);
    }
    return GL_TORN;
}

static size_t put_utf8(char *buffer, uint32_t point)
{
    if (point < 0x80) {
        buffer[0] = (char)point;
        return 1;
    }
    if (point < 0x800) {
        buffer[0] = (char)(0xC0 | point >> 6);
        buffer[1] = (char)(0x80 | (point & 0x3F));
        return 2;
    }
    if (point < 0x10000) {
        buffer[0] = (char)(0xE0 | point >> 12);
        buffer[1] = (char)(0x80 | (point >> 6 & 0x3F));
        buffer[2] = (char)(0x80 | (point & 0x3F));
        return 3;
    }
    buffer[0] = (char)(0xF0 | (point >> 18 & 0x07));
    buffer[1] = (char)(0x80 | (point >> 12 & 0x3F));
    buffer[2] = (char)(0x80 | (point >> 6 & 0x3F));
    buffer[3] = (char)(0x80 | (point & 0x3F));
    return 4;
}

static uint32_t point_at(const unsigned char *bytes, size_t index, size_t kind)
{
    uint32_t point = 0;
    for (size_t i = 0; i < kind; i++) {
#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
        point = point << 8 | bytes[index * kind + i];
#else
        point |= (uint32_t)bytes[index * kind + i] << 8 * i;
#endif
    }
    /* A surrogate alone is no character, and UTF-8 has none. */
    return point >= 0xD800 && point < 0xE000 ? 0xFFFD : point > 0x10FFFF ? 0xFFFD : point;
}

int gl_python_text(const gl_python *python, uintptr_t text, char *buffer, size_t size, int tail)
{
    const gl_layout *layout = &python->layout;
    unsigned char bytes[GL_TEXT_BYTES];
    uint64_t length;
    uint32_t state, kind, offset;
    size_t most, widest, written = 0;
    buffer[0] = '\0';
    if (text == 0 || gl_python_read(python, text + layout->text_length, &length, 8) != 0 ||
        gl_python_read(python, text + layout->text_state, &state, sizeof state) != 0)
        return -1;
    /* Before it stands how it is interned: 2 bits, or a char where there is no GIL, from 3.14 on. */
    state >>= layout->free_threaded && layout->version >= 0x030E ? 8 : 2;
    kind = state & 7;
    offset = state >> 4 & 1 ? layout->text_ascii : layout->text_compact;
    if ((kind != 1 && kind != 2 && kind != 4) || !(state >> 3 & 1) || length > UINT32_MAX)
        return -1;
    /* The bytes of UTF-8 that a character of this kind may need. */
    widest = state >> 4 & 1 ? 1 : kind == 4 ? 4 : kind + 1;
    most = (size - 1) / widest;
    if (most > sizeof bytes / kind)
        most = sizeof bytes / kind;
    if (length > most) {
        if (tail)
            offset += (uint32_t)((length - most) * kind);
        length = most;
    }
    if (gl_python_read(python, text + offset, bytes, (size_t)length * kind) != 0)
        return -1;
    for (size_t i = 0; i < length; i++)
        written += put_utf8(buffer + written, point_at(bytes, i, kind));
    buffer[written] = '\0';
    return 0;
}
