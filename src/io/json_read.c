/* json_read.c - loading JSON and asking values for what they must be; see json.h. The parser is
 * jansson's; its objects keep the order of the file and its strings are checked UTF-8. */
#include "io/json.h"

#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/file.h"
#include "base/status.h"
#include "base/utf8.h"

#define FILE_LIMIT ((size_t)16 << 20)
#define LINES_LIMIT ((size_t)256 << 20)

struct ur_json {
    const ur_allocator *allocator;
    char *name;
    json_t *root;
    bool lines;
};

/* ---- loading ------------------------------------------------------------------------------ */

/* One JSON text; `line` is the number of its first line. */
static ur_status parse(const char *name, const char *text, size_t size, size_t line, json_t **out,
                       ur_err *err)
{
    json_error_t why;
    *out = json_loadb(text, size, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &why);
    if (*out != NULL)
        return UR_OK;
    if (json_error_code(&why) == json_error_out_of_memory)
        return ur_no_memory(err, size);
    size_t at = line + (why.line > 0 ? (size_t)why.line - 1 : 0);
    char shown[UR_SHOWN];
    return ur_fail(err, UR_BAD_FILE, "%s:%zu: not valid JSON: %s", name, at,
                   ur_shown(shown, why.text));
}

static ur_status parse_lines(ur_json *doc, const char *text, size_t size, ur_err *err)
{
    doc->lines = true;
    doc->root = json_array();
    if (doc->root == NULL)
        return ur_no_memory(err, size);
    size_t line = 1;
    for (size_t begin = 0; begin < size; line++) {
        const char *feed = memchr(text + begin, '\n', size - begin);
        size_t length = feed != NULL ? (size_t)(feed - text) - begin : size - begin;
        json_t *value = NULL;
        ur_status status = parse(doc->name, text + begin, length, line, &value, err);
        if (status == UR_BAD_FILE && feed == NULL) {
            if (err != NULL)
                *err = (ur_err){.status = UR_OK};
            return UR_OK;
        }
        if (status == UR_OK && json_array_append_new(doc->root, value) != 0)
            status = ur_no_memory(err, length);
        if (status != UR_OK)
            return status;
        begin += length + 1;
    }
    return UR_OK;
}

static ur_status load(const ur_allocator *a, const char *name, const char *text, size_t size,
                      bool lines, ur_json **out, ur_err *err)
{
    *out = NULL;
    ur_json *doc = ur_alloc_zero(a, 1, sizeof *doc);
    if (doc == NULL)
        return ur_no_memory(err, sizeof *doc);
    doc->allocator = a;
    doc->name = ur_strdup(a, name);
    ur_status status = UR_OK;
    if (doc->name == NULL)
        status = ur_no_memory(err, strlen(name) + 1);
    else if (lines)
        status = parse_lines(doc, text, size, err);
    else
        status = parse(doc->name, text, size, 1, &doc->root, err);
    if (status != UR_OK) {
        ur_json_free(doc);
        return status;
    }
    *out = doc;
    return UR_OK;
}

static ur_status load_file(const ur_allocator *a, const char *path, size_t limit, bool lines,
                           ur_json **out, ur_err *err)
{
    char *text = NULL;
    size_t size = 0;
    *out = NULL;
    ur_status status = ur_read_file(a, path, limit, &text, &size, err);
    if (status != UR_OK)
        return status;
    status = load(a, path, text, size, lines, out, err);
    ur_free(a, text);
    return status;
}

ur_status ur_json_load(const ur_allocator *a, const char *path, ur_json **out, ur_err *err)
{
    return load_file(a, path, FILE_LIMIT, false, out, err);
}

ur_status ur_json_load_lines(const ur_allocator *a, const char *path, ur_json **out, ur_err *err)
{
    return load_file(a, path, LINES_LIMIT, true, out, err);
}

ur_status ur_json_parse(const ur_allocator *a, const char *name, const char *text, size_t size,
                        ur_json **out, ur_err *err)
{
    return load(a, name, text, size, false, out, err);
}

