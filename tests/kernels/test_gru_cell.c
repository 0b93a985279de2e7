/* test_gru_cell.c - what stands between the products of a GRU and of an Elman network, forward and
 * backward, against the equations one unit at a time: byte for byte on every instruction set, units
 * in several ranges; and the backward equations against differences of the forward ones in double
 * precision. */
#include "kernels/isas.h"
#include "kernels/math.h"

#include <math.h>

enum { ROUNDS = 60 };

typedef struct sizes {
    size_t rows, hidden, gates_row, part[3];
} sizes;

static sizes random_sizes(uint64_t *seed, size_t gates)
{
    sizes s = {.rows = next_below(seed, 7), .hidden = 1 + next_below(seed, 70)};
    s.gates_row = gates * s.hidden + next_below(seed, 9);
    s.part[1] = next_below(seed, s.hidden + 1);
    s.part[2] = s.hidden;
    return s;
}

/* ---- GRU ---------------------------------------------------------------------------------- */

static void gru_forward(void **state)
{
    (void)state;
    const isas all = isas_here();
    uint64_t seed = 1;
    for (int round = 0; round < ROUNDS; round++) {
        const sizes s = random_sizes(&seed, 3);
        const size_t H = s.hidden, cells = s.rows * H;
        guarded x = guarded_random(s.rows * s.gates_row, 4.0f, &seed), want = guarded_copy(&x);
        guarded hh = guarded_random(s.rows * s.gates_row, 4.0f, &seed);
        guarded h_prev = guarded_random(cells, 1.0f, &seed), h_want = guarded_new(cells);
        for (size_t row = 0; row < s.rows; row++)
            for (size_t u = 0; u < H; u++) {
                float *gate = want.at + row * s.gates_row + u;
                const float *h = hh.at + row * s.gates_row + u;
                const float r = ur_sigmoidf(gate[0] + h[0]), z = ur_sigmoidf(gate[H] + h[H]);
                const float n = ur_tanhf(fmaf(r, h[2 * H], gate[2 * H]));
                gate[0] = r, gate[H] = z, gate[2 * H] = n;
                h_want.at[row * H + u] = fmaf(z, h_prev.at[row * H + u] - n, n);
            }
        for (int k = 0; k < all.count; k++) {
            guarded got = guarded_copy(&x), h_gates = guarded_copy(&hh), h = guarded_new(cells);
            const ur_gru_cell cell = {.rows = s.rows,
                                      .hidden = H,
                                      .gates = got.at,
                                      .h_gates = h_gates.at,
                                      .gates_row = s.gates_row,
                                      .h_prev = h_prev.at,
                                      .h = h.at};
            all.at[k]->gru_cell(&cell, s.part[1], s.part[2]);
            all.at[k]->gru_cell(&cell, s.part[0], s.part[1]);
            same_bytes("gates", all.at[k]->name, want.at, got.at, got.n);
            same_bytes("h", all.at[k]->name, h_want.at, h.at, cells);
            for (size_t i = 0; i < s.rows; i++) /* backward needs the product with h for n */
                same_bytes("h_n", all.at[k]->name, hh.at + i * s.gates_row + 2 * H,
                           h_gates.at + i * s.gates_row + 2 * H, H);
            guarded_free(&got);
            guarded_free(&h_gates);
            guarded_free(&h);
        }
        guarded *const done[] = {&x, &want, &hh, &h_prev, &h_want};
        for (int i = 0; i < 5; i++)
            guarded_free(done[i]);
    }
}

/* One unit's gradients by the equations of kernels.h. gate[] in: r z n, out: gradients of the
 * products with x; h_gate[] in: the last product with h, out: gradients of those with h. */
static void back_unit(float *gate, float *h_gate, size_t H, float h_prev, float *dh)
{
    const float r = gate[0], z = gate[H], n = gate[2 * H], d = *dh;
    const float dn = (d * (1.0f - z)) * fmaf(-n, n, 1.0f);
    gate[H] = h_gate[H] = (d * (h_prev - n)) * (z * (1.0f - z));
    gate[0] = h_gate[0] = (dn * h_gate[2 * H]) * (r * (1.0f - r));
    gate[2 * H] = dn;
    h_gate[2 * H] = dn * r;
    *dh = d * z;
}

static void gru_backward(void **state)
{
    (void)state;
    const isas all = isas_here();
    uint64_t seed = 2;
    for (int round = 0; round < ROUNDS; round++) {
        const sizes s = random_sizes(&seed, 3);
        const size_t H = s.hidden, cells = s.rows * H;
        guarded gates = guarded_random(s.rows * s.gates_row, 1.0f, &seed);
        guarded h_gates = guarded_random(s.rows * s.gates_row, 3.0f, &seed);
        guarded h_prev = guarded_random(cells, 1.0f, &seed);
        guarded dy = guarded_random(cells, 1.0f, &seed), dh = guarded_random(cells, 1.0f, &seed);
        guarded want = guarded_copy(&gates), h_want = guarded_copy(&h_gates);
        guarded dh_want = guarded_copy(&dh);
        const bool has_dy = round % 2;
        for (size_t r = 0; r < s.rows; r++)
            for (size_t u = 0; u < H; u++) {
                const size_t at = r * H + u, gate = r * s.gates_row + u;
                if (has_dy)
                    dh_want.at[at] += dy.at[at];
                back_unit(want.at + gate, h_want.at + gate, H, h_prev.at[at], &dh_want.at[at]);
            }
        for (int k = 0; k < all.count; k++) {
            guarded got = guarded_copy(&gates), h_got = guarded_copy(&h_gates);
            guarded dh_got = guarded_copy(&dh);
            const ur_gru_cell_back back = {.rows = s.rows,
                                           .hidden = H,
                                           .gates = got.at,
                                           .h_gates = h_got.at,
                                           .gates_row = s.gates_row,
                                           .h_prev = h_prev.at,
                                           .dy = has_dy ? dy.at : NULL,
                                           .dh = dh_got.at};
            all.at[k]->gru_cell_back(&back, s.part[1], s.part[2]);
            all.at[k]->gru_cell_back(&back, s.part[0], s.part[1]);
            same_bytes("dgates", all.at[k]->name, want.at, got.at, got.n);
            same_bytes("dh_gates", all.at[k]->name, h_want.at, h_got.at, h_got.n);
            same_bytes("dh", all.at[k]->name, dh_want.at, dh_got.at, cells);
            guarded_free(&got);
            guarded_free(&h_got);
            guarded_free(&dh_got);
        }
        guarded *const done[] = {&gates, &h_gates, &h_prev, &dy, &dh, &want, &h_want, &dh_want};
        for (int i = 0; i < 8; i++)
            guarded_free(done[i]);
    }
}

