/* test_transformer.c - Transformers against PyTorch, step by step against whole sequences, ragged
 * batches against sequences one by one, and every instruction set. */
#include "support/contexts.h"
#include "support/golden.h"
#include "support/slow.h"
#include "unroll/train.h"
#include "unroll/transformer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

/* ---- what is built -------------------------------------------------------------------------- */

typedef struct setting {
    ur_transformer_config config;
    size_t layers, decoder_layers; /* decoder_layers: of a whole model */
    bool norm, causal, trained;
    size_t batch, x[4], memory[4]; /* lengths */
} setting;

typedef enum what { ENCODER, DECODER, MODEL } what;

typedef struct built {
    ur_context *context;
    ur_params *params;
    ur_transformer model; /* or its half */
    float *gradient;
    ur_tape *tape;
} built;

static built build(ur_context *context, what kind, const setting *s)
{
    built b = {.context = context, .tape = tape_of(context)};
    ur_err err;
    assert_int_equal(ur_params_new(context, &b.params, NULL), UR_OK);
    const ur_status status =
        kind == ENCODER   ? ur_transformer_encoder_add(b.params, "", &s->config, s->layers, s->norm,
                                                       &b.model.encoder, &err)
        : kind == DECODER ? ur_transformer_decoder_add(b.params, "", &s->config, s->layers, s->norm,
                                                       &b.model.decoder, &err)
                          : ur_transformer_add(b.params, "", &s->config, s->layers,
                                               s->decoder_layers, &b.model, &err);
    assert_int_equal(status, UR_OK);
    assert_int_equal(ur_params_seal(b.params, &err), UR_OK);
    b.gradient = calloc(ur_params_size(b.params), sizeof *b.gradient);
    return b;
}

static void built_free(built *b)
{
    ur_tape_free(b->tape);
    ur_params_free(b->params);
    free(b->gradient);
}

static size_t rows_of(size_t batch, const size_t *length)
{
    size_t rows = 0;
    for (size_t b = 0; b < batch; b++)
        rows += length[b];
    return rows;
}

static ur_seq *forward(ur_tape *t, const built *b, what kind, const setting *s, const ur_seq *x,
                       const ur_seq *memory)
{
    const ur_transformer_call call = {.causal = s->causal};
    return kind == ENCODER   ? ur_transformer_encode(t, &b->model.encoder, x, &call)
           : kind == DECODER ? ur_transformer_decode(t, &b->model.decoder, x, memory, &call)
                             : ur_transformer_forward(t, &b->model, memory, x);
}

static ur_tensor *weigh(ur_tape *t, const ur_seq *y, const float *w)
{
    if (!y)
        return NULL;
    const ur_seq *seq = ur_seq_floats(t, y->layout, y->values->dim[1], w, false);
    return seq ? ur_sum(t, ur_mul(t, y->values, seq->values)) : NULL;
}

/* ---- against PyTorch ------------------------------------------------------------------------ */

#define LAYER(d, heads, ffn, first, act, bias)                                                     \
    {                                                                                              \
        .d_model = (d), .nhead = (heads), .dim_feedforward = (ffn), .norm_first = (first),         \
        .activation = UR_ACT_##act, .no_bias = !(bias)                                             \
    }

