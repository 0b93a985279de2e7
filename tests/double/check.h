/* check.h - gradient checks in double precision: parameters filled with made-up numbers, inputs that
 * are parameters themselves, and the bound. */
#ifndef UR_TESTS_DOUBLE_CHECK_H
#define UR_TESTS_DOUBLE_CHECK_H

#include "support/contexts.h"
#include "tape/tape.h"
#include "unroll/nn.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>

#define CHECK_BOUND 1e-6

/* What a loss is made of. Its inputs stand in the parameter vector beside the layers' weights, so
 * that ur_gradient_check visits them all. */
typedef struct checked {
    ur_context *context;
    ur_params *params;
    ur_tape *tape;
    const void *layer;
    const size_t *length, *other; /* of the batch: questions, keys ...; answers, queries ... */
    size_t batch;
    ur_order order;
    int variant;
} checked;

typedef ur_tensor *checked_loss(ur_tape *tape, void *user);

static inline checked checked_new(int threads)
{
    checked c = {.context = context_of("plain", threads, NULL)};
    assert_int_equal(ur_params_new(c.context, &c.params, NULL), UR_OK);
    c.tape = tape_of(c.context);
    return c;
}

static inline int checked_input(checked *c, const char *name, size_t rows, size_t columns)
{
    const size_t dim[] = {rows, columns};
    return ur_params_add(c->params, name, columns ? 2 : 1, dim, UR_TRAINABLE);
}

/* Seals, fills and checks; frees all. */
static inline void checked_run(checked *c, const char *name, checked_loss *loss)
{
    ur_err err;
    double worst = 0.0;
    if (ur_params_seal(c->params, &err) != UR_OK)
        fail_msg("%s: %s", name, err.text);
    for (size_t i = 0; i < ur_params_count(c->params); i++) {
        float *w = ur_param_values(c->params, (int)i);
        for (size_t j = 0; j < ur_params_entry(c->params, i)->count; j++)
            w[j] = made_up(100 + i, j);
    }
    ur_params_changed(c->params);
    ur_tape_start(c->tape, UR_TRAIN, c->params, NULL, 7, 3); /* the seed of drop-out */
    if (ur_gradient_check(c->tape, c->params, loss, c, 0, &worst, &err) != UR_OK)
        fail_msg("%s: %s", name, err.text);
    if (!(worst <= CHECK_BOUND))
        fail_msg("%s: gradient and differences are %.2g apart, %.0e allowed", name, worst,
                 CHECK_BOUND);
    ur_tape_free(c->tape);
    ur_params_free(c->params);
    ur_context_free(c->context);
}

/* A scalar that depends on every element of y, each with a weight of its own. */
static inline ur_tensor *weigh(ur_tape *tape, ur_tensor *y, uint64_t seed)
{
    ur_tensor *w = y ? ur_new_floats(tape, y->ndim, y->dim, false) : NULL;
    for (size_t i = 0; w && i < ur_count(w); i++)
        ur_floats(w)[i] = made_up(seed, i);
    return y ? ur_sum(tape, ur_mul(tape, y, w)) : NULL;
}

/* Parameter `index` (rows, features) as a ragged batch. */
static inline ur_seq *seq_of(ur_tape *tape, int index, const ur_layout *layout)
{
    ur_seq *s = ur_take(tape, 1, sizeof *s);
    if (s)
        *s = (ur_seq){ur_parameter(tape, index), layout};
    return s;
}

#endif
