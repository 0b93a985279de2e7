/* test_lstm_cell.c - what stands between an LSTM's products, forward and backward, against the
 * equations one unit at a time: byte for byte on every instruction set, units in several ranges;
 * and the backward equations against differences of the forward ones in double precision. */
#include "kernels/isas.h"
#include "kernels/math.h"

#include <math.h>

enum { ROUNDS = 60 };

typedef struct sizes {
    size_t rows, hidden, gates_row, part[3];
} sizes;

static sizes random_sizes(uint64_t *seed)
{
    sizes s = {.rows = next_below(seed, 7), .hidden = 1 + next_below(seed, 70)};
    s.gates_row = 4 * s.hidden + next_below(seed, 9);
    s.part[1] = next_below(seed, s.hidden + 1);
    s.part[2] = s.hidden;
    return s;
}

static void forward(void **state)
{
    (void)state;
    const isas all = isas_here();
    uint64_t seed = 1;
    for (int round = 0; round < ROUNDS; round++) {
        const sizes s = random_sizes(&seed);
        const size_t H = s.hidden, cells = s.rows * H;
        guarded gates = guarded_random(s.rows * s.gates_row, 6.0f, &seed);
        guarded c_prev = guarded_random(cells, 2.0f, &seed), want = guarded_copy(&gates);
        guarded c_want = guarded_new(cells), h_want = guarded_new(cells);
        for (size_t r = 0; r < s.rows; r++)
            for (size_t u = 0; u < H; u++) {
                float *gate = want.at + r * s.gates_row + u;
                const float i = ur_sigmoidf(gate[0]), f = ur_sigmoidf(gate[H]);
                const float g = ur_tanhf(gate[2 * H]), o = ur_sigmoidf(gate[3 * H]);
                const float c = fmaf(f, c_prev.at[r * H + u], i * g);
                gate[0] = i, gate[H] = f, gate[2 * H] = g, gate[3 * H] = o;
                c_want.at[r * H + u] = c;
                h_want.at[r * H + u] = o * ur_tanhf(c);
            }
        for (int k = 0; k < all.count; k++) {
            guarded got = guarded_copy(&gates), c = guarded_new(cells), h = guarded_new(cells);
            const ur_lstm_cell cell = {.rows = s.rows,
                                       .hidden = H,
                                       .gates = got.at,
                                       .gates_row = s.gates_row,
                                       .c_prev = c_prev.at,
                                       .c = c.at,
                                       .h = h.at};
            all.at[k]->lstm_cell(&cell, s.part[1], s.part[2]);
            all.at[k]->lstm_cell(&cell, s.part[0], s.part[1]);
            same_bytes("gates", all.at[k]->name, want.at, got.at, got.n);
            same_bytes("c", all.at[k]->name, c_want.at, c.at, cells);
            same_bytes("h", all.at[k]->name, h_want.at, h.at, cells);
            guarded_free(&got);
            guarded_free(&c);
            guarded_free(&h);
        }
        guarded *const done[] = {&gates, &c_prev, &want, &c_want, &h_want};
        for (int i = 0; i < 5; i++)
            guarded_free(done[i]);
    }
}

/* One unit's gradients by the equations of kernels.h; gate[] in: activations, out: gradients. */
static void back_unit(float *gate, size_t H, float c_prev, float c, float dh, const float *d_o,
                      float *dc)
{
    const float i = gate[0], f = gate[H], g = gate[2 * H], o = gate[3 * H], t = ur_tanhf(c);
    const float d = fmaf(dh, o * fmaf(-t, t, 1.0f), *dc);
    gate[0] = (d * g) * (i * (1.0f - i));
    gate[H] = (d * c_prev) * (f * (1.0f - f));
    gate[2 * H] = (d * i) * fmaf(-g, g, 1.0f);
    gate[3 * H] = (d_o ? dh * t + *d_o : dh * t) * (o * (1.0f - o));
    *dc = d * f;
}

