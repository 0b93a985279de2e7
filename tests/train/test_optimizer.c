/* test_optimizer.c - optimisers without a trainer: the lists of names, the same bits as a trainer's,
 * frozen parameters, which weights decay, moments that can be saved, any number of threads. */
#include "tape/runner.h"
#include "unroll/train.h"

#include "support/contexts.h"
#include "support/failing_alloc.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

enum { A = 5000, B = 33, STEPS = 4 };

static ur_params *params_of(ur_context *context)
{
    ur_params *p;
    assert_int_equal(ur_params_new(context, &p, NULL), UR_OK);
    ur_params_add(p, "a", 1, (size_t[]){A}, UR_TRAINABLE | UR_DECAY);
    ur_params_add(p, "b", 1, (size_t[]){B}, UR_TRAINABLE | UR_DECAY);
    assert_int_equal(ur_params_seal(p, NULL), UR_OK);
    for (int i = 0; i < 2; i++)
        for (size_t j = 0; j < ur_params_entry(p, (size_t)i)->count; j++)
            ur_param_values(p, i)[j] = made_up((uint64_t)i, j);
    return p;
}

static float *gradients_of(const ur_params *p)
{
    return made_up_floats(9, STEPS * ur_params_size(p), 1.0f);
}

static ur_train_options options_of(int optimizer)
{
    ur_train_options o = ur_train_defaults();
    o.optimizer = optimizer;
    o.lr = 1e-2;
    o.weight_decay = 0.1;
    o.momentum = 0.9;
    return o;
}

static ur_optimizer *optimizer_of(ur_params *params, const ur_train_options *options)
{
    ur_optimizer *o;
    ur_err err;
    if (ur_optimizer_new(params, options, &o, &err) != UR_OK)
        fail_msg("%s", err.text);
    return o;
}

static bool among(const char *const *names, const char *name)
{
    while (*names && strcmp(*names, name) != 0)
        names++;
    return *names != NULL;
}

static void lists(void **state)
{
    (void)state;
    assert_string_equal(ur_optimizer_name(UR_ADAM), "adam");
    assert_string_equal(ur_optimizer_name(UR_SGD), "sgd");
    assert_string_equal(ur_optimizer_name(UR_ADAMW), "adamw");
    assert_null(ur_optimizer_name(UR_ADAMW + 1));
    assert_null(ur_optimizer_options(UR_ADAMW + 1));
    assert_true(among(ur_optimizer_options(UR_ADAMW), "beta1"));
    assert_false(among(ur_optimizer_options(UR_ADAMW), "momentum"));
    assert_true(among(ur_optimizer_options(UR_SGD), "momentum"));
    assert_string_equal(ur_schedule_name(UR_LR_CONSTANT), "constant");
    assert_string_equal(ur_schedule_name(UR_LR_STEP), "step");
    assert_string_equal(ur_schedule_name(UR_LR_COSINE), "cosine");
    assert_string_equal(ur_schedule_name(UR_LR_PLATEAU), "plateau");
    assert_null(ur_schedule_name(UR_LR_LINEAR + 1));
    assert_null(ur_schedule_options(UR_LR_LINEAR + 1));
    assert_null(ur_schedule_options(UR_LR_CONSTANT)[0]);
    assert_true(among(ur_schedule_options(UR_LR_PLATEAU), "lr_patience"));
}

/* Another set of weights after STEPS steps: what every context must give. */
static void any_threads(void **state)
{
    (void)state;
    contexts all = contexts_new();
    for (int kind = 0; ur_optimizer_name((size_t)kind); kind++) {
        const ur_train_options options = options_of(kind);
        float *want = NULL;
        double norm = 0.0;
        for (int i = 0; i < all.count; i++) {
            ur_params *p = params_of(all.at[i]);
            ur_optimizer *o = optimizer_of(p, &options);
            const size_t size = ur_params_size(p);
            float *g = gradients_of(p);
            for (size_t s = 0; s < STEPS; s++)
                ur_optimizer_step(o, g + s * size, options.lr, s % 2 ? 1.0 : 0.5);
            assert_int_equal(ur_optimizer_steps(o), STEPS);
            if (!want) {
                norm = ur_optimizer_norm(o, g);
                double sum = 0.0;
                for (size_t j = 0; j < size; j++)
                    sum += (double)g[j] * (double)g[j];
                assert_true(fabs(norm - sqrt(sum)) < 1e-5 * norm);
                want = malloc(size * sizeof *want);
                memcpy(want, ur_params_data(p), size * sizeof *want);
            }
            assert_true(ur_optimizer_norm(o, g) == norm);
            same_floats(ur_optimizer_name((size_t)kind), all.name[i], want, ur_params_data(p),
                        size);
            free(g);
            ur_optimizer_free(o);
            ur_params_free(p);
        }
        free(want);
    }
    contexts_free(&all);
}

