/* decode.c - one search for everything that writes: greedy, drawn, or by beam.
 *
 *   cost of a symbol y after a prefix = -log softmax(logits)[y],   log P(Y) = -sum of its costs
 *   score(Y) = log P(Y) / lp(Y),   lp(Y) = ((5 + |Y|) / 6)^a         (Wu et al. 2016, equation 14)
 *                                  lp(Y) = |Y|^a                     (CTranslate2)
 *
 * Rows are the open hypotheses, those of a source side by side, the most probable first; all have as
 * many symbols as steps were taken. Each chosen symbol is a node that points to the one before it,
 * so that hypotheses share their beginnings and nothing is copied when they branch. A step:
 *   1. logits of all rows
 *   2. per source: of all (row, symbol) the `beam` most probable ones; those with the end symbol are
 *      set aside by score, the others become nodes and the source's new rows
 *   3. a source is over when no row is left, or n_best hypotheses have ended and the first row cannot
 *      beat the last of them: its score is at most log P / lp(limit), for log P <= 0 only falls and
 *      lp only grows
 *   4. the decoder's state follows the rows
 * Sums are doubles, added symbol by symbol, so they depend on a source alone. */
#include "models/decode.h"

#include <float.h>
#include <math.h>
#include <string.h>

#include "backend/context.h"
#include "base/alloc.h"
#include "base/status.h"
#include "kernels/math.h"
#include "unroll/model.h"

/* A chosen symbol. */
typedef struct node {
    size_t before; /* NONE: it is the first */
    size_t attention;
    int32_t symbol;
    float cost;
} node;

static const size_t NONE = SIZE_MAX;

/* An open hypothesis; parent: its row in the step before. */
typedef struct row {
    size_t node, parent;
    double log_probability;
} row;

/* A hypothesis that was set aside, or stopped by the limit. */
typedef struct ended {
    size_t node, count;
    double log_probability, score;
    float end_cost;
    bool complete;
} ended;

/* A row's continuation by one symbol. */
typedef struct candidate {
    double log_probability;
    size_t row;
    int32_t id;
    float logit, cost;
} candidate;

typedef struct search {
    ur_tape *tape;
    const ur_allocator *allocator;
    const ur_decoder *decoder;
    const ur_sources *sources;
    ur_search_options o; /* with beam and n_best filled in */
    bool probabilities, attention;
    int32_t end;
    size_t limit;   /* steps */
    size_t *limits; /* (sources) of each */
    void *state;
    ur_chooser chooser;
    ur_peaks peaks;    /* of the row at hand */
    ur_random *random; /* (sources) where symbols are drawn */
    size_t rows;
    row *row, *next;  /* (sources * beam) */
    int32_t *symbols; /* (sources * beam) the last of each row */
    size_t *parent;   /* (sources * beam) */
    size_t *open;     /* (sources) rows of each */
    candidate *heap;  /* (beam) the last to come on top */
    size_t found;     /* in the heap */
    ended *ended;     /* (sources, n_best) by falling score */
    size_t *ended_count;
    node *node; /* grows */
    size_t nodes, node_room;
    float *weights; /* attention of the nodes; grows */
    size_t floats, float_room;
} search;

static float wu(size_t symbols)
{
    return (5.0f + (float)symbols) / 6.0f;
}

static float whole_length(size_t symbols)
{
    return (float)symbols;
}

/* In the order of UR_PENALTY_WU ...: what is raised to the power a. All grow with the length. */
static const struct {
    const char *name;
    float (*base)(size_t symbols);
} penalties[] = {{"wu", wu}, {"ctranslate2", whole_length}};
enum { PENALTIES = sizeof penalties / sizeof *penalties };

const char *ur_penalty_name(size_t i)
{
    return i < PENALTIES ? penalties[i].name : NULL;
}

