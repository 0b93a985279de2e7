/* date.c - training epochs of the date translator (hidden 128, embedding 16, batch 256, Adam 2e-4,
 * dot attention, question reversed):
 *     date data=FILE [part=N]        a file of fixed-width `question_answer` lines
 *
 * The result is the time of an epoch, shuffling included; loading is outside. A pass is the N-th part
 * of it: the next so many batches. */
#include "works.h"

#include <stdio.h>
#include <stdlib.h>

typedef struct date_work {
    ur_context *context;
    ur_pairs *pairs;
    ur_vocabulary *vocabulary;
    ur_model *model;
    ur_trainer *trainer;
    size_t part;
} date_work;

static double run(void *arg)
{
    date_work *w = arg;
    ur_step step;
    size_t steps = 0;
    const double begin = bench_now();
    do {
        step = bench_step(w->trainer, "date");
    } while (++steps * w->part < step.batches);
    return (bench_now() - begin) * (double)step.batches / (double)steps;
}

static void release(void *arg)
{
    date_work *w = arg;
    ur_trainer_free(w->trainer);
    ur_model_free(w->model);
    ur_vocabulary_free(w->vocabulary);
    ur_pairs_free(w->pairs);
    ur_context_free(w->context);
    free(w);
}

static bool build(date_work *w, const char *data, int threads, ur_err *err)
{
    ur_seq2seq_config config = ur_seq2seq_defaults();
    const ur_options options = {.threads = threads};
    const ur_pair_source source = {.data = data};
    ur_train_options train = ur_train_defaults();
    train.epochs = 1 << 20;
    train.batch = 256;
    train.lr = 2e-4;
    train.clip = 0.0;
    config.embed_size = 16;
    config.hidden_size = 128;
    if (ur_context_new(&options, &w->context, err) != UR_OK ||
        ur_pairs_learn(NULL, &source, NULL, &w->pairs, &w->vocabulary, &config.format, err) !=
            UR_OK)
        return false;
    config.vocabulary = ur_vocabulary_size(w->vocabulary);
    config.format.reverse_input = true;
    if (ur_seq2seq_new(w->context, &config, &w->model, err) != UR_OK)
        return false;
    ur_seq2seq_init(w->model, 1);
    return ur_trainer_new(w->context, w->model, w->pairs, &train, &w->trainer, err) == UR_OK;
}

static void *make(const char *line, int threads, char why[BENCH_LINE])
{
    char data[BENCH_LINE];
    ur_err err;
    if (!bench_text(line, "data", data, sizeof data)) {
        snprintf(why, BENCH_LINE, "data=FILE is missing");
        return NULL;
    }
    date_work *w = bench_memory(1, sizeof *w);
    w->part = bench_number(line, "part", 1);
    if (!build(w, data, threads, &err)) {
        snprintf(why, BENCH_LINE, "%s", err.text);
        release(w);
        return NULL;
    }
    return w;
}

const bench_kind bench_date = {"date", make, run, release};