/* As tools/golden/transformer.py has them. */
static const setting encoders[] = {
    {LAYER(4, 1, 8, false, RELU, true), 1, 0, false, false, true, 3, {3, 0, 1}, {0}},
    {LAYER(6, 3, 10, true, RELU, true), 1, 0, false, true, false, 2, {5, 2}, {0}},
    {LAYER(8, 2, 16, false, GELU, true), 2, 0, true, false, false, 3, {4, 7, 1}, {0}},
    {LAYER(8, 4, 12, true, GELU, false), 2, 0, true, true, true, 4, {9, 3, 0, 2}, {0}},
    {LAYER(16, 8, 24, false, RELU, false), 2, 0, false, true, false, 2, {17, 5}, {0}},
    {LAYER(12, 4, 20, true, GELU_TANH, true), 3, 0, true, false, false, 2, {6, 6}, {0}},
    {LAYER(32, 4, 64, false, RELU, true), 1, 0, true, false, false, 1, {70}, {0}},
    {LAYER(96, 6, 40, true, GELU, true), 1, 0, true, true, false, 2, {3, 9}, {0}},
};
static const setting decoders[] = {
    {LAYER(4, 1, 8, false, RELU, true), 1, 0, false, true, true, 3, {3, 1, 0}, {2, 4, 3}},
    {LAYER(6, 2, 10, true, GELU, true), 1, 0, false, true, true, 2, {5, 2}, {1, 6}},
    {LAYER(8, 4, 16, false, GELU, false), 2, 0, true, true, false, 3, {4, 7, 1}, {3, 3, 5}},
    {LAYER(16, 8, 24, true, RELU, true), 2, 0, true, true, false, 2, {11, 3}, {9, 2}},
    {LAYER(12, 3, 20, false, GELU_TANH, true), 3, 0, true, true, false, 2, {6, 2}, {8, 1}},
    {LAYER(32, 4, 48, true, RELU, false), 1, 0, true, true, false, 2, {1, 9}, {70, 2}},
};
static const setting models[] = {
    {LAYER(8, 2, 16, false, RELU, true), 1, 2, true, true, false, 2, {3, 5}, {4, 2}},
    {LAYER(12, 4, 24, true, GELU, true), 2, 1, true, true, true, 3, {2, 6, 1}, {5, 1, 3}},
};

/* With drop-out, whose masks the golden cases have, too. */
enum { SEED = 11, STEP = 4 };
#define DROPPED(d, heads, ffn, first, act, bias)                                                   \
    {                                                                                              \
        .d_model = (d), .nhead = (heads), .dim_feedforward = (ffn), .norm_first = (first),         \
        .activation = UR_ACT_##act, .no_bias = !(bias), .dropout = 0.25f                           \
    }
static const setting dropped_encoders[] = {
    {DROPPED(8, 2, 16, false, GELU, true), 2, 0, true, false, false, 3, {4, 7, 1}, {0}},
    {DROPPED(6, 3, 10, true, RELU, false), 1, 0, false, true, false, 3, {5, 0, 2}, {0}},
};
static const setting dropped_decoders[] = {
    {DROPPED(6, 2, 10, false, RELU, true), 1, 0, false, true, false, 2, {3, 1}, {2, 4}},
    {DROPPED(8, 4, 12, true, GELU_TANH, true), 2, 0, true, true, false, 2, {4, 6}, {7, 3}},
};
static const setting dropped_models[] = {
    {DROPPED(8, 2, 16, true, GELU, true), 1, 1, true, true, false, 2, {3, 5}, {4, 2}},
};

static const char *of(size_t i, const char *name)
{
    static char text[4][64];
    static int next;
    char *s = text[next++ % 4];
    snprintf(s, sizeof text[0], "%zu.%s", i, name);
    return s;
}

/* One pass over the golden inputs; x and memory are left for their gradients. */
static ur_tensor *golden_pass(golden *g, const built *b, what kind, const setting *s, size_t i,
                              ur_order order, ur_seq **x, ur_seq **memory, ur_seq **y)
{
    ur_tape *t = b->tape;
    const size_t d = s->config.d_model;
    const ur_layout *rows = ur_new_layout(t, order, s->batch, s->x, NULL);
    *x = ur_seq_floats(t, rows, d, golden_floats(g, of(i, "x"), NULL), true);
    *memory = NULL;
    if (kind != ENCODER) {
        const ur_layout *keys = ur_new_layout(t, UR_SEQUENCE_MAJOR, s->batch, s->memory, NULL);
        const char *name = of(i, kind == MODEL ? "source" : "memory");
        *memory = ur_seq_floats(t, keys, d, golden_floats(g, name, NULL), true);
    }
    *y = forward(t, b, kind, s, *x, *memory);
    tape_fine(t);
    return weigh(t, *y, golden_floats(g, of(i, "wy"), NULL));
}

