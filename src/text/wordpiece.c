/* wordpiece.c - BERT's tokenizer, as Hugging Face's BertTokenizerFast has it.
 *
 * A text is cut at the special tokens that stand in it. What is between them is normalised character by
 * character (controls left away, white space to a space, ideographs apart, then NFD without non-spacing
 * marks, then lower case), cut into words at spaces and around punctuation, and each word is cut into
 * the longest pieces that the vocabulary has, from its beginning on (Wu et al. 2016).
 *
 * The vocabulary is a trie over bytes whose edges lie in one hash table. The pieces inside a word are below
 * the node of ##. A word is at most 100 characters long, so looking for its pieces takes time in
 * proportion to its length. */
#include "text/wordpiece.h"

#include <string.h>
#include <utf8proc.h>

#include "base/alloc.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/status.h"
#include "base/utf8.h"
#include "text/wordpiece_unicode.h"

enum { LONGEST_WORD = 100, MOST_BYTES = 1 << 26 };

/* ---- characters ------------------------------------------------------------------------------ */

static unsigned flags_of(uint32_t character)
{
    if (character < 128)
        return ascii[character];
    size_t low = 0, high = sizeof runs / sizeof *runs; /* runs[low] begins at or before character */
    while (high - low > 1) {
        const size_t middle = low + (high - low) / 2;
        if (runs[middle] >> 8 <= character)
            low = middle;
        else
            high = middle;
    }
    return runs[low] & 0xFF;
}

/* One that LOWERS and is not U+0130. */
static uint32_t lower_of(uint32_t character)
{
    const size_t n = sizeof lower_runs / sizeof *lower_runs;
    if (character < 128)
        return character + ('a' - 'A');
    size_t low = 0, high = n;
    while (high - low > 1) {
        const size_t middle = low + (high - low) / 2;
        if (lower_runs[middle].first <= character)
            low = middle;
        else
            high = middle;
    }
    return (uint32_t)((int32_t)character + lower_runs[low].difference);
}

/* ---- the vocabulary -------------------------------------------------------------------------- */

typedef struct edge {
    uint32_t from, byte; /* from + 1, since 0 is an empty place */
    uint32_t to;
} edge;

struct ur_wordpiece {
    ur_allocator allocator;
    bool lower, strip_accents, ideographs;
    char *bytes;        /* the tokens, each closed by a zero byte */
    const char **token; /* (count) */
    size_t count;
    edge *edges; /* (capacity), a power of two */
    size_t n_edges, capacity;
    int32_t *ids; /* (nodes) the token that ends there, or -1; node 0 is the beginning */
    size_t nodes, node_capacity;
    uint32_t inside; /* the node of ##; 0: no token begins so */
    int32_t special[UR_SPECIALS];
    int32_t *found; /* (n_found) tokens that are found in texts, the longest first */
    size_t n_found;
    bool begins[256]; /* with which bytes these begin */
};

static size_t place_of(const ur_wordpiece *w, uint32_t from, unsigned byte)
{
    const uint64_t hash = ur_fingerprint_mix((uint64_t)from << 8 | byte);
    size_t at = (size_t)hash & (w->capacity - 1);
    while (w->edges[at].from && (w->edges[at].from != from + 1 || w->edges[at].byte != byte))
        at = (at + 1) & (w->capacity - 1);
    return at;
}

/* The node that a byte leads to; 0: none. */
static uint32_t step(const ur_wordpiece *w, uint32_t from, unsigned char byte)
{
    return w->edges[place_of(w, from, byte)].to;
}

static bool grow_edges(ur_wordpiece *w)
{
    const size_t old = w->capacity;
    edge *edges = w->edges, *more = ur_alloc_zero(&w->allocator, old ? 2 * old : 256, sizeof *more);
    if (!more)
        return false;
    w->edges = more;
    w->capacity = old ? 2 * old : 256;
    for (size_t i = 0; i < old; i++)
        if (edges[i].from)
            w->edges[place_of(w, edges[i].from - 1, edges[i].byte)] = edges[i];
    ur_free(&w->allocator, edges);
    return true;
}

