/* test_shifted.c - every operation and models' training steps on a backend whose memory nobody but
 * itself can reach (support/shifted.h): to the bytes of the CPU's. */
#include "data/pairs.h"
#include "models/made_labelled.h"
#include "nn/nn.h"
#include "support/contexts.h"
#include "support/shifted.h"
#include "tape/tape.h"
#include "unroll/language.h"
#include "unroll/nn.h"
#include "unroll/seq2seq.h"
#include "unroll/tagger.h"
#include "unroll/train.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

/* ---- a training step on any backend -------------------------------------------------------- */

typedef ur_tensor *loss_of(ur_tape *tape, void *arg);

typedef struct outcome {
    size_t count;
    float loss, *gradient;
} outcome;

static outcome train(ur_context *context, const ur_params *params, loss_of *loss, void *arg)
{
    const ur_backend *on = context->backend;
    outcome o = {.count = ur_params_size(params)};
    const size_t bytes = o.count * sizeof *o.gradient;
    float *device = on->allocate(context, bytes);
    o.gradient = malloc(bytes);
    ur_tape *t = tape_of(context);
    assert_non_null(device);
    assert_non_null(o.gradient);
    ur_tape_start(t, UR_TRAIN, params, device, 5, 7);
    on->fill(&t->on, o.count, 0.0f, device);
    ur_tensor *y = loss(t, arg);
    ur_backward(t, y);
    tape_fine(t);
    o.loss = ur_read(t, y)[0];
    on->copy_out(&t->on, o.gradient, device, bytes);
    ur_tape_free(t);
    on->release(context, device);
    return o;
}

static void same_outcome(const char *what, outcome want, outcome got)
{
    float most = 0.0f;
    for (size_t i = 0; i < want.count; i++)
        most = want.gradient[i] > most ? want.gradient[i] : most;
    assert_true(most > 0.0f);
    assert_int_equal(want.count, got.count);
    same_floats(what, "loss", &want.loss, &got.loss, 1);
    same_floats(what, "gradient", want.gradient, got.gradient, want.count);
    free(want.gradient);
    free(got.gradient);
}

static void contexts_of_both(ur_context *both[2])
{
    both[0] = context_of(NULL, 2, NULL);
    both[1] = shifted_context(NULL, 2);
}

/* ---- every operation ------------------------------------------------------------------------ */

enum { BATCH = 4, ROWS = 9, IN = 6, HIDDEN = 5, SYMBOLS = 7 };
static const size_t length[BATCH] = {3, 0, 5, 1};
static const int32_t ids[ROWS] = {3, 1, 0, 4, 4, 2, 1, 6, 5};

typedef struct net {
    ur_params *params;
    ur_embedding_layer embed;
    ur_rnn_stack rnn, one_hot;
    ur_multi_head_layer heads;
    ur_additive_attention_layer additive;
    ur_linear_layer out;
    int w;
} net;

static net net_of(ur_context *context, const ur_rnn_config *options)
{
    net n;
    ur_rnn_config config = *options, first = *options;
    ur_err err;
    config.input_size = IN;
    config.hidden_size = HIDDEN;
    first.input_size = SYMBOLS;
    first.hidden_size = HIDDEN;
    assert_int_equal(ur_params_new(context, &n.params, NULL), UR_OK);
    n.embed = ur_embedding_add(n.params, "embed", SYMBOLS, IN);
    if (ur_rnn_add(n.params, "rnn", &config, &n.rnn, &err) != UR_OK ||
        ur_rnn_add(n.params, "first", &first, &n.one_hot, &err) != UR_OK)
        fail_msg("%s", err.text);
    n.out = ur_linear_add(n.params, "out", ur_rnn_width(&n.rnn), SYMBOLS, true);
    const ur_multi_head_config heads = {
        .embed_dim = IN, .num_heads = 2, .kdim = ur_rnn_width(&n.rnn), .vdim = IN, .dropout = 0.2f};
    assert_int_equal(ur_multi_head_attention_add(n.params, "heads", &heads, &n.heads, NULL), UR_OK);
    n.additive = ur_additive_attention_add(n.params, "additive", IN, IN, HIDDEN, 0.1f);
    n.w = ur_params_add(n.params, "w", 2, (size_t[]){IN, IN}, UR_TRAINABLE);
    assert_int_equal(ur_params_seal(n.params, NULL), UR_OK);
    float *w = ur_params_values(n.params);
    for (size_t i = 0; i < ur_params_size(n.params); i++)
        w[i] = 0.4f * made_up(3, i);
    ur_params_changed(n.params);
    return n;
}

