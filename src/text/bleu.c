/* bleu.c - corpus BLEU and chrF2: n-grams of a sentence that its references have, too.
 *
 * An n-gram is a key of 128 bits: four numbers of words, or six characters of 21 bits; what is missing
 * has all its bits set. The n-grams of one sentence stand in a table with how often it has them and,
 * while a reference is counted, how often that one has them:
 *   BLEU   correct[n] = sum over n-grams of min(of the sentence, most of any reference)
 *   chrF   match[n]   = sum over n-grams of min(of the sentence, of the best reference)           */
#include "unroll/bleu.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/hash.h"
#include "base/status.h"
#include "base/tiny.h"
#include "text/characters.h"
#include "unroll/text.h"

enum { CHARACTERS = 6, BETA_SQUARED = 4 };

/* ---- n-grams of a sentence ------------------------------------------------------------------ */

typedef struct key {
    uint64_t high, low;
} key;

typedef struct gram {
    key key;
    uint32_t order;                /* n - 1 */
    uint32_t own, reference, most; /* how often: this sentence, a reference, any of them */
} gram;

typedef struct grams {
    const ur_allocator *a;
    gram *gram; /* (count) */
    size_t count, capacity;
    uint32_t *slot; /* (slots) index + 1, 0: free */
    size_t slots;
} grams;

static size_t place_of(const grams *g, key k)
{
    size_t i = (size_t)ur_fingerprint_mix(ur_fingerprint_spread(k.high, k.low)) & (g->slots - 1);
    for (; g->slot[i]; i = (i + 1) & (g->slots - 1)) {
        const key other = g->gram[g->slot[i] - 1].key;
        if (other.high == k.high && other.low == k.low)
            break;
    }
    return i;
}

static gram *find(const grams *g, key k)
{
    const uint32_t at = g->slots ? g->slot[place_of(g, k)] : 0;
    return at ? &g->gram[at - 1] : NULL;
}

/* Forgets the sentence before and makes room for `most` n-grams. */
static bool start(grams *g, size_t most)
{
    size_t slots = UR_SIZE(64, 4);
    g->count = 0;
    while (slots < 2 * most)
        slots *= 2;
    if (most >= UINT32_MAX || !ur_reserve(g->a, &g->gram, &g->capacity, 0, most, sizeof *g->gram))
        return false;
    if (slots > g->slots) {
        uint32_t *larger = ur_alloc(g->a, slots, sizeof *larger);
        if (!larger)
            return false;
        ur_free(g->a, g->slot);
        g->slot = larger;
        g->slots = slots;
    }
    memset(g->slot, 0, g->slots * sizeof *g->slot);
    return true;
}

static void add_own(grams *g, key k, size_t order)
{
    const size_t at = place_of(g, k);
    if (!g->slot[at]) {
        g->gram[g->count++] = (gram){.key = k, .order = (uint32_t)order};
        g->slot[at] = (uint32_t)g->count;
    }
    g->gram[g->slot[at] - 1].own++;
}

static void free_grams(grams *g)
{
    ur_free(g->a, g->gram);
    ur_free(g->a, g->slot);
}

/* ---- characters ----------------------------------------------------------------------------- */

/* What Python's str.split() splits at. */
static bool is_space(uint32_t c)
{
    return ur_character_is_space(c) || (c >= 0x1C && c <= 0x1F);
}

/* The next character; a byte that is not UTF-8 is taken for one that there is not. */
static uint32_t next_character(const char **at, const char *end)
{
    uint32_t c = 0;
    const size_t taken = ur_utf8_decode(*at, (size_t)(end - *at), &c);
    if (taken == 0)
        c = 0x110000u + (unsigned char)**at;
    *at += taken ? taken : 1;
    return c;
}

/* The next word of [*at, end); false when there is none. */
static bool next_word(const char **at, const char *end, const char **word, size_t *size)
{
    *word = NULL;
    while (*at < end) {
        const char *before = *at;
        const bool space = is_space(next_character(at, end));
        if (!space && !*word)
            *word = before;
        else if (space && *word) {
            *size = (size_t)(before - *word);
            return true;
        }
    }
    if (*word)
        *size = (size_t)(end - *word);
    return *word != NULL;
}

/* ---- mteval-v13a ---------------------------------------------------------------------------- */

/* The rules are substitutions one after the other over the whole line, each from left to right without
 * overlaps. All that they look for is ASCII, so bytes do. */

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_stop(char c)
{
    return c == '.' || c == ',';
}

