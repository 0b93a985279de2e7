/* answer.c - a question answered by a part of a text: a published BERT, fine-tuned on questions and asked.
 *     answer FOLDER|RUN QUESTION TEXT
 * FOLDER is a BertForQuestionAnswering of Hugging Face's, RUN the folder of a training. Without arguments the small
 * BERT of the tests, whose weights are random, learns from a few questions first. */
#include "example.h"

static void fine_tune(ur_context *context, const char *bert, const char *folder)
{
    static const char *const places[] = {"mat", "cat", "world", "b"};
    ur_err err;
    ur_run *run;
    char data[64];
    snprintf(data, sizeof data, "%s.json", folder);
    FILE *f = fopen(data, "w");
    check(f ? UR_OK : UR_IO, "cannot write to /tmp");
    fprintf(f, "{\"data\":[{\"paragraphs\":[");
    for (int i = 0; i < 4; i++)
        fprintf(f,
                "%s{\"context\":\"the cat sat on the %s "
                ".\",\"qas\":[{\"id\":\"%d\",\"question\":\"sat on ?\","
                "\"answers\":[{\"text\":\"the %s\",\"answer_start\":15}]}]}",
                i ? "," : "", places[i], i, places[i]);
    fprintf(f, "]}]}\n");
    fclose(f);
    const ur_bert_qa_config config = ur_bert_qa_defaults();
    ur_run_settings settings = ur_run_defaults(ur_kind_find(context, "bert_qa"));
    settings.data = data;
    settings.init_from = bert;
    settings.train.lr = 1e-2;
    settings.train.epochs = 60;
    check(ur_run_create(context, folder, &settings, "bert_qa", &config, &run, &err), err.text);
    check(ur_run_train(run, NULL, &err), err.text);
    ur_run_free(run);
    remove(data);
}

int main(int argc, char **argv)
{
    const char *root = getenv("UNROLL_SOURCE_DIR");
    char bert[1024], folder[] = "/tmp/unroll-XXXXXX", line[4096];
    ur_err err;
    ur_context *context;
    ur_run *run;
    ur_prediction a;
    snprintf(bert, sizeof bert, "%s/tests/golden/bert_tiny", root ? root : ".");
    snprintf(line, sizeof line, "%s\t%s", argc > 3 ? argv[2] : "sat on ?",
             argc > 3 ? argv[3] : "the cat sat on the world .");
    check(ur_context_new(NULL, &context, &err), err.text);
    new_folder(folder);
    if (argc < 4)
        fine_tune(context, bert, folder);
    check(ur_run_open(context, argc > 3 ? argv[1] : folder, &run, &err), err.text);
    check(ur_run_predict(run, 1, (const char *[]){line}, NULL, &a, NULL, &err), err.text);
    printf("%s: %s (characters %zu to %zu)\n", line, a.text, a.place->begin, a.place->end);
    ur_prediction_free(context, &a);
    ur_run_free(run);
    ur_context_free(context);
    remove_folder(folder);
}
