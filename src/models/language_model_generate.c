/* language_model_generate.c - a language model writes on: read a prompt, then again and again choose
 * the next token and read it.
 *
 *   w_i = exp((logit_i - max) / temperature),   p_i = w_i / sum of the kept w
 * Kept are the top_k largest, and of those the first whose p reach top_p, in the order of falling
 * logits, equal ones by rising id. Sums run in double in that order (by id where all are kept). */
#include "models/language_model.h"

#include <math.h>
#include <string.h>

#include "backend/context.h"
#include "base/alloc.h"
#include "base/philox.h"
#include "base/status.h"
#include "base/tiny.h"
#include "kernels/math.h"

/* A stream of random numbers beside those of parameters, shuffles and windows. */
static const uint64_t CHOICE_STREAM = UINT64_C(3) << 32;

enum { CHUNK = UR_SIZE(256, 3) }; /* steps of a prompt at a time */

struct ur_generator {
    ur_context *context;
    const ur_language_model *model;
    ur_choice choice;
    ur_random random;
    ur_tape *tape;
    ur_carry *carry;
    bool has_read;
    float *logits, *weight; /* (vocabulary) */
    int32_t *order;         /* (vocabulary) */
};

static ur_status check_choice(const ur_choice *c, ur_err *err)
{
    if (!(c->temperature >= 0.0f && c->temperature <= 1e6f))
        return ur_fail(err, UR_INVALID, "generation: temperature %g, 0 to 1e6 expected",
                       (double)c->temperature);
    if (!(c->top_p >= 0.0f && c->top_p <= 1.0f))
        return ur_fail(err, UR_INVALID, "generation: top-p %g, 0 to 1 expected", (double)c->top_p);
    return UR_OK;
}

ur_status ur_generator_new(ur_context *context, const ur_model *model, const ur_choice *choice,
                           ur_generator **out, ur_err *err)
{
    *out = NULL;
    const ur_language_model *m = ur_as_language_model(model);
    const ur_choice c = choice ? *choice : (ur_choice){0};
    const ur_allocator *a = ur_context_allocator(context);
    const size_t vocabulary = m->config.vocabulary;
    ur_status status = check_choice(&c, err);
    if (status != UR_OK)
        return status;
    if (m->config.bidirectional)
        return ur_fail(err, UR_UNSUPPORTED,
                       "a bidirectional model cannot generate: it reads the tokens after the one "
                       "it predicts, which are still to be written");
    ur_generator *g = ur_alloc_zero(a, 1, sizeof *g);
    if (!g)
        return ur_no_memory(err, sizeof *g);
    g->context = context;
    g->model = m;
    g->choice = c;
    g->random = ur_random_start(c.seed, CHOICE_STREAM);
    g->logits = ur_alloc(a, vocabulary, sizeof *g->logits);
    g->weight = ur_alloc(a, vocabulary, sizeof *g->weight);
    g->order = ur_alloc(a, vocabulary, sizeof *g->order);
    if (!g->logits || !g->weight || !g->order)
        status = ur_no_memory(err, 3 * vocabulary * sizeof *g->logits);
    if (status == UR_OK)
        status = ur_tape_new(context, &g->tape, err);
    if (status == UR_OK)
        status = ur_carry_new(context, &m->rnn, 1, &g->carry, err);
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
    const ur_allocator *a = ur_context_allocator(g->context);
    ur_tape_free(g->tape);
    ur_carry_free(g->carry);
    ur_free(a, g->logits);
    ur_free(a, g->weight);
    ur_free(a, g->order);
    ur_free(a, g);
}

/* ---- reading ------------------------------------------------------------------------------ */

/* Some steps; the logits after the last of them when `last`. */
static void read_chunk(ur_generator *g, const int32_t *id, size_t steps, bool last)
{
    ur_tape *t = g->tape;
    const ur_language_model *m = g->model;
    ur_tape_start(t, UR_INFER, m->base.params, NULL, 0, 0);
    const ur_seq *ids = ur_seq_ints(t, ur_new_layout(t, UR_STEP_MAJOR, 1, &steps, NULL), id);
    const ur_rnn_out out = ur_language_layers(t, m, ids, ur_carry_state(t, g->carry, 1, NULL));
    if (last && ur_tape_ok(t)) {
        const size_t width = ur_rnn_width(&m->rnn);
        const float *y = ur_floats(out.y->values) + (steps - 1) * width;
        const ur_tensor *logits =
            ur_linear(t, &m->fc, ur_copy_floats(t, 2, (size_t[]){1, width}, y, false));
        if (logits)
            memcpy(g->logits, logits->data, m->config.vocabulary * sizeof *g->logits);
    }
    ur_carry_take(t, g->carry, 1, NULL, out);
}

ur_status ur_generator_read(ur_generator *g, ur_ids ids, ur_err *err)
{
    for (size_t i = 0; i < ids.length; i++)
        if (ids.ids[i] < 0 || (size_t)ids.ids[i] >= g->model->config.vocabulary)
            return ur_fail(err, UR_INVALID,
                           "generation: token %zu is id %d, the vocabulary has %zu", i,
                           (int)ids.ids[i], g->model->config.vocabulary);
    const ur_fpmode mode = ur_fpmode_enter();
    ur_status status = UR_OK;
    for (size_t at = 0; status == UR_OK && at < ids.length; at += CHUNK) {
        const size_t left = ids.length - at;
        read_chunk(g, ids.ids + at, left < CHUNK ? left : CHUNK, left <= CHUNK);
        if (ur_tape_status(g->tape) != UR_OK)
            status = ur_fail(err, ur_tape_status(g->tape), "%s", ur_error(g->tape));
    }
    ur_fpmode_leave(mode);
    g->has_read = g->has_read || (status == UR_OK && ids.length > 0);
    return status;
}