static bool is_symbol(char c)
{
    return (c >= '{' && c <= '~') || (c >= '[' && c <= '`') || (c >= ' ' && c <= '&') ||
           (c >= '(' && c <= '+') || (c >= ':' && c <= '@') || c == '/';
}

static size_t replace(char *text, size_t size, const char *from, const char *to)
{
    const size_t old = strlen(from), new = strlen(to); /* never longer */
    size_t kept = 0;
    for (size_t i = 0; i < size;) {
        if (size - i >= old && memcmp(text + i, from, old) == 0) {
            memcpy(text + kept, to, new);
            kept += new;
            i += old;
        } else {
            text[kept++] = text[i++];
        }
    }
    return kept;
}

/* Which of two neighbours a rule takes apart, and what becomes of them. */
typedef struct rule {
    bool (*first)(char), (*second)(char);
    const char *form; /* 1 and 2 stand for the two */
} rule;

static bool is_no_digit(char c)
{
    return !is_digit(c);
}

static bool is_dash(char c)
{
    return c == '-';
}

static size_t take_apart(const rule *r, const char *text, size_t size, char *out)
{
    size_t n = 0;
    for (size_t i = 0; i < size; i++) {
        if (i + 1 >= size || !r->first(text[i]) || !r->second(text[i + 1])) {
            out[n++] = text[i];
            continue;
        }
        for (const char *f = r->form; *f; f++)
            out[n++] = *f == '1' ? text[i] : *f == '2' ? text[i + 1] : ' ';
        i++;
    }
    return n;
}

/* The line with spaces between its words, in `text`; both arrays have room for it. */
static size_t tokenize_13a(const char *line, size_t size, char *text, char *spare)
{
    static const rule rules[] = {{is_no_digit, is_stop, "1 2 "},
                                 {is_stop, is_no_digit, " 1 2"},
                                 {is_digit, is_dash, "1 2 "}};
    while (size && is_space((unsigned char)line[size - 1]) && (unsigned char)line[size - 1] < 0x80)
        size--;
    memcpy(spare, line, size);
    size = replace(spare, size, "<skipped>", "");
    size = replace(spare, size, "-\n", "");
    size = replace(spare, size, "\n", " ");
    size = replace(spare, size, "&quot;", "\"");
    size = replace(spare, size, "&amp;", "&");
    size = replace(spare, size, "&lt;", "<");
    size = replace(spare, size, "&gt;", ">");
    size_t n = 0;
    text[n++] = ' ';
    for (size_t i = 0; i < size; i++) {
        const bool apart = is_symbol(spare[i]);
        if (apart)
            text[n++] = ' ';
        text[n++] = spare[i];
        if (apart)
            text[n++] = ' ';
    }
    text[n++] = ' ';
    for (size_t r = 0; r < sizeof rules / sizeof *rules; r++) {
        n = take_apart(&rules[r], text, n, spare);
        memcpy(text, spare, n);
    }
    return n;
}

/* ---- BLEU ----------------------------------------------------------------------------------- */

/* How many references sentences have: 0 before the first, SIZE_MAX: different numbers. */
static size_t note_references(size_t so_far, size_t count)
{
    return so_far == 0 || so_far == count ? count : SIZE_MAX;
}

static void print_references(size_t references, char text[24])
{
    if (references == SIZE_MAX)
        snprintf(text, 24, "var");
    else
        snprintf(text, 24, "%zu", references);
}

struct ur_bleu {
    const ur_allocator *a;
    ur_bleu_tokenizer tokenizer;
    ur_vocabulary *words;
    grams grams;
    char *text; /* (2 text_capacity) the tokenizer's two */
    size_t text_capacity;
    int32_t *ids; /* of the sentence that was read last */
    size_t ids_capacity;
    size_t references;
    ur_bleu_score sum;
};

ur_status ur_bleu_new(const ur_allocator *a, ur_bleu_tokenizer tokenizer, ur_bleu **out,
                      ur_err *err)
{
    *out = NULL;
    if ((unsigned)tokenizer > UR_BLEU_NONE)
        return ur_fail(err, UR_INVALID, "BLEU: there is no tokenizer %d", (int)tokenizer);
    ur_bleu *b = ur_alloc_zero(a, 1, sizeof *b);
    if (!b)
        return ur_no_memory(err, sizeof *b);
    b->a = b->grams.a = a;
    b->tokenizer = tokenizer;
    const ur_status status = ur_vocabulary_new(a, &b->words, err);
    if (status == UR_OK)
        *out = b;
    else
        ur_bleu_free(b);
    return status;
}