/* Values (or gradients) of a ragged batch, sequence by sequence. */
static const float *in_order(golden *g, const ur_seq *x, const float *values)
{
    const size_t d = x->values->dim[1];
    float *out = golden_take(g, (ur_count(x->values) + 1) * sizeof *out), *at = out;
    for (size_t b = 0; b < x->layout->batch; b++)
        for (size_t s = 0; s < x->layout->length[b]; s++, at += d)
            memcpy(at, values + ur_row(x->layout, b, s) * d, d * sizeof *at);
    return out;
}

/* torch.optim.SGD(lr=0.01, momentum=0.9, weight_decay=0.01) */
static void golden_training(golden *g, built *b, what kind, const setting *s, size_t i)
{
    ur_train_options o = ur_train_defaults();
    o.optimizer = UR_SGD;
    o.momentum = 0.9;
    o.weight_decay = 0.01;
    ur_optimizer *optimizer;
    float losses[3];
    assert_int_equal(ur_optimizer_new(b->params, &o, &optimizer, NULL), UR_OK);
    for (int step = 0; step < 3; step++) {
        ur_seq *x, *memory, *y;
        memset(b->gradient, 0, ur_params_size(b->params) * sizeof *b->gradient);
        ur_tape_start(b->tape, UR_TRAIN, b->params, b->gradient, 0, 0);
        ur_tensor *loss = golden_pass(g, b, kind, s, i, UR_STEP_MAJOR, &x, &memory, &y);
        losses[step] = ur_floats(loss)[0];
        assert_int_equal(ur_backward(b->tape, loss), UR_OK);
        ur_optimizer_step(optimizer, b->gradient, 0.01, 1.0);
    }
    golden_compare(g, of(i, "losses"), losses, GRADIENT_BOUND);
    golden_compare_params(g, b->params, of(i, "after."), ur_params_data(b->params), GRADIENT_BOUND);
    ur_optimizer_free(optimizer);
}

static void golden_stacks(const char *file, what kind, const setting *all, size_t count)
{
    golden g = golden_open(file);
    for (size_t i = 0; i < count; i++) {
        const setting *s = &all[i];
        ur_context *context = context_of(NULL, 1 + (int)i % 2, NULL);
        built b = build(context, kind, s);
        golden_load_params(&g, b.params, of(i, ""));
        ur_tape_start(b.tape, UR_TRAIN, b.params, b.gradient, SEED, STEP);
        ur_seq *x, *memory, *y;
        const ur_order order = i % 3 ? UR_SEQUENCE_MAJOR : UR_STEP_MAJOR;
        ur_tensor *loss = golden_pass(&g, &b, kind, s, i, order, &x, &memory, &y);
        golden_compare(&g, of(i, "y"), in_order(&g, y, ur_floats(y->values)), FORWARD_BOUND);
        assert_int_equal(ur_backward(b.tape, loss), UR_OK);
        golden_compare(&g, of(i, "grad.x"), in_order(&g, x, x->values->grad), GRADIENT_BOUND);
        if (memory)
            golden_compare(&g, of(i, kind == MODEL ? "grad.source" : "grad.memory"),
                           in_order(&g, memory, memory->values->grad), GRADIENT_BOUND);
        golden_compare_params(&g, b.params, of(i, "grad."), b.gradient, GRADIENT_BOUND);
        if (s->trained)
            golden_training(&g, &b, kind, s, i);
        built_free(&b);
        ur_context_free(context);
    }
    golden_close(&g);
}

static void golden_encoders(void **state)
{
    (void)state;
    golden_stacks("transformer_encoders", ENCODER, encoders, sizeof encoders / sizeof *encoders);
}

static void golden_decoders(void **state)
{
    (void)state;
    golden_stacks("transformer_decoders", DECODER, decoders, sizeof decoders / sizeof *decoders);
}

static void golden_models(void **state)
{
    (void)state;
    golden_stacks("transformers", MODEL, models, sizeof models / sizeof *models);
}

