/* train_pairs.c - from a text file of pairs to a model that answers, without a run's folder: learn
 * the file's symbols, build a model, train it step by step, ask it. */
#include "example.h"

#include <string.h>

static const char words[] = "cat\tcats\ndog\tdogs\ncow\tcows\nfox\tfoxes\nbox\tboxes\nhen\thens\n"
                            "fly\tflies\nsky\tskies\nant\tants\nbus\tbuses\npig\tpigs\n";

int main(void)
{
    char folder[] = "/tmp/unroll-XXXXXX", path[64], text[64];
    new_folder(folder);
    snprintf(path, sizeof path, "%s/words.txt", folder);
    FILE *file = fopen(path, "w");
    check(file && fputs(words, file) >= 0 && fclose(file) == 0 ? UR_OK : UR_IO, "cannot write");

    ur_err err;
    ur_context *context;
    ur_pairs *pairs;
    ur_vocabulary *vocabulary;
    ur_seq2seq_config config = ur_seq2seq_defaults();
    const ur_pair_source from = {.data = path};
    check(ur_context_new(NULL, &context, &err), err.text);
    check(ur_pairs_learn(NULL, &from, NULL, &pairs, &vocabulary, &config.format, &err), err.text);
    remove_folder(folder);

    ur_model *model;
    config.vocabulary = ur_vocabulary_size(vocabulary);
    config.hidden_size = 32;
    check(ur_seq2seq_new(context, &config, &model, &err), err.text);
    ur_seq2seq_init(model, 1);

    ur_trainer *trainer;
    ur_train_options options = ur_train_defaults();
    options.batch = 4, options.epochs = 50, options.lr = 1e-2, options.clip = 5;
    check(ur_trainer_new(context, model, pairs, &options, &trainer, &err), err.text);
    for (ur_step step; !ur_trainer_finished(trainer);)
        check(ur_trainer_step(trainer, &step, &err), err.text);

    int32_t ids[64];
    ur_ids question = {.ids = ids};
    ur_tape *tape;
    check(ur_pair_encode(&config.format, vocabulary, "cow", 3, ids, &question.length, NULL, &err),
          err.text);
    check(ur_tape_new(context, &tape, &err), err.text);
    ur_tape_start(tape, UR_INFER, model->params, NULL, 0, 0);
    const ur_answer *answer = ur_seq2seq_answer(tape, model, 1, &question, NULL, NULL);
    check(ur_tape_status(tape), ur_error(tape));
    ur_vocabulary_decode(vocabulary, answer->ids, answer->count, text, sizeof text);
    printf("cow -> %s\n", text);

    ur_tape_free(tape);
    ur_trainer_free(trainer);
    ur_model_free(model);
    ur_pairs_free(pairs);
    ur_vocabulary_free(vocabulary);
    ur_context_free(context);
    return strcmp(text, "cows") != 0;
}
