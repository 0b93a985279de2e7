/* kind_language_model.c - language models in the tool: what they are told about, their measure. */
#include "kinds.h"

#include <math.h>

static size_t tokens_of(const ur_language_data *data)
{
    return data ? ur_language_data_text(data).length : 0;
}

static void say_start(ur_context *context, ur_run *run)
{
    char tokens[GROUPED], valid[GROUPED], words[GROUPED], weights[GROUPED];
    const int threads = ur_context_threads(context);
    fprintf(stderr,
            "%s tokens to learn, %s to validate; %s different ones, %s weights; %s, %d thread%s\n",
            grouped(tokens_of(ur_run_train_data(run)), tokens),
            grouped(tokens_of(ur_run_valid_data(run)), valid),
            grouped(ur_vocabulary_size(ur_run_vocabulary(run)), words),
            grouped(ur_params_weights(ur_run_model(run)->params), weights), ur_context_isa(context),
            threads, threads == 1 ? "" : "s");
    if (ur_language_model_config_of(ur_run_model(run))->bidirectional)
        say("a bidirectional model sees the tokens that it is to predict: its perplexity is no "
            "language model's, and it cannot generate");
}

/* Of characters a token is one; of words what their texts have is not known here. */
static void print_measure(ur_run *run, const ur_measure *m, bool json)
{
    const ur_language_model_config *config = ur_language_model_config_of(ur_run_model(run));
    const bool characters = config->text.options.tokenizer == UR_CHARACTERS;
    const double loss = m->positions ? m->loss / (double)m->positions : (double)NAN;
    const double bits = loss / log(2.0);
    char text[GROUPED];
    if (json) {
        printf("{\"tokens\":%zu,\"loss\":", m->positions);
        json_number(stdout, loss);
        fputs(",\"perplexity\":", stdout);
        json_number(stdout, exp(loss));
        printf(",\"bits_per_%s\":", characters ? "character" : "word");
        json_number(stdout, bits);
        puts("}");
        return;
    }
    printf("perplexity       %8.4f     per %s\n", exp(loss), characters ? "character" : "word");
    printf("bits             %8.4f     per %s\n", bits, characters ? "character" : "word");
    printf("loss             %8.6f     mean over tokens\n", loss);
    printf("tokens           %8s     predicted, each after all before it\n",
           grouped(m->positions, text));
}

const model_kind language_model_kind = {
    .name = "language_model",
    .say_start = say_start,
    .print_measure = print_measure,
};
