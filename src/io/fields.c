/* fields.c - configuration structs as JSON; see fields.h. */
#include "io/fields.h"

#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/field.h"
#include "base/status.h"

/* Bytes of the object's name that a field stands in: of "text.lower" 4, else 0. */
static size_t object_length(const ur_field *f)
{
    const char *dot = strchr(f->name, '.');
    return dot ? (size_t)(dot - f->name) : 0;
}

static bool same_object(const ur_field *a, const ur_field *b)
{
    const size_t n = object_length(a);
    return n == object_length(b) && strncmp(a->name, b->name, n) == 0;
}

static const char *key_of(const ur_field *f)
{
    const size_t n = object_length(f);
    return n ? f->name + n + 1 : f->name;
}

static void object_name(const ur_field *f, char name[64])
{
    snprintf(name, 64, "%.*s", (int)object_length(f), f->name);
}

/* ---- writing ------------------------------------------------------------------------------ */

static const char *text_at(const ur_field *f, const void *config)
{
    const char *text;
    memcpy(&text, (const char *)config + f->offset, sizeof text);
    return text;
}

static void put_field(ur_json_writer *w, const ur_field *f, const void *config)
{
    const char *key = key_of(f), *at = (const char *)config + f->offset;
    char word[64];
    bool truth;
    size_t size;
    int32_t id;
    uint64_t seed;
    double real;
    float single;
    switch (f->type) {
    case UR_FIELD_BOOL:
        memcpy(&truth, at, sizeof truth);
        ur_json_put_bool(w, key, truth);
        return;
    case UR_FIELD_SIZE:
        memcpy(&size, at, sizeof size);
        if (size <= INT64_MAX) {
            ur_json_put_int(w, key, (int64_t)size);
            return;
        }
        break;
    case UR_FIELD_ID:
        memcpy(&id, at, sizeof id);
        ur_json_put_int(w, key, id);
        return;
    case UR_FIELD_SEED:
        memcpy(&seed, at, sizeof seed);
        ur_json_put_int(w, key, (int64_t)seed);
        return;
    case UR_FIELD_REAL:
        memcpy(&real, at, sizeof real);
        ur_json_put_real(w, key, real);
        return;
    case UR_FIELD_FLOAT:
        memcpy(&single, at, sizeof single);
        ur_json_put_real(w, key, (double)single);
        return;
    case UR_FIELD_TEXT:
        if (text_at(f, config))
            ur_json_put_path(w, key, text_at(f, config));
        else
            ur_json_put_null(w, key);
        return;
    case UR_FIELD_ENUM:
    case UR_FIELD_NAME:
        break;
    }
    ur_field_print(f, config, word, sizeof word);
    ur_json_put_string(w, key, word);
}

void ur_json_put_fields(ur_json_writer *w, const ur_field *fields, const void *config)
{
    for (const ur_field *f = fields; f->name; f++) {
        char name[64];
        object_name(f, name);
        if (*name && (f == fields || !same_object(f - 1, f)))
            ur_json_open_object(w, name);
        put_field(w, f, config);
        if (*name && (!f[1].name || !same_object(f, f + 1)))
            ur_json_close_object(w);
    }
}

/* ---- reading ------------------------------------------------------------------------------ */

static ur_status refuse(const ur_field *f, const ur_json_value *value, ur_err *err)
{
    char what[UR_FIELD_EXPECTED];
    ur_field_expected(f, what);
    return ur_json_expected(value, what, err);
}

static ur_status get_text(const ur_allocator *a, const ur_json_value *value, const ur_field *f,
                          void *config, ur_err *err)
{
    char *copy = NULL;
    if (!ur_json_is_null(value)) {
        const ur_status status = ur_json_path(a, value, &copy, err);
        if (status != UR_OK)
            return status;
        if ((double)strlen(copy) < f->least) {
            ur_free(a, copy);
            return refuse(f, value, err);
        }
    }
    memcpy((char *)config + f->offset, &copy, sizeof copy);
    return UR_OK;
}

/* A value that is there. */
static ur_status get_field(const ur_allocator *a, const ur_json_value *value, const ur_field *f,
                           void *config, ur_err *err)
{
    const char *word = NULL;
    int64_t whole;
    uint64_t seed;
    double real;
    bool truth;
    switch (f->type) {
    case UR_FIELD_BOOL:
        if (ur_json_bool(value, &truth, NULL) != UR_OK)
            return refuse(f, value, err);
        memcpy((char *)config + f->offset, &truth, sizeof truth);
        return UR_OK;
    case UR_FIELD_SEED:
        if (ur_json_int(value, INT64_MIN, INT64_MAX, &whole, NULL) != UR_OK)
            return refuse(f, value, err);
        seed = (uint64_t)whole;
        memcpy((char *)config + f->offset, &seed, sizeof seed);
        return UR_OK;
    case UR_FIELD_SIZE:
    case UR_FIELD_ID:
        if (ur_json_int(value, INT64_MIN, INT64_MAX, &whole, NULL) == UR_OK)
            return ur_field_put_number(f, config, (double)whole) ? UR_OK : refuse(f, value, err);
        break;
    case UR_FIELD_REAL:
    case UR_FIELD_FLOAT:
        if (ur_json_real(value, -1e300, 1e300, &real, NULL) != UR_OK ||
            !ur_field_put_number(f, config, real))
            return refuse(f, value, err);
        return UR_OK;
    case UR_FIELD_TEXT:
        return get_text(a, value, f, config, err);
    case UR_FIELD_ENUM:
    case UR_FIELD_NAME:
        break;
    }
    if (ur_json_string(value, &word, NULL) != UR_OK || (*word >= '0' && *word <= '9') ||
        ur_field_set(f, config, word, NULL) != UR_OK)
        return refuse(f, value, err);
    return UR_OK;
}

