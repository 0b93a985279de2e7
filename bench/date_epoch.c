/* date_epoch.c - the date translator with the settings of bench/rivals/date_epoch.py: seconds per
 * training epoch.
 *
 *     bench_date_epoch DATA [--threads N] [--epochs N] [--serve]
 *     bench_date_epoch --write DATA        writes built-in dates as a file for all contestants
 *
 * One JSON line per epoch. --serve: prints {"ready": true} and trains an epoch for every line read,
 * for a runner that interleaves contestants. Loading the data is outside the time. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "unroll.h"

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static int fail(const ur_err *err)
{
    fprintf(stderr, "bench_date_epoch: %s\n", err->text);
    return 1;
}

static int write_data(const char *path)
{
    ur_err err;
    char *text;
    size_t bytes;
    const ur_pair_source source = {.data = "builtin:dates", .seed = 1};
    if (ur_pairs_generate(NULL, &source, &text, &bytes, &err) != UR_OK)
        return fail(&err);
    FILE *file = fopen(path, "w");
    const bool ok = file && fwrite(text, 1, bytes, file) == bytes;
    free(text);
    return file && fclose(file) == 0 && ok ? 0 : 1;
}

static int epoch(ur_trainer *trainer, int threads, ur_err *err)
{
    ur_step step = {0};
    size_t examples = 0;
    const double begin = now();
    do {
        if (ur_trainer_step(trainer, &step, err) != UR_OK)
            return fail(err);
        examples += step.examples;
    } while (!step.epoch_ended);
    const double seconds = now() - begin;
    printf("{\"rival\": \"unroll\", \"threads\": %d, \"epoch\": %zu, \"seconds\": %.4f, "
           "\"loss\": %.6f, \"sequences_per_second\": %.0f}\n",
           threads, step.epoch, seconds, step.epoch_loss, (double)examples / seconds);
    return fflush(stdout);
}

int main(int argc, char **argv)
{
    const char *data = NULL;
    int threads = 0, epochs = 1, status = 0;
    bool serve = false;
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--serve") == 0)
            serve = true;
        else if (strcmp(argv[i], "--threads") == 0 && i + 1 < argc)
            threads = atoi(argv[++i]);
        else if (strcmp(argv[i], "--epochs") == 0 && i + 1 < argc)
            epochs = atoi(argv[++i]);
        else if (strcmp(argv[i], "--write") == 0 && i + 1 < argc)
            return write_data(argv[++i]);
        else
            data = argv[i];
    }
    if (!data) {
        fprintf(stderr, "usage: bench_date_epoch DATA [--threads N] [--epochs N] [--serve]\n");
        return 2;
    }
    ur_err err;
    ur_context *context;
    ur_pairs *pairs;
    ur_vocabulary *vocabulary;
    ur_model *model;
    ur_trainer *trainer;
    ur_seq2seq_config config = ur_seq2seq_defaults();
    const ur_options options = {.threads = threads};
    const ur_pair_source source = {.data = data};
    ur_train_options train = ur_train_defaults();
    train.epochs = 1 << 20;
    if (ur_context_new(&options, &context, &err) != UR_OK ||
        ur_pairs_learn(NULL, &source, false, &pairs, &vocabulary, &config.format, &err) != UR_OK)
        return fail(&err);
    config.vocabulary = ur_vocabulary_size(vocabulary);
    config.format.reverse_input = true;
    if (ur_seq2seq_new(context, &config, &model, &err) != UR_OK)
        return fail(&err);
    ur_seq2seq_init(model, 1);
    if (ur_trainer_new(context, model, pairs, &train, &trainer, &err) != UR_OK)
        return fail(&err);
    threads = ur_context_threads(context);
    char line[64];
    if (serve) {
        printf("{\"ready\": true, \"rival\": \"unroll " UR_VERSION "\"}\n");
        fflush(stdout);
        while (status == 0 && fgets(line, sizeof line, stdin))
            status = epoch(trainer, threads, &err);
    }
    for (int i = 0; !serve && i < epochs && status == 0; i++)
        status = epoch(trainer, threads, &err);
    ur_trainer_free(trainer);
    ur_model_free(model);
    ur_vocabulary_free(vocabulary);
    ur_pairs_free(pairs);
    ur_context_free(context);
    return status;
}
