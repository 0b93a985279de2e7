/* test_params.c - the parameter vector: its table, aliases, flags, sticky failures; packed copies that
 * are always of the present values; and what a tape refuses. */
#include "support/contexts.h"
#include "support/failing_alloc.h"
#include "tape/runner.h"
#include "unroll/nn.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

static const size_t one = 1, three_by_five[] = {3, 5}, many[] = {2, 3, 5, 7};

static void table(void **state)
{
    (void)state;
    ur_context *context = context_of(NULL, 1, NULL);
    ur_params *p;
    assert_int_equal(ur_params_new(context, &p, NULL), UR_OK);
    assert_int_equal(ur_params_add(p, "a", 2, three_by_five, UR_TRAINABLE), 0);
    assert_int_equal(ur_params_add(p, "b", 1, &one, UR_DECAY), 1);
    assert_int_equal(ur_params_add(p, "c", 4, many, 0), 2);
    assert_int_equal(ur_params_alias(p, "tied", 0), 3);
    assert_int_equal(ur_params_seal(p, NULL), UR_OK);
    assert_int_equal(ur_params_count(p), 4);
    assert_int_equal(ur_params_weights(p), 15 + 1 + 210);
    assert_int_equal(ur_params_size(p), 16 + 16 + 224);
    assert_int_equal((uintptr_t)ur_params_values(p) % 64, 0);
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(ur_params_entry(p, i)->offset % 16, 0);
    for (size_t i = 0; i < ur_params_size(p); i++)
        assert_true(ur_params_values(p)[i] == 0.0f);
    assert_int_equal(ur_params_find(p, "c"), 2);
    assert_int_equal(ur_params_find(p, "d"), -1);
    const ur_param *c = ur_params_entry(p, 2), *tied = ur_params_entry(p, 3);
    assert_string_equal(c->name, "c");
    assert_int_equal(c->ndim, 4);
    assert_int_equal(c->dim[3], 7);
    assert_int_equal(c->count, 210);
    assert_int_equal(c->alias_of, -1);
    assert_string_equal(tied->name, "tied");
    assert_int_equal(tied->alias_of, 0);
    assert_ptr_equal(ur_param_values(p, 3), ur_param_values(p, 0));
    assert_ptr_equal(ur_param_data(p, 2), ur_params_data(p) + c->offset);
    for (int i = 0; i < 2; i++) {
        assert_null(ur_param_values(p, i ? 4 : -1));
        assert_null(ur_param_data(p, i ? 4 : -1));
    }
    ur_params_free(p);
    ur_context_free(context);
    ur_params_free(NULL);
}

/* An alias of an alias is one of the root. */
static void aliases(void **state)
{
    (void)state;
    ur_context *context = context_of(NULL, 1, NULL);
    ur_params *p;
    assert_int_equal(ur_params_new(context, &p, NULL), UR_OK);
    ur_params_add(p, "a", 1, &one, UR_TRAINABLE);
    ur_params_add(p, "b", 1, &one, UR_TRAINABLE);
    assert_int_equal(ur_params_alias(p, "c", 1), 2);
    assert_int_equal(ur_params_alias(p, "d", 2), 3);
    assert_int_equal(ur_params_seal(p, NULL), UR_OK);
    assert_int_equal(ur_params_entry(p, 2)->alias_of, 1);
    assert_int_equal(ur_params_entry(p, 3)->alias_of, 1);
    ur_param_values(p, 1)[0] = 3.0f;
    ur_tape *t = tape_of(context);
    float gradient[32] = {0};
    ur_tape_start(t, UR_TRAIN, p, gradient, 0, 0);
    ur_tape_set_gradient(t);
    ur_tensor *x = ur_parameter(t, 3), *y = ur_parameter(t, 1), *z = ur_parameter(t, 2);
    ur_tensor *loss = ur_sum(t, ur_mul(t, x, ur_mul(t, y, z)));
    assert_int_equal(ur_backward(t, loss), UR_OK);
    assert_true(ur_floats(loss)[0] == 27.0f);
    assert_true(gradient[0] == 0.0f && gradient[16] == 27.0f);
    ur_tape_free(t);
    ur_params_free(p);
    ur_context_free(context);
}