static bool new_node(ur_wordpiece *w, uint32_t *node)
{
    if (!ur_reserve(&w->allocator, &w->ids, &w->node_capacity, w->nodes, w->nodes + 1,
                    sizeof *w->ids))
        return false;
    *node = (uint32_t)w->nodes;
    w->ids[w->nodes++] = -1;
    return true;
}

static bool add_token(ur_wordpiece *w, const char *token, int32_t id)
{
    uint32_t node = 0;
    for (; *token; token++) {
        if (2 * (w->n_edges + 1) > w->capacity && !grow_edges(w))
            return false;
        edge *e = &w->edges[place_of(w, node, (unsigned char)*token)];
        if (!e->from) {
            uint32_t to;
            if (!new_node(w, &to))
                return false;
            *e = (edge){node + 1, (unsigned char)*token, to};
            w->n_edges++;
        }
        node = e->to;
    }
    w->ids[node] = id;
    return true;
}

int32_t ur_wordpiece_find(const ur_wordpiece *w, const char *token, size_t bytes)
{
    uint32_t node = 0;
    for (size_t i = 0; i < bytes; i++)
        if (!(node = step(w, node, (unsigned char)token[i])))
            return -1;
    return bytes ? w->ids[node] : -1;
}

/* ---- reading it ------------------------------------------------------------------------------ */

/* Cuts w->bytes into lines, which become zero-terminated. */
static ur_status cut_lines(ur_wordpiece *w, const char *name, size_t size, ur_err *err)
{
    size_t capacity = 0;
    for (size_t begin = 0, end; begin < size; begin = end + 1) {
        const char *feed = memchr(w->bytes + begin, '\n', size - begin);
        end = feed ? (size_t)(feed - w->bytes) : size;
        const size_t length = end - begin;
        char *line = w->bytes + begin;
        size_t characters;
        if (!ur_utf8_count(line, length, &characters) || memchr(line, 0, length))
            return ur_fail(err, UR_BAD_FILE, "%s: line %zu is not UTF-8: this is no vocabulary",
                           name, w->count + 1);
        line[length] = '\0';
        if (length && line[length - 1] == '\r')
            line[length - 1] = '\0';
        if (!ur_reserve(&w->allocator, &w->token, &capacity, w->count, w->count + 1,
                        sizeof *w->token))
            return ur_no_memory(err, size);
        w->token[w->count++] = line;
    }
    return UR_OK;
}

static ur_status build(ur_wordpiece *w, ur_err *err)
{
    uint32_t root;
    bool had = new_node(w, &root) && grow_edges(w);
    for (size_t i = 0; had && i < w->count; i++)
        had = add_token(w, w->token[i], (int32_t)i);
    if (!had)
        return ur_no_memory(err, w->node_capacity * (sizeof(edge) + sizeof *w->ids));
    const uint32_t mark = step(w, 0, '#');
    w->inside = mark ? step(w, mark, '#') : 0;
    return UR_OK;
}

static void look_for(ur_wordpiece *w, int32_t id)
{
    const size_t length = strlen(w->token[id]);
    size_t at = w->n_found;
    for (size_t i = 0; i < w->n_found; i++)
        if (w->found[i] == id)
            return;
    for (; at > 0 && strlen(w->token[w->found[at - 1]]) < length; at--)
        w->found[at] = w->found[at - 1];
    w->found[at] = id;
    w->n_found++;
    w->begins[(unsigned char)w->token[id][0]] = true;
}

