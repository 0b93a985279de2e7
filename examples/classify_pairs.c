/* classify_pairs.c - whether one text follows from another: a published BERT, fine-tuned on pairs and asked.
 *     classify_pairs FOLDER|RUN FIRST SECOND
 * FOLDER is a BertForSequenceClassification of Hugging Face's, RUN the folder of a training. Without arguments
 * the small BERT of the tests, whose weights are random, learns from a few pairs first. */
#include "example.h"

static void fine_tune(ur_context *context, const char *bert, const char *folder)
{
    ur_err err;
    ur_run *run;
    char data[64];
    snprintf(data, sizeof data, "%s.txt", folder);
    FILE *f = fopen(data, "w");
    check(f ? UR_OK : UR_IO, "cannot write to /tmp");
    for (int i = 0; i < 20; i++)
        fprintf(f, "yes\tthe cat sat on the mat\ta cat\nno\thello world\tthe mat\n");
    fclose(f);
    ur_bert_labels_config config = ur_bert_labels_defaults();
    config.text.pairs = true;
    ur_run_settings settings = ur_run_defaults(ur_kind_find(context, "bert_classifier"));
    settings.data = data;
    settings.init_from = bert;
    settings.train.lr = 5e-3;
    settings.train.epochs = 20;
    check(ur_run_create(context, folder, &settings, "bert_classifier", &config, &run, &err),
          err.text);
    check(ur_run_train(run, NULL, &err), err.text);
    ur_run_free(run);
    remove(data);
}

int main(int argc, char **argv)
{
    const char *root = getenv("UNROLL_SOURCE_DIR");
    char bert[1024], folder[] = "/tmp/unroll-XXXXXX", pair[4096];
    ur_err err;
    ur_context *context;
    ur_run *run;
    ur_prediction answer;
    snprintf(bert, sizeof bert, "%s/tests/golden/bert_tiny", root ? root : ".");
    snprintf(pair, sizeof pair, "%s\t%s", argc > 3 ? argv[2] : "the cat sat",
             argc > 3 ? argv[3] : "a cat");
    check(ur_context_new(NULL, &context, &err), err.text);
    new_folder(folder);
    if (argc < 4)
        fine_tune(context, bert, folder);
    check(ur_run_open(context, argc > 3 ? argv[1] : folder, &run, &err), err.text);
    check(ur_run_set_reading(run, "read.pairs", "true", &err), err.text);
    check(ur_run_predict(run, 1, (const char *[]){pair}, NULL, &answer, NULL, &err), err.text);
    printf("%s: %s (%.3f)\n", pair, answer.labels[0], (double)answer.probability[0]);
    ur_prediction_free(context, &answer);
    ur_run_free(run);
    ur_context_free(context);
    remove_folder(folder);
}
