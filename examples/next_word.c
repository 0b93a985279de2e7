/* next_word.c - the word that follows five words: trains on a text, and says which words are the most
 * probable ones, with their probabilities. */
#include "example.h"

#include <math.h>
#include <string.h>

static const char rhyme[] =
    "one for the money\ntwo for the show\nthree to get ready\nand four to go\n";

int main(void)
{
    ur_err err;
    ur_context *context;
    ur_run *run;
    char folder[] = "/tmp/unroll-XXXXXX", text[64], runs[64];
    new_folder(folder);
    snprintf(text, sizeof text, "%s/rhyme.txt", folder);
    snprintf(runs, sizeof runs, "%s/run", folder);
    FILE *f = fopen(text, "w");
    check(f ? UR_OK : UR_IO, text);
    for (int i = 0; i < 20; i++)
        fputs(rhyme, f);
    check(fclose(f) == 0 ? UR_OK : UR_IO, text);
    check(ur_context_new(NULL, &context, &err), err.text);

    ur_text_lstm_config config = ur_text_lstm_defaults();
    config.hidden_size = 16;
    config.embed_size = 8;
    ur_run_settings settings = ur_run_defaults(ur_kind_find(context, "text_lstm"));
    settings.data = text;
    settings.train.epochs = 30;
    settings.train.lr = 1e-2;
    check(ur_run_create(context, runs, &settings, "text_lstm", &config, &run, &err), err.text);
    check(ur_run_train(run, NULL, &err), err.text);

    const char *const begin = "two for the show <eos>";
    const ur_search_options three = {.beam = 3, .n_best = 3};
    ur_prediction said;
    check(ur_run_predict(run, 1, &begin, &three, &said, NULL, &err), err.text);
    for (size_t i = 0; i < said.n_alternatives; i++)
        printf("%s: %s %.3f\n", begin, said.alternatives[i].text,
               exp(said.alternatives[i].log_probability));
    const int wrong = strcmp(said.text, "three") != 0;
    ur_prediction_free(context, &said);
    ur_run_free(run);
    ur_context_free(context);
    remove_folder(folder);
    return wrong;
}
