/* test_fpmode.c - whatever floating-point mode the caller has set, public functions compute the same
 * bytes and give the mode back. Each entry computes something into a row of floats, beginning with numbers
 * that other modes would treat otherwise; it runs under each mode. */
#include "support/contexts.h"
#include "train/toy.h"
#include "unroll/nn.h"
#include "unroll/train.h"

#include <fenv.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#if defined(__SSE__)
#include <xmmintrin.h>
#endif

enum { MOST = 4096, IN = 12, HIDDEN = 10, OUT = 9 };

typedef struct net {
    ur_context *context;
    ur_params *params;
    ur_linear_layer fc;
    ur_embedding_layer embed;
    ur_rnn_stack rnn;
    ur_tape *tape;
    float *small,
        *large; /* (MOST) inputs, made in the usual mode: squares of the small are denormal */
    float out[MOST];
    size_t n;
} net;

static void put(net *f, const float *x, size_t n)
{
    assert_true(f->n + n <= MOST);
    memcpy(f->out + f->n, x, n * sizeof *x);
    f->n += n;
}

static void net_open(net *f, ur_context *context)
{
    const ur_rnn_config config = {.cell = "gru", .input_size = IN, .hidden_size = HIDDEN};
    *f = (net){.context = context};
    assert_int_equal(ur_params_new(context, &f->params, NULL), UR_OK);
    f->fc = ur_linear_add(f->params, "fc", HIDDEN, OUT, true);
    f->embed = ur_embedding_add(f->params, "embed", 7, IN);
    assert_int_equal(ur_rnn_add(f->params, "rnn", &config, &f->rnn, NULL), UR_OK);
    assert_int_equal(ur_params_seal(f->params, NULL), UR_OK);
    f->tape = tape_of(context);
    f->small = made_up_floats(4, MOST, 1e-19f);
    f->large = made_up_floats(5, MOST, 1.0f);
}

static void net_close(net *f)
{
    ur_tape_free(f->tape);
    ur_params_free(f->params);
    free(f->small);
    free(f->large);
}

/* ---- what is computed --------------------------------------------------------------------- */

static void initialise(net *f)
{
    ur_rnn_init(&f->rnn, f->params, 5);
    ur_embedding_init(&f->embed, f->params, 5);
    ur_linear_init(&f->fc, f->params, 5);
    put(f, ur_params_data(f->params), ur_params_size(f->params));
    ur_init_lecun(f->params, f->fc.weight, 6);
    put(f, ur_param_data(f->params, f->fc.weight), HIDDEN * OUT);
    ur_init_normal(f->params, f->fc.weight, 6);
    put(f, ur_param_data(f->params, f->fc.weight), HIDDEN * OUT);
    ur_init_uniform(f->params, f->fc.weight, 0.3f, 6);
    put(f, ur_param_data(f->params, f->fc.weight), HIDDEN * OUT);
}

static void optimise(net *f)
{
    assert_true(ur_params_size(f->params) <= MOST);
    for (int kind = 0; ur_optimizer_name((size_t)kind); kind++) {
        ur_train_options options = ur_train_defaults();
        ur_optimizer *o;
        options.optimizer = kind;
        options.weight_decay = 0.03;
        options.momentum = 0.9;
        options.lr = 0.013;
        assert_int_equal(ur_optimizer_new(f->params, &options, &o, NULL), UR_OK);
        for (int step = 0; step < 3; step++)
            ur_optimizer_step(o, f->small, options.lr, 0.7);
        ur_optimizer_step(o, f->large, options.lr, 0.3);
        const double norm[2] = {ur_optimizer_norm(o, f->large), ur_optimizer_norm(o, f->small)};
        float bits[4];
        memcpy(bits, norm, sizeof bits);
        put(f, bits, 4);
        put(f, ur_params_data(f->params), ur_params_size(f->params));
        ur_optimizer_free(o);
    }
}

