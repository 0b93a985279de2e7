/* test_trainer.c - the trainer with a toy model: which options it takes, what a report says,
 * divergence, flags, shuffling, evaluation, memory. */
#include "train/trainer.h"

#include "base/status.h"

#include "support/contexts.h"
#include "support/failing_alloc.h"
#include "train/toy.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

enum { A = 20, B = 5 };

typedef struct fixture {
    ur_context *context;
    ur_model *model;
    float gradient[A + B];
    toy_data data;
    ur_train_options options;
} fixture;

static int setup(void **state)
{
    fixture *f = calloc(1, sizeof *f);
    assert_non_null(f);
    f->context = context_of(NULL, 2, NULL);
    f->model = toy_new(f->context, A, B, UR_TRAINABLE | UR_DECAY);
    for (size_t i = 0; i < A + B; i++)
        f->gradient[i] = made_up(1, i);
    f->data = (toy_data){100, f->gradient};
    f->options = ur_train_defaults();
    f->options.batch = 40;
    f->options.epochs = 2;
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    fixture *f = *state;
    ur_model_free(f->model);
    ur_context_free(f->context);
    free(f);
    return 0;
}

static ur_trainer *trainer_of(fixture *f)
{
    ur_trainer *t;
    ur_err err;
    if (ur_trainer_new(f->context, f->model, &f->data, &f->options, &t, &err) != UR_OK)
        fail_msg("%s", err.text);
    return t;
}

static void defaults_are_pytorch_s(void **state)
{
    (void)state;
    const ur_train_options o = ur_train_defaults();
    assert_true(o.optimizer == UR_ADAM && o.beta1 == 0.9 && o.beta2 == 0.999 && o.eps == 1e-8);
    assert_true(o.momentum == 0.0 && !o.nesterov && o.weight_decay == 0.0);
    assert_true(o.batch == 32 && o.epochs == UR_EPOCHS_AUTO && o.lr == 2e-3 && o.clip == 1.0);
    assert_true(o.seed == 42);
    assert_true(o.max_steps == 0);
}

/* As many epochs as make 4,000 steps of 100 examples, 5 to 200; and what was chosen can be asked. */
static void epochs_are_chosen(void **state)
{
    fixture *f = *state;
    static const struct {
        size_t batch, epochs;
    } all[] = {{1, 40}, {3, 118}, {40, 200}};
    f->options.epochs = UR_EPOCHS_AUTO;
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        ur_trainer *t;
        f->options.batch = all[i].batch;
        assert_int_equal(ur_trainer_new(f->context, f->model, &f->data, &f->options, &t, NULL),
                         UR_OK);
        assert_int_equal(ur_trainer_options(t)->epochs, all[i].epochs);
        ur_trainer_free(t);
    }
    f->options.accumulate = 0; /* stands for 1 */
    ur_trainer *t = trainer_of(f);
    assert_int_equal(ur_trainer_options(t)->epochs, 200);
    ur_trainer_free(t);
}

static void reports(void **state)
{
    fixture *f = *state;
    f->options.optimizer = UR_SGD;
    f->options.lr = 1e-3;
    ur_trainer *t = trainer_of(f);
    double sum = 0.0, norm = 0.0;
    for (size_t i = 0; i < A + B; i++)
        norm += (double)f->gradient[i] * (double)f->gradient[i];
    for (size_t i = 0; i < 6; i++) {
        ur_step s;
        assert_false(ur_trainer_finished(t));
        assert_int_equal(ur_trainer_step(t, &s, NULL), UR_OK);
        sum = i % 3 ? sum + s.loss : s.loss;
        assert_int_equal(s.step, i + 1);
        assert_int_equal(s.epoch, i / 3 + 1);
        assert_int_equal(s.batch, i % 3 + 1);
        assert_int_equal(s.batches, 3);
        assert_int_equal(s.examples, i % 3 == 2 ? 20 : 40); /* the last batch is smaller */
        assert_int_equal(s.epoch_ended, i % 3 == 2);
        assert_true(fabs(s.epoch_loss - sum / (double)(i % 3 + 1)) < 1e-12);
        assert_true(fabs(s.gradient_norm - sqrt(norm)) < 1e-5);
    }
    assert_true(ur_trainer_finished(t));
    ur_trainer_free(t);
    ur_trainer_free(NULL);
    f->options.max_steps = 2;
    t = trainer_of(f);
    ur_step s;
    assert_int_equal(ur_trainer_step(t, &s, NULL), UR_OK);
    assert_false(ur_trainer_finished(t));
    assert_int_equal(ur_trainer_step(t, &s, NULL), UR_OK);
    assert_true(ur_trainer_finished(t));
    ur_trainer_free(t);
}