static void golden_dropped(void **state)
{
    (void)state;
    golden_stacks("transformer_encoders_dropout", ENCODER, dropped_encoders,
                  sizeof dropped_encoders / sizeof *dropped_encoders);
    golden_stacks("transformer_decoders_dropout", DECODER, dropped_decoders,
                  sizeof dropped_decoders / sizeof *dropped_decoders);
    golden_stacks("transformers_dropout", MODEL, dropped_models,
                  sizeof dropped_models / sizeof *dropped_models);
}

/* ---- the same bits ------------------------------------------------------------------------- */

static const setting made[] = {
    {LAYER(12, 3, 20, false, RELU, true), 2, 1, true, true, false, 3, {5, 0, 3}, {2, 4, 6}},
    {LAYER(40, 5, 70, true, GELU, false), 1, 2, true, true, false, 4, {1, 9, 2, 7}, {7, 1, 3, 0}},
};

static void fill(built *b)
{
    ur_transformer_init(&b->model, b->params, 17);
    float *w = ur_params_values(b->params);
    for (size_t i = 0; i < ur_params_size(b->params); i++)
        w[i] += 0.01f * made_up(3, i);
    ur_params_changed(b->params);
}

/* Forward and backward of the whole model, with drop-out, into y and gradient. */
static void train(ur_context *context, const setting *s, ur_order order, float **y, built *b)
{
    setting dropped = *s;
    dropped.config.dropout = 0.2f;
    *b = build(context, MODEL, &dropped);
    fill(b);
    ur_tape *t = b->tape;
    const size_t d = s->config.d_model, rows = rows_of(s->batch, s->x);
    ur_tape_start(t, UR_TRAIN, b->params, b->gradient, 5, 6);
    float *xs = made_up_floats(1, rows * d, 1.0f);
    float *ms = made_up_floats(2, rows_of(s->batch, s->memory) * d, 1.0f);
    const ur_seq *x = ur_seq_floats(t, ur_new_layout(t, order, s->batch, s->x, NULL), d, xs, false);
    const ur_seq *source =
        ur_seq_floats(t, ur_new_layout(t, order, s->batch, s->memory, NULL), d, ms, false);
    ur_seq *out = ur_transformer_forward(t, &b->model, source, x);
    ur_backward(t, weigh(t, out, xs));
    tape_fine(t);
    *y = malloc(rows * d * sizeof **y);
    memcpy(*y, ur_floats(out->values), rows * d * sizeof **y);
    free(xs);
    free(ms);
}

static void same_bits(void **state)
{
    (void)state;
    contexts all = contexts_new();
    for (size_t i = 0; i < sizeof made / sizeof *made; i += hurry() ? 2 : 1) {
        const size_t rows = rows_of(made[i].batch, made[i].x);
        const ur_order order = (ur_order)(i % 2);
        float *want, *got;
        built first, other;
        train(all.at[0], &made[i], order, &want, &first);
        for (int c = 1; c < all.count; c++) {
            train(all.at[c], &made[i], order, &got, &other);
            same_floats("y", all.name[c], want, got, rows * made[i].config.d_model);
            same_floats("gradient", all.name[c], first.gradient, other.gradient,
                        ur_params_size(first.params));
            built_free(&other);
            free(got);
        }
        built_free(&first);
        free(want);
    }
    contexts_free(&all);
}

/* Inputs of a setting on a fresh tape for inference. */
typedef struct inputs {
    ur_seq *x, *memory;
    float *xs, *ms;
} inputs;

static inputs start(built *b, const setting *s)
{
    const size_t d = s->config.d_model;
    inputs in = {.xs = made_up_floats(1, rows_of(s->batch, s->x) * d, 1.0f),
                 .ms = made_up_floats(2, rows_of(s->batch, s->memory) * d, 1.0f)};
    ur_tape *t = b->tape;
    ur_tape_start(t, UR_INFER, b->params, NULL, 0, 0);
    in.x = ur_seq_floats(t, ur_new_layout(t, UR_SEQUENCE_MAJOR, s->batch, s->x, NULL), d, in.xs,
                         false);
    in.memory = ur_seq_floats(t, ur_new_layout(t, UR_SEQUENCE_MAJOR, s->batch, s->memory, NULL), d,
                              in.ms, false);
    return in;
}

