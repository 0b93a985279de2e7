/* write_transformer.c - a language model that is a Transformer: trains on a text and goes on with a
 * beginning, token by token, each of which computes itself alone: keys and values are kept. */
#include "example.h"

#include <string.h>

static const char rhyme[] =
    "one for the money, two for the show, three to get ready, and four to go.\n";

int main(void)
{
    ur_err err;
    ur_context *context;
    ur_run *run;
    char folder[] = "/tmp/unroll-XXXXXX", text[64], runs[64], shown[64] = "";
    new_folder(folder);
    snprintf(text, sizeof text, "%s/rhyme.txt", folder);
    snprintf(runs, sizeof runs, "%s/run", folder);
    FILE *f = fopen(text, "w");
    check(f ? UR_OK : UR_IO, text);
    for (int i = 0; i < 20; i++)
        fputs(rhyme, f);
    check(fclose(f) == 0 ? UR_OK : UR_IO, text);
    check(ur_context_new(NULL, &context, &err), err.text);

    ur_language_model_config config = ur_language_model_defaults();
    config.network = UR_LANGUAGE_TRANSFORMER;
    config.hidden_size = 32;
    config.heads = 2;
    config.layers = 2;
    config.bptt = 32; /* what it sees at most */
    ur_run_settings settings = ur_run_defaults(ur_kind_find(context, "language_model"));
    settings.data = text;
    settings.train.batch = 4;
    settings.train.epochs = 30;
    settings.train.lr = 3e-3;
    check(ur_run_create(context, runs, &settings, "language_model", &config, &run, &err), err.text);
    check(ur_run_train(run, NULL, &err), err.text);

    ur_writer *writer;
    ur_token_written next;
    check(ur_writer_new(run, "one for the money, t", NULL, &writer, &err), err.text);
    printf("%s", ur_writer_prompt(writer));
    while (strlen(shown) < 34) {
        check(ur_writer_next(writer, &next, &err), err.text);
        const size_t size = strlen(shown);
        snprintf(shown + size, sizeof shown - size, "%s", next.piece);
    }
    printf("%s\n", shown);
    ur_writer_free(writer);
    ur_run_free(run);
    ur_context_free(context);
    remove_folder(folder);
    return strcmp(shown, "wo for the show, three to get read") != 0;
}