/* A step of several batches is one of their mean; the last of an epoch has fewer. */
static void accumulates(void **state)
{
    fixture *f = *state;
    f->options.clip = 0.0;
    f->options.optimizer = UR_SGD;
    f->options.lr = 1e-3;
    f->options.accumulate = 2;
    f->options.clip = 0.0;
    ur_trainer *t = trainer_of(f);
    double norm = 0.0;
    for (size_t i = 0; i < A + B; i++)
        norm += (double)f->gradient[i] * (double)f->gradient[i];
    float before[A];
    for (size_t i = 0; i < 4; i++) {
        ur_step s;
        memcpy(before, ur_param_data(f->model->params, 0), sizeof before);
        assert_int_equal(ur_trainer_step(t, &s, NULL), UR_OK);
        assert_int_equal(s.step, i + 1);
        assert_int_equal(s.batch, i % 2 ? 3 : 2);
        assert_int_equal(s.batches, 3);
        assert_int_equal(s.examples, i % 2 ? 20 : 80);
        assert_int_equal(s.positions, i % 2 ? 20 : 80);
        assert_int_equal(s.epoch_ended, i % 2);
        assert_true(fabs(s.gradient_norm - sqrt(norm)) < 1e-5);
        for (size_t j = 0; j < A; j++)
            assert_true(fabsf(ur_param_data(f->model->params, 0)[j] -
                              (before[j] - 1e-3f * f->gradient[j])) < 1e-6f);
    }
    assert_true(ur_trainer_finished(t));
    ur_trainer_free(t);
}

static void options_out_of_range(void **state)
{
    fixture *f = *state;
    const ur_train_options good = f->options;
    ur_train_options bad[16];
    const char *says[16];
    size_t n = 0;
#define BAD(change, sentence)                                                                      \
    do {                                                                                           \
        bad[n] = good;                                                                             \
        bad[n].change;                                                                             \
        says[n++] = sentence;                                                                      \
    } while (0)
    BAD(batch = 0, "batch size 0");
    BAD(batch = (1 << 20) + 1, "batch size 1048577");
    BAD(accumulate = (1 << 20) + 1, "1048577 batches per step");
    BAD(lr = 0.0, "learning rate 0");
    BAD(lr = -1.0, "learning rate -1");
    BAD(lr = (double)NAN, "learning rate");
    BAD(beta1 = 1.0, "beta1 1");
    BAD(beta2 = -0.1, "beta2 -0.1");
    BAD(eps = 0.0, "eps 0");
    BAD(momentum = -0.5, "momentum -0.5");
    BAD(weight_decay = -1.0, "weight decay -1");
    BAD(clip = -1.0, "clip -1");
    BAD(nesterov = true, "Nesterov");
#undef BAD
    for (size_t i = 0; i < n; i++) {
        ur_trainer *t;
        ur_err err;
        assert_int_equal(ur_trainer_new(f->context, f->model, &f->data, &bad[i], &t, &err),
                         UR_INVALID);
        assert_null(t);
        if (!strstr(err.text, says[i]))
            fail_msg("\"%s\" does not say \"%s\"", err.text, says[i]);
    }
    ur_trainer *t;
    ur_err err;
    f->data.examples = 0;
    assert_int_equal(ur_trainer_new(f->context, f->model, &f->data, &good, &t, &err), UR_INVALID);
    assert_non_null(strstr(err.text, "no example"));
}

