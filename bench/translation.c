/* translation.c - training steps of translators:
 *     translation model=transformer|rnn|bahdanau hidden=D layers=N [heads=H] [ffn=F] vocabulary=V
 *                 batch=B steps=T [ragged=1] [embed=E] [dropout=PERCENT]
 *
 * Sentences of T words on both sides, or of 1 to T with ragged=1, each with its <eos>. A pass is one step
 * over the same B pairs: forward, cross-entropy over V words, backward, clipping to norm 1, Adam. */
#include "works.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

typedef struct translation_work {
    ur_context *context;
    ur_languages languages;
    ur_parallel *pairs;
    ur_translation_data *data;
    ur_model *model;
    ur_trainer *trainer;
} translation_work;

static double run(void *arg)
{
    const translation_work *w = arg;
    bench_step(w->trainer, "translation");
    return -1.0;
}

static void release(void *arg)
{
    translation_work *w = arg;
    ur_trainer_free(w->trainer);
    ur_model_free(w->model);
    ur_translation_data_free(w->data);
    ur_parallel_free(w->pairs);
    ur_languages_free(&w->languages);
    ur_context_free(w->context);
    free(w);
}

/* A file of pairs for one batch, in the order of bench_lengths; targets have the lengths of the
 * sources in the opposite order. */
static bool write_pairs(const char *line, const char *path, size_t batch)
{
    const size_t symbols = bench_number(line, "vocabulary", 8000);
    const size_t words_known = symbols > 1000 ? 1000 : symbols - 4; /* but the reserved ones */
    size_t *length = bench_memory(batch, sizeof *length), word = 0;
    bench_lengths(line, batch, bench_number(line, "steps", 19), length);
    FILE *file = fopen(path, "w");
    for (size_t b = 0; file && b < batch; b++)
        for (int side = 0; side < 2; side++) {
            const size_t words = length[side ? batch - 1 - b : b];
            for (size_t i = 0; i < words; i++, word++)
                fprintf(file, "w%zu%c", word * word / 7 % words_known,
                        i + 1 < words ? ' '
                        : side        ? '\n'
                                      : '\t');
        }
    free(length);
    return file && fclose(file) == 0;
}

static bool read_pairs(translation_work *w, const char *line, size_t batch,
                       const ur_parallel_options *options, ur_err *err)
{
    char path[] = "/tmp/bench_pairs_XXXXXX";
    const int descriptor = mkstemp(path);
    if (descriptor < 0 || close(descriptor) != 0)
        return false;
    const bool ok =
        write_pairs(line, path, batch) &&
        ur_parallel_learn(NULL, path, options, NULL, &w->pairs, NULL, &w->languages, err) == UR_OK;
    remove(path);
    return ok && ur_translation_data_new(NULL, w->pairs, &w->languages, &options->text, &w->data,
                                         err) == UR_OK;
}

ur_translation_config bench_translator(const char *line)
{
    char model[32] = "transformer";
    bench_text(line, "model", model, sizeof model);
    ur_translation_config config = ur_translation_defaults();
    config.model = UR_TRANSLATOR_RNN;
    while (strcmp(ur_translator_name((size_t)config.model), model) != 0)
        config.model++;
    config.vocabulary = config.target_vocabulary = bench_number(line, "vocabulary", 8000);
    config.hidden_size = bench_number(line, "hidden", 256);
    config.embed_size = bench_number(line, "embed", config.hidden_size);
    config.layers = bench_number(line, "layers", 3);
    config.heads = bench_number(line, "heads", 4);
    config.feed_forward_size = bench_number(line, "ffn", 0);
    config.dropout = (float)bench_number(line, "dropout", 0) / 100.0f;
    config.text.merges = 0;
    config.text.min_freq = 1;
    return config;
}

static bool build(translation_work *w, const char *line, int threads, ur_err *err)
{
    const ur_options options = {.threads = threads};
    const ur_translation_config config = bench_translator(line);
    ur_train_options train = bench_training_options();
    train.batch = bench_number(line, "batch", 64);
    if (ur_context_new(&options, &w->context, err) != UR_OK ||
        !read_pairs(w, line, train.batch, &config.text, err) ||
        ur_translation_new(w->context, &config, &w->model, err) != UR_OK)
        return false;
    ur_model_init(w->model, 1);
    return ur_trainer_new(w->context, w->model, w->data, &train, &w->trainer, err) == UR_OK;
}

static void *make(const char *line, int threads, char why[BENCH_LINE])
{
    translation_work *w = bench_memory(1, sizeof *w);
    ur_err err = {.text = "no temporary file"};
    if (!build(w, line, threads, &err)) {
        snprintf(why, BENCH_LINE, "%s", err.text);
        release(w);
        return NULL;
    }
    return w;
}

const bench_kind bench_translation = {"translation", make, run, release};
