/* json_tree.c - JSON parsed into nodes; see json_tree.h.
 *
 * A container that is not closed yet stands on a stack, with the place in `open` where its values begin:
 * closing it moves these side by side into the tree's items. A decoded string is never longer than what
 * stands in the text between its quotes, so that all strings of a text fit as many bytes as it has. */
#include "io/json_tree.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/status.h"
#include "base/utf8.h"

enum { SPARE = 16, FEW = 12 };

/* A list or an object whose end was not reached. */
typedef struct frame {
    uint32_t node;
    bool object;
    size_t begin; /* of its values in reader.open */
} frame;

typedef struct reader {
    ur_json_tree *tree;
    const char *at, *end;
    size_t line;
    const char *fault; /* NULL: none so far */
    const char *named; /* the key that it is about, or NULL */
    size_t refused;    /* bytes that the allocator did not give; 0: it gave all */
    uint32_t *open;    /* values of the containers on the stack, those of the outer ones first */
    size_t open_count, open_capacity;
    frame *stack;
    size_t depth, stack_capacity;
    uint32_t key; /* of the value to come */
} reader;

/* ---- a tree ------------------------------------------------------------------------------- */

ur_status ur_json_tree_new(const ur_allocator *a, size_t size, ur_json_tree *out, ur_err *err)
{
    *out = (ur_json_tree){.allocator = a};
    if (size >= UINT32_MAX - SPARE)
        return ur_fail(err, UR_INVALID, "a JSON text of %zu bytes is too long", size);
    out->strings = ur_alloc(a, size + SPARE, 1);
    return out->strings ? UR_OK : ur_no_memory(err, size + SPARE);
}

void ur_json_tree_free(ur_json_tree *tree)
{
    ur_free(tree->allocator, tree->nodes);
    ur_free(tree->allocator, tree->items);
    ur_free(tree->allocator, tree->strings);
    *tree = (ur_json_tree){.allocator = tree->allocator};
}

size_t ur_json_tree_count(const ur_json_node *node)
{
    return node && (node->type == UR_JSON_LIST || node->type == UR_JSON_OBJECT)
               ? node->as.range.count
               : 0;
}

const ur_json_node *ur_json_tree_at(const ur_json_tree *tree, const ur_json_node *node,
                                    size_t index)
{
    if (index >= ur_json_tree_count(node))
        return NULL;
    return &tree->nodes[tree->items[node->as.range.first + index]];
}

const char *ur_json_tree_key(const ur_json_tree *tree, const ur_json_node *node)
{
    return tree->strings + node->key;
}

const char *ur_json_tree_text(const ur_json_tree *tree, const ur_json_node *node)
{
    return node && node->type == UR_JSON_STRING ? tree->strings + node->as.text : NULL;
}

const ur_json_node *ur_json_tree_member(const ur_json_tree *tree, const ur_json_node *node,
                                        const char *key)
{
    const size_t count = node && node->type == UR_JSON_OBJECT ? node->as.range.count : 0;
    for (size_t i = 0; i < count; i++) {
        const ur_json_node *member = ur_json_tree_at(tree, node, i);
        if (strcmp(ur_json_tree_key(tree, member), key) == 0)
            return member;
    }
    return NULL;
}

/* ---- parsing: what goes wrong ------------------------------------------------------------- */

static bool fault(reader *r, const char *what)
{
    r->fault = what;
    return false;
}

static bool refused(reader *r, size_t bytes)
{
    r->refused = bytes;
    return false;
}

static bool room(reader *r, void *array, size_t *capacity, size_t used, size_t more, size_t size)
{
    return ur_reserve(r->tree->allocator, array, capacity, used, used + more, size) ||
           refused(r, (used + more) * size);
}

/* ---- parsing: pieces ---------------------------------------------------------------------- */

static void skip_space(reader *r)
{
    while (r->at < r->end &&
           (*r->at == ' ' || *r->at == '\t' || *r->at == '\n' || *r->at == '\r')) {
        r->line += *r->at == '\n';
        r->at++;
    }
}

/* Adds a node as the next value of the innermost container. */
static bool add_node(reader *r, ur_json_node node)
{
    ur_json_tree *t = r->tree;
    if (!room(r, &t->nodes, &t->node_capacity, t->node_count, 1, sizeof *t->nodes) ||
        !room(r, &r->open, &r->open_capacity, r->open_count, 1, sizeof *r->open))
        return false;
    node.key = r->key;
    r->open[r->open_count++] = (uint32_t)t->node_count;
    t->nodes[t->node_count++] = node;
    return true;
}

