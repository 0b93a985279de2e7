/* test_schedule.c - learning rates against PyTorch's schedulers, what a schedule must not be, early
 * stopping. */
#include "train/schedule.h"

#include "support/contexts.h"
#include "support/golden.h"
#include "train/toy.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

enum { EPOCHS = 12, BATCHES = 5, WARMUP = 7 };

static ur_train_options base(void)
{
    ur_train_options o = ur_train_defaults();
    o.optimizer = UR_SGD;
    o.lr = 0.5;
    o.batch = 2;
    o.epochs = EPOCHS;
    o.lr_factor = 0.3;
    return o;
}

/* The rates that a trainer takes, told the golden case's losses. */
static void variant(golden *g, const char *name, const ur_train_options *o, double bound)
{
    char tensor[64];
    float rate[EPOCHS * BATCHES];
    const float gradient[1] = {0.0f};
    const float *losses = golden_floats(g, "losses", NULL);
    ur_context *context = context_of(NULL, 1, NULL);
    ur_model *model = toy_new(context, 1, 0, UR_TRAINABLE);
    toy_data data = {2 * BATCHES, gradient};
    ur_trainer *trainer;
    ur_step step;
    assert_int_equal(ur_trainer_new(context, model, &data, o, &trainer, NULL), UR_OK);
    for (size_t i = 0; i < EPOCHS * BATCHES; i++) {
        assert_int_equal(ur_trainer_step(trainer, &step, NULL), UR_OK);
        rate[i] = (float)step.lr;
        if (step.epoch_ended)
            ur_trainer_validated(trainer, (double)losses[step.epoch - 1]);
    }
    assert_true(ur_trainer_finished(trainer));
    snprintf(tensor, sizeof tensor, "rate.%s", name);
    golden_compare(g, tensor, rate, bound);
    ur_trainer_free(trainer);
    ur_model_free(model);
    ur_context_free(context);
}

static void as_pytorch(void **state)
{
    (void)state;
    golden g = golden_open("schedules");
    ur_train_options o = base();
    o.schedule = UR_LR_STEP;
    o.lr_epochs = 5;
    variant(&g, "step", &o, 0.0);
    o = base();
    o.schedule = UR_LR_COSINE;
    o.lr_min = 0.01;
    variant(&g, "cosine", &o, 1e-7);
    o = base();
    o.warmup_steps = WARMUP;
    variant(&g, "warmup", &o, 1e-7);
    o.schedule = UR_LR_STEP;
    o.lr_epochs = 1;
    variant(&g, "step_warmup", &o, 1e-7);
    o.schedule = UR_LR_COSINE;
    variant(&g, "cosine_warmup", &o, 1e-7);
    o = base();
    o.schedule = UR_LR_PLATEAU;
    o.lr_patience = 1;
    o.lr_min = 0.04;
    variant(&g, "plateau", &o, 0.0);
    golden_close(&g);
}

static double rate(const ur_train_options *o, uint64_t step, uint64_t epoch, uint64_t batch)
{
    const ur_schedule_state s = ur_schedule_start(o);
    return ur_schedule_lr(o, &s, step, epoch, batch, BATCHES);
}

static void edges(void **state)
{
    (void)state;
    ur_train_options o = base();
    assert_true(rate(&o, 0, 0, 0) == 0.5 && rate(&o, 1000, 11, 4) == 0.5);
    o.warmup_steps = 1; /* the first step has the whole rate already */
    assert_true(rate(&o, 0, 0, 0) == 0.5);
    o.warmup_steps = 4;
    assert_true(rate(&o, 0, 0, 0) == 0.125 && rate(&o, 2, 0, 2) == 0.375);
    assert_true(rate(&o, 3, 0, 3) == 0.5 && rate(&o, 4, 0, 4) == 0.5);
    o.schedule = UR_LR_INVERSE_SQRT; /* 4 steps up, then by the root */
    assert_true(rate(&o, 0, 0, 0) == 0.125 && rate(&o, 3, 0, 3) == 0.5);
    assert_true(rate(&o, 15, 3, 0) == 0.25 && rate(&o, 63, 9, 0) == 0.125);
    o = base();
    o.schedule = UR_LR_COSINE;
    o.lr_min = 0.1;
    assert_true(rate(&o, 0, 0, 0) == 0.5 && rate(&o, 30, 6, 0) == 0.1 + 0.4 * 0.5);
    o.steps = 12; /* in place of epochs */
    assert_true(rate(&o, 6, 1, 1) == 0.1 + 0.4 * 0.5 && rate(&o, 12, 2, 2) == 0.1);
    o.steps = 0;
    o.max_steps = 30;
    assert_true(rate(&o, 30, 6, 0) == 0.1 + 0.4 * 0.5);
    o.max_steps = 0;
    /* behind the last epoch it stays: a run may have had more than it is now asked for */
    assert_true(rate(&o, 60, EPOCHS, 0) == 0.1 && rate(&o, 70, EPOCHS + 2, 0) == 0.1);
    for (uint64_t i = 1; i < EPOCHS * BATCHES; i++)
        assert_true(rate(&o, i, i / BATCHES, i % BATCHES) <
                    rate(&o, i, (i - 1) / BATCHES, (i - 1) % BATCHES));
}

