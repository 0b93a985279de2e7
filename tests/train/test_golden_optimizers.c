/* test_golden_optimizers.c - the trainer's Adam, SGD and clipping against PyTorch's, three steps
 * with given gradients. */
#include "support/contexts.h"
#include "support/golden.h"
#include "train/toy.h"
#include "unroll/train.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

enum { STEPS = 3 };

static ur_train_options base(int kind, double lr)
{
    ur_train_options o = ur_train_defaults();
    o.batch = 1, o.clip = 0.0;
    o.optimizer = kind;
    o.lr = lr;
    return o;
}

static void variant(golden *g, const char *name, ur_train_options o)
{
    char tensor[64];
    size_t all;
    snprintf(tensor, sizeof tensor, "after.%s", name);
    const size_t n = golden_dim(g, "w", 0);
    const float *w = golden_floats(g, "w", NULL), *gradients = golden_floats(g, "gradients", &all);
    float *after = golden_take(g, all * sizeof *after);
    ur_context *context = context_of(NULL, 2, NULL);
    ur_model *model = toy_new(context, n, 0, UR_TRAINABLE | UR_DECAY);
    memcpy(ur_params_values(model->params), w, n * sizeof *w);
    toy_data data = {.examples = 1};
    ur_trainer *trainer;
    assert_int_equal(ur_trainer_new(context, model, &data, &o, &trainer, NULL), UR_OK);
    for (size_t s = 0; s < STEPS; s++) {
        ur_step step;
        data.gradient = gradients + s * n;
        assert_int_equal(ur_trainer_step(trainer, &step, NULL), UR_OK);
        memcpy(after + s * n, ur_params_values(model->params), n * sizeof *w);
    }
    golden_compare(g, tensor, after, 1e-6);
    ur_trainer_free(trainer);
    ur_model_free(model);
    ur_context_free(context);
}

static void optimizers(void **state)
{
    (void)state;
    golden g = golden_open("optimizers");
    ur_train_options o = base(UR_ADAM, 1e-3);
    variant(&g, "adam", o);
    o.weight_decay = 0.1;
    variant(&g, "adam_weight_decay", o);
    o = base(UR_ADAM, 0.02);
    o.beta1 = 0.8;
    o.beta2 = 0.99;
    o.eps = 1e-6;
    variant(&g, "adam_lr", o);
    o = base(UR_ADAMW, 0.02);
    o.weight_decay = 0.1;
    variant(&g, "adamw", o);
    o = base(UR_ADAMW, 1e-3);
    o.beta1 = 0.8;
    o.beta2 = 0.99;
    o.eps = 1e-6;
    o.weight_decay = 0.5;
    variant(&g, "adamw_betas", o);
    o = base(UR_SGD, 0.1);
    variant(&g, "sgd", o);
    o.weight_decay = 0.1;
    variant(&g, "sgd_weight_decay", o);
    o.momentum = 0.9;
    variant(&g, "sgd_momentum_weight_decay", o);
    o.weight_decay = 0.0;
    variant(&g, "sgd_momentum", o);
    o.nesterov = true;
    variant(&g, "sgd_nesterov", o);
    golden_close(&g);
}

/* One step of SGD with lr 1 from zero weights leaves minus the clipped gradient. */
static void clipped(golden *g, const char *kind, double clip)
{
    size_t a, b;
    const float *ga = golden_floats(g, "gradient.a", &a), *gb = golden_floats(g, "gradient.b", &b);
    float *both = golden_take(g, (a + b) * sizeof *both), norm;
    memcpy(both, ga, a * sizeof *ga);
    memcpy(both + a, gb, b * sizeof *gb);
    ur_context *context = context_of(NULL, 2, NULL);
    ur_model *model = toy_new(context, a, b, UR_TRAINABLE);
    toy_data data = {1, both};
    ur_train_options o = base(UR_SGD, 1.0);
    ur_trainer *trainer;
    ur_step step;
    o.clip = clip;
    assert_int_equal(ur_trainer_new(context, model, &data, &o, &trainer, NULL), UR_OK);
    assert_int_equal(ur_trainer_step(trainer, &step, NULL), UR_OK);
    norm = (float)step.gradient_norm;
    golden_compare(g, "norm", &norm, 1e-6);
    for (int i = 0; i < 2; i++) {
        char name[32];
        float *w = ur_param_values(model->params, i);
        snprintf(name, sizeof name, "%s.%c", kind, "ab"[i]);
        for (size_t j = 0; j < (i ? b : a); j++)
            w[j] = -w[j];
        golden_compare(g, name, w, 1e-6);
    }
    ur_trainer_free(trainer);
    ur_model_free(model);
    ur_context_free(context);
}

static void clip_grad_norm(void **state)
{
    (void)state;
    golden g = golden_open("clip_grad_norm");
    clipped(&g, "clipped", 1.5);
    clipped(&g, "kept", 1000.0);
    clipped(&g, "kept", 0.0);
    golden_close(&g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(optimizers),
        cmocka_unit_test(clip_grad_norm),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