/* h as a function of x_r x_z x_n h_r h_z h_n and h_prev, in double precision. */
static double gru_unit(const double v[7])
{
    const double r = 1 / (1 + exp(-v[0] - v[3])), z = 1 / (1 + exp(-v[1] - v[4]));
    const double n = tanh(v[2] + r * v[5]);
    return n + z * (v[6] - n);
}

static void gru_backward_is_the_derivative(void **state)
{
    (void)state;
    uint64_t seed = 3;
    for (int round = 0; round < 200; round++) {
        float gate[3], h_gate[3], h_prev = next_float(&seed, 1.0f), h, got[7];
        double at[7];
        for (int i = 0; i < 3; i++) {
            at[i] = (double)(gate[i] = next_float(&seed, 2.0f));
            at[i + 3] = (double)(h_gate[i] = next_float(&seed, 2.0f));
        }
        at[6] = (double)h_prev;
        float dh = next_float(&seed, 1.0f);
        const double weight = (double)dh;
        ur_kernels_plain.gru_cell(&(ur_gru_cell){1, 1, gate, h_gate, 3, &h_prev, &h}, 0, 1);
        assert_true(fabs((double)h - gru_unit(at)) < 1e-6);
        ur_kernels_plain.gru_cell_back(
            &(ur_gru_cell_back){1, 1, gate, h_gate, 3, &h_prev, NULL, &dh}, 0, 1);
        memcpy(got, gate, sizeof gate);
        memcpy(got + 3, h_gate, sizeof h_gate);
        got[6] = dh;
        for (int i = 0; i < 7; i++) {
            const double here = at[i], step = 1e-5;
            at[i] = here + step;
            const double up = gru_unit(at);
            at[i] = here - step;
            const double slope = weight * (up - gru_unit(at)) / (2 * step);
            at[i] = here;
            assert_true(fabs(slope - (double)got[i]) < 1e-6);
        }
    }
}

/* ---- Elman's network ---------------------------------------------------------------------- */

static float rnn_slope(bool relu, float h, float d)
{
    return relu ? (h > 0.0f ? d : 0.0f) : d * fmaf(-h, h, 1.0f);
}

static void rnn(void **state)
{
    (void)state;
    const isas all = isas_here();
    uint64_t seed = 4;
    for (int round = 0; round < 2 * ROUNDS; round++) {
        const sizes s = random_sizes(&seed, 1);
        const size_t H = s.hidden, cells = s.rows * H;
        const bool relu = round % 2, has_dy = round / 2 % 2;
        guarded x = guarded_random(s.rows * s.gates_row, 4.0f, &seed), want = guarded_copy(&x);
        guarded dy = guarded_random(cells, 1.0f, &seed), dh = guarded_random(cells, 1.0f, &seed);
        guarded h_want = guarded_new(cells);
        if (x.n)
            x.at[0] = want.at[0] = round % 4 < 2 ? NAN : -0.0f; /* NaN stays NaN */
        for (size_t r = 0; r < s.rows; r++)
            for (size_t u = 0; u < H; u++) {
                float *gate = want.at + r * s.gates_row + u;
                const size_t at = r * H + u;
                const float h = relu ? (0.0f > *gate ? 0.0f : *gate) : ur_tanhf(*gate);
                const float d = has_dy ? dh.at[at] + dy.at[at] : dh.at[at];
                h_want.at[at] = h;
                *gate = rnn_slope(relu, h, d);
            }
        for (int k = 0; k < all.count; k++) {
            guarded got = guarded_copy(&x), h = guarded_new(cells);
            const ur_rnn_cell cell = {.rows = s.rows,
                                      .hidden = H,
                                      .relu = relu,
                                      .gates = got.at,
                                      .gates_row = s.gates_row,
                                      .h = h.at,
                                      .dy = has_dy ? dy.at : NULL,
                                      .dh = dh.at};
            all.at[k]->rnn_cell(&cell, s.part[1], s.part[2]);
            all.at[k]->rnn_cell(&cell, s.part[0], s.part[1]);
            same_bytes("h", all.at[k]->name, h_want.at, h.at, cells);
            all.at[k]->rnn_cell_back(&cell, s.part[1], s.part[2]);
            all.at[k]->rnn_cell_back(&cell, s.part[0], s.part[1]);
            same_bytes("dgates", all.at[k]->name, want.at, got.at, got.n);
            guarded_free(&got);
            guarded_free(&h);
        }
        guarded *const done[] = {&x, &want, &dy, &dh, &h_want};
        for (int i = 0; i < 5; i++)
            guarded_free(done[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gru_forward),
        cmocka_unit_test(gru_backward),
        cmocka_unit_test(gru_backward_is_the_derivative),
        cmocka_unit_test(rnn),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