static ur_status find_specials(ur_wordpiece *w, const char *name, const ur_wordpiece_options *o,
                               ur_err *err)
{
    w->found = ur_alloc(&w->allocator, UR_SPECIALS + o->n_more, sizeof *w->found);
    if (!w->found)
        return ur_no_memory(err, o->n_more * sizeof *w->found);
    for (size_t i = 0; i < UR_SPECIALS + o->n_more; i++) {
        const char *token = i < UR_SPECIALS ? o->special[i] : o->more[i - UR_SPECIALS];
        const int32_t id = token ? ur_wordpiece_find(w, token, strlen(token)) : -1;
        char shown[UR_SHOWN];
        if (i < UR_SPECIALS)
            w->special[i] = id;
        if (id >= 0)
            look_for(w, id);
        else if (i != UR_PAD && i != UR_MASK)
            return ur_fail(err, UR_BAD_FILE,
                           "%s: the vocabulary has no %s, which the tokenizer must have", name,
                           token ? ur_shown(shown, token) : "[UNK], [CLS] or [SEP]");
    }
    return UR_OK;
}

ur_wordpiece_options ur_wordpiece_defaults(void)
{
    return (ur_wordpiece_options){
        .lower = true,
        .strip_accents = true,
        .ideographs = true,
        .special = {"[UNK]", "[CLS]", "[SEP]", "[PAD]", "[MASK]"},
    };
}

ur_status ur_wordpiece_parse(const ur_allocator *a, const char *name, const char *bytes,
                             size_t size, const ur_wordpiece_options *options, ur_wordpiece **out,
                             ur_err *err)
{
    *out = NULL;
    a = a ? a : ur_default_allocator();
    if (size > MOST_BYTES)
        return ur_fail(err, UR_BAD_FILE, "%s: a vocabulary of %zu bytes, at most %d are read", name,
                       size, MOST_BYTES);
    ur_wordpiece *w = ur_alloc_zero(a, 1, sizeof *w);
    if (!w)
        return ur_no_memory(err, sizeof *w);
    w->allocator = *a;
    w->lower = options->lower;
    w->strip_accents = options->strip_accents;
    w->ideographs = options->ideographs;
    w->bytes = ur_alloc(a, size + 1, 1);
    if (w->bytes)
        memcpy(w->bytes, bytes, size);
    ur_status status = w->bytes ? cut_lines(w, name, size, err) : ur_no_memory(err, size + 1);
    if (status == UR_OK)
        status = build(w, err);
    if (status == UR_OK)
        status = find_specials(w, name, options, err);
    if (status == UR_OK)
        *out = w;
    else
        ur_wordpiece_free(w);
    return status;
}

ur_status ur_wordpiece_load(const ur_allocator *a, const char *path,
                            const ur_wordpiece_options *options, ur_wordpiece **out, ur_err *err)
{
    char *bytes;
    size_t size;
    *out = NULL;
    ur_status status = ur_read_file(a, path, MOST_BYTES, &bytes, &size, err);
    if (status != UR_OK)
        return status;
    status = ur_wordpiece_parse(a, path, bytes, size, options, out, err);
    ur_free(a, bytes);
    return status;
}

void ur_wordpiece_free(ur_wordpiece *w)
{
    if (!w)
        return;
    const ur_allocator a = w->allocator;
    ur_free(&a, w->bytes);
    ur_free(&a, (void *)w->token);
    ur_free(&a, w->edges);
    ur_free(&a, w->ids);
    ur_free(&a, w->found);
    ur_free(&a, w);
}

size_t ur_wordpiece_size(const ur_wordpiece *w)
{
    return w->count;
}

const char *ur_wordpiece_token(const ur_wordpiece *w, int32_t id)
{
    return id >= 0 && (size_t)id < w->count ? w->token[id] : NULL;
}

int32_t ur_wordpiece_special(const ur_wordpiece *w, ur_special special)
{
    return (unsigned)special < UR_SPECIALS ? w->special[special] : -1;
}

bool ur_wordpiece_rules(const ur_wordpiece *w, ur_wordpiece_options *out)
{
    size_t specials = 0;
    *out = (ur_wordpiece_options){
        .lower = w->lower, .strip_accents = w->strip_accents, .ideographs = w->ideographs};
    for (int i = 0; i < UR_SPECIALS; i++) {
        out->special[i] = ur_wordpiece_token(w, w->special[i]);
        bool again = w->special[i] < 0; /* one token may have two parts */
        for (int k = 0; k < i; k++)
            again = again || w->special[k] == w->special[i];
        specials += !again;
    }
    return w->n_found > specials;
}