static void flags(void **state)
{
    (void)state;
    static const char *const names[] = {"encoder.w", "encoder.bias", "decoder.w", "decoder.bias"};
    ur_context *context = context_of(NULL, 1, NULL);
    ur_params *p;
    assert_int_equal(ur_params_new(context, &p, NULL), UR_OK);
    for (int i = 0; i < 4; i++)
        ur_params_add(p, names[i], 1, &one, UR_TRAINABLE | UR_DECAY);
    ur_params_alias(p, "tied", 2);
    assert_int_equal(ur_params_seal(p, NULL), UR_OK);
    assert_int_equal(ur_params_set_flags(p, "*bias*", UR_DECAY, false), 2);
    assert_int_equal(ur_params_set_flags(p, "encoder.*", UR_TRAINABLE, false), 2);
    assert_int_equal(ur_params_set_flags(p, "nothing*", UR_TRAINABLE, false), 0);
    static const unsigned want[] = {UR_DECAY, 0, UR_TRAINABLE | UR_DECAY, UR_TRAINABLE,
                                    UR_TRAINABLE | UR_DECAY};
    for (size_t i = 0; i < 5; i++)
        assert_int_equal(ur_params_entry(p, i)->flags, want[i]);
    /* by either name: the weights are the same */
    assert_int_equal(ur_params_set_flags(p, "tied", UR_TRAINABLE, false), 1);
    assert_int_equal(ur_params_entry(p, 2)->flags, UR_DECAY);
    assert_int_equal(ur_params_set_flags(p, "decoder.w", UR_TRAINABLE, true), 1);
    assert_int_equal(ur_params_entry(p, 4)->flags, UR_TRAINABLE | UR_DECAY);
    ur_params_free(p);
    ur_context_free(context);
}

/* Does one thing wrong, then tries to go on: sealing tells of the first. */
static void sticky(void **state)
{
    (void)state;
    static const size_t huge[] = {SIZE_MAX / 8, 4}, zero[] = {3, 0};
    static const char *const says[] = {"first: added twice",
                                       "wrong: 1 to 4 dimensions",
                                       "wrong: 1 to 4 dimensions",
                                       "wrong: its size overflows",
                                       "wrong: one of its",
                                       "first: added twice, the second",
                                       "wrong: an alias of a parameter that is not there"};
    ur_context *context = context_of(NULL, 1, NULL);
    for (int wrong = 0; wrong < 7; wrong++) {
        ur_params *p;
        ur_err err = {UR_OK, ""};
        assert_int_equal(ur_params_new(context, &p, NULL), UR_OK);
        assert_int_equal(ur_params_add(p, "first", 1, &one, 0), 0);
        const int index = wrong == 0   ? ur_params_add(p, "first", 1, &one, 0)
                          : wrong == 1 ? ur_params_add(p, "wrong", 0, &one, 0)
                          : wrong == 2 ? ur_params_add(p, "wrong", 5, many, 0)
                          : wrong == 3 ? ur_params_add(p, "wrong", 2, huge, 0)
                          : wrong == 4 ? ur_params_add(p, "wrong", 2, zero, 0)
                          : wrong == 5 ? ur_params_alias(p, "first", 0)
                                       : ur_params_alias(p, "wrong", 1);
        assert_int_equal(index, -1);
        assert_int_equal(ur_params_add(p, "later", 1, &one, 0), -1);
        assert_int_equal(ur_params_pack(p, 0, UR_PACK_ROWS, 1), -1);
        assert_int_equal(ur_params_pack(p, -1, UR_PACK_ROWS, 1), -1);
        assert_int_equal(ur_params_seal(p, &err), UR_INVALID);
        if (!strstr(err.text, says[wrong]))
            fail_msg("\"%s\" does not say \"%s\"", err.text, says[wrong]);
        ur_params_free(p);
    }
    ur_context_free(context);
}

