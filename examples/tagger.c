/* tagger.c - a label for every word: trains a run on sentences from a file, then labels a new one.
 *     tagger            makes up its data: is "can" a noun or a verb? What stands before and after
 *                       it tells, so the model reads from both ends. */
#include "example.h"

/* A token and its label on each line, a blank line after each sentence. */
static void write_data(const char *path)
{
    static const char *const who[] = {"dogs", "cats", "birds", "kids"};
    FILE *f = fopen(path, "w");
    check(f ? UR_OK : UR_IO, path);
    for (int i = 0; i < 400; i++) {
        const char *a = who[i % 4], *b = who[i / 4 % 4];
        if (i % 3 == 0)
            fprintf(f, "the D\ncan N\nof P\n%s N\n\n", a);
        else if (i % 3 == 1)
            fprintf(f, "the D\n%s N\ncan V\nsee V\n%s N\n\n", a, b);
        else
            fprintf(f, "%s N\ncan V\ncan V\n%s N\n\n", a, b);
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
    snprintf(data, sizeof data, "%s/sentences.txt", folder);
    snprintf(runs, sizeof runs, "%s/run", folder);
    write_data(data);
    check(ur_context_new(NULL, &context, &err), err.text);

    ur_tagger_config config = ur_tagger_defaults();
    config.embed_size = 8;
    config.hidden_size = 16;
    ur_run_settings settings = ur_run_defaults(ur_kind_find(context, "tagger"));
    settings.data = data;
    settings.train.epochs = 5;
    settings.train.lr = 2e-2;
    check(ur_run_create(context, runs, &settings, "tagger", &config, &run, &err), err.text);
    check(ur_run_train(run, NULL, &err), err.text);

    const char *const texts[] = {"the can of dogs", "the ferrets can see cats"};
    ur_prediction said[2];
    check(ur_run_predict(run, 2, texts, NULL, said, NULL, &err), err.text);
    for (int i = 0; i < 2; i++, puts("")) {
        for (size_t j = 0; j < said[i].count; j++) /* ferrets: <unk> to the model */
            printf("%-8s %s  %.3f\n", said[i].tokens[j], said[i].labels[j],
                   (double)said[i].probability[j]);
        ur_prediction_free(context, &said[i]);
    }
    ur_run_free(run);
    ur_context_free(context);
    remove_folder(folder);
}
