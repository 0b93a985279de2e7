/* custom_model.c - a model of one's own for the trainer: an LSTM that reads bits and says after
 * each of them whether the number of ones so far is odd. Example i is the number i in binary. */
#include "example.h"

enum { BITS = 6, EXAMPLES = 1 << BITS };

typedef struct parity {
    ur_model base; /* first: a pointer to it is a pointer to the whole */
    ur_embedding_layer embed;
    ur_lstm_layer lstm;
    ur_linear_layer fc;
} parity;

static size_t count_examples(const ur_model *model, const void *data)
{
    (void)model, (void)data;
    return EXAMPLES;
}

static size_t count_bits(const ur_model *model, const void *data, size_t i)
{
    (void)model, (void)data, (void)i;
    return BITS;
}

static ur_seq *forward(ur_tape *tape, const ur_model *model, size_t count, const size_t *which,
                       ur_seq **odd)
{
    const parity *m = (const parity *)model;
    int32_t bit[EXAMPLES * BITS], sum[EXAMPLES * BITS];
    size_t length[EXAMPLES];
    uint64_t id[EXAMPLES];
    for (size_t e = 0, at = 0; e < count; e++) {
        length[e] = BITS;
        id[e] = which[e];
        for (size_t t = 0; t < BITS; t++, at++) {
            bit[at] = which[e] >> t & 1;
            sum[at] = t == 0 ? bit[at] : sum[at - 1] ^ bit[at];
        }
    }
    const ur_layout *layout = ur_new_layout(tape, UR_STEP_MAJOR, count, length, id);
    *odd = ur_seq_ints(tape, layout, sum);
    ur_seq *x = ur_embedding(tape, &m->embed, ur_seq_ints(tape, layout, bit));
    return ur_linear_seq(tape, &m->fc, ur_lstm(tape, &m->lstm, x, (ur_state){0}).y);
}

static ur_tensor *loss(ur_tape *tape, const ur_model *model, const void *data, size_t count,
                       const size_t *which, double normaliser)
{
    (void)data;
    ur_seq *odd, *logits = forward(tape, model, count, which, &odd);
    return ur_cross_entropy(tape, logits, odd, normaliser);
}

static void measure(ur_tape *tape, const ur_model *model, const void *data, size_t count,
                    const size_t *which, ur_measure *sum)
{
    (void)data;
    ur_seq *odd, *logits = forward(tape, model, count, which, &odd);
    if (!logits || !odd)
        return; /* the tape says why, and its caller asks it */
    for (size_t b = 0; b < count; b++) {
        bool right = true;
        for (size_t t = 0; t < BITS; t++) {
            const size_t row = ur_row(odd->layout, b, t);
            const float *x = ur_floats(logits->values) + 2 * row;
            right = right && (x[1] > x[0]) == ur_ints(odd->values)[row];
        }
        sum->examples++;
        sum->right += right;
    }
}

static const ur_model_class parity_class = {.kind = "parity",
                                            .examples = count_examples,
                                            .length = count_bits,
                                            .positions = count_bits,
                                            .loss = loss,
                                            .measure = measure};

int main(void)
{
    ur_err err;
    ur_context *context;
    parity m = {.base.class_of = &parity_class};
    check(ur_context_new(NULL, &context, &err), err.text);
    check(ur_params_new(context, &m.base.params, &err), err.text);
    m.embed = ur_embedding_add(m.base.params, "embed", 2, 4);
    m.lstm = ur_lstm_add(m.base.params, "lstm", 4, 16);
    m.fc = ur_linear_add(m.base.params, "fc", 16, 2, true);
    check(ur_params_seal(m.base.params, &err), err.text);
    ur_embedding_init(&m.embed, m.base.params, 3);
    ur_lstm_init(&m.lstm, m.base.params, 3);
    ur_linear_init(&m.fc, m.base.params, 3);

    ur_trainer *trainer;
    ur_train_options options = ur_train_defaults();
    options.batch = 16;
    options.epochs = 100;
    options.lr = 1e-2;
    check(ur_trainer_new(context, &m.base, NULL, &options, &trainer, &err), err.text);
    for (ur_step step; !ur_trainer_finished(trainer);)
        check(ur_trainer_step(trainer, &step, &err), err.text);
    ur_measure result;
    check(ur_evaluate(context, &m.base, NULL, &result, &err), err.text);
    printf("%zu of %zu right\n", result.right, result.examples);
    ur_trainer_free(trainer);
    ur_params_free(m.base.params);
    ur_context_free(context);
    return result.right == result.examples ? 0 : 1;
}
