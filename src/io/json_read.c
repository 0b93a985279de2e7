/* json_read.c - loading JSON and asking values for what they must be; see json.h. */
#include "io/json.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/file.h"
#include "base/status.h"
#include "base/utf8.h"
#include "io/json_tree.h"

#define FILE_LIMIT ((size_t)16 << 20)
#define LINES_LIMIT ((size_t)256 << 20)

struct ur_json {
    const ur_allocator *allocator;
    char *name;
    ur_json_tree tree;
    uint32_t root;
    bool lines;
};

/* ---- loading ------------------------------------------------------------------------------ */

/* One JSON text; `line` is the number of its first line. */
static ur_status parse(ur_json *doc, const char *text, size_t size, size_t line, uint32_t *out,
                       ur_err *err)
{
    ur_json_fault fault;
    const ur_status status = ur_json_tree_add(&doc->tree, text, size, out, &fault, err);
    if (status != UR_BAD_FILE)
        return status;
    return ur_fail(err, UR_BAD_FILE, "%s:%zu: not valid JSON: %s", doc->name, line + fault.line - 1,
                   fault.what);
}

/* A line each, into a list. */
static ur_status parse_lines(ur_json *doc, const char *text, size_t size, ur_err *err)
{
    const ur_allocator *a = doc->allocator;
    uint32_t *values = NULL;
    size_t count = 0, capacity = 0;
    ur_status status = UR_OK;
    doc->lines = true;
    for (size_t begin = 0; begin < size && status == UR_OK;) {
        const char *feed = memchr(text + begin, '\n', size - begin);
        const size_t length = feed != NULL ? (size_t)(feed - text) - begin : size - begin;
        if (!ur_reserve(a, &values, &capacity, count, count + 1, sizeof *values)) {
            status = ur_no_memory(err, (count + 1) * sizeof *values);
            break;
        }
        status = parse(doc, text + begin, length, count + 1, &values[count], err);
        if (status == UR_BAD_FILE && feed == NULL) {
            status = UR_OK;
            if (err != NULL)
                *err = (ur_err){.status = UR_OK};
            break;
        }
        count++;
        begin += length + 1;
    }
    if (status == UR_OK)
        status = ur_json_tree_list(&doc->tree, values, count, &doc->root, err);
    ur_free(a, values);
    return status;
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
    ur_status status = ur_json_tree_new(a, size, &doc->tree, err);
    if (doc->name == NULL)
        status = ur_no_memory(err, strlen(name) + 1);
    else if (status == UR_OK && lines)
        status = parse_lines(doc, text, size, err);
    else if (status == UR_OK)
        status = parse(doc, text, size, 1, &doc->root, err);
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
    ur_json_tree_free(&document->tree);
    ur_free(document->allocator, document->name);
    ur_free(document->allocator, document);
}

/* ---- walking ------------------------------------------------------------------------------ */

ur_json_value ur_json_root(const ur_json *document)
{
    return (ur_json_value){.document = document,
                           .node = &document->tree.nodes[document->root],
                           .file = document->name,
                           .line = document->lines ? SIZE_MAX : 0};
}

/* A place below `object`. */
static ur_json_value named(const ur_json_value *object, const char *key)
{
    ur_json_value value = *object;
    char shown[UR_SHOWN];
    snprintf(value.name, sizeof value.name, "%.43s%s%.43s", object->name,
             object->name[0] != '\0' ? "." : "", ur_shown(shown, key));
    return value;
}

ur_json_value ur_json_member(const ur_json_value *object, const char *key)
{
    ur_json_value value = named(object, key);
    value.node = ur_json_tree_member(&object->document->tree, object->node, key);
    return value;
}

ur_json_value ur_json_member_at(const ur_json_value *object, size_t index)
{
    const char *key = ur_json_key(object, index);
    ur_json_value value = named(object, key ? key : "");
    value.node = key ? ur_json_tree_at(&object->document->tree, object->node, index) : NULL;
    return value;
}

ur_json_value ur_json_item(const ur_json_value *list, size_t index)
{
    ur_json_value value = *list;
    const bool is_list = list->node && list->node->type == UR_JSON_LIST;
    value.node = is_list ? ur_json_tree_at(&list->document->tree, list->node, index) : NULL;
    if (list->line == SIZE_MAX) /* the items of JSON lines are known by their line */
        value.line = index + 1;
    else
        snprintf(value.name, sizeof value.name, "%.60s[%zu]", list->name, index);
    return value;
}

const char *ur_json_key(const ur_json_value *object, size_t index)
{
    const ur_json_tree *tree = &object->document->tree;
    const bool is_object = object->node && object->node->type == UR_JSON_OBJECT;
    const ur_json_node *member = is_object ? ur_json_tree_at(tree, object->node, index) : NULL;
    return member != NULL ? ur_json_tree_key(tree, member) : NULL;
}

bool ur_json_is_missing(const ur_json_value *value)
{
    return value->node == NULL;
}

static bool is(const ur_json_value *value, ur_json_type type)
{
    return value->node != NULL && value->node->type == type;
}

/* NULL unless it is a string. */
static const char *text_of(const ur_json_value *value)
{
    return ur_json_tree_text(&value->document->tree, value->node);
}

