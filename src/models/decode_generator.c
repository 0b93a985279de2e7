/* decode_generator.c - a model that writes on, one token at a time: the search's choice without its
 * end. All memory is the tape's, whose place after the decoder's start is kept. */
#include "models/decode.h"

#include <string.h>

#include "base/alloc.h"
#include "base/status.h"
#include "kernels/math.h"
#include "unroll/model.h"

struct ur_generator {
    ur_context *context;
    ur_decoder decoder;
    ur_search_options options;
    ur_random random;
    ur_chooser chooser;
    ur_tape *tape;
    ur_place place;
    void *state;   /* NULL: nothing was read yet */
    float *logits; /* (vocabulary) of the token to come */
    float *ruled;  /* (vocabulary) the same without what is never written; NULL where all may be */
};

static ur_status check(const ur_search_options *o, size_t vocabulary, ur_err *err)
{
    int32_t bad;
    const ur_status status = ur_search_check(o, err);
    if (status != UR_OK)
        return status;
    if (o->beam > 1 || o->n_best > 1 || o->least || o->most || o->end || o->attention || o->maps ||
        o->length_penalty > 0.0f)
        return ur_fail(err, UR_INVALID,
                       "generation: one token at a time takes temperature, top-k, top-p, seed and "
                       "tokens that are never written; the other options are for a whole search");
    if (!ur_are_symbols(vocabulary, o->never, o->never_count, &bad))
        return ur_fail(err, UR_INVALID,
                       "generation: token %d is never to be written, the vocabulary has %zu",
                       (int)bad, vocabulary);
    return UR_OK;
}

static ur_status tape_error(const ur_generator *g, ur_err *err)
{
    const ur_status status = ur_tape_status(g->tape);
    return status == UR_OK ? UR_OK : ur_fail(err, status, "%s", ur_error(g->tape));
}

/* What the generator has of its own, on its tape; the caller's list of tokens need not last. */
static ur_status set_up(ur_generator *g, const ur_model *model, ur_err *err)
{
    const size_t vocabulary = g->decoder.vocabulary;
    ur_status status = ur_tape_new(g->context, &g->tape, err);
    if (status != UR_OK)
        return status;
    ur_tape *t = g->tape;
    ur_search_options *o = &g->options;
    ur_tape_start(t, UR_INFER, model->params, NULL, 0, 0);
    g->chooser = ur_chooser_new(t, o, vocabulary);
    g->logits = ur_take(t, vocabulary, sizeof *g->logits);
    if (o->never_count) {
        int32_t *never = ur_take(t, o->never_count, sizeof *never);
        if (never)
            memcpy(never, o->never, o->never_count * sizeof *never);
        o->never = never;
        g->ruled = ur_take(t, vocabulary, sizeof *g->ruled);
    }
    return tape_error(g, err);
}

ur_status ur_generator_new(ur_context *context, const ur_model *model,
                           const ur_search_options *options, ur_generator **out, ur_err *err)
{
    *out = NULL;
    const ur_search_options o = options ? *options : (ur_search_options){0};
    ur_decoder decoder;
    ur_status status = ur_model_decoder(model, &decoder, err);
    if (status == UR_OK)
        status = check(&o, decoder.vocabulary, err);
    if (status != UR_OK)
        return status;
    ur_generator *g = ur_alloc_zero(ur_context_allocator(context), 1, sizeof *g);
    if (!g)
        return ur_no_memory(err, sizeof *g);
    g->context = context;
    g->decoder = decoder;
    g->options = o;
    g->random = ur_choice_random(o.seed, 0);
    status = set_up(g, model, err);
    if (status != UR_OK) {
        ur_generator_free(g);
        return status;
    }
    *out = g;
    return UR_OK;
}

void ur_generator_free(ur_generator *g)
{
    if (!g)
        return;
    if (g->state && g->decoder.release)
        g->decoder.release(g->state);
    ur_tape_free(g->tape);
    ur_free(ur_context_allocator(g->context), g);
}

/* ---- reading ------------------------------------------------------------------------------ */

/* The first tokens are the decoder's source; returns what is left to feed it with. */
static int32_t begin(ur_generator *g, ur_ids ids)
{
    int32_t symbol = 0;
    const ur_sources sources = {.count = 1, .ids = &ids};
    const ur_decoder_task task = {.sources = &sources, .hypotheses = 1, .steps = SIZE_MAX};
    g->state = g->decoder.start(g->tape, &g->decoder, &task, &symbol);
    g->place = ur_tape_place(g->tape);
    return symbol;
}