/* Four hexadecimal digits behind \u. */
static bool read_hex(reader *r, uint32_t *out)
{
    *out = 0;
    if (r->end - r->at < 4)
        return fault(r, "an escape is cut off");
    for (int i = 0; i < 4; i++, r->at++) {
        const char c = *r->at;
        const int digit = c >= '0' && c <= '9'   ? c - '0'
                          : c >= 'a' && c <= 'f' ? c - 'a' + 10
                          : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                                 : -1;
        if (digit < 0)
            return fault(r, "\\u wants four hexadecimal digits");
        *out = *out << 4 | (uint32_t)digit;
    }
    return true;
}

/* The character behind \u, which may take a second such escape. */
static bool read_unicode(reader *r, char *out, size_t *used)
{
    uint32_t c, low;
    if (!read_hex(r, &c))
        return false;
    if (c == 0)
        return fault(r, "\\u0000 cannot stand in a string");
    if (c >= 0xD800 && c < 0xDC00) {
        if (r->end - r->at < 2 || r->at[0] != '\\' || r->at[1] != 'u')
            return fault(r, "half a surrogate pair");
        r->at += 2;
        if (!read_hex(r, &low))
            return false;
        if (low < 0xDC00 || low > 0xDFFF)
            return fault(r, "half a surrogate pair");
        c = 0x10000 + ((c - 0xD800) << 10) + (low - 0xDC00);
    }
    char bytes[4];
    size_t n = ur_utf8_encode(c, bytes);
    if (c >= 0xDC80 && c <= 0xDCFF) { /* a byte of a path; as UTF-8 would have the surrogate */
        const unsigned char low6 = (unsigned char)(0x80 | (c & 0x3F));
        memcpy(bytes, (const char[]){(char)0xED, (char)(c < 0xDCC0 ? 0xB2 : 0xB3), (char)low6}, 3);
        n = 3;
        r->tree->has_bytes = true;
    }
    if (n == 0)
        return fault(r, "half a surrogate pair");
    memcpy(out + *used, bytes, n);
    *used += n;
    return true;
}

static bool read_escape(reader *r, char *out, size_t *used)
{
    static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
    const char c = r->at < r->end ? *r->at++ : '\0';
    const char *found = c != '\0' ? strchr(from, c) : NULL;
    if (c == 'u')
        return read_unicode(r, out, used);
    if (!found)
        return fault(r, "invalid escape");
    out[(*used)++] = to[found - from];
    return true;
}

/* A string from behind its first quote, into the tree's strings: *begin is where. */
static bool read_string(reader *r, uint32_t *begin)
{
    char *out = r->tree->strings + r->tree->string_bytes;
    size_t used = 0;
    while (r->at < r->end && *r->at != '"') {
        const unsigned char c = (unsigned char)*r->at;
        uint32_t character;
        if (c == '\\') {
            r->at++;
            if (!read_escape(r, out, &used))
                return false;
            continue;
        }
        if (c < 0x20)
            return fault(r, "a control character stands in a string");
        const size_t n = c < 0x80 ? 1 : ur_utf8_decode(r->at, (size_t)(r->end - r->at), &character);
        if (n == 0)
            return fault(r, "a string is not UTF-8");
        memcpy(out + used, r->at, n);
        used += n;
        r->at += n;
    }
    if (r->at == r->end)
        return fault(r, "a string without its end");
    r->at++;
    out[used++] = '\0';
    *begin = (uint32_t)r->tree->string_bytes;
    r->tree->string_bytes += used;
    return true;
}

static size_t digits(reader *r)
{
    const char *begin = r->at;
    while (r->at < r->end && *r->at >= '0' && *r->at <= '9')
        r->at++;
    return (size_t)(r->at - begin);
}

/* A number with a point or an exponent. strtod wants the locale's decimal point, which may be several bytes. */
static bool read_real(reader *r, const char *begin, double *out)
{
    char half[16] = "";
    char *copy = r->tree->strings + r->tree->string_bytes, *end = copy;
    snprintf(half, sizeof half, "%.1f", 0.5);
    const size_t point = strlen(half) > 2 ? strlen(half) - 2 : 0;
    for (const char *p = begin; p < r->at; p++) {
        if (*p == '.') {
            memcpy(end, half + 1, point);
            end += point;
        } else {
            *end++ = *p;
        }
    }
    *end = '\0';
    *out = strtod(copy, NULL);
    return isfinite(*out) ? true : fault(r, "a number is beyond the range of a double");
}

/* False: beyond 64 bits. */
static bool read_whole(const reader *r, const char *begin, int64_t *out)
{
    const bool negative = *begin == '-';
    uint64_t value = 0;
    for (const char *p = begin + negative; p < r->at; p++) {
        const uint64_t digit = (uint64_t)(*p - '0');
        if (value > (UINT64_MAX - digit) / 10)
            return false;
        value = value * 10 + digit;
    }
    if (value > (uint64_t)INT64_MAX + negative)
        return false;
    *out = (int64_t)(negative ? 0 - value : value);
    return true;
}