/* lp(Y) of |Y| symbols. */
static double length_penalty(const search *s, size_t symbols)
{
    if (s->o.length_penalty == 0.0f)
        return 1.0;
    return (double)ur_expf(s->o.length_penalty * ur_logf(penalties[s->o.penalty].base(symbols)));
}

/* ---- setting up --------------------------------------------------------------------------- */

static ur_search_options filled_in(const ur_search_options *options)
{
    ur_search_options o = options ? *options : (ur_search_options){0};
    o.beam = o.beam ? o.beam : 1;
    o.n_best = o.n_best ? o.n_best : 1;
    return o;
}

static bool check(search *s)
{
    ur_tape *t = s->tape;
    const size_t vocabulary = s->decoder->vocabulary;
    ur_err err;
    int32_t bad = s->end;
    if (t->mode != UR_INFER)
        ur_tape_fail(t, UR_INVALID, "search: it wants a tape for inference");
    else if (ur_search_check(&s->o, &err) != UR_OK)
        ur_tape_fail(t, err.status, "%s", err.text);
    else if (!ur_are_symbols(vocabulary, s->o.never, s->o.never_count, &bad) ||
             (s->end != -1 && !ur_are_symbols(vocabulary, &s->end, 1, &bad)))
        ur_tape_fail(t, UR_INVALID, "search: the options name symbol %d, the vocabulary has %zu",
                     (int)bad, vocabulary);
    else if (s->limit == 0 && !s->decoder->limit)
        ur_tape_fail(t, UR_INVALID, "search: neither the options nor the decoder limit the steps");
    else if (s->sources->count > SIZE_MAX / 256 / s->o.beam)
        ur_tape_fail(t, UR_NO_MEMORY, "search: %zu sources are more than memory can hold",
                     s->sources->count);
    return ur_tape_ok(t);
}

/* Steps of each source; s->limit becomes the most of them. What is given must be symbols. */
static bool set_limits(search *s)
{
    const ur_sources *sources = s->sources;
    size_t most = 0;
    for (size_t b = 0; b < sources->count; b++) {
        const ur_decoder *d = s->decoder;
        size_t limit = d->limit ? d->limit(d, sources->ids[b]) : s->limit;
        if (d->limit && sources->begin) /* which takes nothing from what is written */
            limit += sources->begin[b].length;
        limit = s->limit && s->limit < limit ? s->limit : limit;
        s->limits[b] = limit;
        most = limit > most ? limit : most;
        int32_t bad = 0;
        if (sources->begin &&
            !ur_are_symbols(d->vocabulary, sources->begin[b].ids, sources->begin[b].length, &bad))
            return ur_tape_fail(s->tape, UR_INVALID,
                                "search: an answer is to begin with symbol %d, the vocabulary has "
                                "%zu",
                                (int)bad, d->vocabulary);
    }
    s->limit = sources->count ? most : s->limit;
    return true;
}

static bool set_up(search *s)
{
    ur_tape *t = s->tape;
    const size_t count = s->sources->count, most = count * s->o.beam;
    if (!check(s))
        return false;
    s->chooser = ur_chooser_new(t, &s->o, s->decoder->vocabulary);
    s->peaks = ur_peaks_new(t, s->decoder->vocabulary);
    s->random = s->o.temperature > 0.0f ? ur_take(t, count, sizeof *s->random) : NULL;
    s->row = ur_take(t, most, sizeof *s->row);
    s->next = ur_take(t, most, sizeof *s->next);
    s->symbols = ur_take(t, most, sizeof *s->symbols);
    s->parent = ur_take(t, most, sizeof *s->parent);
    s->heap = ur_take(t, s->o.beam, sizeof *s->heap);
    s->ended = ur_take(t, count * s->o.n_best, sizeof *s->ended);
    s->open = ur_take(t, count, sizeof *s->open);
    s->ended_count = ur_take(t, count, sizeof *s->ended_count);
    s->limits = ur_take(t, count, sizeof *s->limits);
    if (!ur_tape_ok(t) || !set_limits(s))
        return false;
    s->rows = count;
    for (size_t b = 0; b < count; b++) {
        s->row[b] = (row){.node = NONE};
        s->open[b] = 1;
        s->ended_count[b] = 0;
        if (s->random)
            s->random[b] =
                ur_choice_random(s->o.seed, s->sources->id ? s->sources->id[b] : (uint64_t)b);
    }
    const ur_decoder_task task = {.sources = s->sources,
                                  .hypotheses = s->o.beam,
                                  .steps = s->limit,
                                  .attention = s->attention};
    s->state = s->decoder->start(t, s->decoder, &task, s->symbols);
    return s->state && ur_tape_ok(t);
}

