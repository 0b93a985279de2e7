/* decode_choice.c - one symbol from its logits: the most probable one, or one that is drawn.
 *
 *   w_i = exp((logit_i - max) / temperature),   p_i = w_i / sum of the kept w
 * Kept are the top_k largest, and of those the first whose p reach top_p, in the order of falling
 * logits, equal ones by rising id. Sums run in double in that order (by id where all are kept). */
#include "models/decode.h"

#include <math.h>
#include <stddef.h>

#include "base/status.h"
#include "base/streams.h"
#include "kernels/math.h"

/* A stream of its own for every source. */
ur_random ur_choice_random(uint64_t seed, uint64_t source)
{
    return ur_random_start(seed, UR_STREAM_CHOICE + source);
}

/* ---- options ------------------------------------------------------------------------------ */

#define AT(member) .group = "search", .offset = offsetof(ur_search_options, member)

const ur_field *ur_search_fields(void)
{
    static const ur_field fields[] = {
        {.name = "temperature",
         .metavar = "X",
         .type = UR_FIELD_FLOAT,
         AT(temperature),
         .most = 1e6,
         .initial = "0",
         .shown = "0, or 1 with --top-k or --top-p",
         .help =
             "Draw symbols by their probabilities, sharpened below 1, flattened above; 0 always "
             "takes the most probable one."},
        {.name = "top_k",
         .metavar = "K",
         .type = UR_FIELD_SIZE,
         AT(top_k),
         .most = 1 << 30,
         .initial = "0",
         .shown = "all",
         .help = "Draw from the K most probable symbols alone."},
        {.name = "top_p",
         .metavar = "P",
         .type = UR_FIELD_FLOAT,
         AT(top_p),
         .most = 1,
         .initial = "0",
         .shown = "1",
         .help = "Draw from the most probable symbols that together reach this probability."},
        {.name = "seed",
         .metavar = "N",
         .type = UR_FIELD_SEED,
         AT(seed),
         .initial = "42",
         .help = "Of what is drawn. Equal seeds give equal texts, on every machine."},
        {.name = "beam",
         .metavar = "N",
         .type = UR_FIELD_SIZE,
         AT(beam),
         .most = UR_MOST_HYPOTHESES,
         .initial = "1",
         .help = "Search for the most probable text: N that were begun are followed at a time."},
        {.name = "n_best",
         .metavar = "N",
         .type = UR_FIELD_SIZE,
         AT(n_best),
         .most = UR_MOST_HYPOTHESES,
         .initial = "1",
         .help = "The N best texts that the search came to, at most --beam."},
        {.name = "length_penalty",
         .metavar = "A",
         .type = UR_FIELD_FLOAT,
         AT(length_penalty),
         .most = 4,
         .initial = "0",
         .help =
             "With --beam: log probabilities are divided by ((5 + length) / 6)^A, so that longer "
             "texts are not at a disadvantage."},
        {.name = "penalty",
         .metavar = "wu|ctranslate2",
         .type = UR_FIELD_ENUM,
         AT(penalty),
         .word = ur_penalty_name,
         .help = "What they are divided by: that (Wu et al.), or length^A as CTranslate2 does."},
        {.name = "most",
         .flag = "max-tokens",
         .alias = "tokens",
         .metavar = "N",
         .type = UR_FIELD_SIZE,
         AT(most),
         .most = 1 << 30,
         .initial = "0",
         .shown = "the model's limit",
         .help = "Symbols that are written, at most."},
        {.name = "least",
         .flag = "min-tokens",
         .metavar = "N",
         .type = UR_FIELD_SIZE,
         AT(least),
         .most = 1 << 30,
         .initial = "0",
         .help = "Symbols that are written before a text may end."},
        {.name = "begin",
         .metavar = "TEXT",
         .type = UR_FIELD_TEXT,
         AT(begin),
         .least = 1,
         .shown = "",
         .help = "What a translation begins with; the model goes on from there."},
        {.name = NULL}};
    return fields;
}

ur_status ur_search_check(const ur_search_options *o, ur_err *err)
{
    const size_t beam = o->beam ? o->beam : 1;
    const ur_status status = ur_fields_check(ur_search_fields(), o, "search", err);
    if (status != UR_OK)
        return status;
    if (o->never_count && !o->never)
        return ur_fail(err, UR_INVALID,
                       "search: %zu symbols are never to be written, but the list is missing",
                       o->never_count);
    if (o->n_best > beam)
        return ur_fail(err, UR_INVALID,
                       "search: the best %zu of a beam of %zu: at most as many as the beam has",
                       o->n_best, beam);
    if (o->most && o->least > o->most)
        return ur_fail(err, UR_INVALID, "search: at least %zu symbols in at most %zu steps",
                       o->least, o->most);
    if (beam > 1 && o->temperature > 0.0f)
        return ur_fail(err, UR_INVALID,
                       "search: a beam keeps the most probable hypotheses and draws nothing, so "
                       "temperature %g needs a beam of 1",
                       (double)o->temperature);
    return UR_OK;
}

/* ---- rows of logits ----------------------------------------------------------------------- */

ur_costs ur_costs_of(const ur_context *context, size_t n, const float *x, size_t best)
{
    return (ur_costs){x[best], /* which, less the largest, is 0 */
                      ur_host_cross_entropy(context, n, x, (int32_t)best, NULL)};
}

size_t ur_not_finite(const ur_context *context, size_t n, const float *x)
{
    if (ur_host_all_finite(context, n, x))
        return n;
    size_t i = 0;
    while (i < n && isfinite(x[i]))
        i++;
    return i;
}