static void sealing_ends_the_building(void **state)
{
    (void)state;
    ur_context *context = context_of(NULL, 1, NULL);
    ur_params *p;
    assert_int_equal(ur_params_new(context, &p, NULL), UR_OK);
    assert_int_equal(ur_params_add(p, "a", 1, &one, 0), 0);
    assert_int_equal(ur_params_seal(p, NULL), UR_OK);
    assert_int_equal(ur_params_seal(p, NULL), UR_INVALID);
    assert_int_equal(ur_params_add(p, "b", 1, &one, 0), -1);
    ur_err err;
    assert_int_equal(ur_params_seal(p, &err), UR_INVALID);
    assert_non_null(strstr(err.text, "b: added after sealing"));
    assert_int_equal(ur_params_count(p), 1);
    ur_params_free(p);
    ur_context_free(context);
}

/* ---- packed copies ------------------------------------------------------------------------ */

enum { IN = 5, OUT = 37 };

typedef struct net {
    ur_context *context;
    ur_params *params;
    ur_linear_layer fc;
    ur_tape *tape;
} net;

static net net_new(ur_context *context)
{
    net n = {.context = context};
    assert_int_equal(ur_params_new(context, &n.params, NULL), UR_OK);
    n.fc = ur_linear_add(n.params, "fc", IN, OUT, true);
    assert_int_equal(ur_params_seal(n.params, NULL), UR_OK);
    n.tape = tape_of(context);
    return n;
}

static void net_free(net *n)
{
    ur_tape_free(n->tape);
    ur_params_free(n->params);
}

static ur_tensor *ones(ur_tape *t)
{
    ur_tensor *x = ur_new_floats(t, 2, (size_t[]){1, IN}, true);
    for (size_t i = 0; x && i < IN; i++)
        ur_floats(x)[i] = 1.0f;
    return x;
}

/* y = W 1 + b and dx = sum of the columns of W, with the values as they now are. */
static void computes_with(const net *n, ur_mode mode)
{
    float gradient[1024] = {0};
    const float *w = ur_param_data(n->params, n->fc.weight);
    const float *b = ur_param_data(n->params, n->fc.bias);
    ur_tape *t = n->tape;
    assert_true(ur_params_size(n->params) <= 1024);
    ur_tape_start(t, mode, n->params, mode == UR_TRAIN ? gradient : NULL, 0, 0);
    ur_tensor *x = ones(t), *y = ur_linear(t, &n->fc, x);
    tape_fine(t);
    for (size_t o = 0; o < OUT; o++) {
        float want = b[o];
        for (size_t i = 0; i < IN; i++)
            want += w[o * IN + i];
        assert_true(ur_floats(y)[o] == want);
    }
    if (mode != UR_TRAIN)
        return;
    assert_int_equal(ur_backward(t, ur_sum(t, y)), UR_OK);
    for (size_t i = 0; i < IN; i++) {
        float want = 0.0f;
        for (size_t o = 0; o < OUT; o++)
            want += w[o * IN + i];
        assert_true(x->grad[i] == want);
    }
}

/* Whole numbers, so that every order of adding gives the same. */
static void write_weights(float *w, int shift)
{
    for (int i = 0; i < IN * OUT; i++)
        w[i] = (float)((i * 7 + shift) % 23 - 11);
}

static void copies_are_current(void **state)
{
    (void)state;
    contexts all = contexts_new();
    for (int i = 0; i < all.count; i++) {
        net n = net_new(all.at[i]);
        computes_with(&n, UR_INFER); /* zeros */
        for (int shift = 1; shift < 5; shift++) {
            write_weights(ur_param_values(n.params, n.fc.weight), shift);
            computes_with(&n, shift % 2 ? UR_TRAIN : UR_INFER);
            computes_with(&n, shift % 2 ? UR_INFER : UR_TRAIN);
        }
        float *kept = ur_params_values(n.params);
        computes_with(&n, UR_TRAIN);
        write_weights(kept, 9); /* who keeps a pointer says so */
        ur_params_changed(n.params);
        computes_with(&n, UR_TRAIN);
        net_free(&n);
    }
    contexts_free(&all);
}