bool ur_json_is_null(const ur_json_value *value)
{
    return is(value, UR_JSON_NULL);
}

/* ---- what a value must be ----------------------------------------------------------------- */

/* What stands there: "abc", 12, true, a list ... */
static void describe(const ur_json_value *value, char *out, size_t room)
{
    const ur_json_node *node = value->node;
    char shown[UR_SHOWN];
    switch (node != NULL ? (int)node->type : -1) {
    case UR_JSON_STRING:
        snprintf(out, room, "\"%s\"", ur_shown(shown, text_of(value)));
        break;
    case UR_JSON_WHOLE:
        snprintf(out, room, "%lld", (long long)node->as.whole);
        break;
    case UR_JSON_REAL:
        snprintf(out, room, "%.9g", node->as.real);
        break;
    case UR_JSON_LIST:
        snprintf(out, room, "a list");
        break;
    case UR_JSON_OBJECT:
        snprintf(out, room, "an object");
        break;
    case UR_JSON_TRUE:
        snprintf(out, room, "true");
        break;
    case UR_JSON_FALSE:
        snprintf(out, room, "false");
        break;
    case UR_JSON_NULL:
        snprintf(out, room, "null");
        break;
    default:
        snprintf(out, room, "missing");
    }
}

/* The sentence: where, what stands there, what was expected. */
ur_status ur_json_expected(const ur_json_value *value, const char *what, ur_err *err)
{
    char stands[UR_SHOWN + 8], line[24] = "";
    describe(value, stands, sizeof stands);
    if (value->line != 0 && value->line != SIZE_MAX)
        snprintf(line, sizeof line, ":%zu", value->line);
    if (value->name[0] == '\0')
        return ur_fail(err, UR_BAD_FILE, "%s%s: the value is %s, expected %s", value->file, line,
                       stands, what);
    return ur_fail(err, UR_BAD_FILE, "%s%s: \"%s\" is %s, expected %s", value->file, line,
                   value->name, stands, what);
}

ur_status ur_json_int(const ur_json_value *value, int64_t least, int64_t most, int64_t *out,
                      ur_err *err)
{
    const int64_t number = is(value, UR_JSON_WHOLE) ? value->node->as.whole : 0;
    if (!is(value, UR_JSON_WHOLE) || number < least || number > most) {
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
    const bool whole = is(value, UR_JSON_WHOLE), real = is(value, UR_JSON_REAL);
    const double number = whole ? (double)value->node->as.whole : real ? value->node->as.real : 0;
    if (!(whole || real) || number < least || number > most) {
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
    if (!is(value, UR_JSON_TRUE) && !is(value, UR_JSON_FALSE))
        return ur_json_expected(value, "true or false", err);
    *out = is(value, UR_JSON_TRUE);
    return UR_OK;
}

/* What the reader made of the bytes of a path; well-formed text has no such sequence. */
static bool is_byte(const char *text)
{
    const unsigned char *p = (const unsigned char *)text;
    return p[0] == 0xED && (p[1] == 0xB2 || p[1] == 0xB3);
}

ur_status ur_json_path(const ur_allocator *a, const ur_json_value *value, char **out, ur_err *err)
{
    if (!is(value, UR_JSON_STRING))
        return ur_json_expected(value, "a string", err);
    char *copy = ur_strdup(a, text_of(value)), *to = copy;
    if (!copy)
        return ur_no_memory(err, strlen(text_of(value)) + 1);
    for (const char *from = copy; *from;) {
        const bool byte = is_byte(from);
        *to++ = byte ? (char)((from[1] & 1) << 6 | 0x80 | (from[2] & 0x3F)) : *from;
        from += byte ? 3 : 1;
    }
    *to = '\0';
    *out = copy;
    return UR_OK;
}

ur_status ur_json_string(const ur_json_value *value, const char **out, ur_err *err)
{
    bool text = is(value, UR_JSON_STRING);
    for (const char *p = text && value->document->tree.has_bytes ? text_of(value) : ""; *p; p++)
        text = text && !is_byte(p);
    if (!text)
        return ur_json_expected(value, "a string", err);
    *out = text_of(value);
    return UR_OK;
}

ur_status ur_json_choice(const ur_json_value *value, const char *const *words, size_t n, int *out,
                         ur_err *err)
{
    const char *text = text_of(value);
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
    if (!is(value, UR_JSON_LIST) || ur_json_tree_count(value->node) > most) {
        char what[64];
        snprintf(what, sizeof what, "a list of at most %zu values", most);
        return ur_json_expected(value, what, err);
    }
    *length = ur_json_tree_count(value->node);
    return UR_OK;
}

ur_status ur_json_object(const ur_json_value *value, ur_err *err)
{
    return is(value, UR_JSON_OBJECT) ? UR_OK : ur_json_expected(value, "an object", err);
}

ur_status ur_json_only(const ur_json_value *object, const char *const *keys, size_t n, ur_err *err)
{
    ur_status status = ur_json_object(object, err);
    if (status != UR_OK)
        return status;
    const char *key;
    for (size_t at = 0; (key = ur_json_key(object, at)) != NULL; at++) {
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
