/* json.h - configuration files and metrics as JSON (RFC 8259), strictly.
 *
 * Reading: a document is loaded whole; a value is a small struct passed around by value, which knows
 * where it stands, so that each error is a sentence that helps:
 *     config.json: "hidden_size" is "abc", expected a whole number from 1 to 65536
 * Duplicate keys, anything after the end and keys that are not known are errors. Writing: values are
 * put one after the other, in the order of the calls, with a fixed layout. */
#ifndef UR_IO_JSON_H
#define UR_IO_JSON_H

#include "unroll/core.h"

/* ---- reading ------------------------------------------------------------------------------ */

/* A loaded document. */
typedef struct ur_json ur_json;

/* A value in a document, or the place where one is missing. Valid until the document is freed. */
typedef struct ur_json_value {
    const ur_json *document;
    const struct ur_json_node *node; /* NULL when missing */
    const char *file;
    size_t line;   /* in a file of JSON lines: which one; else 0 */
    char name[88]; /* "encoder.layers[2]": where it stands, "" for the whole document */
} ur_json_value;

/* Loads the JSON file at `path` (at most 16 MB). A file that is missing or is not JSON is
 * UR_BAD_FILE, the sentence beginning "path:line:". */
ur_status ur_json_load(const ur_allocator *a, const char *path, ur_json **out, ur_err *err);

/* Loads a file of JSON lines (one value a line, such as metrics.jsonl, at most 256 MB) as a list. A
 * last line without its line feed that is not JSON is dropped: the writer was stopped in it. */
ur_status ur_json_load_lines(const ur_allocator *a, const char *path, ur_json **out, ur_err *err);

/* The same as ur_json_load for a text in memory; `name` is what messages call it. */
ur_status ur_json_parse(const ur_allocator *a, const char *name, const char *text, size_t size,
                        ur_json **out, ur_err *err);

void ur_json_free(ur_json *document); /* accepts NULL */

ur_json_value ur_json_root(const ur_json *document);

/* The value under `key`; missing when there is none or `object` is no object. */
ur_json_value ur_json_member(const ur_json_value *object, const char *key);
/* The value at `index`; missing when there is none or `list` is no list. */
ur_json_value ur_json_item(const ur_json_value *list, size_t index);

/* The key of member number `index` of an object, in the file's order; NULL behind the last. And its value. */
const char *ur_json_key(const ur_json_value *object, size_t index);
ur_json_value ur_json_member_at(const ur_json_value *object, size_t index);

bool ur_json_is_missing(const ur_json_value *value);
bool ur_json_is_null(const ur_json_value *value);

/* What a value must be. Each is UR_BAD_FILE when the value is missing, of another kind or outside
 * the range given (its ends included), and leaves *out alone then. */
ur_status ur_json_int(const ur_json_value *value, int64_t least, int64_t most, int64_t *out,
                      ur_err *err);
ur_status ur_json_real(const ur_json_value *value, double least, double most, double *out,
                       ur_err *err); /* a whole number will do, too */
ur_status ur_json_bool(const ur_json_value *value, bool *out, ur_err *err);
ur_status ur_json_string(const ur_json_value *value, const char **out, ur_err *err); /* UTF-8 */
/* In fresh memory the bytes that ur_json_put_path wrote, which need not be UTF-8. */
ur_status ur_json_path(const ur_allocator *a, const ur_json_value *value, char **out, ur_err *err);
/* One of `n` words: *out becomes its index. */
ur_status ur_json_choice(const ur_json_value *value, const char *const *words, size_t n, int *out,
                         ur_err *err);
ur_status ur_json_list(const ur_json_value *value, size_t most, size_t *length, ur_err *err);
ur_status ur_json_object(const ur_json_value *value, ur_err *err);

/* The same for a member of an object: ur_json_get_int(&config, "hidden_size", 1, 65536, &n, err). */
ur_status ur_json_get_int(const ur_json_value *object, const char *key, int64_t least, int64_t most,
                          int64_t *out, ur_err *err);
ur_status ur_json_get_real(const ur_json_value *object, const char *key, double least, double most,
                           double *out, ur_err *err);
ur_status ur_json_get_bool(const ur_json_value *object, const char *key, bool *out, ur_err *err);
ur_status ur_json_get_string(const ur_json_value *object, const char *key, const char **out,
                             ur_err *err);
ur_status ur_json_get_choice(const ur_json_value *object, const char *key, const char *const *words,
                             size_t n, int *out, ur_err *err);

/* UR_BAD_FILE: where the value stands, what stands there, and that `what` was expected. */
ur_status ur_json_expected(const ur_json_value *value, const char *what, ur_err *err);

/* Insists that `object` is one and has no key but these `n`. */
ur_status ur_json_only(const ur_json_value *object, const char *const *keys, size_t n, ur_err *err);

/* ---- writing ------------------------------------------------------------------------------ */

/* A text in the making. Failure is sticky: after it the calls do nothing, and the end tells. */
typedef struct ur_json_writer ur_json_writer;

/* `indent` spaces a level and a value a line, or everything on one line when 0. */
ur_status ur_json_writer_new(const ur_allocator *a, int indent, ur_json_writer **out, ur_err *err);
void ur_json_writer_free(ur_json_writer *w); /* accepts NULL */

/* `key` names the value inside an object and is NULL in a list and at the top. Strings are UTF-8;
 * bytes that are not become U+FFFD. Reals are written with the fewest digits that read back the
 * same; one that is not finite, which JSON cannot say, becomes null. */
void ur_json_open_object(ur_json_writer *w, const char *key);
void ur_json_close_object(ur_json_writer *w);
void ur_json_open_list(ur_json_writer *w, const char *key);
void ur_json_close_list(ur_json_writer *w);
void ur_json_put_int(ur_json_writer *w, const char *key, int64_t value);
void ur_json_put_real(ur_json_writer *w, const char *key, double value);
void ur_json_put_bool(ur_json_writer *w, const char *key, bool value);
void ur_json_put_string(ur_json_writer *w, const char *key, const char *value);
/* A string that names a file, which may be any bytes: those that are not UTF-8 are \udc80 to \udcff, as
 * Python's surrogateescape has them. */
void ur_json_put_path(ur_json_writer *w, const char *key, const char *value);
void ur_json_put_null(ur_json_writer *w, const char *key);

/* The text so far, zero-terminated, without a line feed at its end, valid until the next call; NULL
 * and UR_NO_MEMORY in *err when memory ran out on the way. */
const char *ur_json_text(const ur_json_writer *w, size_t *size, ur_err *err);

/* Replaces the file at `path` by the text and a line feed, atomically. */
ur_status ur_json_save(ur_json_writer *w, const char *path, ur_err *err);

#endif