void ur_bleu_free(ur_bleu *b)
{
    if (!b)
        return;
    ur_vocabulary_free(b->words);
    free_grams(&b->grams);
    ur_free(b->a, b->text);
    ur_free(b->a, b->ids);
    ur_free(b->a, b);
}

/* A word's number; what is not UTF-8 has U+FFFD for each bad byte. */
static ur_status number_word(ur_bleu *b, const char *word, size_t size, int32_t *id, ur_err *err)
{
    size_t unused;
    if (ur_utf8_count(word, size, &unused))
        return ur_vocabulary_add(b->words, word, size, id, err);
    char *clean = ur_alloc(b->a, 3 * size, 1);
    size_t n = 0;
    if (!clean)
        return ur_no_memory(err, 3 * size);
    for (const char *at = word; at < word + size;) {
        const char *before = at;
        if (next_character(&at, word + size) >= 0x110000u)
            n += ur_utf8_encode(0xFFFD, clean + n);
        else
            for (; before < at; before++)
                clean[n++] = *before;
    }
    const ur_status status = ur_vocabulary_add(b->words, clean, n, id, err);
    ur_free(b->a, clean);
    return status;
}

/* The words of a sentence as numbers in b->ids. */
static ur_status read_words(ur_bleu *b, const char *line, size_t *count, ur_err *err)
{
    size_t size = strlen(line);
    const char *at = line;
    *count = 0;
    if (b->tokenizer == UR_BLEU_13A) {
        const size_t room = 24 * (size + 2); /* each rule at most doubles, the first triples */
        if (!ur_reserve(b->a, &b->text, &b->text_capacity, 0, 2 * room, 1))
            return ur_no_memory(err, 2 * room);
        size = tokenize_13a(line, size, b->text, b->text + room);
        at = b->text;
    }
    const char *word, *end = at + size;
    for (size_t bytes; next_word(&at, end, &word, &bytes); ++*count) {
        if (!ur_reserve(b->a, &b->ids, &b->ids_capacity, *count, *count + 1, sizeof *b->ids))
            return ur_no_memory(err, (*count + 1) * sizeof *b->ids);
        const ur_status status = number_word(b, word, bytes, &b->ids[*count], err);
        if (status != UR_OK)
            return status;
    }
    return UR_OK;
}

static key word_key(const int32_t *ids, size_t n)
{
    uint64_t id[UR_BLEU_ORDER];
    for (size_t i = 0; i < UR_BLEU_ORDER; i++)
        id[i] = i < n ? (uint64_t)ids[i] : UINT32_MAX;
    return (key){id[0] << 32 | id[1], id[2] << 32 | id[3]};
}

static size_t distance(size_t a, size_t b)
{
    return a < b ? b - a : a - b;
}

/* Counts the n-grams of the reference in b->ids that the sentence has. */
static void count_reference(ur_bleu *b, size_t words)
{
    for (size_t i = 0; i < b->grams.count; i++)
        b->grams.gram[i].reference = 0;
    for (size_t n = 1; n <= UR_BLEU_ORDER; n++)
        for (size_t i = 0; i + n <= words; i++) {
            gram *g = find(&b->grams, word_key(b->ids + i, n));
            if (g && ++g->reference > g->most)
                g->most = g->reference;
        }
}

ur_status ur_bleu_add(ur_bleu *b, const char *text, size_t count, const char *const *references,
                      ur_err *err)
{
    size_t words = 0, closest = SIZE_MAX;
    if (count == 0)
        return ur_fail(err, UR_INVALID, "BLEU: a sentence without a reference");
    ur_status status = read_words(b, text, &words, err);
    if (status == UR_OK && !start(&b->grams, UR_BLEU_ORDER * words))
        status = ur_no_memory(err, UR_BLEU_ORDER * words * sizeof *b->grams.gram);
    for (size_t n = 1; status == UR_OK && n <= UR_BLEU_ORDER; n++)
        for (size_t i = 0; i + n <= words; i++)
            add_own(&b->grams, word_key(b->ids + i, n), n - 1);
    for (size_t r = 0; status == UR_OK && r < count; r++) {
        size_t length;
        status = read_words(b, references[r], &length, err);
        if (status != UR_OK)
            break;
        count_reference(b, length);
        const size_t near = distance(words, length);
        if (closest == SIZE_MAX || near < distance(words, closest) ||
            (near == distance(words, closest) && length < closest))
            closest = length;
    }
    if (status != UR_OK)
        return status;
    for (size_t i = 0; i < b->grams.count; i++) {
        const gram *g = &b->grams.gram[i];
        b->sum.correct[g->order] += g->own < g->most ? g->own : g->most;
    }
    for (size_t n = 1; n <= UR_BLEU_ORDER; n++)
        b->sum.total[n - 1] += words + 1 > n ? words + 1 - n : 0;
    b->sum.length += words;
    b->sum.reference_length += closest;
    b->references = note_references(b->references, count);
    return UR_OK;
}