/* Everything that passes gradients, added up. */
static ur_tensor *everything(ur_tape *t, void *arg)
{
    const net *n = arg;
    const ur_state zero = {NULL, NULL};
    const ur_layout *l = ur_new_layout(t, UR_STEP_MAJOR, BATCH, length, NULL);
    const ur_seq *in = ur_seq_ints(t, l, ids);
    float *made = made_up_floats(9, ROWS * IN, 1.0f);
    ur_seq *x = ur_seq_floats(t, l, IN, made, true);
    free(made);
    ur_tensor *w = ur_parameter(t, n->w);
    ur_seq *e = ur_dropout(t, ur_embedding(t, &n->embed, in), 0.3f);
    ur_tensor *mixed = ur_mul(t, ur_sigmoid(t, ur_matmul_t(t, e->values, w)),
                              ur_tanh(t, ur_sub(t, x->values, ur_scale(t, e->values, 0.5f))));
    ur_seq *m = ur_seq_new(t, mixed, l);
    m = ur_reorder(t, ur_reverse(t, m), UR_SEQUENCE_MAJOR);
    ur_tensor *padded = ur_to_padded(t, m, 6, 0.25, true);
    m = ur_from_padded(t, l, padded, true);
    const ur_rnn_out a = ur_rnn(t, &n->rnn, m, zero);
    const ur_rnn_out b = ur_rnn_embedded(t, &n->rnn, &n->embed, in, (ur_state){a.h_n, a.c_n});
    const ur_rnn_out c = ur_rnn_one_hot(t, &n->one_hot, in, zero);
    ur_seq *looked = ur_attention_dot(t, a.y, b.y, b.y, NULL);
    ur_tensor *query = ur_last_steps(t, b.y);
    const ur_seq *p = ur_attention_weights(t, query, a.y);
    ur_seq *sums = ur_repeat(t, ur_weighted_sum(t, a.y, p), l);
    ur_tensor *sum = ur_add(t, ur_add(t, looked->values, sums->values), c.y->values);
    ur_seq *wide = ur_concat_seq(t, ur_seq_new(t, sum, l), b.y);
    ur_tensor *part = ur_slice(t, wide->values, 1, 1 + ur_rnn_width(&n->rnn));
    static const bool hidden[ROWS * ROWS] = {[3] = true, [ROWS] = true};
    const ur_attention_mask mask = {1, ROWS, ROWS, hidden, NULL};
    ur_weights *weights;
    const ur_attention_call call = {UR_CAUSAL, &mask, &weights, true};
    ur_seq *seen = ur_multi_head_attention(t, &n->heads, x, b.y, e, &call);
    seen = ur_additive_attention(t, &n->additive, e, seen, seen, &call);
    ur_seq *logits = ur_linear_seq(t, &n->out, ur_seq_new(t, part, l));
    ur_tensor *loss = ur_cross_entropy(t, logits, in, 4.0);
    loss = ur_add(t, loss, ur_sum(t, ur_values(seen)));
    return ur_add(t, loss, ur_sum(t, ur_mul(t, ur_softmax(t, sum), sum)));
}

static const ur_rnn_config options[] = {
    {.cell = "lstm", .num_layers = 2, .bidirectional = true, .dropout = 0.2f},
    {.cell = "lstm", .proj_size = 3, .recurrent_dropout = 0.2f},
    {.cell = "lstm", .zoneout_h = 0.2f, .zoneout_c = 0.3f, .no_bias = true},
    {.cell = "gru", .recurrent_dropout = 0.2f},
    {.cell = "gru", .bidirectional = true, .average = true, .zoneout_h = 0.3f},
    {.cell = "gru_original", .recurrent_dropout = 0.2f},
    {.cell = "rnn_tanh"},
    {.cell = "lstm_peephole"},
    {.cell = "lstm_layer_norm", .zoneout_c = 0.3f},
};
enum { OPTIONS = sizeof options / sizeof *options };

static void every_operation(void **state)
{
    (void)state;
    ur_context *both[2];
    contexts_of_both(both);
    for (int i = 0; i < OPTIONS; i++) {
        outcome o[2];
        for (int k = 0; k < 2; k++) {
            net n = net_of(both[k], &options[i]);
            o[k] = train(both[k], n.params, everything, &n);
            ur_params_free(n.params);
        }
        same_outcome(options[i].cell, o[0], o[1]);
    }
    for (int k = 0; k < 2; k++)
        ur_context_free(both[k]);
}