void ur_json_free(ur_json *document)
{
    if (document == NULL)
        return;
    json_decref(document->root);
    ur_free(document->allocator, document->name);
    ur_free(document->allocator, document);
}

/* ---- walking ------------------------------------------------------------------------------ */

ur_json_value ur_json_root(const ur_json *document)
{
    return (ur_json_value){
        .json = document->root, .file = document->name, .line = document->lines ? SIZE_MAX : 0};
}

ur_json_value ur_json_member(const ur_json_value *object, const char *key)
{
    ur_json_value value = *object;
    char shown[UR_SHOWN];
    snprintf(value.name, sizeof value.name, "%.43s%s%.43s", object->name,
             object->name[0] != '\0' ? "." : "", ur_shown(shown, key));
    value.json = json_object_get(object->json, key);
    return value;
}

ur_json_value ur_json_item(const ur_json_value *list, size_t index)
{
    ur_json_value value = *list;
    value.json = json_array_get(list->json, index);
    if (list->line == SIZE_MAX) /* the items of JSON lines are known by their line */
        value.line = index + 1;
    else
        snprintf(value.name, sizeof value.name, "%.60s[%zu]", list->name, index);
    return value;
}

const char *ur_json_key(const ur_json_value *object, size_t index)
{
    json_t *json = (json_t *)object->json; /* jansson's iterators do not change it */
    void *at = json_object_iter(json);
    while (at != NULL && index-- > 0)
        at = json_object_iter_next(json, at);
    return at != NULL ? json_object_iter_key(at) : NULL;
}

bool ur_json_is_missing(const ur_json_value *value)
{
    return value->json == NULL;
}

bool ur_json_is_null(const ur_json_value *value)
{
    return json_is_null(value->json);
}

/* ---- what a value must be ----------------------------------------------------------------- */

/* What stands there: "abc", 12, true, a list ... */
static void describe(const json_t *json, char *out, size_t room)
{
    char shown[UR_SHOWN];
    if (json == NULL)
        snprintf(out, room, "missing");
    else if (json_is_string(json))
        snprintf(out, room, "\"%s\"", ur_shown(shown, json_string_value(json)));
    else if (json_is_integer(json))
        snprintf(out, room, "%lld", (long long)json_integer_value(json));
    else if (json_is_real(json))
        snprintf(out, room, "%.9g", json_real_value(json));
    else if (json_is_array(json) || json_is_object(json))
        snprintf(out, room, "%s", json_is_array(json) ? "a list" : "an object");
    else
        snprintf(out, room, "%s",
                 json_is_true(json)   ? "true"
                 : json_is_null(json) ? "null"
                                      : "false");
}

/* The sentence: where, what stands there, what was expected. */
ur_status ur_json_expected(const ur_json_value *value, const char *what, ur_err *err)
{
    char is[UR_SHOWN + 8], line[24] = "";
    describe(value->json, is, sizeof is);
    if (value->line != 0 && value->line != SIZE_MAX)
        snprintf(line, sizeof line, ":%zu", value->line);
    if (value->name[0] == '\0')
        return ur_fail(err, UR_BAD_FILE, "%s%s: the value is %s, expected %s", value->file, line,
                       is, what);
    return ur_fail(err, UR_BAD_FILE, "%s%s: \"%s\" is %s, expected %s", value->file, line,
                   value->name, is, what);
}

ur_status ur_json_int(const ur_json_value *value, int64_t least, int64_t most, int64_t *out,
                      ur_err *err)
{
    json_int_t number = json_integer_value(value->json);
    if (!json_is_integer(value->json) || number < least || number > most) {
        char what[80];
        snprintf(what, sizeof what, "a whole number from %lld to %lld", (long long)least,
                 (long long)most);
        return ur_json_expected(value, what, err);
    }
    *out = number;
    return UR_OK;
}

ur_status ur_json_real(const ur_json_value *value, double least, double most, double *out,
                       ur_err *err)
{
    double number = json_number_value(value->json);
    if (!json_is_number(value->json) || number < least || number > most) {
        char what[80];
        if (isinf(least) && isinf(most))
            snprintf(what, sizeof what, "a number");
        else
            snprintf(what, sizeof what, "a number from %.9g to %.9g", least, most);
        return ur_json_expected(value, what, err);
    }
    *out = number;
    return UR_OK;
}

