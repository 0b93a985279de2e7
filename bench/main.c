/* main.c - the library as a contestant: bench_unroll. */
#include "works.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The built-in dates as a file for all contestants. */
static int write_dates(const char *path)
{
    ur_err err;
    char *text;
    size_t bytes;
    const ur_pair_source source = {.data = "builtin:dates", .seed = 1};
    if (ur_pairs_generate(NULL, &source, &text, &bytes, &err) != UR_OK) {
        fprintf(stderr, "bench_unroll: %s\n", err.text);
        return 1;
    }
    FILE *file = fopen(path, "w");
    const bool ok = file && fwrite(text, 1, bytes, file) == bytes;
    free(text);
    return file && fclose(file) == 0 && ok ? 0 : 1;
}

static void write_sentence(FILE *file, ur_ids ids, char behind)
{
    for (size_t i = 0; i < ids.length; i++)
        fprintf(file, "%s%d", i ? " " : "", (int)ids.ids[i]);
    fputc(behind, file);
}

/* The pairs that a translation run learns from a file, as ids: "source<tab>target" a line. */
static int write_ids(const char *folder, const char *data, const char *path)
{
    ur_err err;
    ur_context *context = NULL;
    ur_run *run = NULL;
    ur_parallel *pairs = NULL;
    FILE *file = NULL;
    const ur_translation_config *config = NULL;
    bool ok = ur_context_new(NULL, &context, &err) == UR_OK &&
              ur_run_open(context, folder, &run, &err) == UR_OK;
    if (ok && !(config = ur_translation_config_of(ur_run_model(run)))) {
        snprintf(err.text, sizeof err.text, "%s is no run of translation", folder);
        ok = false;
    }
    if (ok) {
        ur_languages languages = ur_run_assets(run)->languages;
        languages.source = ur_run_assets(run)->vocabulary;
        ok = ur_parallel_open(NULL, data, &config->text, &languages, true, NULL, &pairs, NULL,
                              &err) == UR_OK;
    }
    if (ok && !(file = fopen(path, "w"))) {
        snprintf(err.text, sizeof err.text, "%s cannot be written", path);
        ok = false;
    }
    for (size_t i = 0; ok && i < ur_parallel_count(pairs); i++) {
        write_sentence(file, ur_parallel_ids(pairs, i, 0), '\t');
        write_sentence(file, ur_parallel_ids(pairs, i, 1), '\n');
    }
    if (!ok)
        fprintf(stderr, "bench_unroll: %s\n", err.text);
    ok = !(file && fclose(file) != 0) && ok;
    ur_parallel_free(pairs);
    ur_run_free(run);
    ur_context_free(context);
    return ok ? 0 : 1;
}

int main(int argc, char **argv)
{
    if (argc == 5 && strcmp(argv[1], "--write-ids") == 0)
        return write_ids(argv[2], argv[3], argv[4]);
    if (argc == 3 && strcmp(argv[1], "--write-dates") == 0)
        return write_dates(argv[2]);
    if (argc == 4 && strcmp(argv[1], "--write-bert") == 0)
        return bench_write_bert(argv[2], argv[3]);
    if (argc == 4 && strcmp(argv[1], "--write-layer") == 0)
        return bench_write_layer(argv[2], argv[3]);
    const bench_kind kinds[] = {
        bench_layer,          bench_language_model, bench_stream,           bench_product,
        bench_date,           bench_attention,      bench_translation,      bench_decoding,
        bench_transformer_lm, bench_text_lstm,      bench_bert_pretraining, bench_bert,
        bench_embed,          bench_flops,          bench_reading};
    return bench_main(argc, argv, "unroll " UR_VERSION, kinds, sizeof kinds / sizeof *kinds);
}
