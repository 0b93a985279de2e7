/* custom_model.c - a kind of model of one's own for the trainer: an LSTM that reads bits and says after
 * each of them whether the number of ones so far is odd. Example i is the number i in binary. */
#include "example.h"

#include <stddef.h>

enum { BITS = 6, EXAMPLES = 1 << BITS };

typedef struct parity_config {
    size_t hidden_size;
} parity_config;

/* Ranges are checked and defaults set by this table; a run's config.json is written from it. */
static const ur_field fields[] = {{.name = "hidden_size",
                                   .type = UR_FIELD_SIZE,
                                   .offset = offsetof(parity_config, hidden_size),
                                   .least = 1,
                                   .most = 1024,
                                   .initial = "16",
                                   .help = "Units."},
                                  {.name = NULL}};

typedef struct parity {
    ur_model base; /* first: a pointer to it is a pointer to the whole */
    ur_embedding_layer embed;
    ur_lstm_layer lstm;
    ur_linear_layer fc;
} parity;

static ur_status build(ur_model *model, ur_err *err)
{
    parity *m = (parity *)model;
    const parity_config *c = model->config;
    (void)err; /* what could not be added, sealing the parameters tells */
    m->embed = ur_embedding_add(model->params, "embed", 2, 4);
    m->lstm = ur_lstm_add(model->params, "lstm", 4, c->hidden_size);
    m->fc = ur_linear_add(model->params, "fc", c->hidden_size, 2, true);
    return UR_OK;
}

static void init(ur_model *model, uint64_t seed)
{
    const parity *m = (const parity *)model;
    ur_embedding_init(&m->embed, model->params, seed);
    ur_lstm_init(&m->lstm, model->params, seed);
    ur_linear_init(&m->fc, model->params, seed);
}

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
        sum->sum[0] += right;
    }
}

static const ur_figure figures[] = {
    {.name = "accuracy", .title = "accuracy", .average = UR_PER_EXAMPLE, .higher_is_better = true},
    {.name = NULL}};

static const ur_kind parity_kind = {.name = "parity",
                                    .fields = fields,
                                    .config_size = sizeof(parity_config),
                                    .figures = figures,
                                    .model_size = sizeof(parity),
                                    .build = build,
                                    .init = init,
                                    .loss = loss,
                                    .measure = measure,
                                    .examples = count_examples,
                                    .length = count_bits,
                                    .positions = count_bits};

int main(void)
{
    ur_err err;
    ur_context *context;
    ur_model *model;
    parity_config config;
    check(ur_context_new(NULL, &context, &err), err.text);
    ur_kind_defaults(&parity_kind, &config);
    check(ur_model_new(context, &parity_kind, &config, &model, &err), err.text);
    ur_model_init(model, 3);

    ur_trainer *trainer;
    ur_train_options options = ur_train_defaults();
    options.batch = 16;
    options.epochs = 100;
    options.lr = 1e-2;
    options.clip = 0;
    check(ur_trainer_new(context, model, NULL, &options, &trainer, &err), err.text);
    for (ur_step step; !ur_trainer_finished(trainer);)
        check(ur_trainer_step(trainer, &step, &err), err.text);
    ur_measure result;
    check(ur_evaluate(model, NULL, &result, &err), err.text);
    const double accuracy = ur_measure_figure(&parity_kind, &result, "accuracy");
    printf("%.0f %% of %zu right\n", 100 * accuracy, result.examples);
    ur_trainer_free(trainer);
    ur_model_free(model);
    ur_context_free(context);
    return accuracy == 1.0 ? 0 : 1;
}