/* Gates and every step's c as outputs, states carried, a stream, and attention weights to look at. */
static void outputs_that_are_read(void **state)
{
    (void)state;
    enum { MOST = 400 };
    ur_context *both[2];
    float read[2][MOST] = {{0.0f}};
    contexts_of_both(both);
    for (int k = 0; k < 2; k++) {
        net n = net_of(both[k], &(ur_rnn_config){.cell = "lstm", .num_layers = 2});
        ur_tape *t = tape_of(both[k]);
        ur_carry *carry;
        ur_stream *stream;
        size_t at = 0;
        assert_int_equal(ur_carry_new(both[k], &n.rnn, BATCH, &carry, NULL), UR_OK);
        for (int round = 0; round < 2; round++) {
            at = 0;
            ur_tape_start(t, UR_INFER, n.params, NULL, 0, 0);
            const ur_layout *l = ur_new_layout(t, UR_STEP_MAJOR, BATCH, length, NULL);
            ur_seq *cells[2], *x = ur_embedding(t, &n.embed, ur_seq_ints(t, l, ids));
            const ur_rnn_out out =
                ur_rnn_with_cells(t, &n.rnn, x, ur_carry_state(t, carry, BATCH, NULL), cells);
            const ur_gate_out gate = ur_cell_with_gate(t, &n.rnn.part[0], x, (ur_state){0});
            ur_weights *w;
            ur_attention_dot(t, out.y, out.y, out.y, &w);
            ur_carry_take(t, carry, BATCH, NULL, out);
            const ur_tensor *all[] = {cells[0]->values, cells[1]->values, gate.gate->values};
            tape_fine(t);
            for (int i = 0; i < 3; at += ur_count(all[i++]))
                memcpy(read[k] + at, ur_read(t, all[i]), ur_count(all[i]) * sizeof(float));
            memcpy(read[k] + at, w->p, w->offset[BATCH] * sizeof(float));
            at += w->offset[BATCH];
        }
        memcpy(read[k] + at, ur_carry_values(carry), ur_carry_size(carry) * sizeof(float));
        at += ur_carry_size(carry);
        assert_int_equal(ur_stream_new(both[k], n.params, &n.rnn, 2, &stream, NULL), UR_OK);
        float x[2 * IN] = {0.5f, -1.0f, 2.0f};
        for (int i = 0; i < 3; i++)
            ur_stream_step(stream, x, read[k] + at);
        at += 2 * HIDDEN;
        ur_stream_reset_sequence(stream, 1);
        ur_stream_state_save(stream, read[k] + at);
        at += ur_stream_state_size(stream);
        assert_true(at <= MOST);
        ur_stream_free(stream);
        ur_carry_free(carry);
        ur_tape_free(t);
        ur_params_free(n.params);
    }
    same_floats("outputs", "shifted", read[0], read[1], MOST);
    for (int k = 0; k < 2; k++)
        ur_context_free(both[k]);
}

/* ---- models --------------------------------------------------------------------------------- */

typedef struct batch {
    const ur_model *model;
    const void *data;
    size_t count;
} batch;

static ur_tensor *model_loss(ur_tape *t, void *arg)
{
    const batch *b = arg;
    const size_t which[] = {0, 1, 2};
    return b->model->kind->loss(t, b->model, b->data, b->count, which, 3.0);
}

static const int32_t text[] = {2, 3, 4, 5, 1, 0, 3, 3, 2, 4, 5, 5, 0, 1, 2, 4, 3, 1, 0, 5, 2, 2};
enum { TEXT = sizeof text / sizeof *text };

static ur_model *language_model(ur_context *context, void **data)
{
    const ur_language_model_config config = {.vocabulary = SYMBOLS,
                                             .cell = "lstm",
                                             .hidden_size = 9,
                                             .embed_size = 6,
                                             .bptt = 3,
                                             .layers = 2,
                                             .dropout = 0.2f};
    ur_model *m;
    ur_language_data *d;
    assert_int_equal(ur_language_model_new(context, &config, &m, NULL), UR_OK);
    ur_language_model_init(m, 4);
    assert_int_equal(ur_language_data_new(context, m, (ur_ids){text, TEXT}, 2, &d, NULL), UR_OK);
    *data = d;
    return m;
}

