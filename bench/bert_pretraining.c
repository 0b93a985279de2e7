/* bert_pretraining.c - training steps of BERT's pretraining:
 *     bert_pretraining hidden=D layers=L [heads=H] [ffn=F] vocabulary=V batch=B steps=T [ragged=1]
 *
 * The variant of Dive into Deep Learning: no norm after the embeddings, ReLU, an output layer of its own,
 * without drop-out. A pass is one step over B pairs of T pieces (ragged: of 5 to T, evenly spread), of which
 * 0.15 T are to be told: forward, both losses, backward, Adam. */
#include "works.h"

#include <stdlib.h>

/* Of n pieces the masks: every n / masks-th, the [SEP] between the texts passed over. */
static size_t put_masks(size_t n, size_t first, size_t *at, int32_t *shown)
{
    const size_t wanted = (size_t)(0.15 * (double)n + 0.5), masks = wanted ? wanted : 1;
    for (size_t k = 0; k < masks; k++) {
        at[k] = 1 + k * (n - 3) / masks;
        at[k] += at[k] > first; /* pieces behind it stand a place further */
        shown[k] = 4;
    }
    return masks;
}

static bool make_data(bench_training *w, size_t vocabulary, size_t batch, size_t steps, bool ragged,
                      ur_err *err)
{
    ur_bert_example *example = bench_memory(batch, sizeof *example);
    int32_t *ids = bench_memory(batch * steps, sizeof *ids);
    int32_t *shown = bench_memory(batch * steps, sizeof *shown);
    size_t *at = bench_memory(batch * steps, sizeof *at);
    for (size_t i = 0; i < batch * steps; i++)
        ids[i] = (int32_t)(5 + i * i / 7 % (vocabulary - 5));
    for (size_t i = 0; i < batch; i++) {
        /* a step that has no divisor with the batch mixes the lengths */
        const size_t n = ragged ? 5 + i * 193 % batch * (steps - 4) / batch : steps;
        const size_t first = (n - 3) / 2;
        example[i] = (ur_bert_example){.first = {ids + i * steps, first},
                                       .second = {ids + i * steps + first, n - 3 - first},
                                       .follows = i % 2,
                                       .at = at + i * steps,
                                       .shown = shown + i * steps};
        example[i].masks = put_masks(n, first, at + i * steps, shown + i * steps);
    }
    ur_bert_data *data;
    const ur_status status = ur_bert_data_new(w->context, batch, example, 2, 3, batch, &data, err);
    w->data = data;
    free(example);
    free(ids);
    free(shown);
    free(at);
    return status == UR_OK;
}

static void *make(const char *line, int threads, char why[BENCH_LINE])
{
    const ur_options options = {.threads = threads};
    ur_bert_config config = ur_bert_defaults();
    ur_train_options train = bench_training_options();
    const size_t steps = bench_number(line, "steps", 64);
    config.pretraining = true;
    config.embedding_norm = config.tie_output = false;
    config.activation = UR_ACT_RELU;
    config.layer_norm_eps = 1e-5f;
    config.dropout = config.attention_dropout = 0;
    config.vocabulary = bench_number(line, "vocabulary", 20256);
    config.hidden_size = bench_number(line, "hidden", 128);
    config.layers = bench_number(line, "layers", 2);
    config.heads = bench_number(line, "heads", 2);
    config.feed_forward_size = bench_number(line, "ffn", 256);
    config.positions = steps;
    train.batch = bench_number(line, "batch", 512);
    train.clip = 0.0;
    bench_training *w = bench_memory(1, sizeof *w);
    ur_err err;
    bool ok = ur_context_new(&options, &w->context, &err) == UR_OK &&
              ur_bert_new(w->context, &config, &w->model, &err) == UR_OK;
    if (ok)
        ur_model_init(w->model, 1);
    ok = ok && make_data(w, config.vocabulary, train.batch, steps,
                         bench_number(line, "ragged", 0) != 0, &err);
    return bench_training_begin(w, ok, &train, &err, why);
}

const bench_kind bench_bert_pretraining = {"bert_pretraining", make, bench_training_run,
                                           bench_training_release};