ur_status ur_wordpiece_print(const ur_wordpiece *w, char **bytes, size_t *size, ur_err *err)
{
    size_t at = 0;
    *size = 0;
    for (size_t i = 0; i < w->count; i++)
        *size += strlen(w->token[i]) + 1;
    *bytes = NULL;
    if (*size > MOST_BYTES)
        return ur_fail(err, UR_UNSUPPORTED, "a vocabulary of %zu bytes, at most %d are read", *size,
                       MOST_BYTES);
    *bytes = ur_alloc(&w->allocator, *size + 1, 1);
    if (!*bytes)
        return ur_no_memory(err, *size + 1);
    for (size_t i = 0; i < w->count; i++) {
        const size_t length = strlen(w->token[i]);
        memcpy(*bytes + at, w->token[i], length);
        (*bytes)[at + length] = '\n';
        at += length + 1;
    }
    (*bytes)[at] = '\0';
    return UR_OK;
}

/* ---- one text: characters ---------------------------------------------------------------------- */

/* A character as the vocabulary sees it, and the bytes of the text that it comes from. */
typedef struct glyph {
    uint32_t character;
    uint8_t rank; /* its combining class, while marks are put in order */
    bool alone;   /* a word of its own */
    size_t begin, end;
} glyph;

/* Who wants to know the words instead of their pieces. */
typedef struct listener {
    ur_status (*tell)(void *user, const char *word, size_t bytes, ur_err *err);
    void *user;
    ur_err *err;
    ur_status status;
} listener;

typedef struct scan {
    const ur_wordpiece *w;
    ur_pieces *out;
    listener *words; /* NULL: nobody */
    size_t count;    /* glyphs in out->work */
    size_t marks;    /* where the last ones that are no starters begin */
    bool disorder;   /* they are not in the order of their classes */
    bool failed;     /* memory ran out */
} scan;

static glyph *glyphs(const scan *s)
{
    return s->out->work;
}

static void put(scan *s, uint32_t character, unsigned flags, uint8_t rank, size_t begin, size_t end)
{
    ur_pieces *o = s->out;
    if (s->failed || !ur_reserve(o->allocator, &o->work, &o->work_capacity, s->count, s->count + 1,
                                 sizeof(glyph))) {
        s->failed = true;
        return;
    }
    glyphs(s)[s->count++] = (glyph){character, rank, (flags & PUNCTUATION) != 0, begin, end};
}

/* A character whose decomposition is done, in lower case where that is asked for. */
static void put_lower(scan *s, uint32_t character, unsigned flags, uint8_t rank, size_t begin,
                      size_t end)
{
    if (!s->w->lower || !(flags & LOWERS)) {
        put(s, character, flags, rank, begin, end);
    } else if (character == 0x130) {
        put(s, 'i', 0, rank, begin, end);
        put(s, 0x307, flags_of(0x307), rank, begin, end);
    } else {
        const uint32_t lower = lower_of(character);
        put(s, lower, flags_of(lower), rank, begin, end);
    }
}

/* Puts the marks since the last starter in the order of their classes (stable: Unicode's canonical
 * ordering), a class at a time, in place behind them. */
static void order_marks(scan *s)
{
    const size_t first = s->marks, n = s->count - first;
    ur_pieces *o = s->out;
    if (s->disorder && !s->failed) {
        if (!ur_reserve(o->allocator, &o->work, &o->work_capacity, s->count, s->count + n,
                        sizeof(glyph))) {
            s->failed = true;
            return;
        }
        glyph *from = glyphs(s) + first, *to = from + n;
        size_t starts[257] = {0};
        for (size_t i = 0; i < n; i++)
            starts[from[i].rank + 1]++;
        for (size_t i = 0; i < 256; i++)
            starts[i + 1] += starts[i];
        for (size_t i = 0; i < n; i++)
            to[starts[from[i].rank]++] = from[i];
        memcpy(from, to, n * sizeof *from);
    }
    s->marks = s->count;
    s->disorder = false;
}