static ur_model *tagger(ur_context *context, void **data)
{
    const ur_tagger_config config = {.vocabulary = SYMBOLS,
                                     .labels = 3,
                                     .embed_size = 5,
                                     .hidden_size = 8,
                                     .cell = "gru",
                                     .layers = 2,
                                     .directions = UR_BOTH_CONCAT,
                                     .dropout = 0.3f};
    static const size_t lengths[] = {5, 3, 7};
    int32_t labels[TEXT];
    ur_model *m;
    for (size_t i = 0; i < TEXT; i++)
        labels[i] = (int32_t)(i % 3);
    assert_int_equal(ur_tagger_new(context, &config, &m, NULL), UR_OK);
    ur_tagger_init(m, 4);
    *data = labelled_of(NULL, UR_TAGGED, SYMBOLS, 3, 3, lengths, text, labels);
    return m;
}

static ur_model *seq2seq(ur_context *context, void **data)
{
    static size_t offset[] = {0, 3, 5, 9, 11, 14, 16};
    static int32_t symbols[TEXT];
    static ur_pairs pairs = {.count = 3, .offset = offset, .ids = symbols};
    ur_seq2seq_config c = {.vocabulary = SYMBOLS,
                           .embed_size = 4,
                           .hidden_size = 6,
                           .cell = "lstm",
                           .layers = 1,
                           .decoder_layers = 1,
                           .bias = true,
                           .attention = UR_ATTENTION_DOT};
    ur_model *m;
    ur_err err;
    c.format.form = UR_PAIRS_RAGGED;
    c.format.answer_steps = 6;
    c.format.start = 0;
    c.format.end = 1;
    memcpy(symbols, text, sizeof text);
    if (ur_seq2seq_new(context, &c, &m, &err) != UR_OK)
        fail_msg("%s", err.text);
    ur_seq2seq_init(m, 4);
    *data = &pairs;
    return m;
}

static void free_language_data(void *data)
{
    ur_language_data_free(data);
}

static void free_labelled(void *data)
{
    ur_labelled_free(data);
}

static const struct {
    const char *name;
    ur_model *(*make)(ur_context *context, void **data);
    void (*release)(void *data);
    size_t count;
} models[] = {{"language_model", language_model, free_language_data, 2},
              {"tagger", tagger, free_labelled, 3},
              {"seq2seq", seq2seq, NULL, 3}};

static void models_train_and_measure(void **state)
{
    (void)state;
    ur_context *both[2];
    contexts_of_both(both);
    for (size_t i = 0; i < sizeof models / sizeof *models; i++) {
        outcome o[2];
        ur_measure sum[2] = {{0}};
        for (int k = 0; k < 2; k++) {
            void *data;
            ur_model *m = models[i].make(both[k], &data);
            batch b = {m, data, models[i].count};
            if (m->kind->start_epoch)
                m->kind->start_epoch(m, data, 1, 0);
            o[k] = train(both[k], m->params, model_loss, &b);
            assert_int_equal(ur_evaluate(m, data, &sum[k], NULL), UR_OK);
            if (models[i].release)
                models[i].release(data);
            ur_model_free(m);
        }
        same_outcome(models[i].name, o[0], o[1]);
        assert_memory_equal(&sum[0].loss, &sum[1].loss, sizeof sum[0].loss);
        assert_memory_equal(sum[0].sum, sum[1].sum, sizeof sum[0].sum);
    }
    for (int k = 0; k < 2; k++)
        ur_context_free(both[k]);
}

static void a_cell_that_the_backend_lacks(void **state)
{
    (void)state;
    ur_context *context = shifted_context(NULL, 1);
    const ur_rnn_config config = {.cell = "rnn_relu", .input_size = 2, .hidden_size = 3};
    ur_params *params;
    ur_rnn_stack stack;
    ur_err err;
    assert_int_equal(ur_params_new(context, &params, NULL), UR_OK);
    assert_int_equal(ur_rnn_add(params, "rnn", &config, &stack, &err), UR_UNSUPPORTED);
    assert_non_null(strstr(err.text, "the shifted backend has no cell \"rnn_relu\""));
    ur_params_free(params);
    ur_context_free(context);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_operation),
        cmocka_unit_test(outputs_that_are_read),
        cmocka_unit_test(models_train_and_measure),
        cmocka_unit_test(a_cell_that_the_backend_lacks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