/* Several tapes that start at once, over weights that nobody has packed yet. */
static void start_shard(void *arg, ur_tape *tape, size_t s)
{
    const net *n = arg;
    (void)s;
    ur_tape_start(tape, UR_INFER, n->params, NULL, 0, 0);
    const ur_tensor *y = ur_linear(tape, &n->fc, ones(tape));
    const float *w = ur_param_data(n->params, n->fc.weight);
    float want = 0.0f;
    for (size_t i = 0; i < IN; i++)
        want += w[(OUT - 1) * IN + i];
    if (y && ur_floats(y)[OUT - 1] != want)
        ur_tape_fail(tape, UR_INVALID, "stale");
}

typedef struct together {
    const net *n;
    ur_tape *tape[8];
} together;

static void start_task(void *arg, size_t task, int worker)
{
    (void)worker;
    const together *all = arg;
    net n = *all->n;
    start_shard(&n, all->tape[task], task);
}

static void tapes_start_together(void **state)
{
    (void)state;
    ur_context *context = context_of(NULL, 4, NULL);
    net n = net_new(context);
    ur_runner *runner;
    together all = {.n = &n};
    assert_int_equal(ur_runner_new(context, &runner, NULL), UR_OK);
    for (int i = 0; i < 8; i++) {
        all.tape[i] = tape_of(context);
        ur_tape_use_team(all.tape[i], false);
    }
    for (int round = 0; round < 50; round++) {
        write_weights(ur_param_values(n.params, n.fc.weight), round);
        assert_int_equal(ur_runner_run(runner, n.params, UR_INFER, 8, start_shard, &n, NULL),
                         UR_OK);
        write_weights(ur_param_values(n.params, n.fc.weight), round + 1);
        ur_pool_for(context->pool, 8, start_task, &all); /* none has packed before */
        for (int i = 0; i < 8; i++)
            tape_fine(all.tape[i]);
    }
    for (int i = 0; i < 8; i++)
        ur_tape_free(all.tape[i]);
    ur_runner_free(runner);
    net_free(&n);
    ur_context_free(context);
}

/* Inference takes no memory for what only training needs. */
static void groups(void **state)
{
    (void)state;
    failing_alloc f;
    failing_alloc_init(&f, 0, false);
    ur_context *context = context_of(NULL, 1, &f.hooks);
    net n = net_new(context);
    const size_t sealed = f.outstanding;
    ur_tape_start(n.tape, UR_INFER, n.params, NULL, 0, 0);
    assert_int_equal(f.outstanding, sealed + 1);
    ur_tape_start(n.tape, UR_INFER, n.params, NULL, 0, 0);
    assert_int_equal(f.outstanding, sealed + 1);
    ur_tape_start(n.tape, UR_TRAIN, n.params, NULL, 0, 0);
    assert_int_equal(f.outstanding, sealed + 2);
    net_free(&n);
    ur_context_free(context);
    assert_int_equal(f.outstanding, 0);
}

/* ---- what a tape refuses ------------------------------------------------------------------- */