/* Stopped after two steps and gone on with from what can be saved. */
static void goes_on_from_its_moments(void **state)
{
    (void)state;
    ur_context *context = context_of(NULL, 2, NULL);
    for (int kind = 0; ur_optimizer_name((size_t)kind); kind++) {
        const ur_train_options options = options_of(kind);
        ur_params *whole = params_of(context), *parts = params_of(context);
        const size_t size = ur_params_size(whole);
        float *g = gradients_of(whole);
        ur_optimizer *o = optimizer_of(whole, &options), *first = optimizer_of(parts, &options);
        for (size_t s = 0; s < STEPS; s++)
            ur_optimizer_step(o, g + s * size, options.lr, 1.0);
        for (size_t s = 0; s < 2; s++)
            ur_optimizer_step(first, g + s * size, options.lr, 1.0);
        ur_optimizer *second = optimizer_of(parts, &options);
        ur_optimizer_set_steps(second, ur_optimizer_steps(first));
        for (size_t m = 0; ur_optimizer_moment(first, m); m++)
            memcpy(ur_optimizer_moment(second, m), ur_optimizer_moment(first, m), size * sizeof *g);
        assert_int_equal(ur_optimizer_moment(first, 1) != NULL, kind != UR_SGD);
        assert_null(ur_optimizer_moment(first, 2));
        for (size_t s = 2; s < STEPS; s++)
            ur_optimizer_step(second, g + s * size, options.lr, 1.0);
        same_floats("weights", ur_optimizer_name((size_t)kind), ur_params_data(whole),
                    ur_params_data(parts), size);
        free(g);
        ur_optimizer_free(o);
        ur_optimizer_free(first);
        ur_optimizer_free(second);
        ur_params_free(whole);
        ur_params_free(parts);
    }
    ur_context_free(context);
    ur_optimizer_free(NULL);
}

/* Frozen parameters keep weights and moments to the bit; those without UR_DECAY do not decay. */
static void flags(void **state)
{
    (void)state;
    ur_context *context = context_of(NULL, 2, NULL);
    for (int kind = 0; ur_optimizer_name((size_t)kind); kind++) {
        const ur_train_options options = options_of(kind);
        ur_params *p = params_of(context);
        const size_t size = ur_params_size(p);
        float *g = gradients_of(p), *before = malloc(size * sizeof *g);
        ur_optimizer *o = optimizer_of(p, &options);
        ur_optimizer_step(o, g, options.lr, 1.0);
        ur_params_set_flags(p, "a", UR_TRAINABLE, false);
        memcpy(before, ur_params_data(p), size * sizeof *before);
        float moment = ur_optimizer_moment(o, 0)[7];
        ur_optimizer_step(o, g + size, options.lr, 1.0);
        same_floats("a", "frozen", before, ur_params_data(p), A);
        assert_true(ur_optimizer_moment(o, 0)[7] == moment);
        const size_t b = ur_params_entry(p, 1)->offset;
        assert_memory_not_equal(before + b, ur_params_data(p) + b, B * sizeof *before);
        ur_params_set_flags(p, "*", UR_DECAY, false);
        ur_params_set_flags(p, "a", UR_DECAY | UR_TRAINABLE, true);
        ur_optimizer_free(o);
        o = optimizer_of(p, &options);
        memset(g, 0, size * sizeof *g);
        memcpy(before, ur_params_data(p), size * sizeof *before);
        ur_optimizer_step(o, g, options.lr, 1.0); /* nothing but decay */
        same_floats("b", "without decay", before + b, ur_params_data(p) + b, B);
        for (size_t j = 0; j < A; j++)
            assert_true(fabsf(before[j]) < 0.02f || /* Adam's steps are all of one size */
                        fabsf(ur_params_data(p)[j]) < fabsf(before[j]));
        free(before);
        free(g);
        ur_optimizer_free(o);
        ur_params_free(p);
    }
    ur_context_free(context);
}

static void refused(void **state)
{
    (void)state;
    ur_context *context = context_of(NULL, 1, NULL);
    ur_params *p;
    ur_optimizer *o;
    ur_err err;
    ur_train_options options = ur_train_defaults();
    assert_int_equal(ur_params_new(context, &p, NULL), UR_OK);
    assert_int_equal(ur_optimizer_new(p, &options, &o, &err), UR_INVALID);
    assert_non_null(strstr(err.text, "not sealed"));
    assert_null(o);
    static const int none[] = {-1, UR_ADAMW + 1};
    for (int i = 0; i < 2; i++) {
        options.optimizer = none[i];
        assert_int_equal(ur_optimizer_new(p, &options, &o, &err), UR_INVALID);
        assert_non_null(strstr(err.text, "unknown optimiser"));
        options.optimizer = UR_ADAM;
        options.schedule = none[i] < 0 ? -1 : UR_LR_LINEAR + 1;
        assert_int_equal(ur_train_check(&options, &err), UR_INVALID);
        assert_non_null(strstr(err.text, "unknown learning-rate schedule"));
        options.schedule = UR_LR_CONSTANT;
    }
    ur_params_free(p);
    ur_context_free(context);
}

static ur_status make_one(const ur_allocator *a, ur_err *err, void *arg)
{
    ur_context *context;
    ur_params *p = NULL;
    ur_optimizer *o = NULL;
    const ur_train_options options = options_of(*(const int *)arg);
    ur_status status = ur_context_new(&(ur_options){a, 1, NULL}, &context, err);
    if (status != UR_OK)
        return status;
    status = ur_params_new(context, &p, err);
    if (status == UR_OK) {
        ur_params_add(p, "a", 1, (size_t[]){A}, UR_TRAINABLE);
        status = ur_params_seal(p, err);
    }
    if (status == UR_OK)
        status = ur_optimizer_new(p, &options, &o, err);
    ur_optimizer_free(o);
    ur_params_free(p);
    ur_context_free(context);
    return status;
}

static void memory(void **state)
{
    (void)state;
    for (int kind = 0; ur_optimizer_name((size_t)kind); kind++)
        assert_true(failing_alloc_sweep(make_one, &kind) > 5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lists),
        cmocka_unit_test(any_threads),
        cmocka_unit_test(goes_on_from_its_moments),
        cmocka_unit_test(flags),
        cmocka_unit_test(refused),
        cmocka_unit_test(memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