/* ---- the most probable continuations ------------------------------------------------------ */

/* Whether a is better than b: the order in which they are kept. */
static bool better(const candidate *a, const candidate *b)
{
    if (a->log_probability != b->log_probability)
        return a->log_probability > b->log_probability;
    if (a->row != b->row)
        return a->row < b->row;
    return a->logit > b->logit || (a->logit == b->logit && a->id < b->id);
}

/* The worst of heap[0..n) on top: `c` sinks from there to its place. */
static void sink(candidate *heap, size_t n, candidate c)
{
    size_t i = 0;
    for (size_t child; (child = 2 * i + 1) < n; i = child) {
        if (child + 1 < n && better(&heap[child], &heap[child + 1]))
            child++;
        if (!better(&c, &heap[child]))
            break;
        heap[i] = heap[child];
    }
    heap[i] = c;
}

/* Keeps it if it belongs to the `beam` best. */
static bool offer(search *s, candidate c)
{
    if (s->found == s->o.beam) {
        if (!better(&c, &s->heap[0]))
            return false;
        sink(s->heap, s->found, c);
        return true;
    }
    size_t i = s->found++;
    for (; i && better(&s->heap[(i - 1) / 2], &c); i = (i - 1) / 2)
        s->heap[i] = s->heap[(i - 1) / 2];
    s->heap[i] = c;
    return true;
}

/* A logit below which no symbol of this row is among the best, a little lower for rounding. */
static double least_logit(const search *s, size_t r, ur_costs costs)
{
    if (s->found < s->o.beam)
        return -(double)FLT_MAX; /* only -inf is lower */
    const double most = (double)costs.most, total = (double)costs.log_total;
    const double missing = s->heap[0].log_probability - s->row[r].log_probability + total;
    return missing + most - 1e-6 * (1.0 + fabs(missing) + fabs(most) + fabs(total));
}

static void offer_row(search *s, size_t r, ur_costs costs, const float *logits)
{
    const size_t vocabulary = s->decoder->vocabulary;
    double least = least_logit(s, r, costs);
    for (size_t i = 0; i < vocabulary; i++) {
        if (i % UR_PEAK_SPAN == 0 && (double)s->peaks.most[i / UR_PEAK_SPAN] < least) {
            i += UR_PEAK_SPAN - 1;
            continue;
        }
        if ((double)logits[i] < least)
            continue;
        const float cost = ur_cost(costs, logits[i]);
        if (offer(s, (candidate){s->row[r].log_probability - (double)cost, r, (int32_t)i, logits[i],
                                 cost}))
            least = least_logit(s, r, costs);
    }
}

/* The best one first. */
static void sort(search *s)
{
    for (size_t n = s->found; n > 1; n--) {
        const candidate worst = s->heap[0];
        sink(s->heap, n - 1, s->heap[n - 1]);
        s->heap[n - 1] = worst;
    }
}

