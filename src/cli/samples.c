/* samples.c - a few questions with the answers they should get and those the model gives. */
#include "progress.h"

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
    ur_answer *answer = ur_seq2seq_answer(tape, model, 1, &question, needed ? &first : NULL);
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

int print_samples(ur_context *context, ur_run *run, size_t count)
{
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
