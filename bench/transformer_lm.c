/* transformer_lm.c - training steps of a language model that is a Transformer:
 *     transformer_lm hidden=D layers=L [heads=H] vocabulary=V batch=B steps=T
 *
 * A decoder alone, pre-norm, learned positions, the output layer tied to the embedding. A pass is one step
 * over B windows of T tokens: forward, cross-entropy, backward, clipping to norm 1, Adam. */
#include "works.h"

#include <stdlib.h>

static bool make_data(bench_training *w, size_t vocabulary, size_t batch, size_t steps, ur_err *err)
{
    enum { BATCHES = 8 };
    const size_t count = BATCHES * batch * steps + 1;
    int32_t *ids = bench_tokens(count, vocabulary);
    ur_language_data *data;
    const ur_status status =
        ur_language_data_new(w->context, w->model, (ur_ids){ids, count}, batch, &data, err);
    w->data = data;
    free(ids);
    return status == UR_OK;
}

static void *make(const char *line, int threads, char why[BENCH_LINE])
{
    const ur_options options = {.threads = threads};
    ur_language_model_config config = ur_language_model_defaults();
    ur_train_options train = bench_training_options();
    config.network = UR_LANGUAGE_TRANSFORMER;
    config.vocabulary = bench_number(line, "vocabulary", 8000);
    config.hidden_size = bench_number(line, "hidden", 256);
    config.layers = bench_number(line, "layers", 6);
    config.heads = bench_number(line, "heads", 4);
    config.bptt = bench_number(line, "steps", 64);
    train.batch = bench_number(line, "batch", 4);
    bench_training *w = bench_memory(1, sizeof *w);
    ur_err err;
    bool ok = ur_context_new(&options, &w->context, &err) == UR_OK &&
              ur_language_model_new(w->context, &config, &w->model, &err) == UR_OK;
    if (ok)
        ur_model_init(w->model, 1);
    ok = ok && make_data(w, config.vocabulary, train.batch, config.bptt, &err);
    return bench_training_begin(w, ok, &train, &err, why);
}

const bench_kind bench_transformer_lm = {"transformer_lm", make, bench_training_run,
                                         bench_training_release};