/* The only continuation of the only row. */
static void choose(search *s, size_t b, size_t r, ur_costs costs, const float *logits)
{
    ur_random *random = s->random ? &s->random[b] : NULL;
    const size_t id =
        random ? ur_choose(&s->chooser, &s->o, random, logits) : ur_peaks_best(&s->peaks, logits);
    const float cost = s->probabilities ? ur_cost(costs, logits[id]) : 0.0f;
    if (logits[id] == -INFINITY)
        return;
    offer(s,
          (candidate){s->row[r].log_probability - (double)cost, r, (int32_t)id, logits[id], cost});
}

/* Whether the symbol of this step was given, in which case it ends nothing. */
static bool is_given(const search *s, size_t b, size_t step)
{
    return s->sources->begin && step < s->sources->begin[b].length;
}

/* Symbols that this step must not choose; what is drawn asks for no peaks. */
static void rule_out(const search *s, size_t step, float *x)
{
    const bool no_end = s->end >= 0 && step < s->o.least, peaks = !s->random;
    ur_rule_out(&s->o, x);
    if (no_end)
        x[s->end] = -INFINITY;
    for (size_t i = 0; peaks && i < s->o.never_count; i++)
        ur_peaks_lowered(&s->peaks, x, (size_t)s->o.never[i]);
    if (peaks && no_end)
        ur_peaks_lowered(&s->peaks, x, (size_t)s->end);
}

/* Fills the heap for rows [begin, begin + open) of source b, in order. False when the tape failed. */
static bool find_best(search *s, size_t b, size_t begin, size_t step, float *logits)
{
    const size_t vocabulary = s->decoder->vocabulary;
    s->found = 0;
    for (size_t r = begin; r < begin + s->open[b]; r++) {
        float *x = logits + r * vocabulary;
        const size_t bad = ur_not_finite(s->tape->context, vocabulary, x);
        if (bad < vocabulary)
            return ur_tape_fail(s->tape, UR_DIVERGED,
                                "search: the logit of symbol %zu is not finite; the model's "
                                "weights are damaged",
                                bad);
        const bool summed = s->probabilities || s->o.beam > 1;
        if (summed || !s->random)
            ur_peaks_find(&s->peaks, x);
        const ur_costs costs =
            summed ? ur_costs_of(s->tape->context, vocabulary, x, ur_peaks_best(&s->peaks, x))
                   : (ur_costs){0};
        if (is_given(s, b, step)) {
            const int32_t id = s->sources->begin[b].ids[step];
            const float cost = summed ? ur_cost(costs, x[id]) : 0.0f;
            offer(s, (candidate){s->row[r].log_probability - (double)cost, r, id, x[id], cost});
            continue;
        }
        rule_out(s, step, x);
        if (s->o.beam == 1)
            choose(s, b, r, costs, x);
        else
            offer_row(s, r, costs, x);
    }
    sort(s);
    if (s->found == 0)
        ur_tape_fail(s->tape, UR_INVALID, "search: the options rule out every symbol");
    return ur_tape_ok(s->tape);
}

/* ---- what becomes of them ----------------------------------------------------------------- */

static void set_aside(search *s, size_t b, ended e)
{
    ended *list = s->ended + b * s->o.n_best;
    size_t *n = &s->ended_count[b], i = *n;
    e.score = e.log_probability / length_penalty(s, e.count + e.complete);
    while (i && e.complete && e.score > list[i - 1].score)
        i--;
    if (i == s->o.n_best)
        return;
    if (*n < s->o.n_best)
        ++*n;
    memmove(list + i + 1, list + i, (*n - 1 - i) * sizeof *list);
    list[i] = e;
}

static bool add_node(search *s, const candidate *c, size_t b, size_t *out)
{
    const float *weights = s->attention ? s->decoder->attention(s->state, c->row) : NULL;
    const size_t width = weights ? s->sources->ids[b].length : 0;
    if (!ur_reserve(s->allocator, &s->node, &s->node_room, s->nodes, s->nodes + 1,
                    sizeof *s->node) ||
        (width && !ur_reserve(s->allocator, &s->weights, &s->float_room, s->floats,
                              s->floats + width, sizeof *s->weights)))
        return ur_tape_fail(s->tape, UR_NO_MEMORY, "out of memory: search after %zu symbols",
                            s->nodes);
    if (width)
        memcpy(s->weights + s->floats, weights, width * sizeof *weights);
    *out = s->nodes;
    s->node[s->nodes++] = (node){
        .before = s->row[c->row].node, .attention = s->floats, .symbol = c->id, .cost = c->cost};
    s->floats += width;
    return true;
}