ur_peaks ur_peaks_new(ur_tape *t, size_t n)
{
    ur_peaks p = {.context = t->context, .n = n, .count = (n + UR_PEAK_SPAN - 1) / UR_PEAK_SPAN};
    p.most = ur_take(t, p.count, sizeof *p.most);
    return p;
}

static void find_peak(const ur_peaks *p, const float *x, size_t span)
{
    const size_t begin = span * UR_PEAK_SPAN, left = p->n - begin;
    p->most[span] = ur_host_max(p->context, left < UR_PEAK_SPAN ? left : UR_PEAK_SPAN, x + begin);
}

void ur_peaks_find(const ur_peaks *p, const float *x)
{
    for (size_t span = 0; span < p->count; span++)
        find_peak(p, x, span);
}

void ur_peaks_lowered(const ur_peaks *p, const float *x, size_t i)
{
    find_peak(p, x, i / UR_PEAK_SPAN);
}

size_t ur_peaks_best(const ur_peaks *p, const float *x)
{
    const size_t span = ur_argmax(p->most, p->count);
    size_t i = span * UR_PEAK_SPAN;
    while (x[i] != p->most[span])
        i++;
    return i;
}

void ur_rule_out(const ur_search_options *o, float *logits)
{
    for (size_t i = 0; i < o->never_count; i++)
        logits[o->never[i]] = -INFINITY;
}

bool ur_are_symbols(size_t vocabulary, const int32_t *ids, size_t count, int32_t *bad)
{
    for (size_t i = 0; i < count; i++)
        if (ids[i] < 0 || (size_t)ids[i] >= vocabulary) {
            *bad = ids[i];
            return false;
        }
    return true;
}

/* ---- drawing ------------------------------------------------------------------------------ */

ur_chooser ur_chooser_new(ur_tape *t, const ur_search_options *o, size_t vocabulary)
{
    ur_chooser c = {.vocabulary = vocabulary};
    if (o->temperature > 0.0f) {
        c.weight = ur_take(t, vocabulary, sizeof *c.weight);
        c.order = ur_take(t, vocabulary, sizeof *c.order);
    }
    return c;
}

/* Whether id a comes before id b. */
static bool before(const float *logits, int32_t a, int32_t b)
{
    const float x = logits[a], y = logits[b];
    return x > y || (x == y && a < b);
}

/* The heap order[0..n) with its first to come on top: what stands at i sinks to its place. */
static void sink(const float *logits, int32_t *order, size_t n, size_t i)
{
    const int32_t id = order[i];
    for (size_t child; (child = 2 * i + 1) < n; i = child) {
        if (child + 1 < n && before(logits, order[child + 1], order[child]))
            child++;
        if (!before(logits, order[child], id))
            break;
        order[i] = order[child];
    }
    order[i] = id;
}

/* The symbol that comes `i`-th: those taken off the heap stand behind it, the first one last. */
static int32_t ranked(const ur_chooser *c, size_t i)
{
    return c->order[c->vocabulary - 1 - i];
}

/* Brings the symbols that are kept to the end of `order`; returns how many. */
static size_t keep(const ur_chooser *c, const ur_search_options *o, const float *logits,
                   double *mass)
{
    const size_t n = c->vocabulary;
    const size_t most = o->top_k && o->top_k < n ? o->top_k : n;
    const double part = o->top_p > 0.0f ? (double)o->top_p : 1.0;
    double all = 0.0, total = 0.0;
    for (size_t i = 0; i < n; i++) {
        c->order[i] = (int32_t)i;
        all += (double)c->weight[i];
    }
    for (size_t i = n / 2; i-- > 0;)
        sink(logits, c->order, n, i);
    size_t sorted = 0;
    for (; sorted < most && !(most == n && part < 1.0 && total >= part * all); sorted++) {
        const int32_t first = c->order[0];
        c->order[0] = c->order[n - 1 - sorted];
        c->order[n - 1 - sorted] = first;
        sink(logits, c->order, n - 1 - sorted, 0);
        total += (double)c->weight[first];
    }
    const double wanted = part * (most == n ? all : total);
    size_t kept = 0;
    for (*mass = 0.0; kept < sorted && (part == 1.0 || *mass < wanted); kept++)
        *mass += (double)c->weight[ranked(c, kept)];
    return kept;
}

/* [0, 1), a multiple of 2^-53. */
static double uniform(ur_random *r)
{
    const uint32_t high = ur_random_u32(r) >> 5, low = ur_random_u32(r) >> 6;
    return ((double)high * 0x1p26 + (double)low) * 0x1p-53;
}

static size_t draw(const ur_chooser *c, const ur_search_options *o, ur_random *random,
                   const float *logits)
{
    const size_t n = c->vocabulary;
    const float largest = logits[ur_argmax(logits, n)];
    const bool all = !(o->top_k && o->top_k < n) && !(o->top_p > 0.0f && o->top_p < 1.0f);
    double mass = 0.0;
    for (size_t i = 0; i < n; i++)
        c->weight[i] = ur_expf((logits[i] - largest) / o->temperature);
    for (size_t i = 0; all && i < n; i++)
        mass += (double)c->weight[i];
    const size_t kept = all ? n : keep(c, o, logits, &mass);
    const double wanted = uniform(random) * mass;
    double sum = 0.0;
    size_t id = 0;
    for (size_t i = 0; i < kept && !(sum > wanted); i++) {
        const size_t next = all ? i : (size_t)ranked(c, i);
        sum += (double)c->weight[next];
        id = c->weight[next] > 0.0f ? next : id;
    }
    return id;
}

size_t ur_choose(const ur_chooser *c, const ur_search_options *o, ur_random *random,
                 const float *logits)
{
    return o->temperature > 0.0f ? draw(c, o, random, logits) : ur_argmax(logits, c->vocabulary);
}