static bool read_number(reader *r)
{
    const char *begin = r->at;
    ur_json_node node = {.type = UR_JSON_WHOLE};
    r->at += *r->at == '-';
    const bool zero = r->at < r->end && *r->at == '0';
    const size_t n = digits(r);
    if (n == 0 || (zero && n > 1))
        return fault(r, "invalid number");
    if (r->at < r->end && *r->at == '.') {
        node.type = UR_JSON_REAL;
        r->at++;
        if (digits(r) == 0)
            return fault(r, "invalid number");
    }
    if (r->at < r->end && (*r->at == 'e' || *r->at == 'E')) {
        node.type = UR_JSON_REAL;
        r->at++;
        r->at += r->at < r->end && (*r->at == '+' || *r->at == '-');
        if (digits(r) == 0)
            return fault(r, "invalid number");
    }
    if (node.type == UR_JSON_WHOLE && !read_whole(r, begin, &node.as.whole))
        node.type = UR_JSON_REAL;
    if (node.type == UR_JSON_REAL && !read_real(r, begin, &node.as.real))
        return false;
    return add_node(r, node);
}

static bool read_word(reader *r)
{
    static const struct {
        const char *text;
        size_t length;
        uint8_t type;
    } words[] = {{"null", 4, UR_JSON_NULL}, {"false", 5, UR_JSON_FALSE}, {"true", 4, UR_JSON_TRUE}};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        if ((size_t)(r->end - r->at) >= words[i].length &&
            memcmp(r->at, words[i].text, words[i].length) == 0) {
            r->at += words[i].length;
            return add_node(r, (ur_json_node){.type = words[i].type});
        }
    }
    return fault(r, "invalid value");
}

/* ---- parsing: lists and objects ----------------------------------------------------------- */

static bool open_container(reader *r, bool object)
{
    if (r->depth == UR_JSON_DEEPEST)
        return fault(r, "nested too deeply");
    if (!room(r, &r->stack, &r->stack_capacity, r->depth, 1, sizeof *r->stack) ||
        !add_node(r, (ur_json_node){.type = object ? UR_JSON_OBJECT : UR_JSON_LIST}))
        return false;
    r->stack[r->depth++] = (frame){(uint32_t)r->tree->node_count - 1, object, r->open_count};
    r->at++;
    return true;
}

static const char *key_of(const reader *r, uint32_t node)
{
    return ur_json_tree_key(r->tree, &r->tree->nodes[node]);
}

/* Sorts nodes by their keys: a merge sort, in place of libc's, which may take memory of its own. */
static void sort_keys(const reader *r, uint32_t *nodes, size_t n, uint32_t *scratch)
{
    for (size_t width = 1; width < n; width *= 2) {
        for (size_t begin = 0; begin + width < n; begin += 2 * width) {
            const size_t end = begin + 2 * width < n ? begin + 2 * width : n;
            size_t i = 0, j = begin + width, k = begin;
            memcpy(scratch, nodes + begin, width * sizeof *scratch);
            while (i < width && j < end)
                nodes[k++] = strcmp(key_of(r, scratch[i]), key_of(r, nodes[j])) <= 0 ? scratch[i++]
                                                                                     : nodes[j++];
            memcpy(nodes + k, scratch + i, (width - i) * sizeof *scratch);
        }
    }
}

static bool duplicate(reader *r, uint32_t member)
{
    r->named = key_of(r, member);
    return fault(r, "duplicate object key");
}

/* Whether no two members of the object have the same key. */
static bool keys_differ(reader *r, const uint32_t *members, size_t n)
{
    if (n <= FEW) {
        for (size_t i = 0; i < n; i++)
            for (size_t j = 0; j < i; j++)
                if (strcmp(key_of(r, members[i]), key_of(r, members[j])) == 0)
                    return duplicate(r, members[i]);
        return true;
    }
    uint32_t *sorted = ur_alloc(r->tree->allocator, n, 2 * sizeof *sorted);
    if (!sorted)
        return refused(r, 2 * n * sizeof *sorted);
    memcpy(sorted, members, n * sizeof *sorted);
    sort_keys(r, sorted, n, sorted + n);
    size_t i = 1;
    while (i < n && strcmp(key_of(r, sorted[i - 1]), key_of(r, sorted[i])) != 0)
        i++;
    const bool differ = i == n || duplicate(r, sorted[i]);
    ur_free(r->tree->allocator, sorted);
    return differ;
}