/* Whether no open hypothesis of the source can beat those that ended; `first` is its best one. */
static bool is_over(const search *s, size_t b, const row *first)
{
    const size_t n_best = s->o.n_best;
    if (s->ended_count[b] < n_best)
        return false;
    return first->log_probability / length_penalty(s, s->limits[b]) <=
           s->ended[b * n_best + n_best - 1].score;
}

/* The source's hypotheses after this step: its new rows from next[at] on. Returns how many. */
static size_t advance(search *s, size_t b, size_t step, size_t at)
{
    size_t count = 0;
    for (size_t i = 0; i < s->found; i++) {
        const candidate *c = &s->heap[i];
        if (c->id == s->end && !is_given(s, b, step)) {
            set_aside(s, b,
                      (ended){.node = s->row[c->row].node,
                              .count = step,
                              .log_probability = c->log_probability,
                              .end_cost = c->cost,
                              .complete = true});
            continue;
        }
        row *r = &s->next[at + count];
        *r = (row){.parent = c->row, .log_probability = c->log_probability};
        if (!add_node(s, c, b, &r->node))
            return 0;
        s->symbols[at + count++] = c->id;
    }
    if (step + 1 < s->limits[b])
        return count && is_over(s, b, &s->next[at]) ? 0 : count;
    for (size_t i = 0; i < count; i++)
        set_aside(s, b,
                  (ended){.node = s->next[at + i].node,
                          .count = step + 1,
                          .log_probability = s->next[at + i].log_probability});
    return 0;
}

/* One step of all open hypotheses. */
static void take_step(search *s, size_t step)
{
    ur_tape *t = s->tape;
    const size_t vocabulary = s->decoder->vocabulary;
    const ur_tensor *logits = s->decoder->step(t, s->state, s->symbols);
    if (!ur_tape_ok(t))
        return;
    if (!logits || logits->ndim != 2 || logits->dim[0] != s->rows || logits->dim[1] != vocabulary) {
        ur_tape_fail(t, UR_INVALID, "search: the decoder's logits are %s, (%zu,%zu) expected",
                     ur_shape(logits).text, s->rows, vocabulary);
        return;
    }
    float *read = ur_read(t, logits);
    size_t begin = 0, rows = 0;
    for (size_t b = 0; read && b < s->sources->count; b++) {
        const size_t old = s->open[b];
        if (old == 0)
            continue;
        if (!find_best(s, b, begin, step, read))
            return;
        s->open[b] = advance(s, b, step, rows);
        if (!ur_tape_ok(t))
            return;
        begin += old;
        rows += s->open[b];
    }
    row *swap = s->row;
    s->row = s->next;
    s->next = swap;
    for (size_t i = 0; i < rows; i++)
        s->parent[i] = s->row[i].parent;
    s->rows = rows;
    if (rows)
        s->decoder->reorder(t, s->state, rows, s->parent);
}

/* ---- results ------------------------------------------------------------------------------ */