static void put_space(scan *s, size_t at)
{
    order_marks(s);
    put(s, ' ', 0, 0, at, at);
    s->marks = s->count;
}

/* One character of a decomposition: non-spacing marks go, others that are no starters wait for their
 * place. */
static void put_decomposed(scan *s, uint32_t character, unsigned flags, size_t begin, size_t end)
{
    if (!(flags & NONSTARTER)) {
        order_marks(s);
        if (!(flags & MARK))
            put_lower(s, character, flags, 0, begin, end);
        s->marks = s->count;
    } else if (!(flags & MARK)) {
        const int class = utf8proc_get_property((utf8proc_int32_t)character)->combining_class;
        if (s->count > s->marks && !s->failed && glyphs(s)[s->count - 1].rank > class)
            s->disorder = true;
        put_lower(s, character, flags, (uint8_t) class, begin, end);
    }
}

static void put_character(scan *s, uint32_t character, size_t begin, size_t end)
{
    const unsigned flags = flags_of(character);
    if (flags & REMOVED)
        return;
    if (flags & SPACE) {
        put_space(s, begin);
        return;
    }
    const bool apart = s->w->ideographs && flags & IDEOGRAPH;
    if (apart)
        put_space(s, begin);
    if (!s->w->strip_accents) {
        put_lower(s, character, flags, 0, begin, end);
    } else if (flags & DECOMPOSES) {
        utf8proc_int32_t to[8];
        const utf8proc_ssize_t n =
            utf8proc_decompose_char((utf8proc_int32_t)character, to, 8, UTF8PROC_DECOMPOSE, NULL);
        for (utf8proc_ssize_t i = 0; i < n && i < 8; i++)
            put_decomposed(s, (uint32_t)to[i], flags_of((uint32_t)to[i]), begin, end);
    } else {
        put_decomposed(s, character, flags, begin, end);
    }
    if (apart)
        put_space(s, end);
}

/* ---- one text: words --------------------------------------------------------------------------- */

static void add_piece(scan *s, int32_t id, size_t begin, size_t end)
{
    ur_pieces *o = s->out;
    if (s->failed || !ur_reserve(o->allocator, &o->piece, &o->capacity, o->count, o->count + 1,
                                 sizeof *o->piece)) {
        s->failed = true;
        return;
    }
    o->piece[o->count++] = (ur_piece){id, 0, begin, end};
}

/* Adds the pieces of a word of n glyphs, none of them too many; false where it has none. */
static bool add_pieces(scan *s, const glyph *word, size_t n)
{
    char bytes[4 * LONGEST_WORD];
    uint8_t of[4 * LONGEST_WORD]; /* the glyph that a byte is part of */
    size_t size = 0;
    for (size_t i = 0; i < n; i++) {
        const size_t taken = ur_utf8_encode(word[i].character, bytes + size);
        memset(of + size, (int)i, taken);
        size += taken;
    }
    for (size_t at = 0, end = 0; at < size; at = end) {
        uint32_t node = at ? s->w->inside : 0;
        int32_t id = -1;
        if (at && !node)
            return false;
        for (size_t i = at; i < size && (node = step(s->w, node, (unsigned char)bytes[i])); i++)
            if (s->w->ids[node] >= 0) {
                id = s->w->ids[node];
                end = i + 1;
            }
        if (id < 0)
            return false;
        add_piece(s, id, word[of[at]].begin, word[of[end - 1]].end);
    }
    return true;
}

static void tell_word(listener *l, const glyph *word, size_t n)
{
    char bytes[4 * LONGEST_WORD];
    size_t size = 0;
    if (n > LONGEST_WORD || l->status != UR_OK)
        return;
    for (size_t i = 0; i < n; i++)
        size += ur_utf8_encode(word[i].character, bytes + size);
    l->status = l->tell(l->user, bytes, size, l->err);
}

