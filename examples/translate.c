/* translate.c - trains a translator on pairs of sentences from a file, then translates with a beam.
 *     translate         makes up its data: a language that counts behind the noun. */
#include "example.h"

static void write_data(const char *path)
{
    static const char *const many[] = {"two", "three", "four"}, *const viele[] = {"duo", "tria",
                                                                                  "quad"};
    static const char *const what[] = {"cats", "dogs", "birds"}, *const was[] = {"feles", "canes",
                                                                                 "aves"};
    FILE *f = fopen(path, "w");
    check(f ? UR_OK : UR_IO, path);
    for (int i = 0; i < 9; i++) {
        fprintf(f, "%s %s.\t%s %s !\n", many[i / 3], what[i % 3], was[i % 3], viele[i / 3]);
        fprintf(f, "I see %s %s.\tvideo %s %s !\n", many[i / 3], what[i % 3], was[i % 3],
                viele[i / 3]);
    }
    check(fclose(f) == 0 ? UR_OK : UR_IO, path);
}

int main(void)
{
    ur_err err;
    ur_context *context;
    ur_run *run;
    char folder[] = "/tmp/unroll-XXXXXX", data[64], runs[64];
    new_folder(folder);
    snprintf(data, sizeof data, "%s/pairs.tsv", folder);
    snprintf(runs, sizeof runs, "%s/run", folder);
    write_data(data);
    check(ur_context_new(NULL, &context, &err), err.text);

    ur_translation_config config = ur_translation_defaults();
    config.embed_size = 16;
    config.hidden_size = 32;
    config.text.min_freq = 1;
    ur_run_settings settings = ur_run_defaults(ur_kind_find(context, "translation"));
    settings.data = data;
    settings.valid_split = 0.0; /* all is learned */
    settings.train.batch = 9;
    settings.train.epochs = 60;
    settings.train.lr = 1e-2;
    check(ur_run_create(context, runs, &settings, "translation", &config, &run, &err), err.text);
    check(ur_run_train(run, NULL, &err), err.text);

    const char *const texts[] = {"I see two birds.", "four cats."};
    const ur_search_options search = {.beam = 3};
    ur_prediction said[2];
    check(ur_run_predict(run, 2, texts, &search, said, NULL, &err), err.text);
    for (int i = 0; i < 2; i++) {
        printf("%-18s %-18s log P %.3f\n", texts[i], said[i].text, said[i].log_probability);
        ur_prediction_free(context, &said[i]);
    }
    ur_run_free(run);
    ur_context_free(context);
    remove_folder(folder);
}