/* Moves values into the tree's items. */
static bool put_items(reader *r, ur_json_node *node, const uint32_t *values, size_t n)
{
    ur_json_tree *t = r->tree;
    if (!room(r, &t->items, &t->item_capacity, t->item_count, n, sizeof *t->items))
        return false;
    if (n > 0)
        memcpy(t->items + t->item_count, values, n * sizeof *values);
    node->as.range.first = (uint32_t)t->item_count;
    node->as.range.count = (uint32_t)n;
    t->item_count += n;
    return true;
}

static bool close_container(reader *r)
{
    const frame f = r->stack[--r->depth];
    const size_t n = r->open_count - f.begin;
    const uint32_t *values = r->open + f.begin;
    if (f.object && !keys_differ(r, values, n))
        return false;
    r->open_count = f.begin;
    r->at++;
    return put_items(r, &r->tree->nodes[f.node], values, n);
}

/* "key": of the value to come. */
static bool read_key(reader *r)
{
    skip_space(r);
    if (r->at == r->end || *r->at != '"')
        return fault(r, "a key in double quotes expected");
    r->at++;
    if (!read_string(r, &r->key))
        return false;
    skip_space(r);
    if (r->at == r->end || *r->at != ':')
        return fault(r, "a colon expected behind a key");
    r->at++;
    return true;
}

static bool at_end_of(const reader *r)
{
    return r->at < r->end && *r->at == (r->stack[r->depth - 1].object ? '}' : ']');
}

/* A value, or the beginning of a list or an object and what stands before its first value. *whole: the
 * value is complete. */
static bool read_value(reader *r, bool *whole)
{
    ur_json_node text = {.type = UR_JSON_STRING};
    skip_space(r);
    *whole = true;
    if (r->at == r->end)
        return fault(r, "a value expected, the text ends");
    switch (*r->at) {
    case '{':
    case '[':
        if (!open_container(r, *r->at == '{'))
            return false;
        skip_space(r);
        if (at_end_of(r))
            return close_container(r);
        *whole = false;
        return !r->stack[r->depth - 1].object || read_key(r);
    case '"':
        r->at++;
        return read_string(r, &text.as.text) && add_node(r, text);
    case '-':
    case '0':
    case '1':
    case '2':
    case '3':
    case '4':
    case '5':
    case '6':
    case '7':
    case '8':
    case '9':
        return read_number(r);
    default:
        return read_word(r);
    }
}

/* Behind a value inside a list or an object: a comma and what stands before the next value, or the end. */
static bool read_next(reader *r, bool *whole)
{
    skip_space(r);
    *whole = true;
    if (at_end_of(r))
        return close_container(r);
    if (r->at == r->end || *r->at != ',')
        return fault(r, r->stack[r->depth - 1].object ? "a comma or } expected"
                                                      : "a comma or ] expected");
    r->at++;
    *whole = false;
    return !r->stack[r->depth - 1].object || read_key(r);
}

static bool read_text(reader *r)
{
    bool whole;
    if (!read_value(r, &whole))
        return false;
    while (r->depth > 0)
        if (!(whole ? read_next(r, &whole) : read_value(r, &whole)))
            return false;
    skip_space(r);
    return r->at == r->end || fault(r, "end of file expected");
}

ur_status ur_json_tree_add(ur_json_tree *tree, const char *text, size_t size, uint32_t *root,
                           ur_json_fault *fault, ur_err *err)
{
    reader r = {.tree = tree, .at = text, .end = text + size, .line = 1};
    *root = (uint32_t)tree->node_count;
    const bool ok = read_text(&r);
    ur_free(tree->allocator, r.open);
    ur_free(tree->allocator, r.stack);
    if (ok)
        return UR_OK;
    if (r.refused > 0)
        return ur_no_memory(err, r.refused);
    char quoted[UR_QUOTED] = "";
    if (r.named)
        ur_quote(r.named, strlen(r.named), quoted);
    snprintf(fault->what, sizeof fault->what, "%s%s%s", r.fault, r.named ? " " : "", quoted);
    fault->line = r.line;
    return UR_BAD_FILE;
}

ur_status ur_json_tree_list(ur_json_tree *tree, const uint32_t *nodes, size_t count, uint32_t *root,
                            ur_err *err)
{
    reader r = {.tree = tree};
    *root = (uint32_t)tree->node_count;
    const bool ok = add_node(&r, (ur_json_node){.type = UR_JSON_LIST}) &&
                    put_items(&r, &tree->nodes[*root], nodes, count);
    ur_free(tree->allocator, r.open);
    return ok ? UR_OK : ur_no_memory(err, r.refused);
}
