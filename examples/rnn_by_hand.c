/* rnn_by_hand.c - a character language model from three functions and a gradient step of one's own:
 *     h_t = tanh(x_t W_xh + h_{t-1} W_hh^T + b_h),   logits_t = h_t W_hq^T + b_q */
#include "example.h"
static const char text[] = "a model that reads a text letter by letter learns which comes next ";
enum { VOCABULARY = 27, HIDDEN = 64, STEPS = 35, LENGTH = sizeof text - 1 };
enum { XH, HH, BH, HQ, BQ, PARAMETERS };

static void get_params(ur_params *p)
{
    static const char *const name[] = {"W_xh", "W_hh", "b_h", "W_hq", "b_q"};
    const size_t n = VOCABULARY, h = HIDDEN, dim[][2] = {{n, h}, {h, h}, {1, h}, {n, h}, {1, n}};
    for (int i = 0; i < PARAMETERS; i++)
        ur_params_add(p, name[i], 2, dim[i], UR_TRAINABLE);
    check(ur_params_seal(p, NULL), "the parameters");
    for (int i = 0; i < PARAMETERS; i++)
        ur_init_uniform(p, i, 0.15f, 1);
}

static ur_tensor *init_state(ur_tape *t)
{
    return ur_copy_floats(t, 2, (size_t[]){1, HIDDEN}, (float[HIDDEN]){0}, false);
}

/* One step: the logits, and the next h. x: the row of W_xh that a one-hot row picks. */
static ur_tensor *forward(ur_tape *t, ur_tensor *x, ur_tensor **h)
{
    *h = ur_add(t, ur_add(t, x, ur_matmul_t(t, *h, ur_parameter(t, HH))), ur_parameter(t, BH));
    *h = ur_tanh(t, *h);
    return ur_add(t, ur_matmul_t(t, *h, ur_parameter(t, HQ)), ur_parameter(t, BQ));
}

int main(void)
{
    ur_params *p;
    ur_tape *t;
    ur_context *context = open_all(&p, &t);
    get_params(p);
    const ur_embedding_layer rows = {.count = VOCABULARY, .size = HIDDEN, .weight = XH};
    float mean = 0;
    for (size_t epoch = 0; epoch < 800; epoch++) {
        float gradient[16384] = {0}; /* backward adds to it */
        ur_tape_start(t, UR_TRAIN, p, gradient, 1, epoch);
        ur_tensor *h = init_state(t), *loss = NULL;
        for (size_t step = 0; step < STEPS; step++) {
            const size_t at = epoch + step, one = 1;
            const int32_t in = text[at % LENGTH] & 31, out = text[(at + 1) % LENGTH] & 31;
            const ur_layout *l = ur_new_layout(t, UR_STEP_MAJOR, 1, &one, NULL);
            ur_seq *x = ur_embedding(t, &rows, ur_seq_ints(t, l, &in));
            const ur_seq logits = {forward(t, ur_values(x), &h), l};
            ur_tensor *last = ur_cross_entropy(t, &logits, ur_seq_ints(t, l, &out), STEPS);
            loss = step ? ur_add(t, loss, last) : last;
        }
        check(ur_backward(t, loss), ur_error(t));
        mean = ur_floats(loss)[0];
        for (size_t i = 0; i < ur_params_size(p); i++)
            ur_params_values(p)[i] -= 0.2f * gradient[i];
    }
    free_all(context, p, t);
    return printf("mean loss %.3f\n", (double)mean) < 0 || mean >= 0.5f;
}
