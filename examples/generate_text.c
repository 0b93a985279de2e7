/* generate_text.c - a model that writes: train on a text by truncated back-propagation, report
 * perplexity, continue a prompt. (From a file: ur_corpus_learn and ur_text_encode.) */
#include "example.h"

#include <math.h>
#include <string.h>

static const char rhyme[] = "one for the money, two for the show, three to get ready, and go. ";
enum { ONCE = sizeof rhyme - 1, TIMES = 20 };

int main(void)
{
    ur_err err;
    ur_context *context;
    ur_vocabulary *letters;
    int32_t ids[ONCE * TIMES];
    check(ur_context_new(NULL, &context, &err), err.text);
    check(ur_vocabulary_new(NULL, &letters, &err), err.text);
    for (size_t i = 0; i < ONCE * TIMES; i++)
        check(ur_vocabulary_add(letters, &rhyme[i % ONCE], 1, &ids[i], &err), err.text);

    ur_model *model;
    ur_language_model_config config = ur_language_model_defaults();
    config.vocabulary = ur_vocabulary_size(letters), config.hidden_size = 32, config.bptt = 20;
    check(ur_language_model_new(context, &config, &model, &err), err.text);
    ur_language_model_init(model, 1);

    ur_language_data *data;
    ur_trainer *trainer;
    const ur_ids text = {ids, ONCE * TIMES}, prompt = {ids + 37, 8}; /* "three to" */
    ur_train_options options = ur_train_defaults();
    options.batch = 4, options.epochs = 30, options.lr = 1e-2, options.clip = 1;
    check(ur_language_data_new(context, model, text, options.batch, &data, &err), err.text);
    check(ur_trainer_new(context, model, data, &options, &trainer, &err), err.text);
    for (ur_step s; !ur_trainer_finished(trainer);) {
        check(ur_trainer_step(trainer, &s, &err), err.text);
        if (s.epoch_ended && s.epoch % 10 == 0)
            printf("epoch %zu: %.3f\n", s.epoch, exp(s.epoch_nll / (double)s.epoch_positions));
    }

    int32_t written[18];
    char shown[19];
    ur_generator *generator; /* the most probable letter; ur_search_options draw others */
    check(ur_generator_new(context, model, NULL, &generator, &err), err.text);
    check(ur_generator_read(generator, prompt, &err), err.text);
    for (size_t i = 0; i < 18; i++)
        check(ur_generator_write(generator, &written[i], NULL, &err), err.text);
    ur_vocabulary_decode(letters, written, 18, shown, sizeof shown);
    printf("three to%s\n", shown);

    ur_generator_free(generator);
    ur_trainer_free(trainer);
    ur_language_data_free(data);
    ur_model_free(model);
    ur_vocabulary_free(letters);
    ur_context_free(context);
    return strcmp(shown, " get ready, and go") != 0;
}