static void add_word(scan *s, size_t begin, size_t end)
{
    const glyph *word = glyphs(s) + begin;
    const size_t before = s->out->count, n = end - begin;
    if (s->words) {
        tell_word(s->words, word, n);
        return;
    }
    if (n <= LONGEST_WORD && add_pieces(s, word, n))
        return;
    s->out->count = before;
    add_piece(s, s->w->special[UR_UNK], word[0].begin, word[n - 1].end);
}

static void add_words(scan *s)
{
    for (size_t i = 0; i < s->count && !s->failed;) {
        const glyph *g = glyphs(s);
        size_t end = i + 1;
        if (g[i].character == ' ') {
            i++;
            continue;
        }
        while (!g[i].alone && end < s->count && g[end].character != ' ' && !g[end].alone)
            end++;
        add_word(s, i, end);
        i = end;
    }
}

/* ---- one text ---------------------------------------------------------------------------------- */

/* The special token that stands at `at`, its length in *size; -1: none. */
static int32_t special_at(const ur_wordpiece *w, const char *at, size_t left, size_t *size)
{
    if (!w->begins[(unsigned char)*at])
        return -1;
    for (size_t i = 0; i < w->n_found; i++) {
        const char *token = w->token[w->found[i]];
        *size = strlen(token);
        if (*size <= left && memcmp(token, at, *size) == 0)
            return w->found[i];
    }
    return -1;
}

/* What stands between two special tokens. */
static void end_part(scan *s)
{
    order_marks(s);
    add_words(s);
    s->count = s->marks = 0;
}

/* Appends the pieces of a text, or tells its words. */
static ur_status add_text(const ur_wordpiece *w, const char *text, size_t bytes, ur_pieces *out,
                          listener *words, ur_err *err)
{
    scan s = {.w = w, .out = out, .words = words};
    for (size_t at = 0, taken; at < bytes && !s.failed; at += taken) {
        uint32_t character;
        const int32_t special = special_at(w, text + at, bytes - at, &taken);
        if (special >= 0) {
            end_part(&s);
            add_piece(&s, special, at, at + taken);
            continue;
        }
        taken = ur_utf8_decode(text + at, bytes - at, &character);
        if (taken == 0)
            return ur_fail(err, UR_BAD_FILE, "the text is not UTF-8: byte %zu", at + 1);
        put_character(&s, character, at, at + taken);
    }
    end_part(&s);
    return s.failed ? ur_no_memory(err, bytes * sizeof(glyph)) : UR_OK;
}

/* ---- inputs ------------------------------------------------------------------------------------ */

/* How many pieces of the two are kept so that there are `most`. False: that cannot be. */
static bool cut(ur_cutting how, size_t most, size_t *n1, size_t *n2)
{
    const size_t all = *n1 + *n2, away = all > most ? all - most : 0;
    size_t *shorter = *n1 <= *n2 ? n1 : n2, *longer = *n1 <= *n2 ? n2 : n1;
    if (how == UR_CUT_ONLY_FIRST || how == UR_CUT_ONLY_SECOND) {
        size_t *one = how == UR_CUT_ONLY_FIRST ? n1 : n2;
        if (away && away >= *one)
            return false;
        *one -= away;
    } else if (away && how == UR_CUT_LONGEST_FIRST) {
        const size_t rest = *shorter > most ? *shorter : most - *shorter;
        *longer = *shorter > most ? *shorter : rest > *shorter ? rest : *shorter;
        if (*shorter + *longer > most) {
            *shorter = most / 2;
            *longer = *shorter + most % 2;
        }
    } else if (away) {
        const size_t difference = *longer - *shorter;
        if (away <= difference) {
            *longer -= away;
        } else {
            const size_t both = *shorter * 2 - (away - difference);
            *n1 = both - both / 2; /* the second loses the odd one */
            *n2 = both / 2;
        }
    }
    return true;
}