static void schedule(net *f)
{
    ur_train_options o = ur_train_defaults();
    o.warmup_steps = 7;
    o.lr_epochs = 1;
    o.lr_patience = 0;
    o.lr_factor = 0.3;
    o.lr = 0.1;
    for (o.schedule = 0; ur_schedule_name((size_t)o.schedule); o.schedule++) {
        ur_schedule_state s = ur_schedule_start(&o);
        for (uint64_t epoch = 0; epoch < 5; epoch++) {
            const double lr = ur_schedule_lr(&o, &s, epoch, epoch, 1, 3);
            float parts[2]; /* all its bits */
            memcpy(parts, &lr, sizeof parts);
            put(f, parts, 2);
            ur_schedule_epoch(&o, &s, epoch + 1);
            ur_schedule_validated(&o, &s, 1.0 + (double)epoch);
        }
    }
}

static void train(net *f)
{
    toy_data data = {100, f->small};
    ur_model *model = toy_new(f->context, 30, 10, UR_TRAINABLE | UR_DECAY);
    ur_train_options options = ur_train_defaults();
    ur_trainer *trainer;
    ur_measure measure;
    options.batch = 70;
    options.clip = 1e-21;
    assert_int_equal(ur_trainer_new(f->context, model, &data, &options, &trainer, NULL), UR_OK);
    for (int i = 0; i < 4; i++) {
        ur_step step;
        assert_int_equal(ur_trainer_step(trainer, &step, NULL), UR_OK);
        float bits[4];
        memcpy(bits, (double[]){step.loss, step.gradient_norm}, sizeof bits);
        put(f, bits, 4);
    }
    put(f, ur_params_data(model->params), ur_params_size(model->params));
    assert_int_equal(ur_evaluate(model, &data, &measure, NULL), UR_OK);
    float bits[2];
    memcpy(bits, &measure.loss, sizeof bits);
    put(f, bits, 2);
    ur_trainer_free(trainer);
    ur_model_free(model);
}

static void stream(net *f)
{
    ur_stream *s;
    float y[HIDDEN];
    assert_int_equal(ur_stream_new(f->context, f->params, &f->rnn, 1, &s, NULL), UR_OK);
    for (size_t t = 0; t < 5; t++) {
        ur_stream_step(s, (t % 2 ? f->small : f->large) + t * IN, y);
        put(f, y, HIDDEN);
    }
    ur_stream_free(s);
}

static const size_t lengths[] = {3, 1, 4};
enum { BATCH = 3, ROWS = 8 };

static void put_tensor(net *f, ur_tensor *x)
{
    tape_fine(f->tape);
    put(f, ur_floats(x), ur_count(x));
}

static ur_tensor *input(net *f, const float *x, size_t columns)
{
    return ur_copy_floats(f->tape, 2, (size_t[]){ROWS, columns}, x, true);
}

/* Each elementary operation, of small numbers and of large ones; then all backwards. */
static void operations(net *f)
{
    ur_tape *t = f->tape;
    for (int small = 0; small < 2; small++) {
        const float *from = small ? f->small : f->large;
        ur_tape_start(t, UR_TRAIN, f->params, NULL, 1, 2);
        ur_tensor *a = input(f, from, IN), *b = input(f, from + ROWS * IN, IN);
        ur_tensor *above = ur_exp(t, ur_copy_floats(t, 2, (size_t[]){ROWS, IN}, f->large, true));
        ur_tensor *gain = ur_copy_floats(t, 1, (size_t[]){IN}, f->large, true);
        ur_tensor *all[] = {
            ur_add(t, a, b),     ur_sub(t, a, b),      ur_mul(t, a, b),
            ur_div(t, a, above), ur_scale(t, a, 0.3f), above,
            ur_log(t, above),    ur_sigmoid(t, a),     ur_tanh(t, a),
            ur_relu(t, a),       ur_gelu(t, a),        ur_gelu_tanh(t, a),
            ur_softmax(t, a),    ur_mean(t, a),        ur_layer_norm(t, a, gain, gain, 1e-5f),
            ur_matmul_t(t, a, b)};
        ur_tensor *loss = ur_scale(t, ur_sum(t, ur_mul(t, a, b)), 1.7f);
        for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
            put_tensor(f, all[i]);
            loss = ur_add(t, loss, ur_sum(t, ur_mul(t, all[i], all[i])));
        }
        put_tensor(f, loss);
        assert_int_equal(ur_backward(t, loss), UR_OK);
        put(f, a->grad, ur_count(a));
        put(f, b->grad, ur_count(b));
    }
}

