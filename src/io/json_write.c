/* json_write.c - JSON put down value by value; see json.h. The layout is ours, so that the same
 * values give the same bytes: insertion order, one line feed and `indent` spaces a level, reals with
 * the fewest digits that read back. */
#include "io/json.h"

#include <math.h>
#include <string.h>

#include "base/alloc.h"
#include "base/status.h"
#include "io/buffer.h"
#include "base/utf8.h"

struct ur_json_writer {
    ur_buffer text;
    int indent, depth;
    bool empty; /* nothing was put at this level yet */
};

ur_status ur_json_writer_new(const ur_allocator *a, int indent, ur_json_writer **out, ur_err *err)
{
    ur_json_writer *w = ur_alloc_zero(a, 1, sizeof *w);
    *out = w;
    if (w == NULL)
        return ur_no_memory(err, sizeof *w);
    *w = (ur_json_writer){.text = ur_buffer_start(a), .indent = indent, .empty = true};
    return UR_OK;
}

void ur_json_writer_free(ur_json_writer *w)
{
    if (w == NULL)
        return;
    const ur_allocator *a = w->text.allocator;
    ur_buffer_free(&w->text);
    ur_free(a, w);
}

static void new_line(ur_json_writer *w)
{
    if (w->indent == 0)
        return;
    ur_buffer_put(&w->text, "\n", 1);
    for (int i = 0; i < w->depth * w->indent; i++)
        ur_buffer_put(&w->text, " ", 1);
}

/* path: bytes that are not UTF-8 are kept. */
static void put_quoted(ur_buffer *b, const char *text, bool path)
{
    static const char hex[] = "0123456789abcdef";
    ur_buffer_put(b, "\"", 1);
    for (uint32_t c; *text;) {
        const unsigned char byte = (unsigned char)*text;
        if (path && ur_utf8_decode(text, strnlen(text, 4), &c) == 0) {
            ur_buffer_put(b, (const char[]){'\\', 'u', 'd', 'c', hex[byte >> 4], hex[byte & 15]},
                          6);
            text++;
            continue;
        }
        c = ur_utf8_next(&text);
        char bytes[6] = {'\\', 'u', '0', '0'};
        if (c == '"' || c == '\\') {
            bytes[1] = (char)c;
            ur_buffer_put(b, bytes, 2);
        } else if (c == '\n' || c == '\t') {
            bytes[1] = c == '\n' ? 'n' : 't';
            ur_buffer_put(b, bytes, 2);
        } else if (c < 0x20 || c == 0x7F) {
            bytes[4] = hex[c >> 4];
            bytes[5] = hex[c & 15];
            ur_buffer_put(b, bytes, 6);
        } else {
            ur_buffer_put(b, bytes, ur_utf8_encode(c, bytes));
        }
    }
    ur_buffer_put(b, "\"", 1);
}

/* What stands before every value: comma, line, key. */
static void begin_value(ur_json_writer *w, const char *key)
{
    if (!w->empty)
        ur_buffer_text(&w->text, w->indent == 0 ? ", " : ",");
    if (w->depth > 0)
        new_line(w);
    if (key != NULL) {
        put_quoted(&w->text, key, false);
        ur_buffer_put(&w->text, ": ", 2);
    }
    w->empty = false;
}

static void open_value(ur_json_writer *w, const char *key, const char *bracket)
{
    begin_value(w, key);
    ur_buffer_text(&w->text, bracket);
    w->depth++;
    w->empty = true;
}

static void close_value(ur_json_writer *w, const char *bracket)
{
    w->depth--;
    if (!w->empty)
        new_line(w);
    ur_buffer_text(&w->text, bracket);
    w->empty = false;
}

void ur_json_open_object(ur_json_writer *w, const char *key)
{
    open_value(w, key, "{");
}

void ur_json_close_object(ur_json_writer *w)
{
    close_value(w, "}");
}

void ur_json_open_list(ur_json_writer *w, const char *key)
{
    open_value(w, key, "[");
}

void ur_json_close_list(ur_json_writer *w)
{
    close_value(w, "]");
}

void ur_json_put_int(ur_json_writer *w, const char *key, int64_t value)
{
    begin_value(w, key);
    ur_buffer_int(&w->text, value);
}

void ur_json_put_real(ur_json_writer *w, const char *key, double value)
{
    begin_value(w, key);
    if (isfinite(value))
        ur_buffer_real(&w->text, value);
    else
        ur_buffer_text(&w->text, "null");
}

void ur_json_put_bool(ur_json_writer *w, const char *key, bool value)
{
    begin_value(w, key);
    ur_buffer_text(&w->text, value ? "true" : "false");
}

void ur_json_put_string(ur_json_writer *w, const char *key, const char *value)
{
    begin_value(w, key);
    put_quoted(&w->text, value, false);
}

void ur_json_put_path(ur_json_writer *w, const char *key, const char *value)
{
    begin_value(w, key);
    put_quoted(&w->text, value, true);
}

void ur_json_put_null(ur_json_writer *w, const char *key)
{
    begin_value(w, key);
    ur_buffer_text(&w->text, "null");
}

const char *ur_json_text(const ur_json_writer *w, size_t *size, ur_err *err)
{
    if (w->text.failed) {
        ur_no_memory(err, w->text.size);
        return NULL;
    }
    if (size != NULL)
        *size = w->text.size;
    return w->text.text == NULL ? "" : w->text.text;
}

ur_status ur_json_save(ur_json_writer *w, const char *path, ur_err *err)
{
    ur_buffer_put(&w->text, "\n", 1);
    return ur_buffer_save(&w->text, path, err);
}