const float *ur_generator_logits(const ur_generator *g)
{
    return g->has_read ? g->logits : NULL;
}

/* ---- choosing ----------------------------------------------------------------------------- */

static size_t most_probable(const ur_generator *g)
{
    size_t best = 0;
    for (size_t i = 1; i < g->model->config.vocabulary; i++)
        if (g->logits[i] > g->logits[best])
            best = i;
    return best;
}

/* Whether id a comes before id b. */
static bool before(const ur_generator *g, int32_t a, int32_t b)
{
    const float x = g->logits[a], y = g->logits[b];
    return x > y || (x == y && a < b);
}

/* The heap order[0..n) with its first to come on top: what stands at i sinks to its place. */
static void sink(const ur_generator *g, size_t n, size_t i)
{
    const int32_t id = g->order[i];
    for (size_t child; (child = 2 * i + 1) < n; i = child) {
        if (child + 1 < n && before(g, g->order[child + 1], g->order[child]))
            child++;
        if (!before(g, g->order[child], id))
            break;
        g->order[i] = g->order[child];
    }
    g->order[i] = id;
}

/* The number that comes `i`-th: those taken off the heap stand behind it, the first one last. */
static int32_t ranked(const ur_generator *g, size_t i)
{
    return g->order[g->model->config.vocabulary - 1 - i];
}

/* Brings the tokens that are kept to the end of `order`; returns how many. */
static size_t keep(ur_generator *g, double *mass)
{
    const size_t n = g->model->config.vocabulary;
    const size_t most = g->choice.top_k && g->choice.top_k < n ? g->choice.top_k : n;
    const double part = g->choice.top_p > 0.0f ? (double)g->choice.top_p : 1.0;
    double all = 0.0, total = 0.0;
    for (size_t i = 0; i < n; i++) {
        g->order[i] = (int32_t)i;
        all += (double)g->weight[i];
    }
    for (size_t i = n / 2; i-- > 0;)
        sink(g, n, i);
    size_t sorted = 0;
    for (; sorted < most && !(most == n && part < 1.0 && total >= part * all); sorted++) {
        const int32_t first = g->order[0];
        g->order[0] = g->order[n - 1 - sorted];
        g->order[n - 1 - sorted] = first;
        sink(g, n - 1 - sorted, 0);
        total += (double)g->weight[first];
    }
    const double wanted = part * (most == n ? all : total);
    size_t kept = 0;
    for (*mass = 0.0; kept < sorted && (part == 1.0 || *mass < wanted); kept++)
        *mass += (double)g->weight[ranked(g, kept)];
    return kept;
}

/* [0, 1), a multiple of 2^-53. */
static double uniform(ur_random *r)
{
    const uint32_t high = ur_random_u32(r) >> 5, low = ur_random_u32(r) >> 6;
    return ((double)high * 0x1p26 + (double)low) * 0x1p-53;
}

static size_t draw(ur_generator *g)
{
    const size_t n = g->model->config.vocabulary;
    const float largest = g->logits[most_probable(g)];
    const bool all = !(g->choice.top_k && g->choice.top_k < n) &&
                     !(g->choice.top_p > 0.0f && g->choice.top_p < 1.0f);
    double mass = 0.0;
    for (size_t i = 0; i < n; i++)
        g->weight[i] = ur_expf((g->logits[i] - largest) / g->choice.temperature);
    for (size_t i = 0; all && i < n; i++)
        mass += (double)g->weight[i];
    const size_t kept = all ? n : keep(g, &mass);
    const double wanted = uniform(&g->random) * mass;
    double sum = 0.0;
    size_t id = 0;
    for (size_t i = 0; i < kept && !(sum > wanted); i++) {
        const size_t next = all ? i : (size_t)ranked(g, i);
        sum += (double)g->weight[next];
        id = g->weight[next] > 0.0f ? next : id;
    }
    return id;
}

ur_status ur_generator_write(ur_generator *g, int32_t *id, double *log_probability, ur_err *err)
{
    if (!g->has_read)
        return ur_fail(err, UR_INVALID,
                       "generation: nothing was read yet that the next token could follow");
    for (size_t i = 0; i < g->model->config.vocabulary; i++)
        if (!isfinite(g->logits[i]))
            return ur_fail(err, UR_DIVERGED,
                           "generation: the logit of token %zu is not finite; the model's weights "
                           "are damaged",
                           i);
    const ur_fpmode mode = ur_fpmode_enter();
    *id = (int32_t)(g->choice.temperature > 0.0f ? draw(g) : most_probable(g));
    if (log_probability)
        *log_probability = -(double)g->context->kernels->cross_entropy(g->model->config.vocabulary,
                                                                       g->logits, *id, NULL);
    ur_fpmode_leave(mode);
    return ur_generator_read(g, (ur_ids){id, 1}, err);
}