static void guards(void **state)
{
    (void)state;
    ur_context *context = context_of(NULL, 1, NULL), *other = context_of(NULL, 1, NULL);
    net n = net_new(context), m = net_new(other);
    tape_failed(n.tape, UR_INVALID, "not started");
    assert_null(ones(n.tape));
    assert_null(ur_linear(n.tape, &n.fc, NULL));
    assert_int_equal(ur_backward(n.tape, NULL), UR_INVALID);

    ur_tape_start(n.tape, UR_INFER, m.params, NULL, 0, 0);
    tape_failed(n.tape, UR_INVALID, "of another context");

    ur_params *open;
    assert_int_equal(ur_params_new(context, &open, NULL), UR_OK);
    ur_linear_layer fc = ur_linear_add(open, "fc", IN, OUT, true);
    ur_tape_start(n.tape, UR_INFER, open, NULL, 0, 0);
    tape_failed(n.tape, UR_INVALID, "not sealed");
    assert_null(ur_linear(n.tape, &fc, ones(n.tape)));
    assert_null(ur_param_values(open, 0));
    assert_null(ur_params_values(open));
    ur_linear_init(&fc, open, 1); /* does nothing */
    ur_params_free(open);

    /* a layer of other parameters: of another shape, without a copy, and with none at all */
    ur_params *few;
    assert_int_equal(ur_params_new(context, &few, NULL), UR_OK);
    ur_params_add(few, "w", 2, (size_t[]){OUT, IN}, UR_TRAINABLE);
    ur_params_add(few, "b", 1, (size_t[]){OUT}, UR_TRAINABLE);
    assert_int_equal(ur_params_seal(few, NULL), UR_OK);
    ur_params *const wrong[] = {few, NULL};
    for (int i = 0; i < 2; i++) {
        ur_tape_start(n.tape, UR_INFER, wrong[i], NULL, 0, 0);
        assert_null(ur_linear(n.tape, &n.fc, ones(n.tape)));
        tape_failed(n.tape, UR_INVALID, "linear: the layer is not of the parameters");
    }
    ur_params_free(few);
    ur_linear_layer odd = n.fc;
    odd.weight = n.fc.bias;
    ur_tape_start(n.tape, UR_INFER, n.params, NULL, 0, 0);
    assert_null(ur_linear(n.tape, &odd, ones(n.tape)));
    tape_failed(n.tape, UR_INVALID, "not of the parameters");

    ur_tape_start(n.tape, UR_INFER, n.params, NULL, 0, 0);
    assert_non_null(ur_linear(n.tape, &n.fc, ones(n.tape)));
    ur_param_values(n.params, 0)[0] = 2.0f;
    assert_null(ur_linear(n.tape, &n.fc, ones(n.tape)));
    tape_failed(n.tape, UR_INVALID, "have changed since the tape was started");
    net_free(&n);
    net_free(&m);
    ur_context_free(context);
    ur_context_free(other);
}

/* ---- copies alone ------------------------------------------------------------------------- */

/* A table of rows whose second name is a product's weight, and another product. */
typedef struct tied_net {
    ur_params *params;
    ur_embedding_layer table;
    ur_linear_layer out, fc;
} tied_net;

static tied_net tied_new(ur_context *context)
{
    tied_net n;
    assert_int_equal(ur_params_new(context, &n.params, NULL), UR_OK);
    n.table = ur_embedding_add(n.params, "table", OUT, IN);
    n.out = ur_linear_add_tied(n.params, "out", &n.table, true);
    n.fc = ur_linear_add(n.params, "fc", IN, IN, true);
    return n;
}

/* (1, OUT): the logits of row 3 of the table. */
static ur_tensor *tied_pass(const tied_net *n, ur_tape *t)
{
    const ur_layout *layout = ur_new_layout(t, UR_SEQUENCE_MAJOR, 1, (size_t[]){1}, NULL);
    const ur_seq *row = ur_embedding(t, &n->table, ur_seq_ints(t, layout, (int32_t[]){3}));
    return ur_linear(t, &n->out, ur_linear(t, &n->fc, ur_values(row)));
}

static void fill_tied(tied_net *n, bool packed)
{
    for (size_t i = 0; i < ur_params_count(n->params); i++) {
        const ur_param *p = ur_params_entry(n->params, i);
        if (p->alias_of >= 0)
            continue;
        float *values = made_up_floats(i, p->count, 1.0f);
        float *to =
            packed ? ur_params_fill_here(n->params, (int)i) : ur_param_values(n->params, (int)i);
        if (to)
            memcpy(to, values, p->count * sizeof *to);
        if (packed)
            ur_params_fill(n->params, (int)i, values);
        free(values);
    }
}