static void inputs_free(inputs *in)
{
    free(in->xs);
    free(in->ms);
}

/* At inference layers write over each other's rows, unless somebody asks for what lies between: the same
 * outputs, and the caller's input as it was. */
static void written_over(void **state)
{
    (void)state;
    contexts all = contexts_new();
    for (int c = 0; c < all.count; c++)
        for (size_t i = 0; i < sizeof made / sizeof *made; i++) {
            const setting *s = &made[i];
            built b = build(all.at[c], MODEL, s);
            fill(&b);
            inputs in = start(&b, s);
            ur_seq *outputs[2];
            ur_weights *weights[2];
            const ur_transformer_call asked = {.outputs = outputs},
                                      both = {.memory_weights = weights};
            const size_t d = s->config.d_model, rows = in.x->layout->rows;
            const size_t sources = in.memory->layout->rows;
            const ur_seq *want = ur_transformer_encode(b.tape, &b.model.encoder, in.memory, &asked);
            const ur_seq *got = ur_transformer_encode(b.tape, &b.model.encoder, in.memory, NULL);
            tape_fine(b.tape);
            same_floats("encoder", all.name[c], ur_floats(want->values), ur_floats(got->values),
                        sources * d);
            const ur_seq *decoded =
                ur_transformer_decode(b.tape, &b.model.decoder, in.x, got, &both);
            const ur_seq *over = ur_transformer_decode(b.tape, &b.model.decoder, in.x, got, NULL);
            tape_fine(b.tape);
            same_floats("decoder", all.name[c], ur_floats(decoded->values), ur_floats(over->values),
                        rows * d);
            same_floats("memory", all.name[c], ur_floats(want->values), ur_floats(got->values),
                        sources * d);
            same_floats("input", all.name[c], in.xs, ur_floats(in.x->values), rows * d);
            inputs_free(&in);
            built_free(&b);
        }
    contexts_free(&all);
}

static void ragged_and_alone(void **state)
{
    (void)state;
    ur_context *context = context_of(NULL, 2, NULL);
    for (size_t i = 0; i < sizeof made / sizeof *made; i += hurry() ? 2 : 1) {
        const setting *s = &made[i];
        const size_t d = s->config.d_model;
        built b = build(context, MODEL, s);
        fill(&b);
        inputs in = start(&b, s);
        ur_tape *t = b.tape;
        const ur_seq *all = ur_transformer_forward(t, &b.model, in.memory, in.x);
        tape_fine(t);
        for (size_t q = 0, x_at = 0, m_at = 0; q < s->batch;
             x_at += s->x[q], m_at += s->memory[q++]) {
            const ur_layout *lx = ur_new_layout(t, UR_STEP_MAJOR, 1, &s->x[q], NULL);
            const ur_layout *lm = ur_new_layout(t, UR_STEP_MAJOR, 1, &s->memory[q], NULL);
            const ur_seq *one = ur_transformer_forward(
                t, &b.model, ur_seq_floats(t, lm, d, in.ms + m_at * d, false),
                ur_seq_floats(t, lx, d, in.xs + x_at * d, false));
            tape_fine(t);
            same_floats("alone", "ragged", ur_floats(all->values) + x_at * d,
                        ur_floats(one->values), s->x[q] * d);
        }
        inputs_free(&in);
        built_free(&b);
    }
    ur_context_free(context);
}

/* ---- step by step --------------------------------------------------------------------------- */

/* Every sequence's steps [begin, end), as far as it has them. */
static ur_seq *steps_of(ur_tape *t, const setting *s, const ur_seq *x, size_t begin, size_t end)
{
    size_t length[4], at = 0;
    float rows[64 * 64];
    const size_t d = s->config.d_model;
    for (size_t b = 0; b < s->batch; b++) {
        const size_t last = s->x[b] < end ? s->x[b] : end;
        length[b] = last > begin ? last - begin : 0;
        for (size_t r = 0; r < length[b]; r++, at++)
            memcpy(rows + at * d, ur_floats(x->values) + ur_row(x->layout, b, begin + r) * d,
                   d * sizeof *rows);
    }
    const ur_layout *l =
        ur_new_layout(t, begin % 2 ? UR_STEP_MAJOR : UR_SEQUENCE_MAJOR, s->batch, length, NULL);
    return ur_seq_floats(t, l, d, rows, false);
}

