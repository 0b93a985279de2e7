/* test_cells_composed.c - the cells that PyTorch lacks, and every cell's options, against compositions
 * of elementary operations on the tape: values and gradients, in training and in inference. */
#include "nn/made_up_cell.h"

/* ---- cells of elementary operations ------------------------------------------------------- */

/* Rows [begin, end) of a parameter as a matrix of their own; a vector is one row. */
static ur_tensor *part(ur_tape *t, int index, size_t begin, size_t end)
{
    ur_tensor *p = ur_parameter(t, index);
    const size_t width = p->ndim > 1 ? p->dim[1] : 1, at = begin * width;
    *p = (ur_tensor){.dtype = UR_F32,
                     .ndim = 2,
                     .dim = {end - begin, width},
                     .data = ur_floats(p) + at,
                     .grad = p->grad ? p->grad + at : NULL,
                     .needs_grad = p->needs_grad};
    if (width == 1) {
        p->dim[0] = 1;
        p->dim[1] = end - begin;
    }
    return p;
}

/* A vector for every one of B rows. */
static ur_tensor *each_row(ur_tape *t, int index, size_t begin, size_t end, size_t batch)
{
    const ur_layout *one = ur_new_layout(t, UR_SEQUENCE_MAJOR, 1, &batch, NULL);
    return ur_repeat(t, part(t, index, begin, end), one)->values;
}

/* Gates [from, to) of x W^T + b. */
static ur_tensor *gates(ur_tape *t, ur_tensor *x, int weight, int bias, size_t from, size_t to)
{
    ur_tensor *a = ur_matmul_t(t, x, part(t, weight, from, to));
    return bias < 0 ? a : ur_add(t, a, each_row(t, bias, from, to, x->dim[0]));
}

static ur_tensor *peephole(ur_tape *t, ur_tensor *a, int index, ur_tensor *c)
{
    if (index < 0)
        return a;
    return ur_add(t, a, ur_mul(t, each_row(t, index, 0, c->dim[1], c->dim[0]), c));
}

static ur_state lstm(ur_tape *t, const ur_cell_layer *l, ur_tensor *x, ur_tensor *h_in, ur_state s)
{
    const size_t h = l->hidden_size;
    ur_tensor *a = ur_add(t, gates(t, x, l->weight_ih, l->bias_ih, 0, 4 * h),
                          gates(t, h_in, l->weight_hh, l->bias_hh, 0, 4 * h));
    ur_tensor *i = ur_sigmoid(t, peephole(t, ur_slice(t, a, 0, h), l->extra[0], s.c));
    ur_tensor *f = ur_sigmoid(t, peephole(t, ur_slice(t, a, h, 2 * h), l->extra[1], s.c));
    ur_tensor *g = ur_tanh(t, ur_slice(t, a, 2 * h, 3 * h));
    ur_tensor *c = ur_add(t, ur_mul(t, f, s.c), ur_mul(t, i, g));
    ur_tensor *o = ur_sigmoid(t, peephole(t, ur_slice(t, a, 3 * h, 4 * h), l->extra[2], c));
    return (ur_state){ur_mul(t, o, ur_tanh(t, c)), c};
}

/* A column (B, 1) in each of n columns, or with a factor. */
static ur_tensor *wide(ur_tape *t, ur_tensor *column, size_t n, float factor)
{
    ur_tensor *w = ur_new_floats(t, 2, (size_t[]){n, 1}, false);
    for (size_t i = 0; i < n; i++)
        ur_floats(w)[i] = factor;
    return ur_matmul_t(t, column, w);
}

static ur_tensor *mean(ur_tape *t, ur_tensor *x)
{
    ur_tensor *w = ur_new_floats(t, 2, (size_t[]){1, x->dim[1]}, false);
    for (size_t i = 0; i < x->dim[1]; i++)
        ur_floats(w)[i] = 1.0f / (float)x->dim[1];
    return ur_matmul_t(t, x, w);
}

/* gain (x - mean) / sqrt(variance + 1e-5); the root by Newton's iteration, which the tape can
 * differentiate: y = y (3 - v y^2) / 2. */