static ur_status check_room(size_t most, bool pair, ur_cutting how, ur_err *err)
{
    const size_t specials = pair ? 3 : 2;
    if (most && most < specials)
        return ur_fail(err, UR_INVALID, "inputs of at most %zu pieces, [CLS] and [SEP] take %zu",
                       most, specials);
    if (how == UR_CUT_ONLY_SECOND && !pair)
        return ur_fail(err, UR_INVALID, "the second text is to be cut, and there is none");
    return UR_OK;
}

/* The pieces are those of the text, then `second` of the pair; cuts them and puts the special tokens
 * around them. */
static ur_status frame(const ur_wordpiece *w, bool pair, size_t second, size_t most, ur_cutting how,
                       ur_pieces *out, ur_err *err)
{
    const size_t specials = pair ? 3 : 2, first = out->count - second, all = out->count;
    size_t n1 = first, n2 = second;
    if (most && !cut(pair ? how : UR_CUT_LONGEST_FIRST, most - specials, &n1, &n2))
        return ur_fail(err, UR_INVALID,
                       "texts of %zu and %zu pieces: cutting one of them does not make them %zu",
                       first, second, most - specials);
    if (!ur_reserve(out->allocator, &out->piece, &out->capacity, out->count, all + specials,
                    sizeof *out->piece))
        return ur_no_memory(err, (all + specials) * sizeof *out->piece);
    ur_piece *p = out->piece;
    const ur_piece sep = {w->special[UR_SEP], 0, 0, 0};
    memmove(p + n1 + 2, p + first, n2 * sizeof *p); /* [CLS] and [SEP] come before it */
    memmove(p + 1, p, n1 * sizeof *p);
    p[0] = (ur_piece){w->special[UR_CLS], 0, 0, 0};
    p[n1 + 1] = sep;
    if (pair)
        p[n1 + 2 + n2] = sep;
    out->count = n1 + n2 + specials;
    out->cut = all - n1 - n2;
    for (size_t i = n1 + 2; i < out->count; i++)
        p[i].segment = 1;
    return UR_OK;
}

ur_status ur_wordpiece_encode(const ur_wordpiece *w, const char *text, size_t bytes,
                              const char *pair, size_t pair_bytes, size_t most, ur_cutting cutting,
                              ur_pieces *out, ur_err *err)
{
    if (!out->allocator)
        out->allocator = &w->allocator;
    out->count = out->cut = 0;
    if ((unsigned)cutting > UR_CUT_ONLY_SECOND)
        return ur_fail(err, UR_INVALID, "WordPiece: there is no way %d to cut texts", (int)cutting);
    ur_status status = check_room(most, pair != NULL, cutting, err);
    if (status == UR_OK)
        status = add_text(w, text, bytes, out, NULL, err);
    const size_t first = out->count;
    if (status == UR_OK && pair)
        status = add_text(w, pair, pair_bytes, out, NULL, err);
    if (status == UR_OK)
        status = frame(w, pair != NULL, out->count - first, most, cutting, out, err);
    if (status != UR_OK)
        out->count = 0;
    return status;
}

ur_status ur_wordpiece_words(const ur_wordpiece *w, const char *text, size_t bytes, ur_pieces *work,
                             ur_status (*tell)(void *user, const char *word, size_t bytes,
                                               ur_err *err),
                             void *user, ur_err *err)
{
    listener words = {.tell = tell, .user = user, .err = err};
    if (!work->allocator)
        work->allocator = &w->allocator;
    work->count = work->cut = 0;
    const ur_status status = add_text(w, text, bytes, work, &words, err);
    return status == UR_OK ? words.status : status;
}

void ur_pieces_free(ur_pieces *p)
{
    if (p->allocator) {
        ur_free(p->allocator, p->piece);
        ur_free(p->allocator, p->work);
    }
    *p = (ur_pieces){0};
}