static void divergence_names_the_parameter(void **state)
{
    fixture *f = *state;
    ur_trainer *t = trainer_of(f);
    ur_step s;
    ur_err err;
    float before[48];
    assert_int_equal(ur_trainer_step(t, &s, NULL), UR_OK);
    memcpy(before, ur_params_values(f->model->params), sizeof before);
    const float wrong[] = {NAN, INFINITY, 3e38f};
    for (int i = 0; i < 3; i++) {
        f->gradient[A + 2] = wrong[i]; /* in "b" */
        memset(ur_param_values(f->model->params, 1), 0, B * sizeof(float));
        memset(before + 32, 0, B * sizeof(float));
        assert_int_equal(ur_trainer_step(t, &s, &err), UR_DIVERGED);
        assert_non_null(strstr(err.text, "step 2"));
        if (i < 2)
            assert_non_null(strstr(err.text, "the gradient of b is not finite"));
        else
            assert_non_null(strstr(err.text, "norm overflows"));
        same_floats("weights", "after divergence", before, ur_params_values(f->model->params), 48);
    }
    f->gradient[A + 2] = 0.0f; /* and goes on once the gradient is good */
    assert_int_equal(ur_trainer_step(t, &s, NULL), UR_OK);
    assert_int_equal(s.step, 2);
    ur_trainer_free(t);
}

/* Frozen parameters stay; decay acts on those alone that want it. */
static void flags(void **state)
{
    fixture *f = *state;
    static const unsigned flags[] = {0, UR_DECAY, UR_TRAINABLE, UR_TRAINABLE | UR_DECAY};
    for (int optimizer = 0; optimizer < 2; optimizer++)
        for (int i = 0; i < 4; i++) {
            ur_model *m = toy_new(f->context, A, B, flags[i]);
            float *w = ur_params_values(m->params);
            memset(f->gradient, 0, sizeof f->gradient);
            for (size_t j = 0; j < 48; j++)
                w[j] = 1.0f;
            f->options.optimizer = optimizer;
            f->options.weight_decay = 0.5;
            f->options.lr = 0.1;
            ur_trainer *t;
            ur_step s;
            assert_int_equal(ur_trainer_new(f->context, m, &f->data, &f->options, &t, NULL), UR_OK);
            assert_int_equal(ur_trainer_step(t, &s, NULL), UR_OK);
            const float want = i < 3 ? 1.0f : optimizer == UR_SGD ? 0.95f : 0.9f;
            for (size_t j = 0; j < A; j++)
                assert_true(fabsf(w[j] - want) < 1e-6f);
            ur_trainer_free(t);
            ur_model_free(m);
        }
}

/* Every epoch sees every example once, in an order of its own that the seed decides. */
static void shuffling(void **state)
{
    fixture *f = *state;
    size_t first[100] = {0}, other[100];
    f->options.batch = 100;
    for (int round = 0; round < 3; round++) {
        f->options.seed = round < 2 ? 7 : 8;
        ur_trainer *t = trainer_of(f);
        ur_step s;
        assert_int_equal(ur_trainer_step(t, &s, NULL), UR_OK);
        bool seen[100] = {false};
        for (size_t i = 0; i < 100; i++) {
            assert_false(seen[t->order[i]]);
            seen[t->order[i]] = true;
        }
        memcpy(round ? other : first, t->order, sizeof first);
        if (round == 1)
            assert_memory_equal(first, other, sizeof first);
        if (round == 2)
            assert_memory_not_equal(first, other, sizeof first);
        memcpy(other, t->order, sizeof other);
        assert_int_equal(ur_trainer_step(t, &s, NULL), UR_OK);
        assert_memory_not_equal(other, t->order, sizeof other);
        ur_trainer_free(t);
    }
}

/* The sum's order is that of the shards, whoever computes them. */
static void evaluation_does_not_depend_on_threads(void **state)
{
    fixture *f = *state;
    ur_measure one = {0};
    for (size_t n = 0; n <= 200; n += 25) {
        f->data.examples = n;
        for (int threads = 1; threads <= 3; threads++) {
            ur_context *context = context_of(NULL, threads, NULL);
            ur_model *model = toy_new(context, A, B, UR_TRAINABLE);
            ur_measure m;
            assert_int_equal(ur_evaluate(model, &f->data, &m, NULL), UR_OK);
            if (threads == 1)
                one = m;
            assert_int_equal(m.examples, n);
            double sum = 0.0;
            for (size_t i = 0; i < n; i++)
                sum += 1.0 / (double)(i + 1);
            assert_true(fabs(m.loss - sum) < 1e-12);
            assert_memory_equal(&m.loss, &one.loss, sizeof m.loss);
            ur_model_free(model);
            ur_context_free(context);
        }
    }
}

