/* same_bits.c - the same training with different numbers of threads and instruction sets: the
 * weights are equal, byte for byte. */
#include "example.h"

#include <string.h>

/* Trains for some steps and returns the weights' vector, in fresh memory. */
static float *train(const char *isa, int threads, size_t *bytes)
{
    ur_err err;
    ur_context *context;
    ur_pairs *pairs;
    ur_vocabulary *vocabulary;
    ur_model *model;
    ur_trainer *trainer;
    const ur_options how = {.isa = isa, .threads = threads};
    const ur_pair_source from = {.data = "builtin:additions", .size = 200};
    ur_seq2seq_config config = ur_seq2seq_defaults();
    config.hidden_size = 24;
    check(ur_context_new(&how, &context, &err), err.text);
    check(ur_pairs_learn(NULL, &from, NULL, &pairs, &vocabulary, &config.format, &err), err.text);
    config.vocabulary = ur_vocabulary_size(vocabulary);
    check(ur_seq2seq_new(context, &config, &model, &err), err.text);
    ur_seq2seq_init(model, 1);
    ur_train_options options = ur_train_defaults();
    options.batch = 100;
    options.lr = 2e-4;
    options.clip = 0;
    options.max_steps = 8;
    check(ur_trainer_new(context, model, pairs, &options, &trainer, &err), err.text);
    for (ur_step step; !ur_trainer_finished(trainer);)
        check(ur_trainer_step(trainer, &step, &err), err.text);

    *bytes = ur_params_size(model->params) * sizeof(float);
    float *weights = malloc(*bytes);
    check(weights ? UR_OK : UR_NO_MEMORY, "out of memory");
    memcpy(weights, ur_params_values(model->params), *bytes);
    ur_trainer_free(trainer);
    ur_model_free(model);
    ur_pairs_free(pairs);
    ur_vocabulary_free(vocabulary);
    ur_context_free(context);
    return weights;
}

int main(void)
{
    size_t bytes;
    float *fast = train(NULL, 3, &bytes), *plain = train("plain", 1, &bytes);
    const bool same = memcmp(fast, plain, bytes) == 0;
    printf("the best instruction set with 3 threads and plain C with 1: %s\n",
           same ? "the same bits" : "they differ");
    free(fast);
    free(plain);
    return same ? 0 : 1;
}