static ur_tensor *norm(ur_tape *t, ur_tensor *x, int gain)
{
    const size_t batch = x->dim[0], n = x->dim[1];
    ur_tensor *centred = ur_sub(t, x, wide(t, mean(t, x), n, 1.0f));
    ur_tensor *epsilon = ur_new_floats(t, 2, (size_t[]){batch, 1}, false);
    ur_tensor *three = ur_new_floats(t, 2, (size_t[]){batch, 1}, false);
    ur_tensor *y = ur_new_floats(t, 2, (size_t[]){batch, 1}, false);
    for (size_t b = 0; b < batch; b++) {
        ur_floats(epsilon)[b] = 1e-5f;
        ur_floats(three)[b] = 3.0f;
        ur_floats(y)[b] = 0.5f;
    }
    ur_tensor *v = ur_add(t, mean(t, ur_mul(t, centred, centred)), epsilon);
    for (int i = 0; i < 20; i++)
        y = ur_scale(t, ur_mul(t, y, ur_sub(t, three, ur_mul(t, v, ur_mul(t, y, y)))), 0.5f);
    return ur_mul(t, each_row(t, gain, 0, n, batch), ur_mul(t, centred, wide(t, y, n, 1.0f)));
}

static ur_state normed_lstm(ur_tape *t, const ur_cell_layer *l, ur_tensor *x, ur_tensor *h_in,
                            ur_state s)
{
    const size_t h = l->hidden_size, batch = x->dim[0];
    ur_tensor *a = ur_add(t, norm(t, gates(t, x, l->weight_ih, -1, 0, 4 * h), l->extra[0]),
                          norm(t, gates(t, h_in, l->weight_hh, -1, 0, 4 * h), l->extra[1]));
    if (l->bias_ih >= 0)
        a = ur_add(t, a,
                   ur_add(t, each_row(t, l->bias_ih, 0, 4 * h, batch),
                          each_row(t, l->bias_hh, 0, 4 * h, batch)));
    ur_tensor *i = ur_sigmoid(t, ur_slice(t, a, 0, h)),
              *f = ur_sigmoid(t, ur_slice(t, a, h, 2 * h));
    ur_tensor *g = ur_tanh(t, ur_slice(t, a, 2 * h, 3 * h));
    ur_tensor *c = ur_add(t, ur_mul(t, f, s.c), ur_mul(t, i, g));
    ur_tensor *u = ur_add(t, norm(t, c, l->extra[2]), each_row(t, l->extra[3], 0, h, batch));
    return (ur_state){ur_mul(t, ur_sigmoid(t, ur_slice(t, a, 3 * h, 4 * h)), ur_tanh(t, u)), c};
}

static ur_state gru(ur_tape *t, const ur_cell_layer *l, ur_tensor *x, ur_tensor *h_in, ur_state s,
                    bool original)
{
    const size_t h = l->hidden_size;
    ur_tensor *a = gates(t, x, l->weight_ih, l->bias_ih, 0, 3 * h);
    ur_tensor *rz = ur_sigmoid(
        t, ur_add(t, ur_slice(t, a, 0, 2 * h), gates(t, h_in, l->weight_hh, l->bias_hh, 0, 2 * h)));
    ur_tensor *r = ur_slice(t, rz, 0, h), *z = ur_slice(t, rz, h, 2 * h);
    ur_tensor *late = original
                          ? gates(t, ur_mul(t, r, h_in), l->weight_hh, l->bias_hh, 2 * h, 3 * h)
                          : ur_mul(t, r, gates(t, h_in, l->weight_hh, l->bias_hh, 2 * h, 3 * h));
    ur_tensor *n = ur_tanh(t, ur_add(t, ur_slice(t, a, 2 * h, 3 * h), late));
    return (ur_state){ur_add(t, ur_sub(t, n, ur_mul(t, z, n)), ur_mul(t, z, s.h)), NULL};
}

static ur_state elman(ur_tape *t, const ur_cell_layer *l, ur_tensor *x, ur_tensor *h_in)
{
    const size_t h = l->hidden_size;
    return (ur_state){ur_tanh(t, ur_add(t, gates(t, x, l->weight_ih, l->bias_ih, 0, h),
                                        gates(t, h_in, l->weight_hh, l->bias_hh, 0, h))),
                      NULL};
}

static ur_state composed_step(ur_tape *t, const char *cell, const ur_cell_layer *l, ur_tensor *x,
                              ur_tensor *h_in, ur_state s)
{
    if (strcmp(cell, "lstm_layer_norm") == 0)
        return normed_lstm(t, l, x, h_in, s);
    if (strncmp(cell, "lstm", 4) == 0)
        return lstm(t, l, x, h_in, s);
    if (strncmp(cell, "gru", 3) == 0)
        return gru(t, l, x, h_in, s, strcmp(cell, "gru_original") == 0);
    return elman(t, l, x, h_in);
}

enum { STEPS = 9, SEQUENCES = 2 };

