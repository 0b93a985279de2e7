/* kind_text_lstm.c - next-word models in the tool: samples of what one predicts, its measure, the
 * words that it expects after a text. */
#include "kinds.h"

#include <math.h>
#include <string.h>

enum { SHOWN = 10, SAMPLES = 5 }; /* words that --json lists; places shown after training */

static const ur_text_lstm_config *config_of(ur_run *run)
{
    return ur_text_lstm_config_of(ur_run_model(run));
}

static void say_start(ur_context *context, ur_run *run)
{
    char words[GROUPED], valid[GROUPED], different[GROUPED], weights[GROUPED], states[GROUPED];
    const ur_next_words *train = ur_run_train_data(run), *other = ur_run_valid_data(run);
    const int threads = ur_context_threads(context);
    const size_t bytes = ur_text_lstm_state_bytes(config_of(run), ur_next_words_count(train));
    fprintf(stderr,
            "%s words to learn, each from the %zu before it; %s to validate; %s different ones, %s "
            "weights; %s, %d thread%s\n",
            grouped(ur_next_words_count(train), words), config_of(run)->context,
            grouped(other ? ur_next_words_count(other) : 0, valid),
            grouped(ur_vocabulary_size(ur_run_vocabulary(run)), different),
            grouped(ur_params_weights(ur_run_model(run)->params), weights), ur_context_isa(context),
            threads, threads == 1 ? "" : "s");
    if (bytes)
        fprintf(stderr, "states of all places: %s MB\n",
                grouped((bytes + 500000) / 1000000, states));
}

/* ---- samples ------------------------------------------------------------------------------- */

/* "the words before it -> what the model expects (what came)". */
static int print_sample(ur_tape *tape, ur_run *run, const int32_t *words)
{
    const ur_text_lstm_config *config = config_of(run);
    const ur_vocabulary *v = ur_run_vocabulary(run);
    const size_t n = config->context;
    ur_tape_start(tape, UR_INFER, ur_run_model(run)->params, NULL, 0, 0);
    const ur_tensor *logits = ur_text_lstm_logits(tape, ur_run_model(run), 1, words);
    if (!logits) {
        say("%s", ur_error(tape));
        return exit_code(ur_tape_status(tape));
    }
    size_t best = 0;
    for (size_t i = 1; i < config->vocabulary; i++)
        if (ur_floats(logits)[i] > ur_floats(logits)[best])
            best = i;
    for (size_t i = 0; i < n; i++) {
        const char *word = ur_vocabulary_token(v, words[i], NULL);
        if (config->text.options.tokenizer != UR_CHARACTERS)
            printf("%s ", word);
        else
            fputs(strchr("\n\r\t", *word) ? " " : word, stdout);
    }
    printf("-> %s", ur_vocabulary_token(v, (int32_t)best, NULL));
    printf(" (%s)\n", ur_vocabulary_token(v, words[n], NULL));
    return CODE_OK;
}

/* Some places of the data, spread over it. */
static int print_samples(ur_context *context, ur_run *run)
{
    const ur_next_words *data = ur_run_valid_data(run);
    if (!data)
        data = ur_run_train_data(run);
    const size_t all = ur_next_words_count(data), count = all < SAMPLES ? all : SAMPLES;
    const ur_ids text = ur_next_words_text(data);
    ur_tape *tape;
    ur_err err;
    if (ur_tape_new(context, &tape, &err) != UR_OK)
        return say_error(&err);
    int code = CODE_OK;
    for (size_t i = 1; code == CODE_OK && i <= count; i++)
        code = print_sample(tape, run,
                            text.ids + (size_t)((double)all * (double)i / (double)count) - 1);
    ur_tape_free(tape);
    return code == CODE_OK ? flush_output() : code;
}

/* ---- the rest ------------------------------------------------------------------------------ */

static void print_measure(ur_run *run, const ur_measure *m, bool json)
{
    (void)run;
    const double loss = m->positions ? m->loss / (double)m->positions : (double)NAN;
    const double accuracy = m->examples ? (double)m->right / (double)m->examples : (double)NAN;
    char text[GROUPED];
    if (!json) {
        printf("perplexity       %8.4f     per word\n", exp(loss));
        printf("accuracy         %8.4f %%   words that are the most probable one\n",
               100 * accuracy);
        printf("loss             %8.6f     mean over words\n", loss);
        printf("words            %8s     predicted, each from the %zu before it\n",
               grouped(m->positions, text), config_of(run)->context);
        return;
    }
    printf("{\"words\":%zu,\"right\":%zu,\"accuracy\":", m->positions, m->right);
    json_number(stdout, accuracy);
    fputs(",\"loss\":", stdout);
    json_number(stdout, loss);
    fputs(",\"perplexity\":", stdout);
    json_number(stdout, exp(loss));
    puts("}");
}

static void print_json(const char *text, size_t unknown, size_t most, const ur_next_word *words)
{
    fputs("{\"text\":", stdout);
    json_string(stdout, text);
    fputs(",\"next\":", stdout);
    json_string(stdout, words[0].word);
    printf(",\"unknown\":%zu,\"words\":[", unknown);
    for (size_t i = 0; i < most; i++) {
        fputs(i ? ",{\"word\":" : "{\"word\":", stdout);
        json_string(stdout, words[i].word);
        fputs(",\"probability\":", stdout);
        json_number(stdout, (double)words[i].probability);
        putchar('}');
    }
    puts("]}");
}

static int predict(ur_run *run, size_t count, const char *const *texts, bool json, size_t *bad,
                   ur_err *err)
{
    const size_t size = ur_vocabulary_size(ur_run_vocabulary(run));
    const size_t most = !json ? 1 : size < SHOWN ? size : SHOWN;
    ur_next_word words[MOST_TEXTS * SHOWN];
    size_t unknown[MOST_TEXTS];
    const ur_status status = ur_run_next_words(run, count, texts, most, words, unknown, bad, err);
    if (status != UR_OK)
        return exit_code(status);
    for (size_t i = 0; i < count; i++) {
        if (json) {
            print_json(texts[i], unknown[i], most, words + i * most);
            continue;
        }
        puts(words[i].word);
        if (unknown[i])
            say("%zu of the %zu words before '%s' are unknown to the model and read as <unk>",
                unknown[i], config_of(run)->context, words[i].word);
    }
    return flush_output();
}

const model_kind text_lstm_kind = {
    .name = "text_lstm",
    .say_start = say_start,
    .print_samples = print_samples,
    .print_measure = print_measure,
    .predict = predict,
};