static void give(const search *s, size_t b, const ended *e, ur_hypothesis *out)
{
    ur_tape *t = s->tape;
    const size_t width = s->attention ? s->sources->ids[b].length : 0;
    *out = (ur_hypothesis){.count = e->count,
                           .complete = e->complete,
                           .log_probability = e->log_probability,
                           .score = e->score};
    out->ids = ur_take(t, e->count, sizeof *out->ids);
    if (s->probabilities)
        out->probability = ur_take(t, e->count + e->complete, sizeof *out->probability);
    if (s->attention)
        out->attention = ur_take(t, e->count * width, sizeof *out->attention);
    if (!ur_tape_ok(t))
        return;
    size_t at = e->node;
    for (size_t i = e->count; i-- > 0; at = s->node[at].before) {
        out->ids[i] = s->node[at].symbol;
        if (s->probabilities)
            out->probability[i] = ur_expf(-s->node[at].cost);
        if (width)
            memcpy(out->attention + i * width, s->weights + s->node[at].attention,
                   width * sizeof *out->attention);
    }
    if (s->probabilities && e->complete)
        out->probability[e->count] = ur_expf(-e->end_cost);
}

static ur_written *give_all(const search *s)
{
    const size_t count = s->sources->count, n_best = s->o.n_best;
    ur_written *out = ur_take(s->tape, count, sizeof *out);
    ur_hypothesis *best = ur_take(s->tape, count * n_best, sizeof *best);
    if (!out || !best)
        return NULL;
    for (size_t b = 0; b < count; b++) {
        out[b] = (ur_written){s->ended_count[b], best + b * n_best};
        for (size_t i = 0; i < out[b].count; i++)
            give(s, b, &s->ended[b * n_best + i], &out[b].best[i]);
    }
    return ur_tape_ok(s->tape) ? out : NULL;
}

static ur_written *run(search *s)
{
    if (!set_up(s))
        return NULL;
    const ur_place place = ur_tape_place(s->tape);
    for (size_t step = 0; s->rows && ur_tape_ok(s->tape); step++) {
        take_step(s, step);
        ur_tape_rewind(s->tape, place);
    }
    return ur_tape_ok(s->tape) ? give_all(s) : NULL;
}

ur_written *ur_search_with(ur_tape *t, const ur_decoder *decoder, const ur_sources *sources,
                           const ur_search_options *options, bool probabilities)
{
    if (!ur_tape_ok(t))
        return NULL;
    search s = {.tape = t,
                .allocator = ur_context_allocator(t->context),
                .decoder = decoder,
                .sources = sources,
                .o = filled_in(options)};
    s.probabilities = probabilities || s.o.beam > 1;
    s.attention = s.o.attention && decoder->attention;
    s.end = s.o.end ? *s.o.end : decoder->end;
    s.limit =
        s.o.most && (!decoder->steps || s.o.most < decoder->steps) ? s.o.most : decoder->steps;
    const ur_fpmode mode = ur_fpmode_enter();
    ur_written *out = run(&s);
    if (s.state && decoder->release)
        decoder->release(s.state);
    ur_fpmode_leave(mode);
    ur_free(s.allocator, s.node);
    ur_free(s.allocator, s.weights);
    return out;
}

ur_written *ur_search(ur_tape *t, const ur_decoder *decoder, const ur_sources *sources,
                      const ur_search_options *options)
{
    return ur_search_with(t, decoder, sources, options, true);
}

/* ---- models ------------------------------------------------------------------------------- */

ur_status ur_model_decoder(const ur_model *model, ur_decoder *out, ur_err *err)
{
    *out = (ur_decoder){0};
    if (!model->kind->decoder)
        return ur_fail(err, UR_UNSUPPORTED, "this model is a %s, which does not write",
                       model->kind->name);
    return model->kind->decoder(model, out, err);
}

ur_written *ur_generate(ur_tape *t, const ur_model *model, size_t count, const ur_ids *prompts,
                        const ur_search_options *options)
{
    ur_decoder decoder;
    ur_err err;
    if (!ur_tape_ok(t))
        return NULL;
    if (ur_model_decoder(model, &decoder, &err) != UR_OK)
        return ur_tape_fail(t, err.status, "%s", err.text);
    const ur_sources sources = {.count = count, .ids = prompts};
    return ur_search(t, &decoder, &sources, options);
}