static void copies_alone(void **state)
{
    (void)state;
    contexts all = contexts_new();
    for (int c = 0; c < all.count; c++) {
        tied_net whole = tied_new(all.at[c]), packed = tied_new(all.at[c]);
        ur_tape *t = tape_of(all.at[c]);
        ur_err err;
        assert_int_equal(ur_params_seal(whole.params, NULL), UR_OK);
        assert_int_equal(ur_params_seal_packed(packed.params, NULL), UR_OK);
        fill_tied(&whole, false);
        fill_tied(&packed, true);
        float want[OUT];
        ur_tape_start(t, UR_INFER, whole.params, NULL, 0, 0);
        const ur_tensor *y = tied_pass(&whole, t);
        tape_fine(t);
        memcpy(want, ur_floats(y), sizeof want);
        ur_tape_start(t, UR_INFER, packed.params, NULL, 0, 0);
        y = tied_pass(&packed, t);
        tape_fine(t);
        same_floats("logits", all.name[c], want, ur_floats(y), OUT);

        /* what is read plainly has values, under both its names; a product's weight has none */
        assert_null(ur_params_data(packed.params));
        assert_null(ur_param_data(packed.params, packed.fc.weight));
        assert_null(ur_param_values(packed.params, packed.fc.bias));
        assert_null(ur_params_values(packed.params));
        const int tied = ur_params_find(packed.params, "out.weight");
        assert_non_null(ur_param_data(packed.params, packed.fc.bias));
        assert_ptr_equal(ur_param_data(packed.params, tied),
                         ur_param_data(packed.params, packed.table.weight));
        assert_null(ur_param_data(packed.params, 99));
        assert_null(ur_parameter(t, packed.fc.weight));
        tape_failed(t, UR_INVALID, "fc.weight: it was read for products alone");
        ur_tape_start(t, UR_TRAIN, packed.params, want, 0, 0);
        tape_failed(t, UR_INVALID, "read for inference alone");
        assert_int_equal(ur_params_seal_packed(packed.params, &err), UR_INVALID);
        assert_non_null(strstr(err.text, "sealed already"));
        ur_tape_free(t);
        ur_params_free(whole.params);
        ur_params_free(packed.params);
    }
    contexts_free(&all);
}

static ur_status build(const ur_allocator *a, ur_err *err, void *arg)
{
    (void)arg;
    const ur_options options = {.allocator = a, .threads = 1};
    ur_context *context;
    ur_params *p = NULL;
    ur_status status = ur_context_new(&options, &context, err);
    if (status != UR_OK)
        return status;
    status = ur_params_new(context, &p, err);
    for (int i = 0; i < 20 && status == UR_OK; i++) {
        const char name[] = {'a' + (char)i, '\0'};
        const int index = ur_params_add(p, name, 2, three_by_five, 0);
        ur_params_pack(p, index, i % 2 ? UR_PACK_ROWS : UR_PACK_COLS, 1);
    }
    if (status == UR_OK) {
        ur_params_alias(p, "tied", 3);
        status = ur_params_seal(p, err);
    }
    if (status == UR_OK)
        status = ur_params_prepare(p, UR_TRAIN, NULL, err);
    ur_params_free(p);
    ur_context_free(context);
    return status;
}

static void every_allocation_may_fail(void **state)
{
    (void)state;
    assert_true(failing_alloc_sweep(build, NULL) > 60);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(table),
        cmocka_unit_test(aliases),
        cmocka_unit_test(flags),
        cmocka_unit_test(sticky),
        cmocka_unit_test(sealing_ends_the_building),
        cmocka_unit_test(copies_are_current),
        cmocka_unit_test(tapes_start_together),
        cmocka_unit_test(groups),
        cmocka_unit_test(guards),
        cmocka_unit_test(copies_alone),
        cmocka_unit_test(every_allocation_may_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