/* Feeds one token; the logits of the next one. */
static void feed(ur_generator *g, int32_t symbol)
{
    ur_tape *t = g->tape;
    const ur_tensor *logits = g->decoder.step(t, g->state, &symbol);
    if (!ur_tape_ok(t))
        return;
    if (!logits || ur_count(logits) != g->decoder.vocabulary) {
        ur_tape_fail(t, UR_INVALID, "generation: the decoder's logits are %s, (1,%zu) expected",
                     ur_shape(logits).text, g->decoder.vocabulary);
        return;
    }
    const float *read = ur_read(t, logits);
    if (read)
        memcpy(g->logits, read, g->decoder.vocabulary * sizeof *g->logits);
    g->decoder.reorder(t, g->state, 1, &(size_t){0});
    ur_tape_rewind(t, g->place);
}

static void read_more(ur_generator *g, ur_ids ids)
{
    const size_t before = ids.length - 1;
    if (before && g->decoder.read) {
        g->decoder.read(g->tape, g->state, (ur_ids){ids.ids, before});
        if (ur_tape_ok(g->tape))
            ur_tape_rewind(g->tape, g->place);
    }
    for (size_t i = g->decoder.read ? before : 0; i < ids.length && ur_tape_ok(g->tape); i++)
        feed(g, ids.ids[i]);
}

ur_status ur_generator_read(ur_generator *g, ur_ids ids, ur_err *err)
{
    int32_t bad;
    if (!ur_are_symbols(g->decoder.vocabulary, ids.ids, ids.length, &bad))
        return ur_fail(err, UR_INVALID, "generation: there is no token %d, the vocabulary has %zu",
                       (int)bad, g->decoder.vocabulary);
    if (ids.length == 0 || !ur_tape_ok(g->tape))
        return tape_error(g, err);
    const ur_fpmode mode = ur_fpmode_enter();
    if (g->state) {
        read_more(g, ids);
    } else {
        const int32_t symbol = begin(g, ids);
        if (ur_tape_ok(g->tape))
            feed(g, symbol);
    }
    ur_fpmode_leave(mode);
    return tape_error(g, err);
}

const float *ur_generator_logits(const ur_generator *g)
{
    return g->state && ur_tape_ok(g->tape) ? g->logits : NULL;
}

/* ---- writing ------------------------------------------------------------------------------ */

static size_t choose(ur_generator *g)
{
    const float *logits = g->logits;
    if (g->ruled) {
        memcpy(g->ruled, g->logits, g->decoder.vocabulary * sizeof *g->ruled);
        ur_rule_out(&g->options, g->ruled);
        logits = g->ruled;
    }
    return ur_choose(&g->chooser, &g->options, &g->random, logits);
}

static bool is_never(const ur_search_options *o, size_t id)
{
    bool never = false;
    for (size_t i = 0; i < o->never_count; i++)
        never = never || (size_t)o->never[i] == id;
    return never;
}

ur_status ur_generator_write(ur_generator *g, int32_t *id, double *log_probability, ur_err *err)
{
    if (!ur_tape_ok(g->tape))
        return tape_error(g, err);
    if (!g->state)
        return ur_fail(err, UR_INVALID,
                       "generation: nothing was read yet that the next token could follow");
    const size_t vocabulary = g->decoder.vocabulary,
                 bad = ur_not_finite(g->tape->context, vocabulary, g->logits);
    if (bad < vocabulary)
        return ur_fail(err, UR_DIVERGED,
                       "generation: the logit of token %zu is not finite; the model's weights "
                       "are damaged",
                       bad);
    const ur_fpmode mode = ur_fpmode_enter();
    const size_t chosen = choose(g);
    if (log_probability) {
        const ur_costs costs =
            ur_costs_of(g->tape->context, vocabulary, g->logits, ur_argmax(g->logits, vocabulary));
        *log_probability = -(double)ur_cost(costs, g->logits[chosen]);
    }
    ur_fpmode_leave(mode);
    if (is_never(&g->options, chosen))
        return ur_fail(err, UR_INVALID, "generation: every token is one that is never written");
    *id = (int32_t)chosen;
    return ur_generator_read(g, (ur_ids){id, 1}, err);
}