/* What a missing key means. */
static ur_status set_absent(const ur_allocator *a, const ur_field *f, void *config, ur_err *err)
{
    if (f->type != UR_FIELD_TEXT)
        return ur_field_set(f, config, f->absent, err);
    char *copy = *f->absent ? ur_strdup(a, f->absent) : NULL;
    memcpy((char *)config + f->offset, &copy, sizeof copy);
    return copy || !*f->absent ? UR_OK : ur_no_memory(err, strlen(f->absent) + 1);
}

/* The key that one of `others` is in f's object (NULL: in none); NULL: it is not in it. */
static const char *other_key(const char *other, const ur_field *f)
{
    const char *dot = strchr(other, '.');
    if (!f)
        return dot ? NULL : other;
    const size_t size = object_length(f);
    return dot && (size_t)(dot - other) == size && strncmp(other, f->name, size) == 0 ? dot + 1
                                                                                      : NULL;
}

/* Refuses keys of `object` that are no fields with f's object (NULL: none), nor `others`. */
static ur_status check_keys(const ur_allocator *a, const ur_json_value *object,
                            const ur_field *fields, const ur_field *f, const char *const *others,
                            size_t n, ur_err *err)
{
    size_t count = 0;
    for (const ur_field *g = fields; g->name; g++)
        count++;
    const char **keys = ur_alloc(a, 2 * count + n + 1, sizeof *keys);
    char(*names)[64] = ur_alloc(a, count + 1, sizeof *names);
    ur_status status = keys && names ? UR_OK : ur_no_memory(err, count * sizeof *names);
    size_t used = 0;
    for (size_t i = 0; status == UR_OK && i < n; i++) {
        const char *key = other_key(others[i], f);
        if (key)
            keys[used++] = key;
    }
    for (size_t i = 0; status == UR_OK && i < count; i++) {
        const ur_field *g = &fields[i];
        if (f ? same_object(f, g) : object_length(g) == 0) {
            keys[used++] = key_of(g);
        } else if (!f) {
            object_name(g, names[i]);
            keys[used++] = names[i];
        }
    }
    if (status == UR_OK)
        status = ur_json_only(object, keys, used, err);
    ur_free(a, names);
    ur_free(a, keys);
    return status;
}

static ur_status get_all(const ur_allocator *a, const ur_json_value *root, const ur_field *fields,
                         void *config, const char *const *others, size_t n, ur_err *err)
{
    ur_json_value object = *root;
    ur_status status = UR_OK;
    for (const ur_field *f = fields; f->name && status == UR_OK; f++) {
        char name[64];
        object_name(f, name);
        if (f == fields || !same_object(f - 1, f)) {
            object = *name ? ur_json_member(root, name) : *root;
            if (*name && !(f->absent && ur_json_is_missing(&object)))
                status = check_keys(a, &object, fields, f, others, n, err);
        }
        const ur_json_value value = ur_json_member(&object, key_of(f));
        if (status != UR_OK)
            break;
        if (!ur_json_is_missing(&value) || !f->absent)
            status = get_field(a, &value, f, config, err);
        else
            status = set_absent(a, f, config, err);
    }
    return status;
}

ur_status ur_json_get_fields(const ur_allocator *a, const ur_json_value *object,
                             const ur_field *fields, void *config, const char *const *others,
                             size_t n, ur_err *err)
{
    ur_status status = check_keys(a, object, fields, NULL, others, n, err);
    if (status == UR_OK)
        status = get_all(a, object, fields, config, others, n, err);
    if (status != UR_OK)
        ur_fields_free(a, fields, config);
    return status;
}

/* ---- texts -------------------------------------------------------------------------------- */

void ur_fields_free(const ur_allocator *a, const ur_field *fields, void *config)
{
    for (const ur_field *f = fields; f->name; f++) {
        char *text;
        if (f->type != UR_FIELD_TEXT)
            continue;
        memcpy(&text, (const char *)config + f->offset, sizeof text);
        ur_free(a, text);
        text = NULL;
        memcpy((char *)config + f->offset, &text, sizeof text);
    }
}

bool ur_fields_copy_texts(const ur_allocator *a, const ur_field *fields, void *config)
{
    bool ok = true;
    for (const ur_field *f = fields; f->name; f++) {
        if (f->type != UR_FIELD_TEXT)
            continue;
        const char *text = text_at(f, config);
        char *copy = text && ok ? ur_strdup(a, text) : NULL;
        ok = ok && (copy || !text);
        memcpy((char *)config + f->offset, &copy, sizeof copy);
    }
    if (!ok)
        ur_fields_free(a, fields, config);
    return ok;
}