static void same_steps(const setting *s, const ur_seq *whole, const ur_seq *part, size_t begin)
{
    const size_t d = s->config.d_model;
    for (size_t b = 0; b < s->batch; b++)
        for (size_t r = 0; r < part->layout->length[b]; r++)
            same_floats("step", "by itself",
                        ur_floats(whole->values) + ur_row(whole->layout, b, begin + r) * d,
                        ur_floats(part->values) + ur_row(part->layout, b, r) * d, d);
}

static void step_by_step(void **state)
{
    (void)state;
    contexts all = contexts_new();
    for (int c = 0; c < all.count; c++)
        for (size_t i = 0; i < sizeof made / sizeof *made; i += hurry() ? 2 : 1) {
            const setting *s = &made[i];
            const ur_transformer_call causal = {.causal = true};
            built b = build(all.at[c], MODEL, s);
            fill(&b);
            inputs in = start(&b, s);
            ur_tape *t = b.tape;
            const ur_seq *encoded = ur_transformer_encode(t, &b.model.encoder, in.x, &causal);
            const ur_seq *decoded =
                ur_transformer_decode(t, &b.model.decoder, in.x, in.memory, &causal);
            const ur_decoder_memory *memory = ur_transformer_memory(t, &b.model.decoder, in.memory);
            ur_step_cache *one, *two;
            const size_t d = s->config.d_model;
            assert_int_equal(ur_step_cache_new(all.at[c], s->layers, d, s->batch, &one, NULL),
                             UR_OK);
            assert_int_equal(
                ur_step_cache_new(all.at[c], s->decoder_layers, d, s->batch, &two, NULL), UR_OK);
            for (size_t begin = 0, end; begin < 9; begin = end) {
                end = begin + (begin == 2 ? 3 : 1); /* several at a time as well */
                const ur_place place = ur_tape_place(t);
                const ur_seq *x = steps_of(t, s, in.x, begin, end);
                same_steps(s, encoded, ur_transformer_encode_next(t, &b.model.encoder, one, x),
                           begin);
                same_steps(
                    s, decoded,
                    ur_transformer_decode_next(t, &b.model.decoder, two, memory, x, NULL, NULL),
                    begin);
                tape_fine(t);
                ur_tape_rewind(t, place);
            }
            assert_int_equal(ur_step_cache_length(one, 0), s->x[0]);
            ur_step_cache_free(one);
            ur_step_cache_free(two);
            inputs_free(&in);
            built_free(&b);
        }
    contexts_free(&all);
}

/* One sequence with two hypotheses that are exchanged, dropped and doubled: each has the bits of its own
 * sequence of steps. */