/* ---- memory -------------------------------------------------------------------------------- */

static ur_status train(const ur_allocator *a, ur_err *err, void *arg)
{
    const ur_options options = {.allocator = a, .threads = *(const int *)arg};
    float gradient[A + B] = {1.0f};
    toy_data data = {100, gradient};
    ur_train_options o = ur_train_defaults();
    ur_context *context;
    ur_trainer *t = NULL;
    ur_step s;
    ur_measure m;
    o.batch = 70;
    ur_status status = ur_context_new(&options, &context, err);
    if (status == UR_OK) {
        ur_model *model = toy_new(context, A, B, UR_TRAINABLE);
        status = model ? ur_trainer_new(context, model, &data, &o, &t, err)
                       : ur_no_memory(err, sizeof *model);
        for (int i = 0; i < 3 && status == UR_OK; i++)
            status = ur_trainer_step(t, &s, err);
        if (status == UR_OK)
            status = ur_evaluate(model, &data, &m, err);
        if (status == UR_NO_MEMORY && t) { /* memory is back: it goes on */
            ur_status again = UR_NO_MEMORY;
            for (int i = 0; i < 3 && again == UR_NO_MEMORY; i++)
                again = ur_trainer_step(t, &s, NULL);
        }
        ur_trainer_free(t);
        if (model)
            ur_model_free(model);
        ur_context_free(context);
    }
    return status;
}

static void every_allocation_may_fail(void **state)
{
    (void)state;
    for (int threads = 1; threads <= 2; threads++)
        assert_true(failing_alloc_sweep(train, &threads) > 15);
}

static void a_steady_state_takes_no_memory(void **state)
{
    fixture *f = *state;
    failing_alloc count;
    failing_alloc_init(&count, 0, false);
    ur_context *context = context_of(NULL, 1, &count.hooks);
    ur_model *model = toy_new(context, A, B, UR_TRAINABLE);
    ur_trainer *t;
    ur_step s;
    ur_err err;
    f->data.examples = 400;
    assert_int_equal(ur_trainer_new(context, f->model, &f->data, &f->options, &t, &err),
                     UR_INVALID);
    assert_non_null(strstr(err.text, "another context"));
    ur_measure m;
    ur_model moved = *f->model; /* its parameters are of the context that it was made in */
    moved.context = context;
    assert_int_equal(ur_evaluate(&moved, &f->data, &m, &err), UR_INVALID);
    assert_non_null(strstr(err.text, "another context"));
    assert_int_equal(ur_trainer_new(context, model, &f->data, &f->options, &t, NULL), UR_OK);
    for (int i = 0; i < 2; i++)
        assert_int_equal(ur_trainer_step(t, &s, NULL), UR_OK);
    const size_t calls = count.calls;
    for (int i = 0; i < 18; i++)
        assert_int_equal(ur_trainer_step(t, &s, NULL), UR_OK);
    assert_int_equal(count.calls, calls);
    ur_trainer_free(t);
    ur_model_free(model);
    ur_context_free(context);
    assert_int_equal(count.outstanding, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(defaults_are_pytorch_s),
        cmocka_unit_test_setup_teardown(epochs_are_chosen, setup, teardown),
        cmocka_unit_test_setup_teardown(reports, setup, teardown),
        cmocka_unit_test_setup_teardown(accumulates, setup, teardown),
        cmocka_unit_test_setup_teardown(options_out_of_range, setup, teardown),
        cmocka_unit_test_setup_teardown(divergence_names_the_parameter, setup, teardown),
        cmocka_unit_test_setup_teardown(flags, setup, teardown),
        cmocka_unit_test_setup_teardown(shuffling, setup, teardown),
        cmocka_unit_test_setup_teardown(evaluation_does_not_depend_on_threads, setup, teardown),
        cmocka_unit_test(every_allocation_may_fail),
        cmocka_unit_test_setup_teardown(a_steady_state_takes_no_memory, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