ur_bleu_score ur_bleu_result(const ur_bleu *b)
{
    ur_bleu_score s = b->sum;
    double smooth = 1.0, logs = 0.0;
    size_t matches = 0;
    s.brevity_penalty = 1.0;
    if (s.length < s.reference_length)
        s.brevity_penalty =
            s.length ? exp(1.0 - (double)s.reference_length / (double)s.length) : 0.0;
    for (size_t n = 0; n < UR_BLEU_ORDER; n++)
        matches += s.correct[n];
    if (matches == 0)
        return s;
    for (size_t n = 0; n < UR_BLEU_ORDER && s.total[n]; n++) {
        if (s.correct[n] == 0)
            smooth *= 2.0;
        s.precision[n] = s.correct[n] ? 100.0 * (double)s.correct[n] / (double)s.total[n]
                                      : 100.0 / (smooth * (double)s.total[n]);
    }
    for (size_t n = 0; n < UR_BLEU_ORDER; n++)
        logs += s.precision[n] > 0.0 ? log(s.precision[n]) : -9999999999.0;
    s.score = s.brevity_penalty * exp(logs / UR_BLEU_ORDER);
    return s;
}

const char *ur_bleu_signature(const ur_bleu *b, char text[UR_SIGNATURE])
{
    char references[24];
    print_references(b->references, references);
    snprintf(text, UR_SIGNATURE, "nrefs:%s|case:mixed|eff:no|tok:%s|smooth:exp", references,
             b->tokenizer == UR_BLEU_13A ? "13a" : "none");
    return text;
}

/* ---- chrF ----------------------------------------------------------------------------------- */

/* Of one order: n-grams of the texts, of the references, of both. */
typedef struct chrf_counts {
    size_t own, reference, match;
} chrf_counts;

struct ur_chrf {
    const ur_allocator *a;
    grams grams;
    uint32_t *text; /* the sentence that was read last, without white space */
    size_t capacity;
    size_t references;
    chrf_counts sum[CHARACTERS];
};

ur_status ur_chrf_new(const ur_allocator *a, ur_chrf **out, ur_err *err)
{
    ur_chrf *c = *out = ur_alloc_zero(a, 1, sizeof *c);
    if (!c)
        return ur_no_memory(err, sizeof *c);
    c->a = c->grams.a = a;
    return UR_OK;
}

void ur_chrf_free(ur_chrf *c)
{
    if (!c)
        return;
    free_grams(&c->grams);
    ur_free(c->a, c->text);
    ur_free(c->a, c);
}

static bool read_characters(ur_chrf *c, const char *line, size_t *count)
{
    const char *end = line + strlen(line);
    *count = 0;
    if (!ur_reserve(c->a, &c->text, &c->capacity, 0, (size_t)(end - line) + 1, sizeof *c->text))
        return false;
    while (line < end) {
        const uint32_t x = next_character(&line, end);
        if (!is_space(x))
            c->text[(*count)++] = x;
    }
    return true;
}

static key character_key(const uint32_t *text, size_t n)
{
    const uint64_t none = (1u << 21) - 1;
    uint64_t part[2] = {0, 0};
    for (size_t i = 0; i < CHARACTERS; i++)
        part[i / 3] = part[i / 3] << 21 | (i < n ? text[i] : none);
    return (key){part[0], part[1]};
}

static size_t grams_of(size_t length, size_t n)
{
    return length + 1 > n ? length + 1 - n : 0;
}

static double chrf_of(const chrf_counts *counts)
{
    double precision = 0.0, recall = 0.0;
    size_t orders = 0;
    for (size_t n = 0; n < CHARACTERS; n++) {
        if (counts[n].own == 0 || counts[n].reference == 0)
            continue;
        precision += (double)counts[n].match / (double)counts[n].own;
        recall += (double)counts[n].match / (double)counts[n].reference;
        orders++;
    }
    if (orders == 0 || precision + recall == 0.0)
        return 0.0;
    precision /= (double)orders;
    recall /= (double)orders;
    const double score = (1 + BETA_SQUARED) * precision * recall;
    return 100.0 * (score / (BETA_SQUARED * precision + recall));
}