/* w new + (1-w) previous; w NULL: previous with weight p. */
static ur_tensor *zone(ur_tape *t, float p, const float *w, ur_tensor *new, ur_tensor *previous)
{
    if (!(p > 0.0f))
        return new;
    ur_tensor *share = ur_new_floats(t, 2, new->dim, false);
    for (size_t i = 0; i < ur_count(new); i++)
        ur_floats(share)[i] = w ? w[i] : 1.0f - p;
    return ur_add(t, ur_mul(t, share, ur_sub(t, new, previous)), previous);
}

static void check_composed(ur_context *context, const ur_rnn_config *options, ur_mode mode)
{
    const size_t length[BATCH] = {STEPS, STEPS};
    model whole = model_new(context, options, WIDE), m = model_new(context, options, WIDE);
    const pass p = run(&whole, mode, UR_STEP_MAJOR, length, 0, SEQUENCES);
    ur_tape *t = m.tape;
    ur_tape_start(t, mode, m.params, mode == UR_TRAIN ? m.gradient : NULL, 11, 5);
    ur_state s = {made_up_rows(t, 2, 0, SEQUENCES, WIDE, true),
                  p.s.c ? made_up_rows(t, 3, 0, SEQUENCES, WIDE, true) : NULL};
    const ur_state first = s;
    const uint64_t id[] = {70, 71};
    const ur_layout *l = ur_new_layout(t, UR_STEP_MAJOR, SEQUENCES, length, id);
    ur_recurrent_run noise = {0};
    noise.rows = l;
    ur_cell_noise(t, &m.stack.part[0], &noise);
    ur_tensor *mask =
        noise.mask ? ur_copy_floats(t, 2, (size_t[]){SEQUENCES, WIDE}, noise.mask, false) : NULL;
    const ur_seq *wy = made_up_seq(t, l, 4, 0, WIDE, false);
    ur_tensor *x[STEPS], *loss = NULL;
    for (size_t i = 0; i < STEPS; i++) {
        x[i] = ur_copy_floats(t, 2, (size_t[]){SEQUENCES, INPUT},
                              ur_floats(p.x->values) + i * SEQUENCES * INPUT, true);
        const size_t at = i * SEQUENCES * WIDE;
        const ur_state new = composed_step(t, options->cell, &m.stack.part[0], x[i],
                                           mask ? ur_mul(t, s.h, mask) : s.h, s);
        s.h = zone(t, options->zoneout_h, noise.fresh_h ? noise.fresh_h + at : NULL, new.h, s.h);
        s.c = zone(t, options->zoneout_c, noise.fresh_c ? noise.fresh_c + at : NULL, new.c, s.c);
        ur_tensor *w = ur_copy_floats(t, 2, (size_t[]){SEQUENCES, WIDE},
                                      ur_floats(wy->values) + i * SEQUENCES * WIDE, false);
        loss = loss ? ur_add(t, loss, weigh(t, s.h, w)) : weigh(t, s.h, w);
        tape_fine(t);
        near_floats("h", ur_floats(s.h), ur_floats(p.out.y->values) + i * SEQUENCES * WIDE,
                    SEQUENCES * WIDE, 2e-6);
    }
    loss = ur_add(t, loss, weigh(t, s.h, made_up_rows(t, 5, 0, SEQUENCES, WIDE, false)));
    if (s.c)
        loss = ur_add(t, loss, weigh(t, s.c, made_up_rows(t, 6, 0, SEQUENCES, WIDE, false)));
    if (mode == UR_TRAIN)
        ur_backward(t, loss);
    tape_fine(t);
    for (size_t i = 0; mode == UR_TRAIN && i < STEPS; i++)
        near_floats("dx", x[i]->grad, p.x->values->grad + i * SEQUENCES * INPUT, SEQUENCES * INPUT,
                    1e-5);
    if (s.c)
        near_floats("c_n", ur_floats(s.c), ur_floats(p.out.c_n), SEQUENCES * WIDE, 2e-6);
    if (mode == UR_TRAIN)
        near_floats("dh0", first.h->grad, p.s.h->grad, SEQUENCES * WIDE, 1e-5);
    if (mode == UR_TRAIN && s.c)
        near_floats("dc0", first.c->grad, p.s.c->grad, SEQUENCES * WIDE, 1e-5);
    near_floats("gradients", m.gradient, whole.gradient, ur_params_size(m.params), 1e-5);
    model_free(&whole);
    model_free(&m);
}

static void composed_of_elementary_operations(void **state)
{
    (void)state;
    ur_context *context = context_of(NULL, 2, NULL);
    for (int i = 0; i < CASES; i++)
        for (int mode = 0; mode < 2; mode++)
            check_composed(context, &cases[i], mode ? UR_INFER : UR_TRAIN);
    ur_context_free(context);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(composed_of_elementary_operations),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
