/* kind_seq2seq.c - encoder-decoders in the tool: samples of what one answers, its measure, its
 * answers to texts. */
#include "kinds.h"

#include <stdlib.h>
#include <string.h>

/* "Q: text", without the spaces that fill it up. */
static int print_line(const char *name, const ur_vocabulary *vocabulary, ur_ids ids)
{
    size_t size = ur_vocabulary_decode(vocabulary, ids.ids, ids.length, NULL, 0) + 1;
    char *text = malloc(size);
    if (!text)
        return say_no_memory();
    ur_vocabulary_decode(vocabulary, ids.ids, ids.length, text, size);
    size_t length = strlen(text);
    while (length > 0 && text[length - 1] == ' ')
        length--;
    printf("%s: %.*s\n", name, (int)length, text);
    free(text);
    return CODE_OK;
}

/* What the decoder reads first, where that is not always the start symbol. */
static int first_input(const ur_pair_format *format, ur_ids answer, int32_t *first, bool *needed)
{
    *needed = format->answer_order == UR_ANSWER_WITH_START;
    if (!*needed)
        return CODE_OK;
    size_t steps = ur_pair_steps(format, answer.length);
    int32_t *ids = malloc((2 * steps + 1) * sizeof *ids);
    if (!ids)
        return say_no_memory();
    ur_pair_target(format, answer, ids, ids + steps);
    *first = steps ? ids[0] : format->start;
    free(ids);
    return CODE_OK;
}

static int print_sample(ur_tape *tape, ur_run *run, const ur_pairs *pairs, size_t index)
{
    const ur_model *model = ur_run_model(run);
    const ur_vocabulary *vocabulary = ur_run_vocabulary(run);
    ur_ids question = ur_pairs_question(pairs, index), target = ur_pairs_answer(pairs, index);
    int32_t first = 0;
    bool needed;
    int code = first_input(&ur_seq2seq_config_of(model)->format, target, &first, &needed);
    if (code != CODE_OK)
        return code;
    ur_tape_start(tape, UR_INFER, model->params, NULL, 0, 0);
    ur_answer *answer = ur_seq2seq_answer(tape, model, 1, &question, needed ? &first : NULL, NULL);
    if (!answer) {
        say("%s", ur_error(tape));
        return exit_code(ur_tape_status(tape));
    }
    ur_ids given = {.ids = answer->ids, .length = answer->count};
    code = print_line("Q", vocabulary, question);
    if (code == CODE_OK)
        code = print_line("T", vocabulary, target);
    if (code == CODE_OK)
        code = print_line("A", vocabulary, given);
    putchar('\n');
    return code;
}

/* A few of the data's questions, with the answers they should get and those the model gives. */
static int print_samples(ur_context *context, ur_run *run)
{
    size_t count = 3;
    const ur_pairs *pairs = ur_run_valid_data(run);
    if (!pairs)
        pairs = ur_run_train_data(run);
    size_t all = ur_pairs_count(pairs);
    ur_tape *tape;
    ur_err err;
    if (ur_tape_new(context, &tape, &err) != UR_OK)
        return say_error(&err);
    if (count > all)
        count = all;
    int code = CODE_OK;
    /* spread over the data; the last one is its last */
    for (size_t i = 1; code == CODE_OK && i <= count; i++)
        code =
            print_sample(tape, run, pairs, (size_t)((double)all * (double)i / (double)count) - 1);
    ur_tape_free(tape);
    return code;
}

/* ---- the rest ------------------------------------------------------------------------------ */

static void say_start(ur_context *context, ur_run *run)
{
    char pairs[GROUPED], valid[GROUPED], weights[GROUPED];
    const ur_pairs *validation = ur_run_valid_data(run);
    int threads = ur_context_threads(context);
    fprintf(stderr, "%s pairs to learn, %s to validate; %zu symbols, %s weights; %s, %d thread%s\n",
            grouped(ur_pairs_count(ur_run_train_data(run)), pairs),
            grouped(validation ? ur_pairs_count(validation) : 0, valid),
            ur_vocabulary_size(ur_run_vocabulary(run)),
            grouped(ur_params_weights(ur_run_model(run)->params), weights), ur_context_isa(context),
            threads, threads == 1 ? "" : "s");
}

static double share(size_t part, size_t whole)
{
    return whole ? (double)part / (double)whole : 0;
}

static void print_measure(ur_run *run, const ur_measure *m, bool json)
{
    (void)run;
    double loss = m->positions ? m->loss / (double)m->positions : 0;
    double accuracy = share(m->right, m->examples), forced = share(m->forced_right, m->positions);
    if (!json) {
        char text[GROUPED];
        printf("accuracy         %8.4f %%   whole answers, free-running\n", 100 * accuracy);
        printf("teacher-forced   %8.4f %%   symbols, each after the right ones\n", 100 * forced);
        printf("loss             %8.6f     mean over symbols\n", loss);
        printf("pairs            %8s\n", grouped(m->examples, text));
        return;
    }
    printf("{\"count\":%zu,\"right\":%zu,\"accuracy\":", m->examples, m->right);
    json_number(stdout, accuracy);
    printf(",\"forced_right\":%zu,\"forced_accuracy\":", m->forced_right);
    json_number(stdout, forced);
    printf(",\"positions\":%zu,\"loss\":", m->positions);
    json_number(stdout, loss);
    puts("}");
}

static void print_json(const char *question, const ur_text_answer *a)
{
    fputs("{\"question\":", stdout);
    json_string(stdout, question);
    fputs(",\"answer\":", stdout);
    json_string(stdout, a->text);
    fputs(",\"log_probability\":", stdout);
    json_number(stdout, a->log_probability);
    printf(",\"complete\":%s,\"symbols\":[", a->complete ? "true" : "false");
    for (size_t i = 0; i < a->answer_length; i++) {
        fputs(i ? ",{\"symbol\":" : "{\"symbol\":", stdout);
        json_string(stdout, a->answer_symbols[i]);
        fputs(",\"probability\":", stdout);
        json_number(stdout, (double)a->probability[i]);
        putchar('}');
    }
    puts("]}");
}

static int predict(ur_run *run, size_t count, const char *const *questions, bool json, size_t *bad,
                   ur_err *err)
{
    ur_text_answer answers[MOST_TEXTS];
    ur_status status = ur_run_answer(run, count, questions, answers, bad, err);
    if (status != UR_OK)
        return exit_code(status);
    for (size_t i = 0; i < count; i++) {
        if (json)
            print_json(questions[i], &answers[i]);
        else
            puts(answers[i].text);
    }
    return flush_output();
}

const model_kind seq2seq_kind = {
    .name = "seq2seq",
    .say_start = say_start,
    .print_samples = print_samples,
    .print_measure = print_measure,
    .predict = predict,
};