/* The counts against the reference in c->text. */
static void compare(ur_chrf *c, size_t own, size_t length, chrf_counts *counts)
{
    for (size_t i = 0; i < c->grams.count; i++)
        c->grams.gram[i].reference = 0;
    for (size_t n = 1; n <= CHARACTERS; n++) {
        const size_t reference = grams_of(length, n);
        counts[n - 1] = (chrf_counts){reference ? grams_of(own, n) : 0, reference, 0};
        for (size_t i = 0; i < reference; i++) {
            gram *g = find(&c->grams, character_key(c->text + i, n));
            if (g && g->reference++ < g->own)
                counts[n - 1].match++;
        }
    }
}

ur_status ur_chrf_add(ur_chrf *c, const char *text, size_t count, const char *const *references,
                      ur_err *err)
{
    size_t own, length;
    double best = -1.0;
    chrf_counts counts[CHARACTERS], chosen[CHARACTERS] = {{0, 0, 0}};
    if (count == 0)
        return ur_fail(err, UR_INVALID, "chrF: a sentence without a reference");
    if (!read_characters(c, text, &own) || !start(&c->grams, CHARACTERS * own))
        return ur_no_memory(err, CHARACTERS * strlen(text) * sizeof(gram));
    for (size_t n = 1; n <= CHARACTERS; n++)
        for (size_t i = 0; i < grams_of(own, n); i++)
            add_own(&c->grams, character_key(c->text + i, n), n - 1);
    for (size_t r = 0; r < count; r++) {
        if (!read_characters(c, references[r], &length))
            return ur_no_memory(err, strlen(references[r]) * sizeof *c->text);
        compare(c, own, length, counts);
        const double score = chrf_of(counts);
        if (score > best) {
            best = score;
            memcpy(chosen, counts, sizeof chosen);
        }
    }
    for (size_t n = 0; n < CHARACTERS; n++) {
        c->sum[n].own += chosen[n].own;
        c->sum[n].reference += chosen[n].reference;
        c->sum[n].match += chosen[n].match;
    }
    c->references = note_references(c->references, count);
    return UR_OK;
}

double ur_chrf_result(const ur_chrf *c)
{
    return chrf_of(c->sum);
}

const char *ur_chrf_signature(const ur_chrf *c, char text[UR_SIGNATURE])
{
    char references[24];
    print_references(c->references, references);
    snprintf(text, UR_SIGNATURE, "nrefs:%s|case:mixed|eff:yes|nc:%d|nw:0|space:no", references,
             CHARACTERS);
    return text;
}

/* ---- one sentence --------------------------------------------------------------------------- */

/* x^(1/2^n), by roots. */
static double rooted(double x, size_t n)
{
    while (n--)
        x = sqrt(x);
    return x;
}

/* Of the n-grams of the text those that the label has, each as often as there. */
static double precision_of(const int32_t *text, size_t words, const int32_t *label, size_t length,
                           size_t n, bool *used)
{
    size_t matches = 0;
    memset(used, 0, length * sizeof *used);
    for (size_t i = 0; i + n <= words; i++)
        for (size_t j = 0; j + n <= length; j++)
            if (!used[j] && memcmp(text + i, label + j, n * sizeof *text) == 0) {
                used[j] = true;
                matches++;
                break;
            }
    return words + 1 > n ? (double)matches / (double)(words + 1 - n) : 0.0;
}

ur_status ur_bleu_sentence(const ur_allocator *a, const char *text, const char *label, size_t k,
                           double *out, ur_err *err)
{
    ur_bleu *b;
    size_t words = 0, length = 0;
    int32_t *own = NULL;
    bool *used = NULL;
    *out = 0.0;
    ur_status status = ur_bleu_new(a, UR_BLEU_NONE, &b, err);
    if (status == UR_OK)
        status = read_words(b, text, &words, err);
    if (status == UR_OK) {
        own = ur_alloc(a, words, sizeof *own);
        status = own ? UR_OK : ur_no_memory(err, words * sizeof *own);
    }
    if (status == UR_OK) {
        if (words)
            memcpy(own, b->ids, words * sizeof *own);
        status = read_words(b, label, &length, err);
    }
    if (status == UR_OK) {
        used = ur_alloc(a, length, sizeof *used);
        status = used ? UR_OK : ur_no_memory(err, length * sizeof *used);
    }
    if (status == UR_OK && words) {
        const double ratio = 1.0 - (double)length / (double)words;
        *out = exp(ratio < 0.0 ? ratio : 0.0);
        for (size_t n = 1; n <= k && *out > 0.0; n++)
            *out *= rooted(precision_of(own, words, b->ids, length, n, used), n);
    }
    ur_free(a, own);
    ur_free(a, used);
    ur_bleu_free(b);
    return status;
}
