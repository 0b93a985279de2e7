/* text_lstm.c - training steps of a model of the next word from the words before it:
 *     text_lstm hidden=H [embed=E] vocabulary=V batch=B context=N
 *
 * An embedding, one LSTM from zeros, an output layer for its last step. A pass is one step over B examples of N
 * words: forward, cross-entropy, backward, clipping to norm 1, Adam. */
#include "works.h"

#include <stdlib.h>

static bool make_data(bench_training *w, size_t vocabulary, size_t batch, size_t context,
                      ur_err *err)
{
    enum { BATCHES = 8 };
    const size_t count = BATCHES * batch + context;
    int32_t *ids = bench_tokens(count, vocabulary);
    ur_next_words *data;
    const ur_status status =
        ur_next_words_new(w->context, w->model, (ur_ids){ids, count}, true, &data, err);
    w->data = status == UR_OK ? data : NULL;
    free(ids);
    return status == UR_OK;
}

static void *make(const char *line, int threads, char why[BENCH_LINE])
{
    const ur_options options = {.threads = threads};
    ur_text_lstm_config config = ur_text_lstm_defaults();
    ur_train_options train = bench_training_options();
    config.vocabulary = bench_number(line, "vocabulary", 7000);
    config.context = bench_number(line, "context", 5);
    config.hidden_size = bench_number(line, "hidden", 256);
    config.embed_size = bench_number(line, "embed", config.hidden_size);
    train.batch = bench_number(line, "batch", 128);
    bench_training *w = bench_memory(1, sizeof *w);
    ur_err err;
    bool ok = ur_context_new(&options, &w->context, &err) == UR_OK &&
              ur_text_lstm_new(w->context, &config, &w->model, &err) == UR_OK;
    if (ok)
        ur_model_init(w->model, 1);
    ok = ok && make_data(w, config.vocabulary, train.batch, config.context, &err);
    return bench_training_begin(w, ok, &train, &err, why);
}

const bench_kind bench_text_lstm = {"text_lstm", make, bench_training_run, bench_training_release};