static void reordered(void **state)
{
    (void)state;
    enum { STEPS = 4, D = 12 };
    const setting *s = &made[0];
    ur_context *context = context_of(NULL, 1, NULL);
    built b = build(context, MODEL, s);
    fill(&b);
    ur_tape *t = b.tape;
    ur_tape_start(t, UR_INFER, b.params, NULL, 0, 0);
    static const size_t parents[STEPS][3] = {{0, 0, 0}, {2, 0, 1}, {1, 1, 0}, {0, 0, 0}};
    static const size_t counts[STEPS + 1] = {1, 3, 3, 2, 2};
    float *xs = made_up_floats(9, STEPS * 3 * D, 1.0f), *ms = made_up_floats(8, 5 * D, 1.0f);
    const ur_seq *source =
        ur_seq_floats(t, ur_new_layout(t, UR_STEP_MAJOR, 1, (size_t[]){5}, NULL), D, ms, false);
    const ur_decoder_memory *memory = ur_transformer_memory(t, &b.model.decoder, source);
    ur_step_cache *cache;
    assert_int_equal(ur_step_cache_new(context, s->decoder_layers, D, 1, &cache, NULL), UR_OK);
    float past[3][STEPS][D], next[3][STEPS][D]; /* what each hypothesis was fed with */
    for (size_t step = 0; step < STEPS; step++) {
        const size_t rows = counts[step];
        const size_t ones[3] = {1, 1, 1};
        for (size_t h = 0; h < rows; h++)
            memcpy(past[h][step], xs + (step * 3 + h) * D, sizeof past[h][step]);
        const ur_layout *l = ur_new_layout(t, UR_STEP_MAJOR, rows, ones, NULL);
        const ur_layout *queries = ur_new_layout(t, UR_SEQUENCE_MAJOR, 1, &rows, NULL);
        const ur_seq *x = ur_seq_floats(t, l, D, xs + step * 3 * D, false);
        const ur_seq *y =
            ur_transformer_decode_next(t, &b.model.decoder, cache, memory, x, queries, NULL);
        tape_fine(t);
        for (size_t h = 0; h < rows; h++) {
            const ur_transformer_call causal = {.causal = true};
            const size_t length = step + 1;
            const ur_seq *own = ur_seq_floats(t, ur_new_layout(t, UR_STEP_MAJOR, 1, &length, NULL),
                                              D, past[h][0], false);
            const ur_seq *whole = ur_transformer_decode(t, &b.model.decoder, own, source, &causal);
            tape_fine(t);
            same_floats("hypothesis", "reordered", ur_floats(whole->values) + step * D,
                        ur_floats(y->values) + h * D, D);
        }
        assert_true(ur_step_cache_reorder(cache, counts[step + 1], parents[step]));
        for (size_t h = 0; h < counts[step + 1]; h++)
            memcpy(next[h], past[parents[step][h]], sizeof next[h]);
        memcpy(past, next, sizeof past);
    }
    ur_step_cache_free(cache);
    free(xs);
    free(ms);
    built_free(&b);
    ur_context_free(context);
}

/* ---- what is refused ------------------------------------------------------------------------ */

static void refused(void **state)
{
    (void)state;
    static const struct {
        ur_transformer_config config;
        size_t layers;
        const char *said;
    } bad[] = {{{.d_model = 6, .nhead = 4}, 1, "4 heads do not divide d_model 6"},
               {{.d_model = 6, .nhead = 0}, 1, "0 heads"},
               {{.d_model = 6, .nhead = 2, .dropout = 1.0f}, 1, "dropout is 1"},
               {{.d_model = 6, .nhead = 2, .layer_norm_eps = -1.0f}, 1, "layer_norm_eps is -1"},
               {{.d_model = 6, .nhead = 2}, 49, "49 layers"},
               {{.d_model = 6, .nhead = 2}, 0, "0 layers"}};
    ur_context *context = context_of(NULL, 1, NULL);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        ur_params *params;
        ur_transformer m;
        ur_err err;
        assert_int_equal(ur_params_new(context, &params, NULL), UR_OK);
        assert_int_equal(ur_transformer_add(params, "", &bad[i].config, bad[i].layers, 1, &m, &err),
                         UR_INVALID);
        if (!strstr(err.text, bad[i].said))
            fail_msg("said: %s", err.text);
        ur_params_free(params);
    }
    const setting *s = &made[0];
    built b = build(context, MODEL, s);
    ur_step_cache *cache;
    assert_int_equal(ur_step_cache_new(context, 1, 12, 2, &cache, NULL), UR_OK);
    inputs in = start(&b, s); /* three sequences */
    assert_null(ur_transformer_encode_next(b.tape, &b.model.encoder, cache, in.x));
    tape_failed(b.tape, UR_INVALID, "2 sequences");
    ur_step_cache_free(cache);
    inputs_free(&in);
    built_free(&b);
    ur_context_free(context);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(golden_encoders), cmocka_unit_test(golden_decoders),
        cmocka_unit_test(golden_models),   cmocka_unit_test(golden_dropped),
        cmocka_unit_test(same_bits),       cmocka_unit_test(ragged_and_alone),
        cmocka_unit_test(written_over),    cmocka_unit_test(step_by_step),
        cmocka_unit_test(reordered),       cmocka_unit_test(refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