ur_status ur_json_bool(const ur_json_value *value, bool *out, ur_err *err)
{
    if (!json_is_boolean(value->json))
        return ur_json_expected(value, "true or false", err);
    *out = json_is_true(value->json);
    return UR_OK;
}

ur_status ur_json_string(const ur_json_value *value, const char **out, ur_err *err)
{
    if (!json_is_string(value->json))
        return ur_json_expected(value, "a string", err);
    *out = json_string_value(value->json);
    return UR_OK;
}

ur_status ur_json_choice(const ur_json_value *value, const char *const *words, size_t n, int *out,
                         ur_err *err)
{
    const char *text = json_string_value(value->json);
    for (size_t i = 0; text != NULL && i < n; i++) {
        if (strcmp(text, words[i]) == 0) {
            *out = (int)i;
            return UR_OK;
        }
    }
    char what[160] = "one of";
    size_t used = strlen(what);
    for (size_t i = 0; i < n && used < sizeof what; i++)
        used += (size_t)snprintf(what + used, sizeof what - used, " \"%s\"", words[i]);
    return ur_json_expected(value, what, err);
}

ur_status ur_json_list(const ur_json_value *value, size_t most, size_t *length, ur_err *err)
{
    if (!json_is_array(value->json) || json_array_size(value->json) > most) {
        char what[64];
        snprintf(what, sizeof what, "a list of at most %zu values", most);
        return ur_json_expected(value, what, err);
    }
    *length = json_array_size(value->json);
    return UR_OK;
}

ur_status ur_json_object(const ur_json_value *value, ur_err *err)
{
    return json_is_object(value->json) ? UR_OK : ur_json_expected(value, "an object", err);
}

ur_status ur_json_only(const ur_json_value *object, const char *const *keys, size_t n, ur_err *err)
{
    ur_status status = ur_json_object(object, err);
    if (status != UR_OK)
        return status;
    for (void *at = json_object_iter((json_t *)object->json); at != NULL;
         at = json_object_iter_next((json_t *)object->json, at)) {
        const char *key = json_object_iter_key(at);
        size_t i = 0;
        while (i < n && strcmp(keys[i], key) != 0)
            i++;
        if (i == n) {
            ur_json_value unknown = ur_json_member(object, key);
            char line[24] = "";
            if (unknown.line != 0 && unknown.line != SIZE_MAX)
                snprintf(line, sizeof line, ":%zu", unknown.line);
            return ur_fail(err, UR_BAD_FILE, "%s%s: \"%s\" is not a key that is known here",
                           unknown.file, line, unknown.name);
        }
    }
    return UR_OK;
}

/* ---- members ------------------------------------------------------------------------------ */

ur_status ur_json_get_int(const ur_json_value *object, const char *key, int64_t least, int64_t most,
                          int64_t *out, ur_err *err)
{
    ur_json_value value = ur_json_member(object, key);
    return ur_json_int(&value, least, most, out, err);
}

ur_status ur_json_get_real(const ur_json_value *object, const char *key, double least, double most,
                           double *out, ur_err *err)
{
    ur_json_value value = ur_json_member(object, key);
    return ur_json_real(&value, least, most, out, err);
}

ur_status ur_json_get_bool(const ur_json_value *object, const char *key, bool *out, ur_err *err)
{
    ur_json_value value = ur_json_member(object, key);
    return ur_json_bool(&value, out, err);
}

ur_status ur_json_get_string(const ur_json_value *object, const char *key, const char **out,
                             ur_err *err)
{
    ur_json_value value = ur_json_member(object, key);
    return ur_json_string(&value, out, err);
}

ur_status ur_json_get_choice(const ur_json_value *object, const char *key, const char *const *words,
                             size_t n, int *out, ur_err *err)
{
    ur_json_value value = ur_json_member(object, key);
    return ur_json_choice(&value, words, n, out, err);
}