static void backward(void **state)
{
    (void)state;
    const isas all = isas_here();
    uint64_t seed = 2;
    for (int round = 0; round < ROUNDS; round++) {
        const sizes s = random_sizes(&seed);
        const size_t H = s.hidden, cells = s.rows * H;
        guarded gates = guarded_random(s.rows * s.gates_row, 1.0f, &seed);
        guarded c_prev = guarded_random(cells, 2.0f, &seed), c = guarded_random(cells, 2.0f, &seed);
        guarded dy = guarded_random(cells, 1.0f, &seed), dh = guarded_random(cells, 1.0f, &seed);
        guarded dc = guarded_random(cells, 1.0f, &seed);
        guarded want = guarded_copy(&gates), dc_want = guarded_copy(&dc);
        guarded d_o = guarded_random(cells, 1.0f, &seed);
        const bool has_dy = round % 2, has_o = round % 3 == 0;
        for (size_t r = 0; r < s.rows; r++)
            for (size_t u = 0; u < H; u++) {
                const size_t at = r * H + u;
                const float d = has_dy ? dh.at[at] + dy.at[at] : dh.at[at];
                back_unit(want.at + r * s.gates_row + u, H, c_prev.at[at], c.at[at], d,
                          has_o ? &d_o.at[at] : NULL, &dc_want.at[at]);
            }
        for (int k = 0; k < all.count; k++) {
            guarded got = guarded_copy(&gates), dc_got = guarded_copy(&dc);
            const ur_lstm_cell_back back = {.rows = s.rows,
                                            .hidden = H,
                                            .gates = got.at,
                                            .gates_row = s.gates_row,
                                            .c_prev = c_prev.at,
                                            .c = c.at,
                                            .dy = has_dy ? dy.at : NULL,
                                            .dh = dh.at,
                                            .dc = dc_got.at,
                                            .d_o = has_o ? d_o.at : NULL};
            all.at[k]->lstm_cell_back(&back, s.part[1], s.part[2]);
            all.at[k]->lstm_cell_back(&back, s.part[0], s.part[1]);
            same_bytes("dgates", all.at[k]->name, want.at, got.at, got.n);
            same_bytes("dc", all.at[k]->name, dc_want.at, dc_got.at, cells);
            guarded_free(&got);
            guarded_free(&dc_got);
        }
        guarded *const done[] = {&gates, &c_prev, &c, &dy, &dh, &dc, &want, &dc_want, &d_o};
        for (int i = 0; i < 9; i++)
            guarded_free(done[i]);
    }
}

/* a h + b c + e o as a function of the pre-activations and c_prev, in double precision. */
static double objective(const double pre[5], double a, double b, double e)
{
    const double i = 1 / (1 + exp(-pre[0])), f = 1 / (1 + exp(-pre[1]));
    const double o = 1 / (1 + exp(-pre[3])), c = f * pre[4] + i * tanh(pre[2]);
    return a * o * tanh(c) + b * c + e * o;
}

static void backward_is_the_derivative(void **state)
{
    (void)state;
    uint64_t seed = 3;
    for (int round = 0; round < 200; round++) {
        float gate[4], c_prev = next_float(&seed, 2.0f), c, h;
        double pre[5];
        for (int i = 0; i < 4; i++)
            pre[i] = (double)(gate[i] = next_float(&seed, 3.0f));
        pre[4] = (double)c_prev;
        const float dh = next_float(&seed, 1.0f), d_o = next_float(&seed, 1.0f);
        float dc = next_float(&seed, 1.0f), got[5];
        const double b = (double)dc;
        ur_kernels_plain.lstm_cell(&(ur_lstm_cell){1, 1, gate, 4, &c_prev, &c, &h}, 0, 1);
        ur_kernels_plain.lstm_cell_back(
            &(ur_lstm_cell_back){1, 1, gate, 4, &c_prev, &c, NULL, &dh, &dc, &d_o}, 0, 1);
        memcpy(got, gate, sizeof gate);
        got[4] = dc;
        for (int i = 0; i < 5; i++) {
            const double at = pre[i], step = 1e-5;
            pre[i] = at + step;
            const double up = objective(pre, (double)dh, b, (double)d_o);
            pre[i] = at - step;
            const double slope = (up - objective(pre, (double)dh, b, (double)d_o)) / (2 * step);
            pre[i] = at;
            assert_true(fabs(slope - (double)got[i]) < 1e-6);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(forward),
        cmocka_unit_test(backward),
        cmocka_unit_test(backward_is_the_derivative),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