/* Embedding, drop-out, recurrent layers, attention, linear, loss; then all backwards. */
static void layers(net *f)
{
    static const int32_t ids[ROWS] = {3, 0, 5, 6, 2, 2, 1, 4};
    ur_tape *t = f->tape;
    float gradient[MOST] = {0};
    ur_tape_start(t, UR_TRAIN, f->params, gradient, 1, 2);
    const ur_layout *layout = ur_new_layout(t, UR_STEP_MAJOR, BATCH, lengths, NULL);
    const ur_seq *symbols = ur_seq_ints(t, layout, ids);
    ur_seq *x = ur_dropout(t, ur_embedding(t, &f->embed, symbols), 0.3f);
    const ur_rnn_out out = ur_rnn(t, &f->rnn, x, (ur_state){0});
    ur_tensor *last = ur_last_steps(t, out.y);
    ur_seq *p = ur_attention_weights(t, last, out.y),
           *y = ur_attention_dot(t, out.y, out.y, out.y, NULL);
    ur_tensor *sum = ur_weighted_sum(t, out.y, p);
    ur_seq *logits = ur_linear_seq(t, &f->fc, y);
    ur_tensor *padded = ur_to_padded(t, logits, 5, 0.7, true);
    ur_tensor *loss = ur_cross_entropy(t, logits, symbols, 7.0);
    loss = ur_add(t, loss, ur_add(t, ur_sum(t, sum), ur_sum(t, padded)));
    ur_tensor *all[] = {ur_values(x), ur_values(out.y),  ur_values(p), ur_values(y),
                        sum,          ur_values(logits), padded,       loss};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        put_tensor(f, all[i]);
    assert_int_equal(ur_backward(t, loss), UR_OK);
    put(f, gradient, ur_params_size(f->params));
}

static ur_tensor *checked_loss(ur_tape *t, void *arg)
{
    net *f = arg;
    return ur_sum(
        t, ur_tanh(t, ur_linear(t, &f->fc,
                                ur_copy_floats(t, 2, (size_t[]){4, HIDDEN}, f->large, false))));
}

static void gradient_check(net *f)
{
    double worst;
    float bits[2];
    ur_tape_start(f->tape, UR_TRAIN, f->params, NULL, 1, 2);
    assert_int_equal(ur_gradient_check(f->tape, f->params, checked_loss, f, 5, &worst, NULL),
                     UR_OK);
    memcpy(bits, &worst, sizeof bits);
    put(f, bits, 2);
}

typedef void entry(net *f);

static const struct {
    const char *name;
    entry *compute;
} entries[] = {{"initialise", initialise}, {"optimise", optimise},
               {"schedule", schedule},     {"train", train},
               {"stream", stream},         {"operations", operations},
               {"layers", layers},         {"gradient check", gradient_check}};

/* ---- under which modes --------------------------------------------------------------------- */

static void set_mode(int mode)
{
    if (mode == 1)
        fesetround(FE_UPWARD);
#if defined(__SSE__)
    else if (mode == 2)
        _mm_setcsr(_mm_getcsr() | 0x8040);
#endif
}

static bool mode_is(int mode)
{
    bool is = fegetround() == (mode == 1 ? FE_UPWARD : FE_TONEAREST);
#if defined(__SSE__)
    is = is && (_mm_getcsr() & 0x8040) == (mode == 2 ? 0x8040u : 0u);
#endif
    return is;
}

static void usual_mode(void)
{
    fesetround(FE_TONEAREST);
#if defined(__SSE__)
    _mm_setcsr(_mm_getcsr() & ~0x8040u);
#endif
}

static void modes(void **state)
{
    (void)state;
    for (int threads = 1; threads <= 2; threads++) {
        ur_context *context = context_of(NULL, threads, NULL);
        for (size_t e = 0; e < sizeof entries / sizeof *entries; e++) {
            float want[MOST];
            for (int mode = 0; mode < 3; mode++) {
                net f;
                net_open(&f, context);
                initialise(&f);
                f.n = 0;
                set_mode(mode);
                entries[e].compute(&f);
                const bool kept = mode_is(mode);
                usual_mode();
                assert_true(kept);
                assert_true(f.n > 0);
                if (mode == 0)
                    memcpy(want, f.out, sizeof want);
                same_floats(entries[e].name, mode == 1 ? "rounding up" : "flushing to zero", want,
                            f.out, f.n);
                net_close(&f);
            }
        }
        ur_context_free(context);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(modes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