/* transformers' get_linear_schedule_with_warmup(optimizer, 12, 60): its rates at these steps. */
static void linear(void **state)
{
    (void)state;
    ur_train_options o = base();
    o.schedule = UR_LR_LINEAR;
    assert_true(rate(&o, 0, 0, 0) == 0.5 && rate(&o, 30, 6, 0) == 0.25);
    assert_true(rate(&o, 60, EPOCHS, 0) == 0.0 && rate(&o, 80, EPOCHS + 4, 0) == 0.0);
    o.warmup_steps = 12;
    assert_true(rate(&o, 0, 0, 0) == 0.0 && rate(&o, 3, 0, 3) == 0.125);
    assert_true(rate(&o, 11, 2, 1) == 0.5 * (11.0 / 12.0) && rate(&o, 12, 2, 2) == 0.5);
    assert_true(rate(&o, 36, 7, 1) == 0.25 && rate(&o, 59, 11, 4) == 0.5 * (1.0 / 48.0));
    o.accumulate = 2; /* 3 steps an epoch, 36 in all */
    assert_true(rate(&o, 12, 4, 0) == 0.5 && rate(&o, 24, 8, 0) == 0.25);
    assert_true(rate(&o, 26, 8, 4) == 0.5 * (10.0 / 24.0));
    o.warmup_steps = 100; /* longer than the training */
    assert_true(rate(&o, 20, 6, 4) == 0.1 && rate(&o, 36, EPOCHS, 0) == 0.18);
}

/* Nothing to do with plateaus: a tie is no progress, and progress however small is. */
static void early_stopping(void **state)
{
    (void)state;
    ur_train_options o = base();
    ur_schedule_state s = ur_schedule_start(&o);
    for (int i = 0; i < 100; i++) /* off */
        assert_int_equal(ur_schedule_validated(&o, &s, 1.0), i == 0);
    assert_false(ur_schedule_ended(&o, &s));
    o.early_stop = 2;
    s = ur_schedule_start(&o);
    static const double loss[] = {2.0, 3.0, 1.9999999, 1.9999999, 1.5, 2.0, 1.5};
    static const bool least[] = {true, false, true, false, true, false, false};
    for (size_t i = 0; i < 7; i++) {
        assert_false(ur_schedule_ended(&o, &s));
        assert_int_equal(ur_schedule_validated(&o, &s, loss[i]), least[i]);
    }
    assert_true(ur_schedule_ended(&o, &s));
    assert_true(s.lr == o.lr);
}

static void out_of_range(void **state)
{
    (void)state;
    const ur_train_options good = base();
    ur_train_options bad[16];
    const char *says[16];
    size_t n = 0;
#define BAD(kind, change, sentence)                                                                \
    do {                                                                                           \
        bad[n] = good;                                                                             \
        bad[n].schedule = kind;                                                                    \
        bad[n].change;                                                                             \
        says[n++] = sentence;                                                                      \
    } while (0)
    BAD(UR_LR_STEP, schedule = 6, "schedule 6");
    BAD(UR_LR_INVERSE_SQRT, warmup_steps = 0, "needs a warm-up");
    BAD(UR_LR_STEP, lr_epochs = 0, "every 0 epochs");
    BAD(UR_LR_STEP, lr_factor = 0.0, "factor 0");
    BAD(UR_LR_STEP, lr_factor = 1.0, "factor 1");
    BAD(UR_LR_PLATEAU, lr_factor = (double)NAN, "factor");
    BAD(UR_LR_PLATEAU, lr_min = -0.1, "least learning rate -0.1");
    BAD(UR_LR_COSINE, lr_min = 0.6, "least learning rate 0.6");
    BAD(UR_LR_COSINE, lr_min = (double)NAN, "least learning rate");
#undef BAD
    for (size_t i = 0; i < n; i++) {
        ur_err err;
        assert_int_equal(ur_schedule_check(&bad[i], &err), UR_INVALID);
        if (!strstr(err.text, says[i]))
            fail_msg("\"%s\" does not say \"%s\"", err.text, says[i]);
        bad[i].schedule = UR_LR_CONSTANT; /* which uses none of it */
        assert_int_equal(ur_schedule_check(&bad[i], &err), UR_OK);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(as_pytorch),     cmocka_unit_test(edges),        cmocka_unit_test(linear),
        cmocka_unit_test(early_stopping), cmocka_unit_test(out_of_range),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
