/* classifier.c - a label for a whole text, without a run's folder: learns which language a few
 * words are, letter by letter, measures, and looks at words that it never saw together. */
#include "example.h"
#include <string.h>

static const char *const words[][7] = {
    {"english", "the", "cat", "sees", "a", "white", "house"},
    {"german", "die", "katze", "sieht", "ein", "weisses", "haus"},
    {"french", "le", "chat", "voit", "une", "maison", "blanche"}};

int main(void)
{
    ur_err err;
    ur_context *context;
    ur_labelled *data;
    ur_vocabulary *letters, *labels;
    ur_model *model;
    ur_trainer *trainer;
    ur_measure measure;
    char path[] = "/tmp/unroll-XXXXXX";
    FILE *f = fdopen(mkstemp(path), "w");
    check(f ? UR_OK : UR_IO, path);
    for (int i = 0; i < 108; i++) /* every pair of words, behind its label and a tab */
        fprintf(f, "%s\t%s %s\n", words[i % 3][0], words[i % 3][1 + i / 3 % 6],
                words[i % 3][1 + i / 18]);
    fclose(f);
    check(ur_context_new(NULL, &context, &err), err.text);
    ur_tagger_config c = ur_classifier_defaults();
    c.text.tokenizer = UR_CHARACTERS;
    check(ur_labelled_learn(NULL, path, UR_CLASSIFIED, &c.text, NULL, NULL, &data, &letters,
                            &labels, &err),
          err.text);
    remove(path);
    c.vocabulary = ur_vocabulary_size(letters), c.labels = ur_vocabulary_size(labels);
    c.hidden_size = 32;
    check(ur_classifier_new(context, &c, &model, &err), err.text);
    ur_tagger_init(model, 1);
    ur_train_options options = ur_train_defaults();
    options.batch = 18, options.epochs = 20, options.lr = 5e-3, options.clip = 0;
    check(ur_trainer_new(context, model, data, &options, &trainer, &err), err.text);
    for (ur_step step; !ur_trainer_finished(trainer);)
        check(ur_trainer_step(trainer, &step, &err), err.text);
    ur_trainer_free(trainer);
    check(ur_evaluate(model, data, &measure, &err), err.text);
    printf("%.1f %% of %zu right, macro F1 %.3f\n",
           100 * ur_measure_figure(model->kind, &measure, "accuracy"), measure.examples,
           ur_measure_figure(model->kind, &measure, "f1"));
    const char *text = "une maison blanche";
    int32_t ids[32], label;
    ur_ids asked = {ids, 0};
    check(ur_text_encode(&c.text, letters, text, strlen(text), ids, &asked.length, NULL, &err),
          err.text);
    check(ur_tagger_apply(context, model, 1, &asked, &label, NULL, &err), err.text);
    printf("%s: %s\n", text, ur_vocabulary_token(labels, label, NULL));
    ur_model_free(model);
    ur_labelled_free(data);
    ur_vocabulary_free(letters), ur_vocabulary_free(labels);
    ur_context_free(context);
}
